"""A live exchange on a virtual clock: the truth about candles, a stream of frames, REST answers, and faults of a seed.

The rule: what it says is the truth, or hides or repeats parts of it, or comes late; it never shows other values. What a
test wants to happen, it writes into a Weather. Prices differ by symbol and minute, so that no mix-up goes unseen.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any
from zlib import crc32

from app.candles.market_data import Market
from app.errors import RateLimitError, UnavailableError
from app.exchange.adapter import CandleExchange
from app.feeds.link import Frame
from app.models.market import Candle
from tests.candle_columns import MINUTE_MS, START_MS

FIRST_MS = START_MS - 400 * MINUTE_MS  # the exchange has candles from here on
Span = tuple[float, float]  # seconds since the start
_LIES = ("empty", "missing", "cut")


@dataclass
class Weather:
    """What goes wrong. Chances are for each frame or answer; spans are seconds since the start."""

    frame_loss: float = 0.0
    frame_copies: float = 0.0
    frame_delay: float = 0.0
    frame_delay_s: float = 3.0
    updates: int = 2  # frames of a forming candle, drawn times
    drops: Sequence[Span] = ()  # the link is gone
    silences: Sequence[Span] = ()  # the link says nothing
    answer_faults: float = 0.0
    faults: Sequence[str] = ("unavailable", "empty", "missing", "duplicate", "disorder", "cut", "hang", "limited")
    lies_from_s: float = 0.0  # before it no answer leaves out what is there
    outages: Sequence[Span] = ()  # REST fails, the time too
    outage_of: str | None = None  # only this symbol's candles
    latency_s: float = 0.2
    holes: set[tuple[str, int]] = field(default_factory=set)  # (symbol, minute since the start)
    skew_ms: int = 0


class LiveExchange(CandleExchange):
    """REST and stream of `symbols`, time as the running loop has it."""

    def __init__(
        self, symbols: Sequence[str], weather: Weather, seed: int, *, begin_s: float = 0.0, market: int = 0
    ) -> None:
        self.id, self.host, self.on_weight = "scripted", "scripted", None
        self.page_candles = 1000
        self.symbols, self.weather, self.market = list(symbols), weather, market
        self._begin_ms = START_MS + int(begin_s * 1000)
        self._random = Random(f"rest {seed}")
        self._frames_random = Random(f"frames {seed}")
        self._faulty_in_a_row: dict[str, int] = {}
        self.requests = 0
        self.overrides: dict[tuple[str, int], Candle] = {}  # what REST answers instead

    # The truth.

    @property
    def now_s(self) -> float:
        """Seconds since START_MS."""
        return asyncio.get_running_loop().time() + (self._begin_ms - START_MS) / 1000.0

    @property
    def now_ms(self) -> int:
        """The exchange's time, without a skew."""
        return START_MS + int(self.now_s * 1000)

    def candle(self, symbol: str, open_time_ms: int, now_ms: int = 10**15) -> Candle | None:
        """As it is at that time; None if there is none (yet)."""
        minute = (open_time_ms - START_MS) // MINUTE_MS
        if now_ms < open_time_ms or open_time_ms < FIRST_MS or (symbol, minute) in self.weather.holes:
            return None
        final = true_candle(symbol, open_time_ms, self.market)
        part = (now_ms - open_time_ms) / MINUTE_MS
        if part >= 1.0:
            return final
        opened, (high, low) = final.open, (final.high, final.low) if part > 0.5 else (final.open, final.open)
        return Candle(symbol, "1m", open_time_ms, opened, high, low, opened, round(final.volume * part, 6))

    # REST.

    @property
    def own_limits(self) -> bool:
        """Ours is the limiter."""
        return False

    async def markets(self, symbols: Sequence[str], timeframe: str) -> dict[str, Market]:
        """Every symbol there is."""
        return dict.fromkeys(symbols, Market())

    def market_rows(self, symbols: Sequence[str]) -> dict[str, Any]:
        """The scripted stream needs none."""
        return {}

    def weight_a_minute(self) -> int | None:
        """It names no limit."""
        return None

    async def close(self) -> None:
        """Nothing is open."""

    async def server_time_ms(self) -> int | None:
        """Its clock."""
        await asyncio.sleep(self.weather.latency_s / 2)
        self._fail_in_an_outage(None)
        return self.now_ms + self.weather.skew_ms

    async def candles(
        self, symbol: str, timeframe: str, since_ms: int | None, end_ms: int | None, limit: int
    ) -> object:
        """As Binance answers, the forming candle included; what it shows may be as old as the request."""
        self.requests += 1
        random, latency_s = self._random, self.weather.latency_s * 2 * self._random.random()
        fault = self._fault(symbol)
        asked_ms = self.now_ms
        await asyncio.sleep(latency_s + (3.0 * random.random() if fault == "hang" else 0.0))
        self._fail_in_an_outage(symbol)
        if fault in ("hang", "unavailable"):
            raise UnavailableError("scripted")
        if fault == "limited":
            raise RateLimitError("scripted", 1.0)
        first_ms = max(since_ms or 0, FIRST_MS)
        first_ms += -first_ms % MINUTE_MS
        until_ms = min(end_ms or 10**15, asked_ms + 1)
        there = [
            time_ms
            for time_ms in range(first_ms, until_ms, MINUTE_MS)
            if (symbol, (time_ms - START_MS) // MINUTE_MS) not in self.weather.holes
        ]
        return _distorted(fault, [self._answer_row(symbol, time_ms, asked_ms) for time_ms in there[:limit]], random)

    def _answer_row(self, symbol: str, open_time_ms: int, now_ms: int) -> list[Any]:
        if (symbol, open_time_ms) in self.overrides:
            return _row(self.overrides[symbol, open_time_ms])
        candle = self.candle(symbol, open_time_ms, now_ms) if open_time_ms + MINUTE_MS > now_ms else None
        return _true_row(symbol, open_time_ms, self.market) if candle is None else _row(candle)

    def _fault(self, symbol: str) -> str | None:
        in_a_row = self._faulty_in_a_row.get(symbol, 0)
        if in_a_row >= 3 or self._random.random() >= self.weather.answer_faults:
            self._faulty_in_a_row[symbol] = 0
            return None
        self._faulty_in_a_row[symbol] = in_a_row + 1
        fault = self._random.choice(list(self.weather.faults))
        return "unavailable" if fault in _LIES and self.now_s < self.weather.lies_from_s else fault

    def _fail_in_an_outage(self, symbol: str | None) -> None:
        weather = self.weather
        if _within(weather.outages, self.now_s) and weather.outage_of in (None, symbol):
            raise UnavailableError("scripted outage")

    # The stream.

    async def run(self, on_frame: Callable[[Frame], None], on_link: Callable[[bool], None]) -> None:
        """As Link says: every minute's frames, from now on and without end."""
        loop, random, weather = asyncio.get_running_loop(), self._frames_random, self.weather
        connected = False
        minute_ms = self.now_ms // MINUTE_MS * MINUTE_MS
        while True:
            for time_ms, symbol, event_ms in self._plan(minute_ms, random):
                wait_s = (event_ms - self.now_ms) / 1000.0
                if wait_s < 0:
                    continue
                await asyncio.sleep(wait_s)
                gone = _within(weather.drops, self.now_s)
                if gone and connected:
                    on_link(False)
                    connected = False
                candle = self.candle(symbol, time_ms, event_ms)
                lost = gone or _within(weather.silences, self.now_s) or random.random() < weather.frame_loss
                if candle is None or lost:
                    continue
                if not connected:
                    on_link(True)
                    connected = True
                frame = Frame(candle, event_ms >= time_ms + MINUTE_MS, event_ms + weather.skew_ms)
                delay_s = weather.frame_delay_s * random.random() if random.random() < weather.frame_delay else 0.0
                loop.call_later(delay_s, on_frame, frame)
                if random.random() < weather.frame_copies:
                    loop.call_later(delay_s + 90.0 * random.random() ** 3, on_frame, frame)
            minute_ms += MINUTE_MS

    def _plan(self, minute_ms: int, random: Random) -> list[tuple[int, str, int]]:
        """(open time, symbol, event time) of a minute's frames, by time: updates, then the final frame at the close."""
        planned = []
        for symbol in self.symbols:
            times = [random.randrange(1, MINUTE_MS) for _ in range(self.weather.updates)]
            times.append(MINUTE_MS + random.randrange(5, 400))
            planned += [(minute_ms, symbol, minute_ms + offset) for offset in times]
        return sorted(planned, key=lambda one: one[2])


@cache
def true_candle(symbol: str, open_time_ms: int, market: int = 0) -> Candle:
    """A final candle; in every market but the first, nobody trades in one minute of thirteen."""
    minute = open_time_ms // MINUTE_MS
    mixed = (
        crc32(f"{market} {symbol} {minute}".encode()) if market else minute * 7919 + len(symbol) * 31 + ord(symbol[0])
    )
    base = 100.0 + mixed % 1009 / 8.0
    volume = float(mixed // 1009 % 13) if market else 1.0 + minute % 13
    if volume == 0.0:
        return Candle(symbol, "1m", open_time_ms, base, base, base, base, 0.0)
    return Candle(symbol, "1m", open_time_ms, base, base + 2.5, base - 1.25, base + 0.5, volume)


@cache
def _true_row(symbol: str, open_time_ms: int, market: int) -> list[Any]:
    return _row(true_candle(symbol, open_time_ms, market))


def _row(candle: Candle) -> list[Any]:
    values = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return [candle.open_time_ms, *map(repr, values)]


def _within(spans: Sequence[Span], now_s: float) -> bool:
    return any(begin <= now_s < end for begin, end in spans)


def _distorted(fault: str | None, rows: list[list[Any]], random: Random) -> object:
    match fault:
        case "empty":
            return []
        case "missing":
            gone = {random.randrange(len(rows)) for _ in range(random.choice((1, 2, 7)))} if rows else set()
            return [row for place, row in enumerate(rows) if place not in gone]
        case "duplicate":
            return [row for row in rows for _ in range(random.choice((1, 1, 2)))]
        case "disorder":
            return random.sample(rows, len(rows))
        case "cut":
            return rows[: random.randrange(len(rows) + 1)]
        case "broken":
            return random.choice([None, "<html>", [[None] * 6]])
        case _:
            return rows
