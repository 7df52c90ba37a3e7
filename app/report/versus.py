"""Two runs side by side on one page: figures with their difference, equities in one chart, settings, fills that differ.

Trades are paired as `compare` pairs them, by symbol and by the slice that their entry was decided on; why they differ,
that command says. What cannot be read of a run is named, the rest is shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape as text
from pathlib import Path
from typing import Any

from app.errors import DataError
from app.models.orders import MAIN
from app.report.curves import equity_line
from app.report.formats import ABSENT, at, label, minute_text, tone, value_text
from app.report.making import page_title, period_text
from app.report.pairing import fill_key, paired
from app.report.rendering import cell, document, head_cell, script_files, script_json
from app.report.sections import Cell, notices, settings_rows
from app.runs.reader import FillRow, Run
from app.runs.run_folder import write_whole
from app.runs.run_on_disk import RunOnDisk, read_run

_LISTED = 500
_SIDES = ("", "A", "B", "B less A")
_STRATEGY_FIGURES = ("realized_pnl", "total_trades", "win_rate", "profit_factor", "expectancy_r")
FigureRow = tuple[str, Cell, Cell, Cell]
_FIGURES = (
    "total_return_pct", "final_equity", "max_drawdown_pct", "total_trades", "win_rate", "profit_factor", "expectancy",
    "expectancy_r", "sharpe", "sortino", "cagr_pct", "calmar", "exposure_pct", "average_holding_s",
)  # fmt: skip


@dataclass(frozen=True)
class TradeDifference:
    """One fill that the runs do not share: what it is in either, or that it is not there."""

    time: str
    line: str  # the symbol, with its strategy where there are several
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
    both = {"a": _line(one), "b": _line(other)}
    body = _body(one, other, trade_differences(a, b), has_equity=any(both.values()))
    write_whole(path, document(f"{one.name} and {other.name}", body, _scripts(both)))
    return path


def _body(a: RunOnDisk, b: RunOnDisk, trades: TradeDifferences, *, has_equity: bool) -> Iterator[str]:
    about = (f"{text(page_title(run))}, {text(period_text(run.results))}" for run in (a, b))
    yield f"""<header><div><h1>{text(a.name)} and {text(b.name)}</h1>
<p class="sub">A: {next(about)}<br>B: {next(about)}</p></div>
<button id="theme" type="button" aria-label="Light or dark">◐</button></header>
<main>
"""
    for name, run in (("A", a), ("B", b)):
        for notice in notices(run):
            yield f'<p class="notice{" alarm" if notice.is_alarm else ""}">{name}: {text(notice.text)}</p>\n'
    figures = _figure_cells(figure_rows(a.results, b.results))
    yield "<section><h2>Figures</h2>" + _grid(_SIDES, figures, texts_from=4) + "</section>\n"
    strategies = _figure_cells(strategy_rows(a.results, b.results))
    if strategies:
        yield "<section><h2>Strategies</h2>" + _grid(_SIDES, strategies, texts_from=4) + "</section>\n"
    chart = (
        '<div id="both" class="chart tall"></div>' if has_equity else '<p class="none">There is no equity to draw.</p>'
    )
    yield f"<section><h2>Equity</h2>{chart}</section>\n"
    settings = "".join(map(_text_row, ((key, x[:40], y[:40]) for key, x, y in differing_settings(a, b))))
    differing = _grid(("key", "A", "B"), settings) if settings else '<p class="none">None.</p>'
    yield f"<section><h2>Settings that differ</h2>\n{differing}</section>\n"
    yield f"<section><h2>Fills that differ</h2>\n{_fills(a, b, trades)}</section>\n</main>"


def _figure_cells(rows: Iterator[FigureRow]) -> str:
    return "".join(
        f'<tr><th scope="row">{text(name)}</th>{cell(x)}{cell(y)}{cell(difference)}</tr>\n'
        for name, x, y, difference in rows
    )


def _fills(a: RunOnDisk, b: RunOnDisk, trades: TradeDifferences) -> str:
    if trades.problem:
        return f'<p class="notice">The trades were not paired: {text(trades.problem)}.</p>'
    first = f"; the first {len(trades.listed)} are listed" if trades.differing > len(trades.listed) else ""
    said = (
        f'<p class="note">{trades.equal:,} fills are the same, {trades.differing:,} differ{first}. Why they part: '
        f"<code>python -m app compare {text(str(a.folder))} {text(str(b.folder))}</code></p>\n"
    )
    rows = "".join(_text_row((one.time, one.line, one.action, one.a, one.b)) for one in trades.listed)
    heads = ("time (UTC)", "symbol", "fill", "A", "B")
    return said + (_grid(heads, rows, ' box" tabindex="0') if rows else "")


def _grid(heads: Sequence[str], rows: str, kind: str = "", texts_from: int = 1) -> str:
    cells = (head_cell(head, place >= texts_from) for place, head in enumerate(heads))
    head = f"<thead><tr>{''.join(cells)}</tr></thead>"
    return f'<div class="scroll{kind}"><table>{head}<tbody>\n{rows}</tbody></table></div>'


def _text_row(texts: Sequence[str]) -> str:
    cells = "".join(f'<td class="text">{text(one)}</td>' for one in texts[1:])
    return f'<tr><th scope="row">{text(texts[0])}</th>{cells}</tr>\n'


def _scripts(both: Mapping[str, Any]) -> Iterator[str]:
    data = script_json({"starting_balance": None, "both": both})
    yield f'<script type="application/json" id="data">{data}</script>\n'
    yield from script_files("packing.js", "theme.js", "lines.js")
    yield """<script>
"use strict";
if (document.getElementById("both")) drawTwo(document.getElementById("both"), page.both);
document.documentElement.dataset.ready = "yes";
</script>
"""


def figure_rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[FigureRow]:
    """Label, the figure of each, and B less A where both have it."""
    for key in _FIGURES:
        yield label(key), *_compared(a, b, f"performance.{key}", f"difference.{key}")


def strategy_rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[FigureRow]:
    """The same of each strategy that either has; none for runs of one strategy."""
    for name in dict.fromkeys([*(at(a, "per_strategy") or ()), *(at(b, "per_strategy") or ())]):
        for key in _STRATEGY_FIGURES:
            place = f"per_strategy.{name}.{key}"
            yield f"{name}: {label(key)}", *_compared(a, b, place, f"difference.{place}")


def _compared(a: Mapping[str, Any], b: Mapping[str, Any], place: str, name: str) -> tuple[Cell, Cell, Cell]:
    key, x, y = place.rpartition(".")[2], at(a, place), at(b, place)
    difference = None if x is None or y is None else y - x
    text = ABSENT if difference is None else _signed(key, difference)
    return (
        Cell(value_text(key, x), tone(key, x), place, x),
        Cell(value_text(key, y), tone(key, y), place, y),
        Cell(text, tone(key, difference), name, difference),
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
        for one, other in paired(Run.open(a).fills(), Run.open(b).fills(), fill_key):
            present = one or other
            if present is None or _fill_text(one) == _fill_text(other):
                equal += 1
                continue
            differing += 1
            row = present.row
            line = row["symbol"] if row["strategy"] == MAIN else f"{row['symbol']} {row['strategy']}"
            entry = TradeDifference(
                minute_text(present.time_ms), line, row["action"], _fill_text(one), _fill_text(other)
            )
            listed.append((present.time_ms, entry))
    except DataError as error:
        return TradeDifferences([], problem=str(error))
    listed.sort(key=lambda pair: pair[0])
    return TradeDifferences([entry for _, entry in listed[:_LISTED]], differing, equal)


def _fill_text(fill: FillRow | None) -> str:
    if fill is None:
        return "not there"
    row = fill.row
    pnl = f", PnL {float(row['realized_pnl']):+,.2f}" if row["action"] == "CLOSE" else ""
    return (
        f"{row['side'].lower()} {float(row['quantity']):g} at {float(row['price']):g}, {row['reason']}{pnl}, "
        f"{minute_text(fill.time_ms)}"
    )


def _described(run: RunOnDisk) -> dict[str, Any]:
    hashes = {key: run.manifest.get(key) for key in ("strategy_sha256", "code_sha256", "data_sha256")}
    return {**run.settings, "period": run.manifest.get("period") or {}, **hashes}


def _line(run: RunOnDisk) -> dict[str, Any] | None:
    if run.equity is None:
        return None
    starting = at(run.results, "performance.starting_balance") or run.equity.first
    rows = sum(len(times_ms) for times_ms, _ in run.equity.blocks())
    line = equity_line(run.equity, starting, rows)
    return {"times_ms": line.times_ms, "equity": line.equity}


def _signed(key: str, difference: float) -> str:
    text = value_text(key, abs(difference)).lstrip("+")
    return ("+" if difference >= 0 else "-") + text
