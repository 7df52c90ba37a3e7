"""Arguments of `python -m app testnet`: which source, from when, and one clear line for what cannot be."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from tests.candle_columns import make_candles, minutes

GENERATE = ["--generate", "1", "--symbols", "BTC/USDT"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs one source of candles"),
        ([*GENERATE, "--cache", "x"], "needs one source of candles"),
        (["--generate", "1"], "--generate SEED needs --symbols"),
        (["--cache", "x", "--symbols", "A/B"], "--symbols is for made-up candles only"),
        (["--cache", "{tmp}"], "no candles of a symbol like BTC/USDT in"),
        (["--candles", "BTC/USDT=x.csv"], "write SYMBOL:TF=FILE"),
        (["--candles", "BTC/USDT:7m=x.csv"], "unknown timeframe '7m'"),
        (["--candles", "BTC/USDT:1m={tmp}/x.csv"], "x.csv does not exist"),
        ([*GENERATE, "--start", "soon"], "'soon' is not a date or time"),
        ([*GENERATE, "--speed", "0"], "speed above 0"),
        ([*GENERATE, "--port", "70000"], "--port 70000: a port is 0 to 65535"),
        ([*GENERATE, "--faults", "{tmp}/none.yaml"], "no such file"),
        ([*GENERATE, "--faults", "storm:many"], "storm:SEED"),
        (["--generate", "1", "--symbols", "BTCUSDT"], "'BTCUSDT' is no symbol"),
    ],
)
def test_one_clear_line(words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["testnet", *(word.replace("{tmp}", str(tmp_path)) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err and err.startswith("onetape: ") and err.count("\n") == 1


def test_a_file_of_symbols_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.csv"
    file.write_text("timestamp_ms,open,high,low,close,volume\n0,1,1,1,1,1\n")
    assert main(["testnet", "--candles", f"AAPL:1m={file}"]) == 2
    assert "no candle of a symbol like BTC/USDT" in capsys.readouterr().err
    assert main(["testnet", "--candles", f"A/B:1m={file}", "--candles", f"A/B:1m={file}"]) == 2
    assert "given twice" in capsys.readouterr().err


def test_a_cache_with_a_faults_file_that_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    CandleCache(tmp_path / "cache").merge("BTC/USDT", "1m", make_candles(minutes(3)))
    script = tmp_path / "faults.yaml"
    script.write_text("- fault: hole\n  symbol: SOL/USDT\n  from: 1\n  to: 2\n")
    assert main(["testnet", "--cache", str(tmp_path / "cache"), "--faults", str(script)]) == 2
    assert "SOL/USDT is not served; served are BTC/USDT" in capsys.readouterr().err
