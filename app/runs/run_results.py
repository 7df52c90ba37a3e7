"""A finished run to look at: results.json as a mapping, its files as DataFrames, its metrics flat, a picture of it.

`load_run()` gives it for a run folder, a backtest from a program gives the same. No figure is computed anew; pandas
and plotly are imported when they are asked for.
"""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import DataError
from app.runs.manifest import written_sha256
from app.runs.reader import read_manifest, read_results
from app.runs.run_folder import EQUITY, MANIFEST, RESULTS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

# Blocks of results.json whose figures `metrics` has besides the performance; tables by symbol, reason, tag and month
# stay where they are.
_BLOCKS = ("costs", "uncertainty", "excursions", "buy_and_hold", "long", "short", "to_halt")
_COUNTS = ("signals_generated", "orders_submitted", "stop_and_target_in_one_candle", "missing_candles")
_SHOWN = (
    ("Total return", "total_return_pct", "{:+.2f} %"),
    ("Max drawdown", "max_drawdown_pct", "{:.2f} %"),
    ("Final equity", "final_equity", "{:,.2f}"),
    ("Trades", "total_trades", "{:,}"),
    ("Win rate", "win_rate", "{:.2f} %"),
    ("Profit factor", "profit_factor", "{:.2f}"),
    ("CAGR", "cagr_pct", "{:.2f} %"),
    ("Sharpe", "sharpe", "{:.2f}"),
)


class RunResults(Mapping[str, Any]):
    """The content of results.json as a read-only mapping, with the run's folder and its rows."""

    def __init__(self, content: Mapping[str, Any], folder: Path) -> None:
        self._content = content
        self.folder = folder

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        earned, trades = self._shown("total_return_pct", "{:+.2f} %"), self._shown("total_trades", "{:,}")
        return f"<{type(self).__name__} {earned}, {trades} trades, {self.folder}>"

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><th style='text-align:left'>{label}</th>"
            f"<td style='text-align:right'>{self._shown(key, form)}</td></tr>"
            for label, key, form in _SHOWN
        )
        period = self.get("period") or {}
        span = " to ".join(str(period.get(end) or "?")[:16].replace("T", " ") for end in ("start", "end"))
        about = f"{self.get('mode', 'run')}, {', '.join(self.get('symbols', []))} {self.get('timeframe', '')}, {span}"
        if self.get("status") not in (None, "finished"):
            about = f"{self['status'].upper()}: {about}"
        if self.get("kill_switch"):
            about += f"; kill switch: {self['kill_switch'].get('why', '')}"
        return f"<table><caption style='text-align:left'>{escape(about)}</caption>{cells}</table>"

    def _shown(self, key: str, form: str) -> str:
        value = self.get("performance", {}).get(key)
        return "n/a" if value is None else form.format(value)

    @property
    def trades(self) -> "pd.DataFrame":
        """The trade log, one row a *fill* as the file has it, `timestamp` as UTC datetimes; the same as `fills`."""
        return self.fills

    @property
    def fills(self) -> "pd.DataFrame":
        """The trade log, one row a fill in the order in which they were made, `timestamp` as UTC datetimes."""
        from app.runs.frames import fills_frame

        return fills_frame(self._trade_log)

    @property
    def closed_trades(self) -> "pd.DataFrame":
        """One row a trade, entry joined with exit, in the order in which they were closed."""
        from app.runs.frames import closed_trades_frame

        return closed_trades_frame(self._trade_log)

    @property
    def equity(self) -> "pd.DataFrame":
        """Columns equity and balance, indexed by the close time of each slice (UTC)."""
        from app.runs.frames import equity_frame

        return equity_frame(self.folder / EQUITY, written_sha256(self.manifest, "equity"))

    @property
    def per_strategy(self) -> "pd.DataFrame":
        """One row a strategy, its totals and statistics as columns; of a run of one strategy the row `main`."""
        from app.runs.frames import strategies_frame

        return strategies_frame(self._content)

    @property
    def strategy_days(self) -> "pd.DataFrame":
        """What each strategy realised, a column each, by the time that ends the UTC day; `.cumsum()` adds it up."""
        from app.runs.frames import strategy_days_frame

        return strategy_days_frame(self._trade_log, self._content)

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the run by one name each: `sharpe`, `costs.commission`, `uncertainty.costs.2x.final_equity`.

        Those of `performance` have no prefix. None is what is undefined; a run of an older version lacks some names.
        """
        flat = dict(_flat("", self.get("performance", {})))
        flat.update((name, self[name]) for name in _COUNTS if name in self)
        for block in _BLOCKS:
            flat.update(_flat(f"{block}.", self.get(block) or {}))
        return flat

    @property
    def manifest(self) -> dict[str, Any]:
        """What is needed to run it again: settings, hashes, versions; empty where the folder has none."""
        path = self.folder / MANIFEST
        return read_manifest(path) if path.exists() else {}

    def plot(
        self,
        symbol: str | None = None,
        start: str | int | None = None,
        end: str | int | None = None,
        cache: str | Path | None = None,
    ) -> "go.Figure":
        """Candles with entries and exits, equity and drawdown, one above the other, as a plotly Figure.

        The first symbol unless one is named. Times are text (UTC) or ms since the epoch, `end` exclusive; a shorter
        span has finer candles. Candles come from the run's tape, or from `cache` or the default one by the hashes of
        the manifest; without them the closing price of every fill is drawn. DataError where there is nothing to
        draw, ConfigError for an unknown symbol or a missing plotly.
        """
        from app.runs.plot import figure

        return figure(self, symbol, start, end, None if cache is None else Path(cache))

    @property
    def _trade_log(self) -> Path:
        named = self.get("files", {}).get("trades")
        if named is None:
            raise DataError(f"{self.folder / RESULTS} names no trade log; an older Onetape made it, run it again")
        return self.folder / str(named)


def load_run(folder: str | Path) -> RunResults:
    """The finished run of a folder, a backtest's or a paper session's; DataError in one line where there is none."""
    place = Path(folder)
    path = place / RESULTS
    if not place.is_dir():
        raise DataError(f"{place} is no run folder; give the folder that a run wrote, for example logs/backtests/...")
    if not path.exists():
        begun = (place / MANIFEST).exists() or any(place.glob("*.csv"))
        why = "its run has not finished, or broke off: it has" if begun else "it is no run folder: it holds"
        raise DataError(f"{place}: {why} no {RESULTS}")
    return RunResults(read_results(path), place)


def _flat(prefix: str, block: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in block.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value
