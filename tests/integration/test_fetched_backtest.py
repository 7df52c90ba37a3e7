"""A backtest on a machine that has never seen the candles: fetched once, then never again, and never offline."""

import json
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.testnet.generator import GeneratorSource
from app.times import DAY_MS, parse_time_ms
from tests.candle_columns import make_candles, minutes
from tests.fetching import files, run, running_testnet, served_cache, state_of
from tests.integration.processes import results_of
from tests.storm.weather import GENERATED, MARKET_SEED, SYMBOLS

WEEK = ("--mode", "backtest", "--start", "2025-12-01", "--end", "2025-12-08")
WARMUP_MS = 240 * 60_000
# Every socket that is connected or looked up, and what a second run must not import.
WATCHED = """
import sys
events = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"):
        events.append(event)
sys.addaudithook(watch)
from app.cli.main import main
status = main(sys.argv[1:])
heavy = [name for name in ("ccxt", "aiohttp", "asyncio_throttle", "pandas", "rich") if name in sys.modules]
print("WATCHED", events, heavy, file=sys.stderr)
sys.exit(status)
"""
NOTHING = "WATCHED [] []"


def test_a_week_is_fetched_replayed_and_not_asked_for_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with running_testnet(*GENERATED) as url:
        words = (*WEEK, "--cache", str(cache), "--exchange-url", url)
        first = run(*words, "--out", str(tmp_path / "first"))
        assert first.returncode == 0, first.stderr
        state = state_of(url)
        second = run(*words, "--out", str(tmp_path / "second"), program=WATCHED)
        assert second.returncode == 0, second.stderr
        assert state_of(url)["requests"] == state["requests"]
    # A week and four hours of warm-up are 10,320 candles: eleven pages for each of two symbols.
    assert state["by_path"] == {"exchangeInfo": 1, "time": 1, "klines": 22}
    assert "onetape: BTC/USDT 1m: 10,320 candles fetched\n" in first.stderr
    assert "onetape: 20,640 candles from binanceus at http://127.0.0.1:" in first.stderr
    assert second.stderr.splitlines() == [NOTHING]
    assert results_of(tmp_path / "first")["candles_processed"]["total"] == 2 * 10_080
    for run_folder in ("first", "second"):
        assert results_of(tmp_path / run_folder)["shortfalls"] == []
    left = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()} == left
    truth = GeneratorSource(MARKET_SEED, list(SYMBOLS))
    start_ms = parse_time_ms("2025-12-01")
    imported = {
        symbol: truth.candles(symbol, "1m", start_ms - WARMUP_MS, start_ms + 7 * DAY_MS)
        for symbol in ("BTC/USDT", "ETH/USDT")
    }
    assert files(cache) == files(served_cache(tmp_path / "imported", imported).root)
    # The exchange's market data is part of what was run, and the config's own values win over it.
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    assert manifest["settings"]["live"]["instruments"]["BTC/USDT"]["quantity_step"] == 1e-5
    assert manifest["settings"]["live"]["instruments"]["BTC/USDT"]["min_notional"] == 10.0
    offline = (*WEEK, "--offline", "--cache", str(cache), "--out", str(tmp_path / "third"))
    own = ("--symbols", "BTC/USDT", "--set", "live.instruments={BTC/USDT: {min_notional: 25}}")
    third = run(*offline, *own, program=WATCHED)
    assert third.stderr.splitlines() == [NOTHING]
    chosen = json.loads((tmp_path / "third" / "manifest.json").read_text())["settings"]["live"]["instruments"]
    assert chosen == {
        "BTC/USDT": {"quantity_step": 1e-5, "min_quantity": 0.0, "min_notional": 25.0, "price_tick": 0.01}
    }


def test_offline_opens_no_socket_and_says_what_is_there(tmp_path: Path) -> None:
    empty = run(*WEEK, "--offline", "--cache", str(tmp_path / "empty"), program=WATCHED)
    assert empty.returncode == 2
    said, watched = empty.stderr.splitlines()
    assert said.startswith("onetape: no candle of BTC/USDT 1m from 2025-12-01 to 2025-12-08; the cache ")
    assert watched == NOTHING
    assert not (tmp_path / "empty").exists()


def test_an_imported_series_is_left_as_it_is_unless_a_url_is_given(tmp_path: Path) -> None:
    times = list(minutes(600, parse_time_ms("2025-12-01")))
    cache = served_cache(tmp_path / "cache", {"BTC/USDT": make_candles(times[:200] + times[210:])})
    day = ("--mode", "backtest", "--symbols", "BTC/USDT", "--start", "2025-12-01", "--end", "2025-12-01T10:00")
    words = (*day, "--cache", str(cache.root))
    before = files(cache.root, "**/*")
    process = run(*words, "--out", str(tmp_path / "run"), program=WATCHED)
    assert process.stderr.splitlines() == [NOTHING]
    assert results_of(tmp_path / "run")["missing_candles"] == 10
    assert files(cache.root, "**/*") == before
    with running_testnet(*GENERATED) as url:  # another market altogether: its candles do not fit to these
        process = run(*words, "--out", str(tmp_path / "mixed"), "--exchange-url", url)
    assert process.returncode == 2
    assert "candles differ from those stored" in process.stderr
    assert process.stderr.count("\n") == 1
    assert files(cache.root) == {name: data for name, data in before.items() if name.endswith(".parquet")}


def test_the_last_24_hours_are_those_of_the_exchange(tmp_path: Path) -> None:
    source = served_cache(tmp_path / "served", {"BTC/USDT": make_candles(minutes(2_000))})
    words = ("--mode", "backtest", "--symbols", "BTC/USDT", "--cache", str(tmp_path / "cache"))
    with running_testnet("--cache", source.root, "--start", "2025-11-02T06:00") as url:
        process = run(*words, "--exchange-url", url, "--out", str(tmp_path / "run"))
        assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("Onetape backtest: the last 24 hours by the clock of binanceus; ")
    period = results_of(tmp_path / "run")["period"]
    assert period == {"start": "2025-11-01T06:00:00.000Z", "end": "2025-11-02T06:00:00.000Z"}
    # The exchange is gone: what the cache holds is taken, and said.
    process = run(*words, "--exchange-url", url, "--out", str(tmp_path / "again"))
    assert process.returncode == 0, process.stderr
    assert "cannot be reached" in process.stderr
    assert "the newest candles in the cache are taken" in process.stderr


@pytest.mark.parametrize("damage", ["cut", "flipped", "absent.json", "markets"])
def test_a_damaged_file_is_found_and_its_candles_fetched_again(damage: str, tmp_path: Path) -> None:
    times = list(minutes(2_000))
    served = served_cache(tmp_path / "served", {"BTC/USDT": make_candles(times[:900] + times[905:])})
    span = ("--start", "2025-11-01T12:00", "--end", "2025-11-02")
    words = ("--mode", "backtest", "--symbols", "BTC/USDT", "--cache", str(tmp_path / "cache"), *span)
    with running_testnet("--cache", served.root, "--start", "2025-11-20") as url:
        assert run(*words, "--exchange-url", url, "--out", str(tmp_path / "first")).returncode == 0
        whole = files(tmp_path / "cache", "*/*/*")
        path = CandleCache(tmp_path / "cache").path("BTC/USDT", "1m", "2025-11")
        if damage == "absent.json":
            path = path.with_name("absent.json")
        if damage == "markets":
            path = tmp_path / "cache" / "markets.binanceus.json"
        content = path.read_bytes()
        path.write_bytes(content[:-100] if damage == "cut" else content[:60] + bytes([content[60] ^ 1]) + content[61:])
        process = run(*words, "--exchange-url", url, "--out", str(tmp_path / "second"))
        assert process.returncode == 0, process.stderr
    if damage == "markets":
        assert "markets.binanceus.json is damaged" in process.stderr
        assert path.read_bytes() == content
    elif damage != "absent.json":
        assert "2025-11.parquet is damaged: " in process.stderr
        assert "its candles are fetched again, the file is kept as 2025-11.parquet.damaged" in process.stderr
        path.with_name("2025-11.parquet.damaged").unlink()
    assert files(tmp_path / "cache", "*/*/*") == whole
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert first == second
