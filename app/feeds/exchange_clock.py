"""The exchange's time as it tells it: event times of frames, and its clock where it was asked.

The rule: never this machine's clock, and never an offset to it; between two tellings time stands still. Where the
exchange's clock disagrees with its own candles (a frame of a forming candle after its close), the candles are right.
It asks nobody.
"""


class ExchangeClock:
    """`time_ms` as the exchange told it last (0: never), `candle_ms` that time by its candles."""

    def __init__(self, step_ms: int) -> None:
        self.time_ms = 0
        self.ahead_ms = 0  # its clock against its candles, as far as frames have proved
        self._step_ms = step_ms
        self._newest_open_ms = 0

    @property
    def candle_ms(self) -> int:
        """What time it is by the exchange's candles."""
        return self.time_ms - self.ahead_ms

    def note_time(self, time_ms: int) -> None:
        """It was asked and answered; this is also how it may go back."""
        self.time_ms = time_ms

    def note_frame(self, open_time_ms: int, event_time_ms: int, *, closed: bool) -> bool:
        """A frame of a candle was sent at this time; whether that is news of the time."""
        into_ms = event_time_ms - open_time_ms
        most_ms = into_ms - self._step_ms if closed else into_ms  # a candle that is there has opened
        least_ms = into_ms - self._step_ms + 1  # one that is forming has not closed
        # An old candle that is shown again proves nothing.
        if not closed and open_time_ms >= self._newest_open_ms:
            self.ahead_ms = max(self.ahead_ms, least_ms)
        self.ahead_ms = min(self.ahead_ms, most_ms)
        self._newest_open_ms = max(self._newest_open_ms, open_time_ms)
        if event_time_ms <= self.time_ms:
            return False
        self.time_ms = event_time_ms
        return True
