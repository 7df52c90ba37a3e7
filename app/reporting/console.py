"""The report on the console: the lines a user of the old system knows, then the funnel, exits, costs and symbols.

Takes the content of results.json and gives text; it computes no figure of its own. Plain text, aligned, the same on
a terminal and in a pipe.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.times import parse_time_ms, short_time

_LABEL_WIDTH = 22
Results = Mapping[str, Any]


def render_report(results: Results, folder: Path, elapsed_s: float | None = None) -> str:
    """The whole report, lines ended with newlines."""
    blocks = [
        list(_head(results, elapsed_s)),
        list(_summary(results, folder)),
        list(_funnel(results)),
        list(_exits(results)),
        list(_costs(results)),
        list(_per_symbol(results)),
        list(_shortfalls(results)),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _head(results: Results, elapsed_s: float | None) -> Iterator[str]:
    speed = ""
    total = results["candles_processed"]["total"]
    if elapsed_s:
        speed = f"; {total / elapsed_s:,.0f} candles/s"
    yield f"Onetape {results['mode']}: {results['note']}{speed}"
    kill_switch = results["kill_switch"]
    if kill_switch:
        yield (
            f"KILL SWITCH tripped {_time(kill_switch['time'])}: {kill_switch['why']}; "
            f"{kill_switch['untraded_pct']:.1f} % of the period went untraded"
        )
    if results["status"] == "stopped":
        yield "STOPPED by the operator before the end of the period"


def _summary(results: Results, folder: Path) -> Iterator[str]:
    performance = results["performance"]
    candles = results["candles_processed"]["total"]
    period = results["period"]
    yield _line("Period", f"{_time(period['start'])} to {_time(period['end'])} UTC, {results['timeframe']}")
    yield _line(
        "Candles processed",
        f"{candles:,} (warm-up {results['warmup_candles']:,}, missing {results['missing_candles']:,})",
    )
    yield _line("Signals generated", f"{results['signals_generated']:,}")
    yield _line("Orders submitted", f"{results['orders_submitted']:,}")
    yield _line("Starting balance", _money(performance["starting_balance"]))
    yield _line("Final balance", _money(performance["final_balance"]))
    yield _line("Final equity", _money(performance["final_equity"]))
    yield _line("Realized PnL", _money(performance["realized_pnl"], sign="+"))
    yield _line("Total return", f"{performance['total_return_pct']:+.2f} %")
    yield _line("Total trades", f"{performance['total_trades']:,}")
    yield _line("Winning trades", f"{performance['winning_trades']:,}")
    yield _line("Losing trades", f"{performance['losing_trades']:,}")
    yield _line("Win rate", _percent(performance["win_rate"]))
    yield _line("Peak equity", _money(performance["peak_equity"]))
    yield _line("Max drawdown", f"{performance['max_drawdown_pct']:.2f} %")
    yield _line("Trade log saved", str(folder / results["files"]["trades"]))


def _funnel(results: Results) -> Iterator[str]:
    funnel = results["funnel"]
    signals = funnel["signals"]
    yield "Signal funnel"
    yield _row("signals", results["signals_generated"], ", ".join(f"{n} {count:,}" for n, count in signals.items()))
    for label, key in (
        ("ignored", "ignored"),
        ("refused by risk", "refused_by_risk"),
        ("refused by the gate", "refused_by_gate"),
    ):
        yield _row(label, sum(funnel[key].values()), _reasons(funnel[key]))
    sized_by = {name: count for name, count in funnel["sized_by"].items() if count}
    yield _row("orders submitted", funnel["orders_submitted"], f"sized by {_reasons(sized_by)}" if sized_by else "")
    cancelled = {why: count for why, count in funnel["cancelled"].items() if count and why != "session_end"}
    yield _row("cancelled", sum(cancelled.values()), _reasons(cancelled))
    yield _row("unfilled at the end", funnel["unfilled_at_end"], "")
    yield _row("entries filled", funnel["entries_filled"], "")


def _exits(results: Results) -> Iterator[str]:
    exits = results["exits"]
    if not exits:
        return
    yield "Exits by reason"
    for reason, totals in exits.items():
        detail = f"win rate {_percent(totals['win_rate'])}, PnL {_money(totals['realized_pnl'], sign='+')}"
        yield _row(reason, totals["total_trades"], detail)
    both = results["stop_and_target_in_one_candle"]
    yield _row("stop and target", both, "trades with both levels in one candle, counted as stopped")


def _costs(results: Results) -> Iterator[str]:
    costs = results["costs"]
    yield "Costs"
    yield f"  {'commission':<{_LABEL_WIDTH}}{_money(costs['commission']):>14}"
    yield f"  {'slippage':<{_LABEL_WIDTH}}{_money(costs['slippage']):>14}"
    short = results["short"]
    if short["total_trades"]:
        yield _row(
            "shorts", short["total_trades"],
            f"PnL {_money(short['realized_pnl'], sign='+')}; a spot exchange could not place these",
        )  # fmt: skip


def _per_symbol(results: Results) -> Iterator[str]:
    per_symbol = results["per_symbol"]
    if len(per_symbol) < 2:
        return
    width = max(len("Symbol"), *(len(symbol) for symbol in per_symbol))
    yield f"{'Symbol':<{width}}{'candles':>12}{'trades':>9}{'win rate':>11}{'PnL':>14}"
    for symbol, own in per_symbol.items():
        pnl = _money(own["realized_pnl"], sign="+")
        yield (
            f"{symbol:<{width}}{own['candles']:>12,}{own['total_trades']:>9,}{_percent(own['win_rate']):>11}{pnl:>14}"
        )


def _shortfalls(results: Results) -> Iterator[str]:
    if not results["shortfalls"]:
        return
    yield "Candles that were not there (nothing is filled in)"
    for shortfall in results["shortfalls"]:
        parts = []
        if shortfall["missing_candles"]:
            first, last = _time(shortfall["first_open"]), _time(shortfall["last_open"])
            parts.append(
                f"{shortfall['missing_candles']:,} missing: {shortfall['gaps']:,} gaps between the first candle, "
                f"{first}, and the last, {last}"
            )
        if shortfall["warmup_candles"] < shortfall["warmup_wanted"]:
            parts.append(f"warm-up {shortfall['warmup_candles']:,} of {shortfall['warmup_wanted']:,}")
        yield f"  {shortfall['symbol']}: {'; '.join(parts)}"


def _line(label: str, value: str) -> str:
    return f"{label + ':':<{_LABEL_WIDTH}}{value}"


def _row(label: str, count: int, detail: str) -> str:
    return f"  {label:<{_LABEL_WIDTH}}{count:>10,}{'   ' + detail if detail else ''}".rstrip()


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


def _money(value: float, sign: str = "") -> str:
    return f"{value:{sign},.2f}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f} %"


def _time(iso: str | None) -> str:
    return "n/a" if iso is None else short_time(parse_time_ms(iso))
