"""`data fetch` against a testnet: what comes, what it costs, what is known afterwards, and what a second one asks."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.candles.cache import CandleCache
from app.candles.importing import read_candles
from app.testnet.generator import GeneratorSource
from app.times import DAY_MS, parse_time_ms
from tests.candle_columns import MINUTE_MS, SHARED_DATA, equal, make_candles, minutes
from tests.fetching import add_fault, fetch, files, run, running_testnet, served_cache, state_of
from tests.integration.processes import PATIENCE_S, PROJECT, until
from tests.storm.weather import EVERY_FILE, GENERATED, MARKET_SEED, START_MS, SYMBOLS, kill, storm

ALL = ("--symbols", ",".join(SYMBOLS), "--timeframe", "1m", "--start", "2025-12-01")
RAGGED = SHARED_DATA / "lean_coinbase_spot_1m_201804_Apache2"


def test_thirty_days_of_four_symbols_with_the_fewest_requests(tmp_path: Path) -> None:
    with running_testnet(*GENERATED) as url:
        process = fetch(tmp_path, url, *ALL, "--end", "2025-12-31")
        assert process.returncode == 0, process.stderr
        state = state_of(url)
        assert fetch(tmp_path, url, *ALL, "--end", "2025-12-31").returncode == 0
        assert state_of(url)["requests"] == state["requests"], "a second fetch asks for nothing"
    # 43,200 candles a symbol are 44 pages; one question for the markets, one for the time.
    assert state["by_path"] == {"exchangeInfo": 1, "time": 1, "klines": 4 * 44}
    assert state["by_status"] == {"200": 178}
    assert state["used_weight_max"] == 187 <= state["weight_limit"]
    truth = GeneratorSource(MARKET_SEED, list(SYMBOLS))
    for symbol in SYMBOLS:
        fetched = CandleCache(tmp_path).read(symbol, "1m", "2025-12")
        assert equal(fetched, truth.candles(symbol, "1m", START_MS, START_MS + 30 * DAY_MS))
    assert "172,800 candles from binanceus at http://127.0.0.1:" in process.stdout
    assert "178 requests of weight 187" in process.stdout


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_storm_changes_no_byte(seed: int) -> None:
    assert storm(seed, days=4).problem == ""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_kill_changes_no_byte(seed: int) -> None:
    assert kill(seed, days=4).problem == ""


def test_ragged_real_candles_and_their_gaps(tmp_path: Path) -> None:
    if not RAGGED.is_dir():
        pytest.skip(f"{RAGGED.name} is not beside this checkout")
    market = {
        "LTC/USD": read_candles(RAGGED / "LTCUSD-1m.csv.gz", "1m"),
        "BTC/EUR": read_candles(RAGGED / "BTCEUR-1m.csv.gz", "1m"),
    }
    served = served_cache(tmp_path / "served", market)
    span = ("--symbols", "LTC/USD,BTC/EUR", "--timeframe", "1m", "--start", "2018-04-04", "--end", "2018-04-07")
    with running_testnet("--cache", served.root, "--start", "2018-04-09") as url:
        process = fetch(tmp_path / "cache", url, *span)
        assert process.returncode == 0, process.stderr
        requests = state_of(url)["requests"]
        assert fetch(tmp_path / "cache", url, *span).returncode == 0
        assert state_of(url)["requests"] == requests
    assert files(tmp_path / "cache") == files(served.root)
    cache = CandleCache(tmp_path / "cache")
    for symbol, columns in market.items():
        span_ms = (parse_time_ms("2018-04-04"), parse_time_ms("2018-04-07"))
        absent = sum(end - start for start, end in cache.absences(symbol, "1m")["binanceus"]) // MINUTE_MS
        assert absent == 3 * 1440 - len(columns.open_time_ms)
        assert cache.absent(symbol, "1m", "binanceus", *span_ms) == cache.absences(symbol, "1m")["binanceus"]
    listed = run("data", "list", "--gaps", "--cache", str(tmp_path / "cache")).stdout
    assert "binanceus has nothing" in listed
    assert "nobody was asked" not in listed


def test_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    truth = GeneratorSource(MARKET_SEED, list(SYMBOLS))
    cache = CandleCache(tmp_path)
    # Imported: all but three holes, two of which fit into one page.
    columns = truth.candles("BTC/USDT", "1m", START_MS, START_MS + 10 * DAY_MS)
    gone = np.zeros(len(columns.open_time_ms), dtype=bool)
    for begin, end in ((100, 130), (700, 701), (9_000, 10_100)):
        gone[begin:end] = True
    cache.merge("BTC/USDT", "1m", columns.take(~gone))
    with running_testnet(*GENERATED) as url:
        words = ("--symbols", "BTC/USDT", "--timeframe", "1m", "--start", "2025-12-01", "--end", "2025-12-11")
        process = fetch(tmp_path, url, *words)
        assert process.returncode == 0, process.stderr
        assert state_of(url)["by_path"]["klines"] == 3
    assert equal(cache.read("BTC/USDT", "1m", "2025-12"), columns)


def test_coarser_candles_are_what_the_exchange_serves(tmp_path: Path) -> None:
    with running_testnet(*GENERATED) as url:
        words = ("--symbols", "BTC/USDT", "--start", "2025-12-01T00:07", "--end", "2025-12-03")
        assert fetch(tmp_path / "made", url, *words, "--timeframe", "1m").returncode == 0
        for coarser in ("5m", "1h"):
            made = run(
                "data", "resample", "--symbols", "BTC/USDT", "--from", "1m", "--to", coarser,
                "--cache", str(tmp_path / "made"),
            )  # fmt: skip
            assert made.returncode == 0, made.stderr
            assert "left out        1, the first at 2025-12-01" in made.stdout  # the one that begins before 00:07
            start = "2025-12-01T00:10" if coarser == "5m" else "2025-12-01T01:00"
            served = ("--symbols", "BTC/USDT", "--timeframe", coarser, "--start", start, "--end", "2025-12-03")
            assert fetch(tmp_path / coarser, url, *served).returncode == 0
            pattern = f"*/{coarser}/*.parquet"
            assert files(tmp_path / "made", pattern) == files(tmp_path / coarser, pattern) != {}


def test_the_newest_candle_is_looked_at_twice(tmp_path: Path) -> None:
    source = served_cache(tmp_path / "served", {"BTC/USDT": make_candles(minutes(120))})
    now = "2025-11-01T00:30:20"  # half past, and twenty seconds into a candle
    slowly = ("--speed", "0.2")  # its end is minutes away
    words = ("--symbols", "BTC/USDT", "--timeframe", "1m", "--start", "2025-10-31T23:00")
    with running_testnet("--cache", source.root, "--start", now, *slowly) as url:
        process = fetch(tmp_path / "cache", url, *words)
        assert process.returncode == 0, process.stderr
    fetched = CandleCache(tmp_path / "cache").read("BTC/USDT", "1m", "2025-11")
    assert fetched.open_time_ms[-1] == parse_time_ms("2025-11-01T00:29")
    # A clock that is a minute ahead: the forming candle has closed by it, and still changes.
    with running_testnet("--cache", source.root, "--start", now, *slowly) as url:
        add_fault(url, fault="skew", ms=60_000)
        process = fetch(tmp_path / "skewed", url, *words)
        assert process.returncode == 0, process.stderr
    assert (
        "closed by the exchange's clock, but it is not there yet or still changes: it is not stored" in process.stdout
    )
    assert files(tmp_path / "skewed") == files(tmp_path / "cache")


def test_ctrl_c_keeps_what_came_and_two_processes_take_turns(tmp_path: Path) -> None:
    with running_testnet(*GENERATED) as url:
        command = [
            sys.executable, "-m", "app", "data", "fetch", *ALL, "--end", "2025-12-31", "--exchange-url", url,
            "--cache", str(tmp_path),
        ]  # fmt: skip
        with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as first:
            until(lambda: (tmp_path / ".fetching").exists() and state_of(url)["requests"] > 30)
            with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as second:
                assert second.stderr is not None
                said = second.stderr.readline()
                assert said == f"onetape: {tmp_path}/.fetching is held by process {first.pid}; waiting for it\n"
                first.send_signal(signal.SIGINT)
                _, err = first.communicate(timeout=PATIENCE_S)
                assert (first.returncode, err) == (
                    2,
                    "onetape: stopped; what came so far is stored, the same command fetches the rest\n",
                )
                kept = sum(len(CandleCache(tmp_path).read(symbol, "1m", "2025-12").volume) for symbol in SYMBOLS)
                assert kept >= 20_000
                second.send_signal(signal.SIGTERM)
                assert second.wait(PATIENCE_S) == 2
    assert not (tmp_path / ".fetching").exists()


def test_market_data_stays_with_the_cache(tmp_path: Path) -> None:
    with running_testnet(*GENERATED) as url:
        words = ("--symbols", "BTC/USDT", "--timeframe", "1h", "--start", "2025-12-01", "--end", "2025-12-02")
        assert fetch(tmp_path, url, *words).returncode == 0
    content = json.loads((tmp_path / "markets.binanceus.json").read_text())
    assert content["symbols"] == {
        "BTC/USDT": {"quantity_step": 1e-05, "min_quantity": 0.0, "min_notional": 10.0, "price_tick": 0.01}
    }
    assert set(files(tmp_path, EVERY_FILE)) == {"BTC_USDT/1h/2025-12.parquet"}
