"""CSV out of the cache: the same doubles, the same bytes, whole or not there."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.candles.exporting import export_csv
from app.candles.importing import read_candles
from app.errors import OutputError
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes

SERIES = ("BTC/USDT", "1m")


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    made = CandleCache(tmp_path / "cache")
    candles = make_candles(minutes(120))
    odd = candles._replace(volume=np.array([math.pi * 10.0 ** (i % 40 - 20) for i in range(120)]))
    made.merge(*SERIES, odd)
    return made


def test_an_export_reads_back_to_the_bit(cache: CandleCache, tmp_path: Path) -> None:
    assert export_csv(cache, *SERIES, tmp_path / "a.csv") == 120
    again = CandleCache(tmp_path / "again")
    again.merge(*SERIES, read_candles(tmp_path / "a.csv", "1m"))
    for month in ("2025-10", "2025-11"):
        assert equal(again.read(*SERIES, month), cache.read(*SERIES, month))


def test_packed_is_the_same_text(cache: CandleCache, tmp_path: Path) -> None:
    export_csv(cache, *SERIES, tmp_path / "a.csv")
    export_csv(cache, *SERIES, tmp_path / "b.csv.gz")
    assert gzip.decompress((tmp_path / "b.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()


@pytest.mark.parametrize(("start", "end", "count"), [(30, 90, 60), (None, 60, 60), (60, None, 60), (119, 500, 1)])
def test_bounds(cache: CandleCache, tmp_path: Path, start: int | None, end: int | None, count: int) -> None:
    bounds = [None if bound is None else START_MS + bound * MINUTE_MS for bound in (start, end)]
    assert export_csv(cache, *SERIES, tmp_path / "a.csv", start_ms=bounds[0], end_ms=bounds[1]) == count


def test_a_full_disk_leaves_the_old_file(cache: CandleCache, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    (tmp_path / ".a.csv.tmp").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"a\.csv cannot be written: No space left on device"):
        export_csv(cache, *SERIES, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "cache"]
