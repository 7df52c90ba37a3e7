"""Asks an exchange for its time, as often as a live feed needs it and no more often than the exchange may be asked.

It asks where frames have not told the time for so long that a grace may be over, where a frame claims a time that
nobody can believe, and once in a while to hold the frames to it. What is believed is the clock's business
(exchange_clock.py); how refusals make all questions wait is the provider's.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from app import times
from app.errors import ExchangeError, RateLimitError, UnavailableError
from app.exchange.exchange_clock import ExchangeClock
from app.exchange.history import HistoricalDataProvider
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import jittered_s
from app.feeds.live_state import FeedTimes
from app.times import timeframe_ms

_ASK_S = 10.0
_MOMENT_S = 0.001
_BORNE_OUT_S = 30.0  # what frames say of the time is held to the exchange's clock so often
_DOUBT_S = 2.0  # and this soon after the last question, where a frame gives reason to
_FAULT_BASE_S, _FAULT_LONGEST_S = 1.0, 30.0
_START_TRIES, _START_PAUSE_S = 8, 0.06


class TimeWatch:
    """The time of one feed; `asked` is called after each question, `is_waiting` says whether a slice waits for REST."""

    def __init__(
        self,
        provider: HistoricalDataProvider,
        symbols: Sequence[str],
        timeframe: str,
        times: FeedTimes,
        *,
        is_waiting: Callable[[], bool],
        asked: Callable[[bool], None],
        lines: RepeatedLines,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._symbols, self._timeframe = symbols, timeframe
        self._step_ms = timeframe_ms(timeframe)
        self.clock = ExchangeClock(self._step_ms, has_own_pace=provider.is_testnet)
        self.faults = 0
        self._provider, self._times = provider, times
        self._is_waiting, self._asked, self._lines, self._sleep = is_waiting, asked, lines, sleep
        self._look_s = min(times.grace_s, times.silence_s / 4)
        self._advanced_s = 0.0  # when the exchange's time went on, by the local monotonic clock
        self._turn_s = 0.0
        self._is_rest_up = False  # it has answered since the last question of the time
        self._in_doubt = asyncio.Event()  # of the time, by a frame
        self._asked_s = float("-inf")
        self._in_vain = 0  # questions in a row
        self._retry_s = 0.0  # how long after such a one to ask again

    async def learn(self) -> None:
        """What time it is, by answers that bear each other out, and how fast it passes."""
        fault: ExchangeError | None = None
        for tries in range(1, _START_TRIES + 1):
            try:
                self.clock.note_answer(await self._provider.server_time(self._symbols, self._timeframe))
            except (UnavailableError, RateLimitError) as error:
                fault = error
            if self.clock.is_sure:
                return
            wait_s = 0.0 if fault is None else jittered_s(tries, _FAULT_BASE_S, _FAULT_LONGEST_S)
            await self._sleep(max(_START_PAUSE_S, wait_s))
        raise fault or UnavailableError(f"{self._provider.exchange} tells another time whenever it is asked")

    def begin(self) -> None:
        """Frames are looked at from now on."""
        self._turn_s = self._advanced_s = times.monotonic_s()

    def advanced(self, now_s: float) -> None:
        """A frame has told the time."""
        self._advanced_s = now_s

    def rest_answered(self) -> None:
        """REST has shown candles, so it can be asked for the time, too, although it failed before."""
        self._is_rest_up = True

    def doubt(self) -> None:
        """A frame claims what only the exchange can say."""
        self._in_doubt.set()

    def is_fresh(self, now_s: float) -> bool:
        """Whether the exchange has said so lately what time it is that asking again would tell nothing new."""
        return self.clock.told_age_s(now_s) <= _DOUBT_S

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wait_s = self._until_question_s()
            if wait_s <= _MOMENT_S:
                await self.ask()
            elif self._in_doubt.is_set():
                await self._sleep(wait_s)
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._in_doubt.wait()

    async def catch_up(self) -> None:
        """After a sleep of the whole process, or an outage, what was told may be an old time: the exchange is asked."""
        now_s = times.monotonic_s()
        old_s, self._turn_s = now_s - self._turn_s, now_s
        if self._is_rest_up:  # frames that wait, or are shown again, keep this awake and tell no time
            old_s = max(old_s, (self.clock.latest_ms(now_s) - self.clock.candle_ms) / 1000.0)
        if old_s > self._look_s + self._times.silence_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ASK_S):
                    await self.ask()

    async def ask(self) -> None:
        """Once; an answer that cannot be had or believed is asked for again later."""
        self._in_doubt.clear()
        self._is_rest_up = False
        is_believed = False
        try:
            is_believed = self.clock.note_answer(await self._provider.server_time(self._symbols, self._timeframe))
        except ExchangeError:
            self.faults += 1
        else:
            if not is_believed:
                name = self._provider.exchange
                self._lines.say("time", f"{name} tells a time that neither its frames nor its other answers bear out")
        self._in_vain = 0 if is_believed else self._in_vain + 1
        self._asked_s = times.monotonic_s()
        self._retry_s = jittered_s(self._in_vain, _FAULT_BASE_S, _FAULT_LONGEST_S)
        if is_believed:
            self._advanced_s = self._asked_s
        self._asked(is_believed)

    def _until_question_s(self) -> float:
        now_s = times.monotonic_s()
        if self._in_vain:
            return self._asked_s + self._retry_s - now_s
        if self._in_doubt.is_set():
            return self._asked_s + _DOUBT_S - now_s
        now_ms, grace_ms = self.clock.candle_ms, int(self._times.grace_s * 1000)
        to_grace_ms = self._step_ms - (now_ms - grace_ms) % self._step_ms
        quiet_s = self._look_s if self._is_waiting() else max(self._look_s, to_grace_ms / 1000.0)
        quiet_s = min(quiet_s, self._times.silence_s) - (now_s - self._advanced_s)
        return min(quiet_s, _BORNE_OUT_S - self.clock.told_age_s(now_s))
