"""The month files that a run read, found again by the hashes in its manifest, in whichever cache they lie.

A month of candles is the run's only if its hash is the one in the manifest; what is not found is said and never
replaced by something near it. Nothing is written.
"""

from collections.abc import Iterable, Mapping, Sequence

from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns, MonthFile
from app.errors import DataError

Series = tuple[str, str, str]  # symbol, timeframe, month


class ManifestCandles(CandleCache):
    """The month files that a manifest names, wherever they lie; `lost` are those that are in none of the caches."""

    def __init__(self, named: Mapping[str, Mapping[str, str]], caches: Sequence[CandleCache]) -> None:
        super().__init__(caches[0].root)
        self.hashes: dict[Series, str] = {}
        self._named: dict[tuple[str, str], list[str]] = {}
        for series, months in named.items():
            symbol, _, timeframe = series.rpartition(" ")
            self._named[symbol, timeframe] = sorted(months)
            self.hashes.update({(symbol, timeframe, month): sha256 for month, sha256 in months.items()})
        found = {series: _holder(series, sha256, caches) for series, sha256 in self.hashes.items()}
        self._holders = {series: holder for series, holder in found.items() if holder is not None}
        self.lost = [series for series, holder in found.items() if holder is None]

    def months(self, symbol: str, timeframe: str) -> list[str]:
        """Those of the manifest that were found, without the hidden ones."""
        own = self._named.get((symbol, timeframe), ())
        return [month for month in own if (symbol, timeframe, month) in self._holders]

    def describe(self, symbol: str, timeframe: str, month: str) -> MonthFile:
        """What the file said of itself when it was found."""
        return self._holders[symbol, timeframe, month][1]

    def read(self, symbol: str, timeframe: str, month: str) -> CandleColumns:
        """From the cache that holds it."""
        return self._holders[symbol, timeframe, month][0].read(symbol, timeframe, month)

    def of_session(self, timeframe: str, end_ms: int) -> CandleCache:
        """These in the run's timeframe: built from finer ones where those are what was read."""
        return built_cache(self, timeframe, finer_of((f"{one[0]} {one[1]}" for one in self.hashes), timeframe), end_ms)

    @property
    def any_months(self) -> bool:
        """Whether anything is left to read."""
        return bool(self._holders)

    def hide(self, hidden: Sequence[Series]) -> None:
        """Leave these months out from now on."""
        for series in hidden:
            self._holders.pop(series, None)


def finer_of(series: Iterable[str], timeframe: str) -> dict[str, str]:
    """Of the series that a manifest names ("BTC/USDT 1m"): which symbols' candles were built, and of what."""
    pairs = [name.rpartition(" ") for name in series]
    return {symbol: own for symbol, _, own in pairs if own != timeframe}


def _holder(series: Series, sha256: str, caches: Sequence[CandleCache]) -> tuple[CandleCache, MonthFile] | None:
    for cache in caches:
        try:
            if cache.path(*series).is_file() and (about := cache.describe(*series)).sha256 == sha256:
                return cache, about
        except DataError:
            continue  # damaged, or newer: not the one that was read
    return None
