"""A scripted exchange that lies for some minutes: of the time, by its frames, its clock or its candles.

The rule: outside of those minutes it says the truth. What it says inside is the test's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.feeds.link import Frame
from tests.live_weather import SYMBOLS
from tests.scripted_live import LiveExchange, Weather

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
YEARS_MS = 50 * 365 * DAY_MS
FROM_S, UNTIL_S = 150.0, 330.0
Lie = Callable[[Frame, float], Sequence[Frame]]
TimeLie = Callable[[int, int], int | None]


class Liar(LiveExchange):
    """Tells lies between FROM_S and UNTIL_S: `lie` makes frames of a true one, `time_lie` a time of the true one."""

    def __init__(
        self,
        lie: Lie | None = None,
        time_lie: TimeLie | None = None,
        symbols: Sequence[str] = SYMBOLS,
        **weather: object,
    ) -> None:
        super().__init__(symbols, replace(Weather(updates=4), **weather), 1, begin_s=1.0)  # type: ignore[arg-type]
        self.lie, self.time_lie = lie, time_lie
        self.asked: list[float] = []
        self.until_s = UNTIL_S

    @property
    def lies(self) -> bool:
        return FROM_S <= self.now_s < self.until_s

    async def run(self, on_frame: Callable[[Frame], None], on_link: Callable[[bool], None]) -> None:
        def hand_on(frame: Frame) -> None:
            for one in self.lie(frame, self.now_s) if self.lie is not None and self.lies else (frame,):
                on_frame(one)

        await super().run(hand_on, on_link)

    async def server_time_ms(self) -> int | None:
        self.asked.append(self.now_s)
        time_ms = await super().server_time_ms()
        if self.time_lie is None or not self.lies or time_ms is None:
            return time_ms
        return self.time_lie(time_ms, len(self.asked))


def moved(frame: Frame, ms: int, event_ms: int | None = None, **changes: object) -> Frame:
    """The same candle at another time."""
    candle = type(frame.candle)(
        str(changes.get("symbol", frame.candle.symbol)), "1m", frame.candle.open_time_ms + ms,
        *(getattr(frame.candle, name) for name in ("open", "high", "low", "close", "volume")),
    )  # fmt: skip
    closed = bool(changes.get("closed", frame.closed))
    return Frame(candle, closed, frame.event_time_ms + (ms if event_ms is None else event_ms))
