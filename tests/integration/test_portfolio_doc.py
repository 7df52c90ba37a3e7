"""docs/portfolio.md and the exits of docs/strategies.md: their examples are run, and the pages say what comes of it."""

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import run_config_backtest
from app.cli.main import main
from app.models.exits import EXIT_KEYS
from app.settings.profile import load_settings
from app.strategies.loader import check_settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/portfolio.md").read_text(encoding="utf-8")
STRATEGIES = (ROOT / "docs/strategies.md").read_text(encoding="utf-8")
SAMPLE: dict[str, Any] = {"config": ROOT / "config/sample/live.yaml", "cache": ROOT / "data/sample", "offline": True}


def table(heading: str) -> list[list[str]]:
    """The rows under a table's heading."""
    rows = PAGE.partition(f"{heading}\n")[2].splitlines()[1:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[: rows.index("")]]
    assert cells
    return cells


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The files of the page are written, its two commands run; the run's folder."""
    monkeypatch.chdir(tmp_path)
    files = re.findall(r"`([a-z/]+\.(?:csv|py|yaml))`[^\n]*:\n\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in files] == ["candles.csv", "plan.py", "two/live.yaml"]
    (tmp_path / "two").mkdir()
    for name, content in [*files, ("two/risk.json", "{}"), ("two/trading_mode.yaml", "")]:
        (tmp_path / name).write_text(content)
    commands = re.findall(r"^python -m app (data import.*|--mode backtest.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert main(shlex.split(command)) == 0
    assert capsys.readouterr().err == ""
    return tmp_path / "example_run"


def test_the_trade_log_and_the_strategies_of_the_page(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    with (run / results["files"]["trades"]).open() as log:
        fills = list(csv.DictReader(log))
    columns = ["timestamp", "strategy", "action", "side", "price", "quantity", "realized_pnl", "reason"]
    told = [dict(zip(columns, row, strict=True)) for row in table(f"| {' | '.join(columns)} |")]
    assert len(told) == len(fills) == 4
    for fill, row in zip(fills, told, strict=True):
        assert fill["timestamp"][11:16] == row["timestamp"]
        for name in ("strategy", "action", "side", "reason"):
            assert fill[name] == row[name]
        assert float(fill["quantity"]) == float(row["quantity"])
        for name in ("price", "realized_pnl"):
            assert f"{float(fill[name]):.4f}".rstrip("0").rstrip(".") == row[name]
    per_strategy = {**results["per_strategy"], "the whole": results["performance"]}
    for name, trades, pnl in table("| `per_strategy` | `total_trades` | `realized_pnl` |"):
        assert (per_strategy[name]["total_trades"], f"{per_strategy[name]['realized_pnl']:.4f}") == (int(trades), pnl)
    assert sum(results["per_strategy"][name]["realized_pnl"] for name in ("trend", "dip")) == pytest.approx(
        results["performance"]["realized_pnl"]
    )


def test_the_sizes_of_the_page_by_hand(run: Path) -> None:
    sizing = " ".join(" ".join(row) for row in table("| step | numbers |"))
    equity = 10_000 + 6 * (100.5 - 100.2 * 1.0005) - 0.001 * 100.2 * 1.0005 * 6
    own = 0.4 * equity
    by_risk, by_position = own * 0.02 / 2.0, own * 0.25 / 100.5
    by_room = (0.2 * equity - 6 * 100.5) / 100.5
    for number in (f"{equity:,.7f}", f"{own:,.8f}", f"{by_risk:.4f}", f"{by_position:.6f}", f"{by_room:.4f}"):
        assert number in sizing
    with (run / "signals.csv").open() as signals:
        quantities = [row["quantity"] for row in csv.DictReader(signals)]
    assert quantities == ["6.0", "9.95114218"]
    assert all(f"quantity {float(quantity):g}" in sizing or f"quantity {quantity}" in sizing for quantity in quantities)


def test_every_key_of_a_strategy_is_on_the_page() -> None:
    keys = [row[0].strip("`") for row in table("| key | default | meaning |")]
    assert keys == ["id", "name", "timeframe", "params", "symbols", "allocation", "risk", "exits"]


def test_the_exits_of_the_strategies_page(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n([^`]*class Managed.*?)```", STRATEGIES, re.DOTALL)
    (tmp_path / "managed.py").write_text(code)
    results = run_config_backtest(
        "2023-01-01", "2023-04-01", strategy=str(tmp_path / "managed.py"), out=tmp_path / "run",
        overrides=["safety.max_drawdown=null"], **SAMPLE,
    )  # fmt: skip
    assert set(results.fills.reason) >= {"partial_target", "break_even", "trailing_stop", "time_exit"}
    assert set(results.fills.tag) == {"break_even", "trailing", "partial", "time"}
    assert results["funnel"]["cancelled"]["expired"] > 0
    (config,) = re.findall(r"```yaml\n(strategy:.*?)```", STRATEGIES, re.DOTALL)
    live = yaml.safe_load(config)["strategy"]
    live["name"] = "ScalpingEMARSI"
    settings = load_settings({"live": {"exchange": "x", "symbols": ["A/B"], "timeframe": "1m", "strategy": live}})
    assert settings.strategy.exits is not None
    given = {f"exits.{kind}.{key}" for kind, own in live["exits"].items() if isinstance(own, dict) for key in own}
    assert given <= set(EXIT_KEYS)
    for override in re.findall(r"`--set '?(exits[^`']*)'?`", STRATEGIES):
        assert load_settings(settings, [override]).strategy.exits is not None


@pytest.mark.parametrize("key", ["strategies", "symbols", "exits", "instruments", "protections"])
def test_what_is_commented_out_in_the_default_profile_is_right(tmp_path: Path, key: str) -> None:
    for name in ("live.yaml", "risk.json", "trading_mode.yaml"):
        text = (ROOT / "config" / name).read_text()
        block = re.search(rf"^# *{key}:.*\n(?:#  .*\n)*", text, re.MULTILINE)
        if block is not None:
            text = text.replace(block[0], re.sub(r"^# ", "", block[0], flags=re.MULTILINE))
            assert yaml.safe_load(text)
        (tmp_path / name).write_text(text)
    alone = ["strategy=null"] if key == "strategies" else []
    settings = load_settings(tmp_path / "live.yaml", alone)
    assert settings != load_settings(ROOT / "config/live.yaml")
    assert check_settings(settings).of
