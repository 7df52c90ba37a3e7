"""A run on candles that the cache has in a finer timeframe alone equals the run on coarse ones, to the byte."""

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.candles.built_candles import BuiltCandles, finer_series
from app.candles.cache import CandleCache
from app.candles.coverage import refuse_near_symbols
from app.candles.market_data import Market, merge_markets
from app.candles.month_file import CandleColumns
from app.cli.main import main
from app.errors import DataError
from app.session.backtest import ConfigBacktestRunner
from app.times import TIMEFRAMES_MS, parse_time_ms
from tests.candle_columns import MINUTE_MS, equal, minutes

HOUR_MS = 60 * MINUTE_MS
BTC, ETH = "BTC/USDT", "ETH/USDT"
FIRST_MS = parse_time_ms("2025-10-20T00:30")  # inside an hour
COUNT = 18 * 1440 + 20  # until ten to one, over the end of a month
START, END = "2025-10-25T03:20", "2025-11-05T17:20"  # inside an hour, too
PERIOD = ("--start", START, "--end", END)


def walk(times_ms: Iterable[int], seed: int) -> CandleColumns:
    """Candles of a random walk: strategies trade on it."""
    times, random = np.array(list(times_ms), dtype=np.int64), np.random.default_rng(seed)
    closes = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 0.002, len(times)))), 4)
    opens = np.concatenate(([100.0], closes[:-1]))
    highs, lows = np.maximum(opens, closes) + 0.01, np.minimum(opens, closes) - 0.01
    return CandleColumns(times, opens, highs, lows, closes, np.round(random.uniform(0.0, 9.0, len(times)), 3))


def with_gaps(times_ms: range, seed: int) -> list[int]:
    """Single minutes, and whole hours, left out."""
    random = np.random.default_rng(seed)
    lost = {int(one) for one in random.choice(times_ms, 900)}
    for hour_ms in random.choice(times_ms, 5):
        lost |= set(range(int(hour_ms) // HOUR_MS * HOUR_MS, int(hour_ms) // HOUR_MS * HOUR_MS + HOUR_MS, MINUTE_MS))
    return [one for one in times_ms if one not in lost]


def coarse(finer: CandleColumns, length_ms: int) -> CandleColumns:
    """By hand: RULES.md's coarser candles, without one that the finer candles do not reach the end of."""
    buckets: dict[int, list[tuple[float, ...]]] = {}
    for time_ms, *values in zip(*(column.tolist() for column in finer), strict=True):
        buckets.setdefault(time_ms // length_ms * length_ms, []).append(tuple(values))
    known_ms = int(finer.open_time_ms[-1]) + MINUTE_MS
    rows = [
        (
            open_ms, own[0][0], max(one[1] for one in own), min(one[2] for one in own), own[-1][3],
            float(sum(Decimal(repr(one[4])) for one in own)),
        )
        for open_ms, own in buckets.items() if open_ms + length_ms <= known_ms
    ]  # fmt: skip
    times, *floats = zip(*rows, strict=True)
    return CandleColumns(np.array(times, np.int64), *(np.array(column, np.float64) for column in floats))


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One with minutes, one with the same as hours and days."""
    fine, made = CandleCache(tmp_path_factory.mktemp("fine")), CandleCache(tmp_path_factory.mktemp("made"))
    for number, symbol in enumerate((BTC, ETH)):
        candles = walk(with_gaps(minutes(COUNT, FIRST_MS), number), number)
        fine.merge(symbol, "1m", candles)
        for timeframe in ("1h", "1d"):
            made.merge(symbol, timeframe, coarse(candles, TIMEFRAMES_MS[timeframe]))
    return fine.root, made.root


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def backtest(cache: Path, out: str, *words: str, status: int = 0) -> dict[str, Any]:
    """The results of a run on hours."""
    profile = ("--symbols", f"{BTC},{ETH}", "--interval", "1h", "--cache", str(cache), "--out", out)
    assert main(["backtest", *profile, *words]) == status
    content: dict[str, Any] = json.loads(Path(out, "results.json").read_text()) if status == 0 else {}
    return content


@pytest.mark.parametrize("offline", [("--offline",), ()])
@pytest.mark.parametrize("period", [PERIOD, ()])
def test_a_run_on_built_hours_is_the_run_on_hours(
    caches: tuple[Path, Path], period: tuple[str, ...], offline: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*period, *offline, "--set", "startup_candles=100")
    of_minutes = backtest(caches[0], "built", *words)
    said = capsys.readouterr().err
    assert f"onetape: 1h candles are built from finer ones in the cache: {BTC} from 1m, {ETH} from 1m\n" in said
    assert of_minutes == backtest(caches[1], "stored", *words)
    assert capsys.readouterr().err.count("built") == 0
    assert of_minutes["warmup_candles"] > 190
    assert not period or of_minutes["performance"]["total_trades"] > 5
    for name in ("trades", "equity", "signals"):
        file = of_minutes["files"][name]
        assert Path("built", file).read_bytes() == Path("stored", file).read_bytes()
    named = json.loads(Path("built/manifest.json").read_text())["data"]
    assert set(named) == {f"{BTC} 1m", f"{ETH} 1m"}
    assert named[f"{BTC} 1m"]["2025-11"] == CandleCache(caches[0]).describe(BTC, "1m", "2025-11").sha256
    assert CandleCache(caches[0]).series() == [(BTC, "1m"), (ETH, "1m")], "nothing is stored"


def test_what_looks_at_a_run_builds_its_candles_again(
    caches: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    places = ("--cache", str(caches[0]), "--cache", str(caches[1]))
    backtest(caches[0], "built", *PERIOD, "--offline")
    backtest(caches[1], "stored", *PERIOD, "--offline")
    capsys.readouterr()
    assert main(["compare", "built", "stored", *places]) == 0
    assert main(["why", "built", BTC, "2025-10-30T10:00", *places]) == 0
    assert main(["reproduce", "built", *places[:2]]) == 0
    assert "reproduced, every byte of its outputs" in capsys.readouterr().out
    # Also where the hours were stored afterwards: what is read is what the manifest names.
    both = CandleCache(Path("both"))
    for root in caches:
        for symbol, timeframe in CandleCache(root).series():
            for month in CandleCache(root).months(symbol, timeframe):
                both.merge(symbol, timeframe, CandleCache(root).read(symbol, timeframe, month))
    assert main(["reproduce", "built", "--cache", "both"]) == 0
    assert "data_sha256" in (told := capsys.readouterr().out)
    assert "DIFFERS" not in told
    page = Path("built/report.html").read_text()
    assert "cannot be shown" not in page
    assert "Candles are missing" not in page


def test_trials_and_checks_read_the_same_candles(caches: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    profile = ("--symbols", BTC, "--interval", "1h", *PERIOD, "--offline")
    told = []
    for number, cache in enumerate(caches):
        words = (
            "--param",
            "ema_fast=5:9:2",
            "--method",
            "grid",
            "--objective",
            "return",
            "--workers",
            "1",
            "--out",
            f"search{number}",
        )
        assert main(["search", *profile, "--cache", str(cache), *words]) == 0
        assert main(["determinism", "ScalpingEMARSI", *profile, "--cache", str(cache)]) == 0
        told.append(json.loads(Path(f"search{number}/study.json").read_text())["trials"])
        assert main(["check", *profile[:4], "--cache", str(cache)]) == 0
    assert "1h candles are built from finer ones in the cache" in capsys.readouterr().out
    assert told[0] == told[1]


def test_what_the_finer_candles_do_not_reach_is_no_candle(caches: tuple[Path, Path]) -> None:
    cache = CandleCache(caches[0])
    built = BuiltCandles(cache, "1h", {BTC: "1m"})
    months = built.months(BTC, "1h")
    assert months == ["2025-10", "2025-11"]
    stored = CandleCache(caches[1])
    assert all(equal(built.read(BTC, "1h", month), stored.read(BTC, "1h", month)) for month in months)
    assert built.describe(BTC, "1h", months[-1]).last_open_ms == stored.describe(BTC, "1h", months[-1]).last_open_ms
    # An exchange that says it has nothing more in that hour completes it; another symbol's candles do, too.
    last_ms = int(cache.read(BTC, "1m", months[-1]).open_time_ms[-1])
    hour_ms = last_ms // HOUR_MS * HOUR_MS
    own = CandleCache(Path("own"))
    own.merge(BTC, "1m", cache.read(BTC, "1m", months[-1]))
    assert BuiltCandles(own, "1h", {BTC: "1m"}).read(BTC, "1h", months[-1]).open_time_ms[-1] == hour_ms - HOUR_MS
    own.add_absent(BTC, "1m", "binanceus", ((last_ms + MINUTE_MS, hour_ms + HOUR_MS),))
    assert BuiltCandles(own, "1h", {BTC: "1m"}).read(BTC, "1h", months[-1]).open_time_ms[-1] == hour_ms


def test_a_cache_without_one_whole_candle_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    CandleCache(Path("c")).merge(BTC, "1m", walk(minutes(40, FIRST_MS - 30 * MINUTE_MS), 1))
    for period in (("--start", "2025-10-20", "--end", "2025-10-21"), ()):
        assert main(["backtest", "--symbols", BTC, "--interval", "1h", "--cache", "c", "--offline", *period]) == 2
        assert f"no candle of {BTC} 1h" in capsys.readouterr().err


def test_the_finer_series_that_covers_most_then_the_longest() -> None:
    cache = CandleCache(Path("c"))
    start_ms = FIRST_MS // HOUR_MS * HOUR_MS
    cache.merge(BTC, "1m", walk(minutes(600, start_ms), 1))
    cache.merge(BTC, "3m", walk(range(start_ms, start_ms + 5 * HOUR_MS, 3 * MINUTE_MS), 1))
    cache.merge(BTC, "2h", walk(range(start_ms, start_ms + 20 * HOUR_MS, 2 * HOUR_MS), 1))
    span = (start_ms, start_ms + 10 * HOUR_MS)
    assert finer_series(cache, BTC, "1h", *span) == "1m"
    assert finer_series(cache, BTC, "1h", start_ms, start_ms + 5 * HOUR_MS) == "3m"
    assert finer_series(cache, BTC, "5m", *span) == "1m", "3m does not divide it"
    assert finer_series(cache, BTC, "1m", *span) is None
    assert finer_series(cache, ETH, "1h", *span) is None
    assert finer_series(cache, BTC, "1h", 0, 1000) is None


def test_a_fetched_series_that_lacks_some_is_asked_for(caches: tuple[Path, Path]) -> None:
    cache = CandleCache(Path("c"))
    cache.merge(BTC, "1m", walk(minutes(1440, FIRST_MS), 1))
    merge_markets(cache.root, "binanceus", {BTC: Market(1e-8, 0.0, 0.0, None)})
    runner = ConfigBacktestRunner(
        start="2025-10-20T00:30", end="2025-10-22", interval="1h", symbols=[BTC], cache="c",
        exchange_url="http://127.0.0.1:9",
    )  # fmt: skip
    with pytest.raises(Exception, match=r"candles of BTC/USDT 1h are missing|no candle of BTC/USDT 1h"):
        runner.run()  # it lacks some of the run: hours are asked for, of an exchange that is not there


@pytest.mark.parametrize("symbol", ["btc/usdt", "BTCUSDT", "BTC-USDT", "Btc_Usdt", "BTC/USDt"])
def test_another_spelling_of_a_symbol_names_the_one_that_is_there(
    caches: tuple[Path, Path], symbol: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = ("--cache", str(caches[0]))
    commands = (
        ("backtest", "--symbols", symbol, *PERIOD, *cache),
        ("backtest", "--symbols", symbol, "--offline", *cache),
        ("check", "--symbols", symbol, *cache),
        ("data", "export", "--symbol", symbol, "--timeframe", "1m", *cache, "x.csv"),
        ("data", "import", "x.csv", "--symbol", symbol, "--timeframe", "1m", *cache),
        ("data", "resample", "--symbols", symbol, "--from", "1m", "--to", "1h", *cache),
    )
    for words in commands:
        assert main(list(words)) == 2, words
        said = capsys.readouterr().err.splitlines()
        assert said[-1] == f"onetape: no candles of {symbol} in {caches[0]}, but of {BTC}: write {BTC}"
    assert list(Path.cwd().iterdir()) == []


def test_another_symbol_is_no_other_spelling(caches: tuple[Path, Path]) -> None:
    refuse_near_symbols(CandleCache(caches[0]), [BTC, "SOL/USDT", "BTC/USDT:USDT", "BTC/USD"])
    with pytest.raises(DataError):
        ConfigBacktestRunner(symbols=["SOL/USDT"], interval="1h", cache=caches[0], offline=True).run()
