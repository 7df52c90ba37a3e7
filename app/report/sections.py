"""The tables and tiles of the page: which figures of results.json it shows, under which words, in which order.

Every figure is taken from results.json as it stands; a block that an older version did not write gives n/a. No markup.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.report.formats import ABSENT, at, counts_text, label, money, time_text, tone, value_text
from app.report.real_orders import real_order_rows
from app.report.refused_entries import RefusedTotals
from app.runs.run_on_disk import RunOnDisk

Json = Mapping[str, Any]


class Cell(NamedTuple):
    """A text with its tone (`good`, `bad` or none); `key` is its place in results.json and `raw` the value there."""

    text: str
    tone: str = ""
    key: str = ""
    raw: Any = None


class Tile(NamedTuple):
    """One figure in large, with a smaller one under it."""

    label: str
    value: Cell
    detail: str = ""


class Table(NamedTuple):
    """Rows of cells; the first cell of a row names it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Notice(NamedTuple):
    """A sentence at the top; `is_alarm` for a halt or a failure."""

    text: str
    is_alarm: bool = False


# (words, place in results.json, words of the detail, its place)
_TILES = (
    ("Total return", "performance.total_return_pct", "buy and hold", "buy_and_hold.return_pct"),
    ("Final equity", "performance.final_equity", "from", "performance.starting_balance"),
    ("Max drawdown", "performance.max_drawdown_pct", "longest", "performance.longest_drawdown_days"),
    ("Trades", "performance.total_trades", "long / short", ""),
    ("Win rate", "performance.win_rate", "payoff ratio", "performance.payoff_ratio"),
    ("Profit factor", "performance.profit_factor", "expectancy", "performance.expectancy"),
    ("Sharpe", "performance.sharpe", "Sortino", "performance.sortino"),
    ("CAGR", "performance.cagr_pct", "Calmar", "performance.calmar"),
    ("Costs", "costs.total", "of gross profit", "costs.share_of_gross_profit_pct"),
    ("In a position", "performance.exposure_pct", "average holding", "performance.average_holding_s"),
)
_TRADE_COLUMNS = (
    "total_trades", "win_rate", "realized_pnl", "profit_factor", "expectancy", "expectancy_r", "average_win",
    "average_loss", "average_holding_s",
)  # fmt: skip


def tiles(results: Json) -> list[Tile]:
    """What a reader looks for first."""
    made = []
    for words, path, small, small_path in _TILES:
        detail = f"{small} {_text(results, small_path)}"
        if path == "performance.total_trades":
            longs, shorts = (_text(results, f"{side}.total_trades") for side in ("long", "short"))
            detail = f"{longs} long, {shorts} short"
        made.append(Tile(words, cell(results, path), detail))
    return made


def cell(results: Json, path: str) -> Cell:
    """The figure at a place of results.json."""
    key, value = path.rpartition(".")[2], at(results, path)
    return Cell(value_text(key, value), tone(key, value), path, value)


def notices(run: RunOnDisk) -> list[Notice]:
    """What must be known before a figure is believed."""
    results = run.results
    made = [Notice(problem) for problem in run.problems]
    status = results.get("status")
    if status == "failed":
        made.insert(0, Notice("The run failed half-way. What it had done until then is shown.", is_alarm=True))
    if status == "stopped":
        made.append(Notice("An operator stopped the run before the end of its period."))
    halt = results.get("kill_switch")
    if halt:
        untraded = value_text("untraded_pct", halt.get("untraded_pct"))
        text = f"The kill switch tripped at {time_text(halt.get('time'))}: {halt.get('why')}."
        text += f" {untraded} of the period went untraded. Figures are over all of it; those until the halt are below."
        made.insert(0, Notice(text, is_alarm=True))
    if results.get("mode") == "live":
        made.insert(
            0, Notice(f"LIVE: the orders of this session were real, at {results.get('exchange')}.", is_alarm=True)
        )
    what_if = results.get("what_if")
    if what_if:
        text = f"WHAT IF: the tape of {what_if.get('run')} with {', '.join(what_if.get('changed', ()))}."
        if what_if.get("paper_from"):
            text += f" Until {time_text(what_if['paper_from'])} it decides what the session decided, on real fills."
        made.insert(0, Notice(f"{text} No session did this.", is_alarm=True))
    for shortfall in results.get("shortfalls") or ():
        made += [Notice(text) for text in _shortfall(shortfall)]
    made += [
        Notice(f"Live feed: {label(name).lower()} {count:,}.") for name, count in (results.get("feed") or {}).items()
    ]
    return made


def _shortfall(shortfall: Json) -> Iterator[str]:
    missing, symbol = shortfall.get("missing_candles", 0), shortfall.get("symbol")
    if missing:
        yield (
            f"{symbol}: {missing:,} candles are missing ({shortfall.get('gaps', 0):,} gaps between the first, "
            f"{time_text(shortfall.get('first_open'))}, and the last, {time_text(shortfall.get('last_open'))}). "
            "Nothing was filled in."
        )
    if shortfall.get("warmup_candles", 0) < shortfall.get("warmup_wanted", 0):
        yield f"{symbol}: the warm-up had {shortfall['warmup_candles']:,} of {shortfall['warmup_wanted']:,} candles."


def metrics(results: Json) -> list[tuple[str, Cell]]:
    """Every figure of `performance`, by its label."""
    names = results.get("performance") or {}
    return [(label(name), cell(results, f"performance.{name}")) for name in names]


def real_orders(results: Json) -> Table | None:
    """What became of them; None for a run on paper."""
    real = results.get("real_orders")
    if not real:
        return None
    return Table(("", "", ""), [[Cell(one) for one in row] for row in real_order_rows(real)])


def halt_table(results: Json) -> Table | None:
    """The figures up to the kill switch beside those over all; None without one."""
    before = results.get("to_halt")
    if not before:
        return None
    names = [name for name in before if name != "time" and at(results, f"performance.{name}") is not None]
    rows = [
        [Cell(label(name)), cell(results, f"to_halt.{name}"), cell(results, f"performance.{name}")] for name in names
    ]
    return Table(("", f"until {time_text(before.get('time'))}", "over all"), rows)


def groups(results: Json, *blocks: str, first: str) -> Table | None:
    """Trades by group: a row for each key of the blocks; None without any. A block of one group is a row itself."""
    rows = []
    for block in blocks:
        content = results.get(block) or {}
        is_one = "total_trades" in content
        for name, own in ((label(block), content),) if is_one else content.items():
            place = block if is_one else f"{block}.{name}"
            figures = ((key, own.get(key)) for key in _TRADE_COLUMNS)
            cells = [Cell(value_text(key, value), tone(key, value), f"{place}.{key}", value) for key, value in figures]
            rows.append([Cell(name or "(none)"), *cells])
    return Table((first, *(label(key) for key in _TRADE_COLUMNS)), rows) if rows else None


def funnel(results: Json) -> Table | None:
    """What became of the signals, stage by stage."""
    content = results.get("funnel")
    if not content:
        return None
    rows = [_stage("signals", results.get("signals_generated"), content.get("signals"))]
    for name in ("ignored", "refused_by_risk", "refused_by_gate"):
        reasons = content.get(name) or {}
        rows.append(_stage(name, sum(reasons.values()), reasons))
    rows.append(_stage("orders_submitted", content.get("orders_submitted"), content.get("sized_by"), "sized by "))
    cancelled = content.get("cancelled") or {}
    rows.append(_stage("cancelled", sum(cancelled.values()), cancelled))
    rows.append(_stage("entries_filled", content.get("entries_filled"), None))
    if content.get("legs_dropped"):
        rows.append(_stage("legs_dropped", content["legs_dropped"], None))
    return Table(("stage", "count", "of which"), rows)


def refused(totals: Sequence[RefusedTotals]) -> Table:
    """What the refused entries of each limit would have done."""
    heads = ("limit", "entries", "filled", "won", "PnL", "a trade, in R", "still open", "not run")
    rows = []
    for one in totals:
        counts = (Cell(f"{count:,}") for count in (one.entries, one.filled, one.winners))
        mean_r = f"{one.r / one.filled:+.2f}" if one.filled else ABSENT
        pnl, others = (
            Cell(value_text("pnl", one.pnl), tone("pnl", one.pnl)),
            (mean_r, f"{one.open:,}", f"{one.left_out:,}"),
        )
        rows.append([Cell(label(one.limit)), *counts, pnl, *map(Cell, others)])
    return Table(heads, rows)


def _stage(name: str, count: Any, reasons: Json | None, lead: str = "") -> list[Cell]:
    parts = counts_text(reasons or {})
    return [Cell(label(name)), Cell(value_text(name, count)), Cell(lead + parts if parts else "")]


def costs(results: Json) -> Table:
    """The result if costs had been other than assumed, on the same trades."""
    rows = []
    for times in ("0x", "1x", "2x", "3x"):
        place = f"uncertainty.costs.{times}"
        rows.append(
            [Cell(f"{times} costs"), cell(results, f"{place}.final_equity"), cell(results, f"{place}.total_return_pct")]
        )
    return Table(("", "final equity", "total return"), rows)


def candle_limits(results: Json) -> Table:
    """What the candles cannot tell, and how much hangs on it."""
    rows = [
        [Cell("Pessimistic: stops first, limits must be passed"), *_answer(results, "pessimistic")],
        [Cell("Optimistic: targets first, a touch fills"), *_answer(results, "optimistic")],
    ]
    return Table(("", "final equity", "total return"), rows)


def _answer(results: Json, which: str) -> list[Cell]:
    return [cell(results, f"uncertainty.{which}.{key}") for key in ("final_equity", "total_return_pct")]


def candle_sentences(results: Json) -> list[str]:
    """The counts behind those tables, in words."""
    known = results.get("uncertainty")
    if not known:
        return [f"Results at other costs: {ABSENT}; this run was made by a version that did not work them out."]
    return [
        f"Stop and target fell into one candle in {_text(results, 'uncertainty.both_levels')} trades, taken as stops.",
        f"A target was touched but not passed in {_text(results, 'uncertainty.targets_touched')} trades.",
        f"The run paid {known.get('actual_bps') or 0.0:,.2f} basis points of every fill's value in commission and "
        f"slippage; it would break even at {money(known.get('break_even_bps'))}.",
        f"{_text(results, 'uncertainty.over_1pct_of_volume')} of {_text(results, 'uncertainty.volume_known')} trades "
        "were larger than 1 % of the volume of their entry's candle.",
    ]


class MapCell(NamedTuple):
    """A cell of a heat map; `weight` from -1 to 1 is how deep its colour is."""

    text: str
    title: str
    weight: float


def heat_map(results: Json) -> list[tuple[str, list[MapCell]]] | None:
    """A row of twelve a year; None where no month is known."""
    months = {row["month"]: row for row in results.get("monthly") or ()}
    if not months:
        return None
    known = [abs(row["return_pct"]) for row in months.values() if row.get("return_pct") is not None]
    most = max(known, default=0.0) or 1.0
    years = sorted({name[:4] for name in months})
    return [(year, [_month(months.get(f"{year}-{number:02}"), most) for number in range(1, 13)]) for year in years]


def correlations(results: Json) -> list[tuple[str, list[MapCell]]]:
    """A row and a column a strategy; none for fewer than two."""
    return [
        (name, [_correlation(name, other, value) for other, value in own.items()])
        for name, own in (results.get("strategy_correlation") or {}).items()
    ]


def _correlation(name: str, other: str, value: float | None) -> MapCell:
    if value is None:
        return MapCell(ABSENT, f"{name} and {other}: {ABSENT}", 0.0)
    return MapCell(f"{value:+.2f}", f"{name} and {other}: {value:+.4f}", value)


def _month(row: Json | None, most: float) -> MapCell:
    if row is None:
        return MapCell("", "", 0.0)
    value = row.get("return_pct")
    if value is None:
        return MapCell(ABSENT, f"{row['month']}: {ABSENT}", 0.0)
    money = value_text("pnl", row.get("pnl"))
    return MapCell(f"{value:+.1f}", f"{row['month']}: {value:+.2f} %, {money}", max(-1.0, min(1.0, value / most)))


def settings_rows(settings: Json, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key with its value, nested ones joined by dots; of a list of blocks each by its id, or its number."""
    for key, value in settings.items():
        name = f"{path}.{key}" if path else str(key)
        nested = _blocks(value)
        if nested:
            yield from settings_rows(nested, name)
        else:
            yield name, "not set" if value is None else str(value)


def _blocks(value: Any) -> Json:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(one, Mapping) for one in value):
        return {one.get("id", number): one for number, one in enumerate(value, 1)}
    return {}


def _text(results: Json, path: str) -> str:
    return value_text(path.rpartition(".")[2], at(results, path)) if path else ABSENT
