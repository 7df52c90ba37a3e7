"""The shortfall of real orders against paper, as text and as JSON: the sums, then trade by trade.

The text leaves out what is nothing, the JSON has everything to the last digit.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from app.proof.shortfall import Shortfall, TradeShortfall
from app.proof.traded import Trade
from app.report.text_table import LISTED_MAX, text_table
from app.runs.quotients import quantiles
from app.times import iso_ms

_SHOWN = 5e-7  # of the currency: less is no digit of the text


def shortfall_blocks(shortfall: Shortfall) -> list[list[str]]:
    """Blocks of lines: the sums, and the trades that differ."""
    blocks = [list(_sums(shortfall)), list(_trades(shortfall))]
    return [lines for lines in blocks if lines]


def _sums(shortfall: Shortfall) -> Iterator[str]:
    other = "B" if shortfall.live_name == "A" else "A"
    yield f"Real orders ({shortfall.live_name}) against paper ({other}), in quote currency; + is where live is ahead:"
    yield _row("PnL live", shortfall.live_pnl)
    yield _row("PnL paper", shortfall.paper_pnl)
    yield _row("difference", shortfall.difference)
    for part, value in shortfall.parts.items():
        count = sum(1 for one in shortfall.trades if abs(one.parts.get(part, 0.0)) >= _SHOWN)
        yield f"{_row(part, value)}   {count:,} trades" if count else _row(part, value)
    yield _row("residual", 0.0 if abs(shortfall.residual) <= shortfall.tolerance else shortfall.residual)
    late = _latency(shortfall)
    if late["p50"] is not None:
        yield f"  {'decision to fill'.ljust(24)}p50 {late['p50']:,.0f} ms, p99 {late['p99']:,.0f} ms"
    yield f"  {'fills'.ljust(24)}{shortfall.rows[0]:,} live, {shortfall.rows[1]:,} on paper"
    if shortfall.fees:
        told = ", ".join(f"{amount:.8g} {asset or '?'}" for asset, amount in sorted(shortfall.fees.items()))
        yield f"  {'fees paid'.ljust(24)}{told}"
    for one in shortfall.unexplained:
        yield f"  UNEXPLAINED: {one.unexplained}"


def _row(name: str, value: float) -> str:
    return f"  {name.ljust(24)}{_money(value).rjust(14)}"


def _money(value: float) -> str:
    return f"{value + 0.0:+,.6f}" if abs(value) >= _SHOWN else "0"


def _trades(shortfall: Shortfall) -> Iterator[str]:
    shown = [one for one in shortfall.trades if abs(one.difference) >= _SHOWN or one.unexplained]
    if not shown:
        return
    yield f"Trades that differ ({len(shown):,} of {len(shortfall.trades):,}):"
    rows = [
        [iso_ms(one.key[1])[:-5], str(one.key[0]), _ms(one.latency_ms), _money(one.difference)]
        for one in shown[:LISTED_MAX]
    ]
    header = ("decided", "line", "to fill, ms", "difference")
    lines = text_table(header, rows, numbers=2).splitlines()
    for line, one in zip(lines, [None, *shown[:LISTED_MAX]], strict=True):
        yield f"  {line}" if one is None else f"  {line}   {_parts(one)}"
    if len(shown) > LISTED_MAX:
        yield f"  and {len(shown) - LISTED_MAX:,} more; --json lists all"


def _parts(one: TradeShortfall) -> str:
    told = ", ".join(f"{part} {_money(value)}" for part, value in one.parts.items() if abs(value) >= _SHOWN)
    notes = "; ".join([*([one.unexplained] if one.unexplained else []), *one.notes])
    return f"{told} ({notes})" if notes else told


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _latency(shortfall: Shortfall) -> dict[str, float | None]:
    values = [one.latency_ms for one in shortfall.trades if one.latency_ms is not None]
    return quantiles(np.array(values, float), (0.5, 0.99))


def shortfall_json(shortfall: Shortfall) -> dict[str, Any]:
    """The same for programs, to the last digit."""
    return {
        "live": shortfall.live_name,
        "explained": shortfall.is_explained,
        "pnl_live": shortfall.live_pnl,
        "pnl_paper": shortfall.paper_pnl,
        "difference": shortfall.difference,
        "parts": {str(part): value for part, value in shortfall.parts.items()},
        "residual": shortfall.residual,
        "latency_ms": _latency(shortfall),
        "fills_live": shortfall.rows[0],
        "fills_paper": shortfall.rows[1],
        "fees": dict(shortfall.fees),
        "trades": [_trade_json(one) for one in shortfall.trades],
    }


def _trade_json(one: TradeShortfall) -> dict[str, Any]:
    line, decided_ms = one.key
    return {
        "strategy": line.strategy,
        "symbol": line.symbol,
        "decided": iso_ms(decided_ms),
        "difference": one.difference,
        "latency_ms": one.latency_ms,
        "parts": {str(part): value for part, value in one.parts.items()},
        "notes": one.notes,
        "unexplained": one.unexplained or None,
        "live": _side_json(one.live),
        "paper": _side_json(one.paper),
    }


def _side_json(trade: Trade | None) -> dict[str, Any] | None:
    if trade is None:
        return None
    parts: Sequence[Any] = (*trade.entries, *trade.exits)
    return {
        "trade_id": trade.trade_id,
        "ordered": trade.ordered,
        "bought": trade.bought,
        "kept_as_fee": trade.kept_as_fee,
        "closed": trade.closed,
        "left": trade.left,
        "entry_price": trade.exits[-1].entry_price if trade.exits else trade.entries[0].price,
        "reason": trade.exits[-1].reason if trade.exits else None,
        "pnl": trade.pnl,
        "fees": trade.fees,
        "fills": len(parts),
    }
