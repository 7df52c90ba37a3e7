"""The cache's folders and merges: what was stored stays, whatever is merged and wherever it fails."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.candles.cache import CandleCache, MergeReport
from app.errors import ConfigError, DataError, OutputError
from app.times import TIME_MAX_MS
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes

SERIES = ("BTC/USDT", "1m")


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    return CandleCache(tmp_path / "cache")


def contents(cache: CandleCache) -> dict[str, bytes]:
    return {str(path.relative_to(cache.root)): path.read_bytes() for path in cache.root.rglob("*") if path.is_file()}


def test_a_file_per_month_of_open_time(cache: CandleCache) -> None:
    report = cache.merge(*SERIES, make_candles(minutes(120)))
    assert report == MergeReport(120, 0, ("2025-10", "2025-11"))
    assert sorted(contents(cache)) == ["BTC_USDT/1m/2025-10.parquet", "BTC_USDT/1m/2025-11.parquet"]
    assert cache.months(*SERIES) == ["2025-10", "2025-11"]
    assert cache.read(*SERIES, "2025-10").open_time_ms.tolist() == list(minutes(60))
    assert cache.read(*SERIES, "2025-11").open_time_ms.tolist() == list(minutes(60, START_MS + 60 * MINUTE_MS))


def test_series_are_sorted_and_only_what_has_candles(cache: CandleCache) -> None:
    assert cache.series() == []
    hour = make_candles([START_MS])
    for symbol, timeframe in [("ETH/USDT:USDT", "1h"), ("BTC/USDT", "1h"), ("BTC/USDT", "5m")]:
        cache.merge(symbol, timeframe, hour)
    (cache.root / "SOL_USDT" / "1m").mkdir(parents=True)
    (cache.root / "BTC_USDT" / "markets").mkdir()
    (cache.root / "README.md").write_text("not candles")
    assert cache.series() == [("BTC/USDT", "5m"), ("BTC/USDT", "1h"), ("ETH/USDT:USDT", "1h")]
    assert (cache.root / "ETH_USDT~USDT" / "1h").is_dir()


def test_months_and_series_open_no_file(cache: CandleCache) -> None:
    folder = cache.root / "BTC_USDT" / "1m"
    folder.mkdir(parents=True)
    for name in (
        "2025-10.parquet",
        "2025-09.parquet",
        "2025-13.parquet",
        ".2025-08.parquet.tmp",
        "notes.txt",
    ):
        (folder / name).write_bytes(b"")
    assert cache.months(*SERIES) == ["2025-09", "2025-10"]
    assert cache.series() == [SERIES]
    assert cache.strangers() == [folder / "2025-13.parquet"]


def test_overlaps_that_agree_are_counted_not_rewritten(cache: CandleCache) -> None:
    cache.merge(*SERIES, make_candles(minutes(60)))
    path = cache.path(*SERIES, "2025-10")
    os.utime(path, ns=(1, 1))
    assert cache.merge(*SERIES, make_candles(minutes(60))) == MergeReport(0, 60, ())
    assert path.stat().st_mtime_ns == 1
    report = cache.merge(*SERIES, make_candles(minutes(90, START_MS + 30 * MINUTE_MS)))
    assert report == MergeReport(60, 30, ("2025-11",))


def test_candles_between_and_before_the_stored_ones_find_their_place(cache: CandleCache) -> None:
    times = list(minutes(60))
    cache.merge(*SERIES, make_candles(times[20:40:2]))
    cache.merge(*SERIES, make_candles(times[:30]))
    cache.merge(*SERIES, make_candles(times[30:]))
    assert equal(cache.read(*SERIES, "2025-10"), make_candles(times))


def test_a_disagreement_writes_nothing_anywhere(cache: CandleCache) -> None:
    cache.merge(*SERIES, make_candles(minutes(30, START_MS + 60 * MINUTE_MS)))
    before = contents(cache)
    incoming = make_candles(minutes(90))
    incoming.close[[70, 71, 72, 73]] -= 0.01
    with pytest.raises(DataError) as error:
        cache.merge(*SERIES, incoming)
    assert "2025-11-01T00:10:00.000Z, 2025-11-01T00:11:00.000Z, 2025-11-01T00:12:00.000Z and 1 more" in str(error.value)
    assert contents(cache) == before


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_disagreement_in_any_column_counts(cache: CandleCache, column: str) -> None:
    cache.merge(*SERIES, make_candles(minutes(5)))
    incoming = make_candles(minutes(5))
    values = getattr(incoming, column)
    values[3] = np.nextafter(values[3], np.inf)
    with pytest.raises(DataError, match="23:03"):
        cache.merge(*SERIES, incoming)


def test_a_damaged_month_stops_the_merge_and_names_verify(cache: CandleCache) -> None:
    cache.merge(*SERIES, make_candles(minutes(60)))
    path = cache.path(*SERIES, "2025-10")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"2025-10\.parquet is damaged.*data verify"):
        cache.merge(*SERIES, make_candles(minutes(120)))
    assert cache.months(*SERIES) == ["2025-10"]
    assert "data verify" not in str(cache.fault(*SERIES, "2025-10"))


def test_a_file_in_the_place_of_another_is_refused(cache: CandleCache) -> None:
    cache.merge(*SERIES, make_candles(minutes(5)))
    moved = cache.path("ETH/USDT", "1m", "2025-10")
    moved.parent.mkdir(parents=True)
    cache.path(*SERIES, "2025-10").rename(moved)
    for ask in (cache.read, cache.describe):
        with pytest.raises(DataError, match=r"holds BTC/USDT 1m of 2025-10"):
            ask("ETH/USDT", "1m", "2025-10")


def test_an_absent_month_is_a_data_error(cache: CandleCache) -> None:
    with pytest.raises(DataError, match="No such file"):
        cache.read(*SERIES, "2025-10")
    with pytest.raises(ConfigError, match="not a month"):
        cache.read(*SERIES, "../2025-10")


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        "..",
        "BTC_USDT",
        "BTC~USDT",
        "../x",
        "/BTC",
        "BTC/",
        "BTC//USDT",
        "BTC/..",
        "BTC\\USDT",
        "A B",
        "A\n",
        ".A",
        "A" * 101,
    ],
)
def test_symbols_that_cannot_be_told_apart_on_disk_are_refused(cache: CandleCache, symbol: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a folder"):
        cache.merge(symbol, "1m", make_candles(minutes(1)))
    assert not cache.root.exists()


@pytest.mark.parametrize(
    "symbol", ["BTC/USDT", "BTC/USDT:USDT", "BTC/USDT:USDT-251226", "1000SHIB/USDT", "币安人生/USDT"]
)
def test_symbols_of_exchanges_survive_the_disk(cache: CandleCache, symbol: str) -> None:
    cache.merge(symbol, "1m", make_candles(minutes(1)))
    assert cache.series() == [(symbol, "1m")]


def test_unknown_timeframes_are_refused(cache: CandleCache) -> None:
    with pytest.raises(ConfigError, match="unknown timeframe '7m'"):
        cache.merge("BTC/USDT", "7m", make_candles(minutes(1)))


def test_only_clean_candles_are_stored(cache: CandleCache) -> None:
    good = make_candles(minutes(5))
    bad = {
        "ascend": good.take(np.array([0, 2, 1])),
        "each time once": good.take(np.array([0, 1, 1])),
        "finite": good._replace(close=np.array([1.0, 2.0, np.nan, 4.0, 5.0])),
        "grid": make_candles([START_MS + 1]),
        "1970": make_candles([-MINUTE_MS]),
        "length": good._replace(close=good.close[:-1]),
    }
    for message, columns in bad.items():
        with pytest.raises(DataError, match=message):
            cache.merge(*SERIES, columns)
    assert not cache.root.exists()


def test_no_candles_are_no_work(cache: CandleCache) -> None:
    assert cache.merge(*SERIES, make_candles([])) == MergeReport(0, 0, ())
    assert not cache.root.exists()


@pytest.mark.parametrize("failing_call", [1, 2])
def test_a_full_disk_leaves_what_was_stored(
    cache: CandleCache, monkeypatch: pytest.MonkeyPatch, failing_call: int
) -> None:
    cache.merge(*SERIES, make_candles(minutes(10)))
    before = contents(cache)
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing_call:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        cache.merge(*SERIES, make_candles(minutes(120)))
    assert contents(cache) == before


def test_a_root_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        CandleCache(tmp_path / "file" / "cache").merge(*SERIES, make_candles(minutes(1)))


def test_what_a_killed_merge_left_disturbs_nobody(cache: CandleCache) -> None:
    left = cache.root / "BTC_USDT" / "1m" / ".2025-10.parquet.tmp"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a file")
    assert cache.series() == []
    cache.merge(*SERIES, make_candles(minutes(5)))
    assert list(contents(cache)) == ["BTC_USDT/1m/2025-10.parquet"]


def test_two_processes_merging_at_once_lose_nothing(cache: CandleCache) -> None:
    script = (
        "import sys; from pathlib import Path; from app.candles.cache import CandleCache; "
        "from tests.candle_columns import make_candles, minutes, MINUTE_MS, START_MS\n"
        "cache, offset = CandleCache(Path(sys.argv[1])), int(sys.argv[2])\n"
        "for i in range(offset, 40, 2):\n"
        "    cache.merge('BTC/USDT', '1m', make_candles([START_MS + i * MINUTE_MS]))"
    )
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(cache.root), offset], cwd=root, env=environment)
        for offset in ("0", "1")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert equal(cache.read(*SERIES, "2025-10"), make_candles(minutes(40)))


def test_importing_the_cache_stays_light() -> None:
    script = (
        "import sys; import app.candles.cache; "
        "print([name for name in ('pyarrow', 'pandas', 'msgspec', 'pydantic') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[3]
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def at(number: int) -> int:
    return START_MS + number * MINUTE_MS


def test_what_is_present_is_what_can_be_read(cache: CandleCache) -> None:
    assert cache.present(*SERIES, 0, TIME_MAX_MS) == ()
    times = list(minutes(120))
    cache.merge(*SERIES, make_candles(times[:10] + times[14:58] + times[60:]))  # a gap in one month, none in the next
    assert cache.present(*SERIES, 0, TIME_MAX_MS) == ((at(0), at(10)), (at(14), at(58)), (at(60), at(120)))
    assert cache.present(*SERIES, at(5), at(15)) == ((at(5), at(10)), (at(14), at(15)))
    assert cache.present(*SERIES, at(58), at(60)) == ()


def test_months_between_are_those_that_may_hold_it(cache: CandleCache) -> None:
    cache.merge(*SERIES, make_candles(minutes(120)))
    end_ms = at(60)
    for bounds, months in {
        (end_ms - 1, end_ms): ["2025-10"],
        (end_ms - 1, end_ms + 1): ["2025-10", "2025-11"],
        (end_ms, end_ms + 1): ["2025-11"],
        (0, 1): [],
    }.items():
        assert cache.months_between(*SERIES, *bounds) == months


def test_a_candle_that_is_stored_is_never_absent(cache: CandleCache) -> None:
    cache.add_absent(*SERIES, "binanceus", ())
    assert not cache.root.exists()
    cache.merge(*SERIES, make_candles(minutes(10)))
    cache.add_absent(*SERIES, "binanceus", ((at(5), at(70)),))
    cache.add_absent(*SERIES, "kraken", ((at(10), at(12)),))
    assert cache.absent(*SERIES, "binanceus", at(0), at(20)) == ((at(10), at(20)),)
    cache.merge(*SERIES, make_candles([at(11), at(60)]))
    left = ((at(10), at(11)), (at(12), at(60)), (at(61), at(70)))
    assert cache.absences(*SERIES) == {"binanceus": left, "kraken": ((at(10), at(11)),)}


def test_a_damaged_month_is_found_and_set_aside(cache: CandleCache) -> None:
    cache.merge(*SERIES, make_candles(minutes(120)))
    path = cache.path(*SERIES, "2025-10")
    damaged = path.read_bytes()[:-100]
    path.write_bytes(damaged)
    assert cache.damaged(*SERIES, at(60), at(61)) == {}, "of another month"
    [(month, fault)] = cache.damaged(*SERIES, at(0), at(61)).items()
    assert (month, str(path) in fault) == ("2025-10", True)
    aside = cache.set_aside(*SERIES, month)
    assert (aside.name, aside.read_bytes()) == ("2025-10.parquet.damaged", damaged)
    assert cache.months(*SERIES) == ["2025-11"]
    assert cache.strangers() == []
    assert cache.present(*SERIES, 0, TIME_MAX_MS) == ((at(60), at(120)),)
    cache.merge(*SERIES, make_candles(minutes(60)))
    assert equal(cache.read(*SERIES, month), make_candles(minutes(60)))
