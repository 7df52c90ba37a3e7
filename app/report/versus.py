"""Two runs side by side on one page: figures with their difference, equities in one chart, settings, fills that differ.

The rule: trades are paired as `compare` pairs them, by symbol and by the slice that their entry was decided on; why
they differ is that command's to say. What cannot be read of a run is named, the rest is shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import DataError
from app.report.curves import equity_line
from app.report.formats import ABSENT, at, label, tone, value_text
from app.report.making import page_title, period_text
from app.report.pairing import paired
from app.report.rendering import render, write_page
from app.report.sections import Cell, notices, settings_rows
from app.runs.run_files import FillRow, Run
from app.runs.run_read import RunOnDisk, read_run
from app.times import iso_ms

_LISTED = 500
_FIGURES = (
    "total_return_pct", "final_equity", "max_drawdown_pct", "total_trades", "win_rate", "profit_factor", "expectancy",
    "expectancy_r", "sharpe", "sortino", "cagr_pct", "calmar", "exposure_pct", "average_holding_s",
)  # fmt: skip


@dataclass(frozen=True)
class TradeDifference:
    """One fill that the runs do not share: what it is in either, or that it is not there."""

    time: str
    symbol: str
    action: str
    a: str
    b: str


@dataclass(frozen=True)
class TradeDifferences:
    """The first of them, how many there are, how many fills are equal; or why that is not known."""

    listed: list[TradeDifference]
    differing: int = 0
    equal: int = 0
    problem: str = ""


def make_versus(a: Path, b: Path, out: Path | None = None) -> Path:
    """Writes the page, by default `report_vs_<name of B>.html` in the folder of A, and says where."""
    one, other = read_run(a), read_run(b)
    path = out or a / f"report_vs_{other.name}.html"
    values = {
        "a": one,
        "b": other,
        "titles": [page_title(run) for run in (one, other)],
        "periods": [period_text(run.results) for run in (one, other)],
        "notices": [notices(run) for run in (one, other)],
        "figures": list(figure_rows(one.results, other.results)),
        "settings": differing_settings(one, other),
        "trades": trade_differences(a, b),
        "data": {
            "starting_balance": None,
            "both": {"a": _line(one), "b": _line(other)},
        },
    }
    write_page(path, render("versus.html.jinja", values))
    return path


def figure_rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, Cell, Cell, Cell]]:
    """Label, the figure of each, and B less A where both have it."""
    for key in _FIGURES:
        place = f"performance.{key}"
        x, y = at(a, place), at(b, place)
        difference = None if x is None or y is None else y - x
        text = ABSENT if difference is None else _signed(key, difference)
        yield (
            label(key),
            Cell(value_text(key, x), tone(key, x), place, x),
            Cell(value_text(key, y), tone(key, y), place, y),
            Cell(text, tone(key, difference), f"difference.{key}", difference),
        )


def differing_settings(a: RunOnDisk, b: RunOnDisk) -> list[tuple[str, str, str]]:
    """Keys with both values; also of the period and of the hashes of code, strategy and candles."""
    x, y = (dict(settings_rows(_described(run))) for run in (a, b))
    return [
        (key, x.get(key, "not there"), y.get(key, "not there"))
        for key in dict.fromkeys([*x, *y])
        if x.get(key) != y.get(key)
    ]


def trade_differences(a: Path, b: Path) -> TradeDifferences:
    """Fill by fill; a run that is not whole gives the reason instead."""
    listed: list[tuple[int, TradeDifference]] = []
    differing = equal = 0
    try:
        for one, other in paired(Run.open(a).fills(), Run.open(b).fills(), _key):
            present = one or other
            if present is None or _told(one) == _told(other):
                equal += 1
                continue
            differing += 1
            row = present.row
            entry = TradeDifference(
                iso_ms(present.time_ms)[:16].replace("T", " "), row["symbol"], row["action"], _told(one), _told(other)
            )
            listed.append((present.time_ms, entry))
    except DataError as error:
        return TradeDifferences([], problem=str(error))
    listed.sort(key=lambda pair: pair[0])
    return TradeDifferences([entry for _, entry in listed[:_LISTED]], differing, equal)


def _key(fill: FillRow) -> tuple[str, int, str]:
    return fill.row["symbol"], fill.decided_ms, fill.row["action"]


def _told(fill: FillRow | None) -> str:
    if fill is None:
        return "not there"
    row = fill.row
    money = f", PnL {float(row['realized_pnl']):+,.2f}" if row["action"] == "CLOSE" else ""
    when = iso_ms(fill.time_ms)[:16].replace("T", " ")
    return (
        f"{row['side'].lower()} {float(row['quantity']):g} at {float(row['price']):g}, {row['reason']}{money}, {when}"
    )


def _described(run: RunOnDisk) -> dict[str, Any]:
    hashes = {key: run.manifest.get(key) for key in ("strategy_sha256", "code_sha256", "data_sha256")}
    return {**run.settings, "period": run.manifest.get("period") or {}, **hashes}


def _line(run: RunOnDisk) -> dict[str, Any] | None:
    if run.equity is None:
        return None
    starting = at(run.results, "performance.starting_balance") or float(run.equity.equity[0])
    line = equity_line(run.equity, starting)
    return {"times_ms": line.times_ms, "equity": line.equity}


def _signed(key: str, difference: float) -> str:
    text = value_text(key, abs(difference)).lstrip("+")
    return ("+" if difference >= 0 else "-") + text
