"""What a run folder holds, read as far as it goes: results, manifest, trades, equity; and what is missing, in words.

Only a folder with nothing to show, or one of a newer format, is a DataError. No figure is computed.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import DataError, NewerFormatError
from app.runs.daily import EquitySeries, equity_blocks
from app.runs.fill_columns import Fills
from app.runs.manifest import sha256_of, written_sha256
from app.runs.quotients import Floats, Ints
from app.runs.reader import OpenedRun, read_manifest, read_results
from app.runs.run_folder import EQUITY, MANIFEST, RESULTS, SIGNALS
from app.runs.trade_read import TradeLogContent, TradeTable, read_trades, trade_table
from app.runs.trade_table import no_fills
from app.times import parse_time_ms

Json = Mapping[str, Any]
NO_TRADES = trade_table(no_fills())


@dataclass(frozen=True)
class EquityCurve:
    """Equity by time, ascending, read in blocks; `from_fills` where the rows of each slice could not be read."""

    rows: Path | EquitySeries
    first_ms: int
    first: float
    from_fills: bool = False

    @classmethod
    def of(cls, rows: Path | EquitySeries, *, from_fills: bool = False) -> "EquityCurve | None":
        """None without a row."""
        for times_ms, equity in equity_blocks(rows):
            if len(times_ms):
                return cls(rows, int(times_ms[0]), float(equity[0]), from_fills)
        return None

    def blocks(self) -> Iterator[tuple[Ints, Floats]]:
        """Times and equities, from the first row each time that it is asked."""
        return equity_blocks(self.rows)


@dataclass(frozen=True)
class RunOnDisk(OpenedRun):
    """A run as far as its folder can be read; what could not be is empty and named in `problems`."""

    trades: TradeTable
    equity: EquityCurve | None
    problems: Sequence[str]

    @property
    def symbols(self) -> Sequence[str]:
        """In config order; of the trades where nothing names them."""
        return list(self._named("symbols") or self.trades.symbols)

    @property
    def timeframe(self) -> str | None:
        """Of the session."""
        found = self._named("timeframe")
        return None if found is None else str(found)

    def _named(self, key: str) -> Any:
        return self.results.get(key) or self.settings.get("live", {}).get(key)


def read_run(folder: Path, fills: Fills | None = None) -> RunOnDisk:
    """The run of a folder; DataError where there is nothing to show or a newer Onetape wrote it.

    `fills` are those of its whole trade log, where somebody has read it already.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no run folder; give the folder that a run wrote, with its results.json")
    problems: list[str] = []
    results = _as_far(folder / RESULTS, read_results, problems)
    manifest = _as_far(folder / MANIFEST, read_manifest, problems)
    log_path = _trade_log(folder, results)
    if log_path is None and not results:
        raise DataError(f"{folder} holds no run: neither {RESULTS} nor a trade log is in it")
    if not results:
        problems.insert(0, "The run has not finished, or broke off: its results were never written.")
    if log_path is None:
        problems.append("There is no trade log in this folder.")
    if fills is not None:
        log = TradeLogContent(trade_table(fills), len(fills.price))
    else:
        log = TradeLogContent(NO_TRADES) if log_path is None else read_trades(log_path)
    problems += log.problems
    equity = _equity(folder, manifest)
    if equity is None and log.fills and log_path is not None:
        problems.append(
            f"{EQUITY} is missing or is not the file that the run wrote: equity is drawn after each fill only."
        )
        equity = _after_fills(log_path, log.fills)
    return RunOnDisk(folder, results, manifest, log.trades, equity, problems)


def _as_far(path: Path, read: Callable[[Path], dict[str, Any]], problems: list[str]) -> dict[str, Any]:
    if not path.exists():
        problems.append(f"{path.name} is missing.")
        return {}
    try:
        return read(path)
    except NewerFormatError:
        raise
    except DataError as error:
        problems.append(f"{str(error).replace(str(path), path.name, 1)}.")
        return {}


def _trade_log(folder: Path, results: Json) -> Path | None:
    named = results.get("files", {}).get("trades")
    if named is not None and (folder / named).is_file():
        return folder / str(named)
    found = sorted(path for path in folder.glob("*.csv") if path.name != SIGNALS)
    return found[0] if found else None


def _equity(folder: Path, manifest: Json) -> EquityCurve | None:
    path = folder / EQUITY
    # The decoder panics on damage, so it sees only the file that the run wrote.
    if not path.is_file() or sha256_of(path) != written_sha256(manifest, "equity"):
        return None
    return EquityCurve.of(path)


def _after_fills(log: Path, fills: int) -> EquityCurve | None:
    with log.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = csv.DictReader(file)
        newest = {parse_time_ms(row["timestamp"]): float(row["equity"]) for row in islice(rows, fills)}
    times = sorted(newest)  # several fills at one time: the last one stands
    equity = np.array([newest[time_ms] for time_ms in times], np.float64)
    return EquityCurve.of(EquitySeries(np.array(times, np.int64), equity), from_fills=True)
