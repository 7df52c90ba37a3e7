"""What the candles cannot tell, and what the costs decide: the range of a result on the same trades.

Every answer is for the trades of the log with their own quantities, recomputed fill by fill; what the run itself would
have done otherwise, `python -m app assumptions` says. Formulas are in docs/metrics.md.
"""

from typing import Any

import numpy as np

from app.runs.fill_columns import Fills
from app.runs.quotients import Floats, ratio
from app.runs.trade_table import Trades

COST_MULTIPLES = (0, 1, 2, 3)
_LARGE_SHARE = 0.01


def uncertainty(
    fills: Fills, trades: Trades, starting_balance: float, final_equity: float, target_rate: float | None = None
) -> dict[str, Any]:
    """The block of results.json; `target_rate` is the commission rate of a target, None: the entry's own."""

    def result(change: float) -> dict[str, float]:
        equity = final_equity + change
        return {"final_equity": equity, "total_return_pct": 100.0 * (equity / starting_balance - 1.0)}

    volume = trades.entry.candle_volume
    known = np.isfinite(volume)
    large = trades.entry.quantity[known] > _LARGE_SHARE * volume[known]
    turnover = turnover_before_slippage(fills)
    costs = float((fills.commission + fills.slippage).sum())
    gained = final_equity - starting_balance + costs
    return {
        "both_levels": int((trades.entry.both_levels | trades.exit.both_levels).sum()),
        "targets_touched": int(trades.exit.target_touched.sum()),
        "pessimistic": result(0.0),
        "optimistic": result(float(optimistic_gain(trades, target_rate).sum())),
        "costs": {f"{times}x": result(cost_change(fills, times)) for times in COST_MULTIPLES},
        "break_even_bps": _bps(gained, turnover),
        "actual_bps": _bps(costs, turnover),
        "over_1pct_of_volume": int(large.sum()),
        "volume_known": int(known.sum()),
    }


def optimistic_gain(trades: Trades, target_rate: float | None = None) -> Floats:
    """What each trade would have gained had its target been reached where the candles leave that open.

    These are the trades stopped in a candle that also passed the target, and those whose target was touched, not
    passed: they would have left at the target, without slippage. Legs that were closed before stay; where the candle
    of a limit entry is in doubt all of the trade would have. Never below zero: a trade that did better stays.
    """
    entry, last = trades.entry, trades.last
    rate = entry.commission / (entry.price * entry.quantity) if target_rate is None else target_rate
    quantity = np.where(entry.both_levels, entry.quantity, last.quantity)
    earned = np.where(entry.both_levels, trades.pnl, last.realized_pnl)
    at_target = (
        entry.sign * quantity * (last.target - entry.price)
        - entry.commission * (quantity / entry.quantity)
        - rate * last.target * quantity
    )
    open_to_doubt = entry.both_levels | last.both_levels | last.target_touched
    return np.where(open_to_doubt, np.maximum(at_target - earned, 0.0), 0.0)


def cost_change(fills: Fills, times: float) -> float:
    """Change of the final equity if commission and slippage rates had been `times` what they were; 0 at 1.

    Each fill has its price before slippage, `p = price -/+ slippage / quantity`, and the two rates it was charged;
    it is made again with the rates multiplied. The quantities and the moments of the fills stay.
    """
    buys = _buys(fills)
    before = _before_slippage(fills)
    price = before + times * (fills.price - before)
    commission = times * fills.commission * (price / fills.price)
    return float((-buys * fills.quantity * (price - fills.price) - (commission - fills.commission)).sum())


def turnover_before_slippage(fills: Fills) -> float:
    """Value of all fills, entries and exits, at the prices before slippage."""
    return float((_before_slippage(fills) * fills.quantity).sum())


def _buys(fills: Fills) -> Floats:
    # +1 where the fill bought: a long's OPEN, a short's CLOSE.
    return np.where(fills.opens, fills.sign, -fills.sign)


def _before_slippage(fills: Fills) -> Floats:
    return fills.price - _buys(fills) * fills.slippage / fills.quantity


def _bps(part: float, turnover: float) -> float | None:
    share = ratio(part, turnover)
    return None if share is None else 10_000.0 * share
