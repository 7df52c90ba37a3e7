"""What a live feed is told at its start, and what it tells of itself as it goes.

Plain values, for whoever starts or watches a session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FeedTimes:
    """live.yaml, `feed`: seconds of the exchange's time for stragglers, seconds of silence, counts of candles."""

    grace_s: float = 2.0
    silence_s: float = 10.0
    stale_candles: int = 3
    late_candles: int = 2


@dataclass(frozen=True)
class LiveStart:
    """Where a live run begins. Times in ms UTC; `seen` are open times by symbol."""

    start_ms: int  # open time of the first candle of the run
    warmup_start_ms: int | None  # None: resumed, indicators are warm already
    last_close_ms: int | None = None  # resumed: close time of the last slice on the tape
    seen: Mapping[str, int] = field(default_factory=dict)  # resumed: the newest candle handled


@dataclass
class LinkState:
    """How the feed is doing, as counts; one object that changes as it goes."""

    connected: bool = False
    connections: int = 0
    frames: int = 0
    dropped: int = 0  # frames: copies, old ones, what came too late to be in order, or before its time
    ahead: int = 0  # of these: candles that cannot have opened, or closed, by the exchange's own clock
    damaged: int = 0  # frames that cannot be read
    last_frame_ms: int | None = None  # event time of the newest frame
    exchange_ms: int = 0  # the exchange's time
    clock_ahead_ms: int = 0  # its clock against its own candles
    last_close_ms: int | None = None  # of the newest slice
    lag_ms: int | None = None  # from that slice's close until it went, by the exchange's candles
    slices: int = 0
    late_slices: int = 0
    late_candles: int = 0
    revised_candles: int = 0
    backfilled: int = 0  # candles that REST brought, the warm-up not counted
    rest_faults: int = 0  # answers that failed or could not be believed
    doubted: int = 0  # answers of the exchange's clock that nothing else bears out
    late: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # symbols that REST is being asked about

    @property
    def reconnects(self) -> int:
        """How often the link had to be dialled again."""
        return max(0, self.connections - 1)
