"""The report on the console: the lines a user of the old system knows, then funnel, exits, costs, metrics, symbols.

Takes the content of results.json and gives blocks of text; it computes no figure of its own. In a pipe they are
plain, always the same; on a terminal they are laid out for its width and coloured.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.report.console_blocks import Block, Grid, Lines, Row, Summary, Table, plain_text
from app.report.console_metrics import metric_tables
from app.report.formats import counts_text, figure, money, percent, time_text
from app.report.real_orders import real_order_rows

_COUNT_WIDTH = 10
Results = Mapping[str, Any]


def report_text(results: Results, folder: Path, elapsed_s: float | None = None) -> str:
    """The whole report as it suits standard output: laid out for a terminal, plain for everything else."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return render_report(results, folder, elapsed_s)
    from app.report.console_terminal import terminal_text

    return terminal_text(report_blocks(results, folder, elapsed_s))


def render_report(results: Results, folder: Path, elapsed_s: float | None = None) -> str:
    """The whole report in plain text, lines ended with newlines."""
    return plain_text(report_blocks(results, folder, elapsed_s))


def report_blocks(results: Results, folder: Path, elapsed_s: float | None = None) -> Sequence[Block]:
    """The report from top to bottom; a block without content is left out."""
    return [
        Lines(tuple(_head(results, elapsed_s)), alarm=True),
        Summary(tuple(_summary(results, folder))),
        Table("Signal funnel", tuple(_funnel(results))),
        *([Table("Exits by reason", tuple(_exits(results)))] if results["exits"] else []),
        Table("Costs", tuple(_costs(results))),
        *([Table("Real orders", tuple(_real_orders(results["real_orders"])))] if results.get("real_orders") else []),
        *metric_tables(results),
        *([_per_symbol(results)] if len(results["per_symbol"]) > 1 else []),
        *_strategies(results),
        *([Lines(tuple(_shortfalls(results)))] if results["shortfalls"] else []),
    ]


def _head(results: Results, elapsed_s: float | None) -> Iterator[str]:
    speed = ""
    total = results["candles_processed"]["total"]
    if elapsed_s:
        speed = f"; {total / elapsed_s:,.0f} candles/s"
    yield f"Onetape {results['mode']}: {results['note']}{speed}"
    if results["mode"] == "live":
        yield f"LIVE: the orders of this session were real, at {results['exchange']}"
    kill_switch = results["kill_switch"]
    if kill_switch:
        yield (
            f"KILL SWITCH tripped {time_text(kill_switch['time'])}: {kill_switch['why']}; "
            f"{kill_switch['untraded_pct']:.1f} % of the period went untraded"
        )
    if results["status"] == "stopped":
        yield "STOPPED by the operator before the end of the period"


def _summary(results: Results, folder: Path) -> Iterator[tuple[str, str]]:
    performance = results["performance"]
    candles = results["candles_processed"]["total"]
    period = results["period"]
    yield ("Period", f"{time_text(period['start'])} to {time_text(period['end'])} UTC, {results['timeframe']}")
    yield (
        "Candles processed",
        f"{candles:,} (warm-up {results['warmup_candles']:,}, missing {results['missing_candles']:,})",
    )
    yield ("Signals generated", f"{results['signals_generated']:,}")
    yield ("Orders submitted", f"{results['orders_submitted']:,}")
    yield ("Starting balance", money(performance["starting_balance"]))
    yield ("Final balance", money(performance["final_balance"]))
    yield ("Final equity", money(performance["final_equity"]))
    yield ("Realized PnL", money(performance["realized_pnl"], "+"))
    yield ("Total return", f"{performance['total_return_pct']:+.2f} %")
    yield ("Total trades", f"{performance['total_trades']:,}")
    yield ("Winning trades", f"{performance['winning_trades']:,}")
    yield ("Losing trades", f"{performance['losing_trades']:,}")
    yield ("Win rate", percent(performance["win_rate"]))
    yield ("Peak equity", money(performance["peak_equity"]))
    yield ("Max drawdown", f"{performance['max_drawdown_pct']:.2f} %")
    yield ("Trade log saved", str(folder / results["files"]["trades"]))


def _funnel(results: Results) -> Iterator[Row]:
    funnel = results["funnel"]
    signals = funnel["signals"]
    yield _row("signals", results["signals_generated"], ", ".join(f"{n} {count:,}" for n, count in signals.items()))
    for label, key in (
        ("ignored", "ignored"),
        ("refused by risk", "refused_by_risk"),
        ("refused by the gate", "refused_by_gate"),
    ):
        yield _row(label, sum(funnel[key].values()), counts_text(funnel[key]))
    sized_by = {name: count for name, count in funnel["sized_by"].items() if count}
    yield _row("orders submitted", funnel["orders_submitted"], f"sized by {counts_text(sized_by)}" if sized_by else "")
    cancelled = {why: count for why, count in funnel["cancelled"].items() if count and why != "session_end"}
    yield _row("cancelled", sum(cancelled.values()), counts_text(cancelled))
    yield _row("unfilled at the end", funnel["unfilled_at_end"], "")
    yield _row("entries filled", funnel["entries_filled"], "")
    if "legs_dropped" in funnel:
        yield _row("legs dropped", funnel["legs_dropped"], "nothing after rounding, or at or past the target")


def _exits(results: Results) -> Iterator[Row]:
    for reason, totals in results["exits"].items():
        detail = f"win rate {percent(totals['win_rate'])}, PnL {money(totals['realized_pnl'], '+')}"
        yield _row(reason, totals["total_trades"], detail)
    legs = results.get("partial_targets")
    if legs:
        detail = f"closed a part of a trade that went on, PnL {money(legs['realized_pnl'], '+')}"
        yield _row("partial_target", legs["total_trades"], detail)
    both = results["stop_and_target_in_one_candle"]
    yield _row("stop and target", both, "trades with both levels in one candle, counted as stopped")


def _costs(results: Results) -> Iterator[Row]:
    costs = results["costs"]
    yield Row("commission", money(costs["commission"]))
    yield Row("slippage", money(costs["slippage"]))
    short = results["short"]
    if short["total_trades"]:
        yield _row(
            "shorts", short["total_trades"],
            f"PnL {money(short['realized_pnl'], '+')}; a spot exchange could not place these",
        )  # fmt: skip


def _real_orders(real: Mapping[str, Any]) -> Iterator[Row]:
    for label, value, detail in real_order_rows(real):
        yield Row(label, value, detail)


def _per_symbol(results: Results) -> Grid:
    rows = tuple(
        (
            symbol, f"{own['candles']:,}", f"{own['total_trades']:,}", percent(own["win_rate"]),
            money(own["realized_pnl"], "+"),
        )
        for symbol, own in results["per_symbol"].items()
    )  # fmt: skip
    return Grid(("Symbol", "candles", "trades", "win rate", "PnL"), rows, widths=(12, 9, 11, 14))


def _strategies(results: Results) -> Iterator[Block]:
    if results.get("per_strategy"):
        rows = tuple(
            (
                name, f"{own['total_trades']:,}", percent(own["win_rate"]), figure(own["profit_factor"]),
                figure(own["expectancy_r"], "{:+.2f}"), money(own["realized_pnl"], "+"),
            )
            for name, own in results["per_strategy"].items()
        )  # fmt: skip
        yield Grid(("Strategy", "trades", "win rate", "factor", "R", "PnL"), rows, widths=(9, 11, 9, 8, 14))
    if results.get("strategy_correlation"):
        matrix = results["strategy_correlation"]
        rows = tuple((name, *(figure(one, "{:+.2f}") for one in own.values())) for name, own in matrix.items())
        widths = tuple(max(len(name), 5) + 2 for name in matrix)
        yield Grid(("Daily correlation", *matrix), rows, widths)


def _shortfalls(results: Results) -> Iterator[str]:
    yield "Candles that were not there (nothing is filled in)"
    for shortfall in results["shortfalls"]:
        parts = []
        if shortfall["missing_candles"]:
            first, last = time_text(shortfall["first_open"]), time_text(shortfall["last_open"])
            parts.append(
                f"{shortfall['missing_candles']:,} missing: {shortfall['gaps']:,} gaps between the first candle, "
                f"{first}, and the last, {last}"
            )
        if shortfall["warmup_candles"] < shortfall["warmup_wanted"]:
            parts.append(f"warm-up {shortfall['warmup_candles']:,} of {shortfall['warmup_wanted']:,}")
        yield f"  {shortfall['symbol']}: {'; '.join(parts)}"


def _row(label: str, count: int, detail: str) -> Row:
    return Row(label, f"{count:,}", detail, _COUNT_WIDTH)
