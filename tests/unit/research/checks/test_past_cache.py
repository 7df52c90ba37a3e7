"""The cache as it was at a moment: nothing later in it, nothing earlier missing, and made only when it is opened."""

from pathlib import Path

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.research.checks.past_cache import PastCache, scrambled
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes

COUNT = 120  # an hour in each of two months
REAL = make_candles(minutes(COUNT))
MONTHS = ["2025-10", "2025-11"]


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    made = CandleCache(tmp_path / "real")
    made.merge("A/X", "1m", REAL)
    return made


@pytest.mark.parametrize("known", [1, 30, 60, 61, 90, 120])
def test_it_ends_at_the_moment(known: int, cache: CandleCache, tmp_path: Path) -> None:
    past = PastCache(cache, tmp_path / "past", START_MS + known * MINUTE_MS, scrambled_future=False)
    past.place(Path("A_X/1m"))
    there = CandleCache(past.folder)
    months = there.months("A/X", "1m")
    assert months == (MONTHS if known > 60 else MONTHS[:1])
    parts = [there.read("A/X", "1m", month) for month in months]
    times = np.concatenate([part.open_time_ms for part in parts])
    assert times.tolist() == REAL.open_time_ms[:known].tolist()
    for month, part in zip(months, parts, strict=True):
        real = cache.read("A/X", "1m", month)
        assert equal(part, real.take(slice(len(part.open_time_ms))))


def test_a_candle_is_in_it_from_its_close_on_not_from_its_open(cache: CandleCache, tmp_path: Path) -> None:
    past = PastCache(cache, tmp_path / "past", START_MS + MINUTE_MS - 1, scrambled_future=False)
    past.place(Path("A_X/1m/2025-10.parquet"))
    assert CandleCache(past.folder).months("A/X", "1m") == []
    past.now_ms += 1
    past.place(Path("A_X/1m/2025-10.parquet"))
    assert len(CandleCache(past.folder).read("A/X", "1m", "2025-10").open_time_ms) == 1


def test_a_scrambled_future_has_its_times_and_none_of_its_candles(cache: CandleCache, tmp_path: Path) -> None:
    past = PastCache(cache, tmp_path / "past", START_MS + 30 * MINUTE_MS, scrambled_future=True)
    past.place(Path("A_X/1m"))
    for month, known in zip(MONTHS, (30, 0), strict=True):
        real, there = cache.read("A/X", "1m", month), CandleCache(past.folder).read("A/X", "1m", month)
        assert equal(there.take(slice(known)), real.take(slice(known)))
        assert equal(there.take(slice(known, None)), scrambled(real.take(slice(known, None))))


def test_it_grows_with_the_run_and_is_not_made_again_for_nothing(cache: CandleCache, tmp_path: Path) -> None:
    past = PastCache(cache, tmp_path / "past", START_MS, scrambled_future=False)
    assert not list(past.folder.rglob("*.parquet"))
    lengths = []
    for known in (1, 2, 59, 60, 61):
        past.now_ms = START_MS + known * MINUTE_MS
        path = past.place(Path("A_X/1m/2025-10.parquet"))
        lengths.append(len(CandleCache(past.folder).read("A/X", "1m", "2025-10").open_time_ms))
    assert lengths == [1, 2, 59, 60, 60]
    before = path.stat().st_mtime_ns
    past.now_ms += 10 * MINUTE_MS
    past.place(Path("A_X/1m/2025-10.parquet"))
    assert path.stat().st_mtime_ns == before, "a month that is over stays as it is"


def test_only_candles_are_in_it(cache: CandleCache, tmp_path: Path) -> None:
    (cache.root / "A_X/1m/absent.json").write_text("{}")
    (cache.root / "markets.json").write_text("{}")
    past = PastCache(cache, tmp_path / "past", START_MS + 10 * MINUTE_MS, scrambled_future=False)
    for name in ("A_X/1m/absent.json", "markets.json", "A_X", ".", "B_X/1m/2025-10.parquet"):
        past.place(Path(name))
    assert [path for path in past.folder.rglob("*") if path.is_file()] == []
    assert past.place(Path()) == past.folder
