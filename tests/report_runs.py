"""A small run with trades of two symbols, and changes made to its files, for the tests of the page.

The rule: what is changed is changed on disk, as a crash, a user or an older version would.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.session.backtest import ConfigBacktestRunner
from tests.parity.market import fill_cache
from tests.parity.variants import EASY
from tests.proof_runs import CONFIG, END_MS, START_MS, SYMBOLS, market, replay, trades_of


def made_run(folder: Path) -> Path:
    """A finished backtest, its candles in `<run>_cache`."""
    return replay(folder, "run", market())


def copy_of(run: Path, folder: Path) -> Path:
    """The same run, to be changed."""
    shutil.copytree(run, folder / "copy")
    return folder / "copy"


def edit_json(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def rename_symbol(run: Path, before: str, after: str) -> None:
    """In results and trade log, as if the session had been configured so."""
    quoted = '"' + after.replace('"', '""') + '"'
    log = trades_of(run)
    log.write_text(log.read_text().replace(before, quoted))
    results = run / "results.json"
    results.write_text(results.read_text().replace(json.dumps(before)[1:-1], json.dumps(after)[1:-1]))


def managed_config(**trading: Any) -> dict[str, Any]:
    """Three strategies on two symbols: a trail in R with two legs; break-even and a time exit; a trail in ATRs."""
    ways: dict[str, tuple[list[str], dict[str, Any]]] = {
        "trail": (
            SYMBOLS,
            {
                "trailing": {"distance_r": 0.5, "from_r": 0.3},
                "partial": [{"at_r": 0.4, "fraction": 0.25}, {"at_r": 0.8, "fraction": 0.5}],
            },
        ),
        "even": (SYMBOLS[:1], {"break_even": {"at_r": 0.5, "offset_pct": 0.0005}, "time": {"candles": 12}}),
        "atr": (SYMBOLS[1:], {"trailing": {"distance_atr": 1.0}, "break_even": {"at_r": 1.0}}),
    }
    strategies = [
        {"id": name, "name": "ScalpingEMARSI", "symbols": symbols, "exits": exits, **EASY}
        for name, (symbols, exits) in ways.items()
    ]
    live = {key: value for key, value in CONFIG["live"].items() if key != "strategy"}
    mode = {**CONFIG["trading_mode"], **trading}
    return {"live": {**live, "strategies": strategies}, "risk": {"atr_stop_multiplier": 5.0}, "trading_mode": mode}


def managed_run(folder: Path, config: dict[str, Any] | None = None) -> Path:
    """A backtest with legs, moved stops and three strategies; its candles in `managed_cache`."""
    cache = fill_cache(folder / "managed_cache", market(5))
    run = folder / "managed"
    ConfigBacktestRunner(
        config=config or managed_config(), start=START_MS, end=END_MS, cache=cache.root, out=run
    ).run()  # fmt: skip
    return run
