"""A small run with trades of two symbols, and changes made to its files, for the tests of the page.

The rule: what is changed is changed on disk, as a crash, a user or an older version would.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.proof_runs import market, replay, trades_of


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
