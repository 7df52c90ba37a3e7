"""`--mode backtest`: arguments to a runner, results to the console, and the sample where there is nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.cli.arguments import make_runner
from app.cli.main import _mode_parser, main
from app.errors import ConfigError
from app.session.backtest import ConfigBacktestRunner
from app.settings.profile import load_settings
from app.settings.shipped import DEFAULT_CACHE, DEFAULT_CONFIG, SAMPLE_CACHE, SAMPLE_CONFIG, SHIPPED_CONFIG
from tests.candle_columns import make_candles, minutes

ROOT = Path(__file__).resolve().parents[3]
SHORT = ("--config", str(SAMPLE_CONFIG), "--cache", str(SAMPLE_CACHE), "--start", "2023-04-01", "--end", "2023-04-03")


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runner(*words: str) -> ConfigBacktestRunner:
    return make_runner(_mode_parser().parse_args(["--mode", "backtest", *words]))


def test_a_first_run_in_an_empty_place_is_the_sample() -> None:
    made = runner()
    assert (made.config, made.cache) == (SAMPLE_CONFIG, SAMPLE_CACHE)
    assert (made.start, made.end) == ("2017-08-17T04:00", "2024-01-02")
    assert "shipped sample" in made.note
    # With a period of its own it is a question to an exchange.
    for words in (("--start", "2020-01-01"), ("--end", "2020-01-01"), ("--exchange-url", "http://127.0.0.1:1")):
        assert (runner(*words).config, runner(*words).cache) == (SHIPPED_CONFIG, DEFAULT_CACHE)
    # So it is with a symbol that the sample does not have.
    assert runner("--symbols", "ETH/USDT").cache == DEFAULT_CACHE
    assert runner("--symbols", "BTC/USDT").cache == SAMPLE_CACHE


def test_without_a_profile_the_package_s_own_is_taken_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner("--start", "2020-01-01").config == SHIPPED_CONFIG
    assert capsys.readouterr().err == f"onetape: no config/live.yaml here: taking the package's own, {SHIPPED_CONFIG}\n"
    assert main(["check"]) == 0
    assert f"{SHIPPED_CONFIG}: valid" in capsys.readouterr().out
    assert ConfigBacktestRunner().settings() == load_settings(SHIPPED_CONFIG)
    own = Path("config")
    shutil.copytree(SHIPPED_CONFIG.parent, own)
    assert runner("--start", "2020-01-01").config == ConfigBacktestRunner().config == DEFAULT_CONFIG
    assert capsys.readouterr().err == ""


def test_with_a_candle_or_a_config_or_a_cache_it_is_not() -> None:
    assert runner("--config", "mine/live.yaml").config == Path("mine/live.yaml")
    assert runner("--cache", "mine").config == SHIPPED_CONFIG
    CandleCache(Path("data/backtest_cache")).merge("A/B", "1m", make_candles(minutes(1)))
    assert (runner().config, runner().cache) == (SHIPPED_CONFIG, DEFAULT_CACHE)


def test_arguments_reach_the_runner() -> None:
    made = runner(
        "--symbols", "A/B, C/D", "--interval", "5m", "--strategy", "x.py", "--set", "a=1", "--set", "b=2",
        "--out", "o", "--speed", "60",
    )  # fmt: skip
    assert (made.symbols, made.interval, made.strategy) == (["A/B", "C/D"], "5m", "x.py")
    assert (list(made.overrides), made.out, made.speed) == (["a=1", "b=2"], Path("o"), 60.0)
    assert runner().speed is None
    assert runner("--symbols", "").symbols == [""]


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast", ""])
def test_a_speed_is_max_or_a_multiple(speed: str) -> None:
    with pytest.raises(ConfigError, match="write max, or how many times real time, for example 60"):
        runner("--speed", speed)


def test_the_report_is_printed_and_nothing_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "backtest", *SHORT, "--out", "run"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Onetape backtest: the period of --start and --end; ")
    assert "Trade log saved:      run/config_backtest_2023-04-01_2023-04-03.csv" in out
    assert err == ""


def test_json_is_results_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "backtest", *SHORT, "--out", "run", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out == Path("run/results.json").read_text()
    assert err == ""


def test_events_as_json_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "backtest", *SHORT, "--out", "run", "--log-json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["run_started", "run_finished"]
    assert events[1]["status"] == "finished"
    assert events[1]["candles"] == 48


def test_too_many_missing_candles_are_a_fault_after_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    late = ("--start", "2024-01-01", "--end", "2024-01-03", "--out", "run")
    assert main(["--mode", "backtest", *SHORT[:4], *late, "--max-missing", "23"]) == 2
    out, err = capsys.readouterr()
    assert err == "onetape: 24 candles are missing, --max-missing allows 23\n"
    assert "Candles that were not there" in out
    assert Path("run/results.json").exists()
    assert main(["--mode", "backtest", *SHORT[:4], *late[:-1], "two", "--max-missing", "24"]) == 0
