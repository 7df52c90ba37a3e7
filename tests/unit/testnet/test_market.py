"""Sources of candles: what a cache or a file holds, in its own timeframes and in coarser ones, and nothing else."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.market_data import Market, merge_markets
from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import DataError
from app.testnet import market
from app.testnet.market import CacheSource, FileSource, MarketSource
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes

BTC, ETH = "BTC/USDT", "ETH/USDT"
END_MS = START_MS + 120 * MINUTE_MS


@pytest.fixture(params=["cache", "file"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> MarketSource:
    """Two hours of minutes over a month's end, hours of ETH, and symbols that no spot market has."""
    series = {
        (BTC, "1m"): make_candles(minutes(120)),
        (ETH, "1h"): make_candles([START_MS]),
        ("BTC/USDT:USDT", "1m"): make_candles([START_MS]),
        ("AAPL", "1d"): make_candles([0]),
    }
    if request.param == "file":
        return FileSource(series)
    cache = CandleCache(tmp_path)
    for key, columns in series.items():
        cache.merge(*key, columns)
    return CacheSource(cache)


def test_only_symbols_of_the_spot_market(source: MarketSource) -> None:
    assert source.symbols == (BTC, ETH)


def test_its_own_timeframe(source: MarketSource) -> None:
    whole = make_candles(minutes(120))
    assert equal(source.candles(BTC, "1m", 0, 1 << 60), whole)
    some = source.candles(BTC, "1m", START_MS + 1, START_MS + 61 * MINUTE_MS)
    assert equal(some, whole.take(slice(1, 61)))
    assert len(source.candles(BTC, "1m", END_MS, 1 << 60).volume) == 0
    assert len(source.candles(BTC, "1m", END_MS, START_MS).volume) == 0


def test_coarser_ones_are_whole_buckets(source: MarketSource) -> None:
    whole = resample(make_candles(minutes(120)), "1m", "1h")
    assert equal(source.candles(BTC, "1h", 0, END_MS), whole)
    # A bucket counts whole, wherever the question begins and ends.
    assert equal(source.candles(BTC, "1h", START_MS, START_MS + 1), whole.take(slice(0, 1)))
    assert equal(source.candles(BTC, "1h", START_MS + 1, END_MS), whole.take(slice(1, 2)))


def test_what_is_not_there(source: MarketSource) -> None:
    assert source.made_of(ETH, "1m") is None
    assert len(source.candles(ETH, "1m", 0, END_MS).volume) == 0
    assert source.made_of("SOL/USDT", "1m") is None
    assert source.filters(BTC) == Market()


def test_the_span_of_all_its_series(source: MarketSource) -> None:
    assert source.span_ms(BTC) == (START_MS, END_MS)
    assert source.span_ms(ETH) == (START_MS, START_MS + 60 * MINUTE_MS)


@pytest.mark.parametrize(
    ("held", "asked", "base"),
    [
        (["1m", "1h"], "1h", "1h"),
        (["1m", "1h"], "4h", "1m"),
        (["5m", "3m"], "5m", "5m"),
        (["5m", "3m"], "15m", "3m"),
        (["5m", "3m"], "1m", None),
    ],
)
def test_the_asked_timeframe_itself_before_the_finest(held: list[str], asked: str, base: str | None) -> None:
    source = FileSource({(BTC, timeframe): make_candles([START_MS]) for timeframe in held})
    assert source.made_of(BTC, asked) == base


def test_a_series_of_the_asked_timeframe_is_preferred(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(BTC, "1m", make_candles(minutes(120)))
    own = make_candles([START_MS])
    cache.merge(BTC, "1h", own)
    source = CacheSource(cache)
    assert equal(source.candles(BTC, "1h", 0, END_MS), own)
    assert len(source.candles(BTC, "30m", 0, END_MS).volume) == 4


def test_an_empty_cache_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no candles of a symbol like BTC/USDT"):
        CacheSource(CandleCache(tmp_path))


def test_a_damaged_month_is_said(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(BTC, "1m", make_candles(minutes(120)))
    source = CacheSource(cache)
    intact = cache.path(BTC, "1m", "2025-10").read_bytes()
    cache.path(BTC, "1m", "2025-10").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="is damaged"):
        source.candles(BTC, "1m", 0, END_MS)
    # Only the months that are asked for are read.
    month_end_ms = START_MS + 60 * MINUTE_MS
    assert len(source.candles(BTC, "1m", month_end_ms, END_MS).volume) == 60
    cache.path(BTC, "1m", "2025-10").write_bytes(intact)
    cache.path(BTC, "1m", "2025-11").write_bytes(b"PAR1")
    assert len(CacheSource(cache).candles(BTC, "1m", START_MS, month_end_ms).volume) == 60


def test_market_data_beside_the_candles(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(BTC, "1m", make_candles(minutes(1)))
    merge_markets(tmp_path, "binanceus", {BTC: Market(1e-5, 0.0, 10.0, 0.01)})
    merge_markets(tmp_path, "kraken", {BTC: Market(1.0), ETH: Market(0.5)})  # the first by name counts
    source = CacheSource(cache)
    assert source.filters(BTC) == Market(1e-5, 0.0, 10.0, 0.01)
    assert source.filters(ETH) == Market(0.5)
    path = tmp_path / "markets.binanceus.json"
    path.write_text("[]")
    with pytest.raises(DataError, match=r"markets\.binanceus\.json is damaged"):
        CacheSource(cache)


def test_months_are_read_once_while_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(BTC, "1m", make_candles(minutes(120)))
    read: list[str] = []
    original = CandleCache.read

    def noting(self: CandleCache, symbol: str, timeframe: str, month: str) -> CandleColumns:
        read.append(month)
        return original(self, symbol, timeframe, month)

    monkeypatch.setattr(CandleCache, "read", noting)
    for rows_kept, months_read in ((120, ["2025-10", "2025-11"]), (119, ["2025-10", "2025-11"] * 2)):
        monkeypatch.setattr(market, "_ROWS_KEPT", rows_kept)
        source = CacheSource(cache)
        read.clear()
        for _ in range(2):
            assert len(source.candles(BTC, "1m", 0, END_MS).volume) == 120
        assert read == months_read
