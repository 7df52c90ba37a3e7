"""A cache that is full, locked, read-only, newer or of another source, and an exchange that takes things back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.candles import month_file, sealed_json
from app.candles.cache import CandleCache
from app.candles.market_data import Market, merge_markets
from app.candles.ranges import Ranges
from app.times import parse_time_ms
from tests.candle_columns import MINUTE_MS, make_candles
from tests.faults.conftest import Place
from tests.faults.fetching import ALL, BTC, FIRST, SECOND, done, fetch_words, refused, said, serve
from tests.fetching import add_fault, files, running_testnet, state_of
from tests.integration.processes import PATIENCE_S, until

UNUSED = "http://127.0.0.1:9"
NOON_MS = parse_time_ms(SECOND[0])
BACKTEST = ("--mode", "backtest", "--symbols", BTC, "--cache", "new", "--out", "run")


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serve(tmp_path_factory.mktemp("served")).root


@pytest.fixture(scope="module")
def url(truth: Path) -> Iterator[str]:
    """A testnet without a fault."""
    with running_testnet("--cache", truth, "--start", "2025-11-03", "--speed", "0.001") as address:
        yield address


@pytest.fixture
def own_url(truth: Path) -> Iterator[str]:
    """A testnet for a fault that lasts."""
    with running_testnet("--cache", truth, "--start", "2025-11-03", "--speed", "0.001") as address:
        yield address


def btc(root: Path) -> dict[str, bytes]:
    return files(root, "BTC_USDT/*/*")


# The cache's side.


@pytest.mark.parametrize("limit_bytes", [0, 100, 3_000, 10_000])
def test_a_full_disk_leaves_a_valid_cache(place: Place, url: str, truth: Path, limit_bytes: int) -> None:
    is_market_data = limit_bytes < 1_000
    line = said(place.process(*fetch_words(url), limit_bytes=limit_bytes))
    where = "new cannot be written: " if is_market_data else "candles cannot be written below new/BTC_USDT/1m: "
    assert line.startswith(where)
    left = {str(path) for path in (place.folder / "new").rglob("*") if path.is_file()}
    assert not any(name.endswith((".tmp", ".fetching")) for name in left), left
    if left:
        verified = place.process("data", "verify", "--cache", "new")
        assert (verified.returncode, verified.stderr) in ((0, ""), (2, "onetape: the cache new is empty\n")), verified
    done(place, fetch_words(url))
    assert btc(place.folder / "new") == btc(truth)


@pytest.mark.parametrize("kind", ["month", "absent.json", "market data"])
def test_a_cache_of_a_newer_version_is_refused(
    place: Place, url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CandleCache(place.folder / "new")
    with monkeypatch.context() as later:
        later.setattr(month_file if kind == "month" else sealed_json, "FORMAT_VERSION", 2)
        if kind == "month":
            cache.merge(BTC, "1m", make_candles([NOON_MS]))
        elif kind == "absent.json":
            cache.add_absent(BTC, "1m", "binanceus", ((NOON_MS, NOON_MS + MINUTE_MS),))
        else:
            merge_markets(cache.root, "binanceus", {BTC: Market()})
    name = {"month": "BTC_USDT/1m/2025-11.parquet", "absent.json": "BTC_USDT/1m/absent.json"}
    said_of = f"new/{name.get(kind, 'markets.binanceus.json')} has cache format 2, this Onetape reads 1: use the newer"
    assert refused(place, fetch_words(url)).startswith(said_of)
    backtest = (*BACKTEST, "--start", SECOND[0], "--end", SECOND[1], "--exchange-url", url)
    assert refused(place, list(backtest)).startswith(said_of)


def test_a_lock_of_a_killed_process_holds_nobody_up(place: Place, own_url: str, truth: Path) -> None:
    add_fault(own_url, fault="hang", s=600, path="klines", times=2)
    command = [sys.executable, "-m", "app", *fetch_words(own_url)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, cwd=place.folder, env=environment, stderr=subprocess.DEVNULL) as process:
        until(lambda: state_of(own_url)["by_path"].get("klines", 0) >= 2)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    lock = place.folder / "new/.fetching"
    assert lock.read_text() == f"{process.pid}\n"
    done(place, fetch_words(own_url))
    assert not lock.exists()
    assert btc(place.folder / "new") == btc(truth)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_is_read_only(place: Place, url: str) -> None:
    (place.folder / "new").mkdir(mode=0o555)
    line = refused(place, fetch_words(url))
    assert line == "new cannot be written: Permission denied"


@pytest.mark.parametrize("where", ["new", "new/BTC_USDT"])
def test_a_file_in_a_folders_place(place: Place, url: str, where: str) -> None:
    place.write(where, "mine")
    line = said(place.process(*fetch_words(url)))
    assert where in line
    assert "Not a directory" in line or "File exists" in line or "Is a directory" in line
    assert (place.folder / where).read_text() == "mine"


# The exchange's side.


def test_a_revised_candle_is_named_and_overwrites_nothing(place: Place, own_url: str) -> None:
    done(place, fetch_words(own_url, FIRST))
    add_fault(own_url, fault="revised", symbol=BTC, at="2025-11-01T11:59", volume=77.0)
    line = refused(place, fetch_words(own_url, ALL))
    assert line == (
        "BTC/USDT 1m: candles differ from those stored in new at 2025-11-01T11:59:00.000Z; nothing was written; the "
        "stored ones are of another source or binanceus has revised them: fetch into another --cache"
    )


def test_candles_of_another_source_are_not_mixed_with(place: Place, url: str) -> None:
    columns = make_candles([NOON_MS])
    CandleCache(place.folder / "new").merge(BTC, "1m", columns._replace(volume=columns.volume + 1.0))
    before = btc(place.folder / "new")
    line = said(place.process(*fetch_words(url)))
    assert line.startswith("BTC/USDT 1m: candles differ from those stored in new at 2025-11-01T12:00:00.000Z; nothing ")
    assert btc(place.folder / "new") == before


def test_a_hole_that_lasts_is_recorded_and_listed(place: Place, own_url: str) -> None:
    add_fault(own_url, fault="hole", symbol=BTC, **{"from": "2025-11-01T03:00", "to": "2025-11-01T04:30"})
    out = done(place, fetch_words(own_url))
    assert "BTC/USDT: binanceus has nothing at\n    2025-11-01 03:00 to 2025-11-01 04:29  90\n" in out
    hole: Ranges = ((parse_time_ms("2025-11-01T03:00"), parse_time_ms("2025-11-01T04:30")),)
    assert CandleCache(place.folder / "new").absences(BTC, "1m") == {"binanceus": hole}
    listed = done(place, ["data", "list", "--gaps", "--cache", "new"])
    assert listed.endswith("BTC/USDT  1m         2025-11-01 03:00  2025-11-01 04:29  binanceus has nothing       90\n")
    requests = state_of(own_url)["requests"]
    assert "nothing was missing; no request was made" in done(place, fetch_words(own_url))
    assert state_of(own_url)["requests"] == requests


# Backtests.


def test_a_backtest_without_exchange_and_candles_names_both(place: Place) -> None:
    words = [*BACKTEST, "--start", SECOND[0], "--end", SECOND[1], "--exchange-url", UNUSED]
    line = refused(place, words)
    assert line.startswith(
        f"no candle of {BTC} 1m from 2025-11-01 12:00 to 2025-11-02; binanceus was asked: {UNUSED} cannot be reached: "
    )
    assert "; the cache new is empty: add candles with `python -m app data fetch` or `data import`" in line


def test_a_backtest_of_half_a_cache_says_what_offline_does_and_it_does(place: Place, url: str) -> None:
    done(place, fetch_words(url, FIRST))
    words = [*BACKTEST, "--start", "2025-11-01T06:00", "--end", SECOND[1]]
    line = refused(place, [*words, "--exchange-url", UNUSED])
    assert line.startswith(f"candles of {BTC} 1m are missing; binanceus was asked: {UNUSED} cannot be reached: ")
    assert line.endswith("; --offline replays what is there")
    out = done(place, [*words, "--offline"])
    assert "720" in out, "the missing half is reported"
    assert (place.folder / "run/results.json").exists()
