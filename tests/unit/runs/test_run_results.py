"""A run to look at: `load_run()` gives what the run gave, and says in one line where there is none."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import app
from app import RunResults, load_run, run_config_backtest
from app.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("loaded") / "run"
    return run_config_backtest("2023-03-01", "2023-04-10", config=CONFIG, cache=CACHE, out=out)


@pytest.fixture
def folder(original: RunResults, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original.folder, tmp_path / "run"))


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "results.json").read_text())
    edit(content)
    (folder / "results.json").write_text(json.dumps(content))


def test_a_loaded_run_is_what_the_run_itself_gave(original: RunResults, folder: Path) -> None:
    for given in (folder, str(folder)):
        run = load_run(given)
        assert dict(run) == dict(original) == json.loads((folder / "results.json").read_text())
        assert (run.metrics, run.manifest) == (original.metrics, original.manifest)
        for name in ("trades", "fills", "closed_trades", "equity"):
            assert getattr(run, name).equals(getattr(original, name)), name
    assert isinstance(original, RunResults)
    assert len(run.closed_trades) == run["performance"]["total_trades"] > 10
    assert run.trades.equals(run.fills)
    assert run.closed_trades.realized_pnl.sum() == pytest.approx(run["performance"]["realized_pnl"])
    assert repr(run) == repr(original).replace("BacktestResults", "RunResults").replace(
        str(original.folder), str(folder)
    )


def test_metrics_are_flat_and_those_of_the_results(original: RunResults) -> None:
    metrics = original.metrics
    assert {name: metrics[name] for name in original["performance"]} == original["performance"]
    assert metrics["costs.commission"] == original["costs"]["commission"]
    assert metrics["uncertainty.costs.2x.final_equity"] == original["uncertainty"]["costs"]["2x"]["final_equity"]
    assert metrics["short.total_trades"] == original["short"]["total_trades"]
    assert metrics["signals_generated"] == original["signals_generated"]
    assert not any(isinstance(value, (dict, list)) for value in metrics.values())
    assert not any(name.startswith("to_halt") for name in metrics), "nothing halted this run"


def test_a_run_of_an_older_version_has_fewer_figures_and_no_fault(folder: Path) -> None:
    def age(content: dict[str, Any]) -> None:
        for name in (
            "mode",
            "uncertainty",
            "excursions",
            "buy_and_hold",
            "long",
            "to_halt",
            "monthly",
            "missing_candles",
        ):
            del content[name]
        for name in ("cagr_pct", "sharpe", "profit_factor"):
            del content["performance"][name]

    change(folder, age)
    (folder / "manifest.json").unlink()
    run = load_run(folder)
    assert not {"sharpe", "missing_candles"} & set(run.metrics)
    assert run.metrics["total_return_pct"] == run["performance"]["total_return_pct"]
    assert "<th style='text-align:left'>Sharpe</th><td style='text-align:right'>n/a</td>" in run._repr_html_()
    assert run.manifest == {}
    assert len(run.equity) == run["candles_processed"]["total"]
    change(folder, lambda content: content.update(performance={}, files={}))
    assert repr(load_run(folder)) == f"<RunResults n/a, n/a trades, {folder}>"
    with pytest.raises(DataError, match="names no trade log; an older Onetape made it"):
        _ = load_run(folder).trades


def test_the_table_of_a_notebook_shows_the_figures_and_escapes_names(folder: Path, original: RunResults) -> None:
    shown = original._repr_html_()
    assert f"<td style='text-align:right'>{original['performance']['total_return_pct']:+.2f} %</td>" in shown
    assert "backtest, BTC/USDT 1h, 2023-03-01 00:00 to 2023-04-10 00:00" in shown
    assert "FINISHED" not in shown
    odd = {
        "symbols": ["<script>alert(1)</script>/X"],
        "status": "stopped",
        "kill_switch": {"why": "<b>"},
        "period": {"start": None, "end": None},
    }
    change(folder, lambda content: content.update(odd))
    shown = load_run(folder)._repr_html_()
    assert "STOPPED: backtest, &lt;script&gt;alert(1)&lt;/script&gt;/X 1h, ? to ?; kill switch: &lt;b&gt;" in shown
    assert "<script" not in shown


def test_no_run_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is no run folder; give the folder that a run wrote"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(DataError, match="it is no run folder: it holds no results"):
        load_run(tmp_path)
    content = (folder / "results.json").read_text()
    (folder / "results.json").unlink()
    with pytest.raises(DataError, match="its run has not finished, or broke off: it has no results"):
        load_run(folder)
    (folder / "results.json").write_text(content[:500])
    with pytest.raises(DataError, match=r"results.json cannot be read: "):
        load_run(folder)
    (folder / "results.json").write_text("[]")
    with pytest.raises(DataError, match="it is no JSON object"):
        load_run(folder)


@pytest.mark.parametrize("newer", [2, "2"])
def test_a_newer_format_is_left_to_a_newer_onetape(newer: object, folder: Path) -> None:
    change(folder, lambda content: content.update(format=newer))
    with pytest.raises(DataError, match="has format 2, this Onetape reads up to 1: use the one that wrote it"):
        load_run(folder)


def test_nothing_heavy_before_it_is_asked_for(folder: Path) -> None:
    program = (
        "import sys\n"
        "from app import load_run\n"
        f"run = load_run({str(folder)!r}); run.metrics; run._repr_html_(); repr(run)\n"
        "heavy = ('pandas', 'plotly', 'pydantic', 'yaml', 'asyncio', 'rich', 'jinja2')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "run.trades; print('pandas' in sys.modules, 'plotly' in sys.modules)\n"
        "run.plot(); print('plotly' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True False", "True"]


def test_the_package_gives_what_it_names() -> None:
    assert app.__version__[0].isdecimal()
    for name in set(app.__all__) - {"__version__"}:
        assert getattr(app, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'app' has no attribute 'load_runs'"):
        _ = app.load_runs
