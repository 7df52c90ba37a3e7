"""A run depends on its settings and candles and on nothing around it; and it starts without heavy imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.processes import PROJECT, SAMPLE, YEAR, backtest
from tests.parity.market import fill_cache, made_up
from tests.parity.variants import EASY

BEGIN_MS = 1_743_361_200_000  # 2025-03-30T19:00Z: midnight falls into the run, at another candle in each time zone
SYMBOLS = ["BTC/USDT", "ÄÖÜ/USDT", "A/USDT:USDT", "1000SHIB/USDT"]
ENVIRONMENTS = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "1", "TZ": "America/New_York", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "de_DE.UTF-8"},
    {"PYTHONHASHSEED": "random", "TZ": "Europe/London", "LC_ALL": "POSIX", "PYTHONOPTIMIZE": "1", "COLUMNS": "40"},
]
HEAVY = ("ccxt", "aiohttp", "requests", "pandas", "plotly", "pyarrow", "rich", "structlog", "talib", "tests")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    fill_cache(tmp_path / "cache", made_up(4, SYMBOLS, BEGIN_MS, 900))
    live = {
        "exchange": "test", "symbols": SYMBOLS, "timeframe": "1m", "startup_candles": 125,
        "strategy": {"name": "ScalpingEMARSI", **EASY, "timeframe": "5m"},
    }  # fmt: skip
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "live.yaml").write_text(json.dumps(live, ensure_ascii=False), encoding="utf-8")
    (folder / "risk.json").write_text('{"max_position_pct": 0.2}', encoding="utf-8")
    (folder / "trading_mode.yaml").write_text("safety: {max_exposure: 0.5}", encoding="utf-8")
    return folder / "live.yaml"


def test_hash_seed_time_zone_and_locale_change_no_byte(profile: Path, tmp_path: Path) -> None:
    contents = []
    for number, environment in enumerate(ENVIRONMENTS):
        run = tmp_path / str(number)
        words = ("--config", profile, "--cache", tmp_path / "cache", "--out", run)
        process = backtest(*words, "--start", "2025-03-30T21:02", "--end", "2025-03-31T10:00", **environment)
        assert (process.returncode, process.stderr) == (0, "")
        # The report names folder and speed; the rest of it is the same, too.
        report = [line for line in process.stdout.splitlines() if str(run) not in line and "candles/s" not in line]
        contents.append((report, {path.name: path.read_bytes() for path in run.iterdir()}))
    for other in contents[1:]:
        assert other == contents[0]
    trades = contents[0][1]["config_backtest_2025-03-30T2102_2025-03-31T1000.csv"].decode()
    assert trades.count("OPEN") > 10
    assert "ÄÖÜ/USDT" in trades


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_backtest_imports_nothing_heavy(flags: list[str], tmp_path: Path) -> None:
    arguments = ["--mode", "backtest", *SAMPLE, *YEAR, "--out", str(tmp_path / "run"), *flags]
    program = (
        "import sys\nfrom app.cli.main import main\n"
        f"status = main({arguments!r})\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\nsys.exit(status)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, encoding="utf-8", timeout=300, check=False
    )
    assert process.returncode == 0, process.stderr
    imported = set(process.stderr.split())
    assert {"asyncio", "arro3", "app"} <= imported
    assert not imported & set(HEAVY)
