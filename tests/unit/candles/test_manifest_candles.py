"""Month files by the hashes of a manifest, wherever they lie."""

from dataclasses import astuple
from pathlib import Path

from app.candles.cache import CandleCache
from app.candles.manifest_candles import ManifestCandles
from tests.candle_columns import equal, make_candles, minutes


def test_a_month_counts_by_its_hash_in_whichever_cache_it_lies(tmp_path: Path) -> None:
    caches = [CandleCache(tmp_path / name) for name in ("a", "b")]
    columns = make_candles(minutes(20))
    caches[0].merge("A/B", "1m", columns._replace(volume=columns.volume + 1.0))
    caches[1].merge("A/B", "1m", columns)
    (month,) = caches[1].months("A/B", "1m")
    about = caches[1].describe("A/B", "1m", month)
    found = ManifestCandles({"A/B 1m": {month: about.sha256, "1999-01": "gone"}}, caches)
    assert found.months("A/B", "1m") == [month] and found.months("C/D", "1m") == []
    assert astuple(found.describe("A/B", "1m", month)) == astuple(about)
    assert equal(found.read("A/B", "1m", month), columns)
    assert found.lost == [("A/B", "1m", "1999-01")]
    found.hide([("A/B", "1m", month)])
    assert not found.any_months and found.months("A/B", "1m") == []
