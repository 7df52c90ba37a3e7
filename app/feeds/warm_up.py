"""The warm-up of a live session, fetched into the cache before the first slice.

Fewer candles than it wants are no fault if the exchange has no more.
"""

from collections.abc import Sequence

from app.errors import RefusedError
from app.exchange.history import HistoricalDataProvider
from app.times import timeframe_ms


async def fetch_warm_up(
    provider: HistoricalDataProvider, symbols: Sequence[str], timeframe: str, begin_ms: int, start_ms: int
) -> int:
    """Up to where the cache has all of it; what is too young for it, the live part brings."""
    if begin_ms >= start_ms:
        return start_ms
    try:
        report = await provider.fetch(symbols, timeframe, begin_ms, start_ms)
    except RefusedError:
        # Fewer candles than the warm-up wants, or none, is no fault once the exchange has said so.
        missing = provider.missing(symbols, timeframe, begin_ms, start_ms)
        if any(ranges and ranges[0][0] < start_ms - 2 * timeframe_ms(timeframe) for ranges in missing.values()):
            raise
        return min([start_ms, *(ranges[0][0] for ranges in missing.values() if ranges)])
    return min([start_ms, *(series.unsettled[0][0] for series in report.series if series.unsettled)])
