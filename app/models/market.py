"""Candles and slices: what the market says, and when.

They are msgspec structs, a tenth of the cost of a frozen dataclass (docs/decisions/002), out of the garbage
collector's sight, since they hold no cycle.
"""

import msgspec

from app.times import TIMEFRAMES_MS


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One closed candle of one symbol; prices in quote currency, volume in base units, times in ms UTC."""

    symbol: str
    timeframe: str
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    @property
    def close_time_ms(self) -> int:
        """`open_time + timeframe`: the candle is emitted no earlier."""
        return self.open_time_ms + TIMEFRAMES_MS[self.timeframe]


class Slice(msgspec.Struct, frozen=True, gc=False, tag="slice"):
    """All candles of the session's timeframe that close at one time, in the config's order of symbols.

    `warmup` marks slices before the run's start: they update indicators and nothing else.
    """

    close_time_ms: int
    candles: tuple[Candle, ...]
    warmup: bool
