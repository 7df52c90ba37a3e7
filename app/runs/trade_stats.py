"""What the closed trades of a run, or of a group of them, come to: profit factor, expectancy, SQN, Kelly, streaks.

PnL is net of costs, R is the PnL over the trade's initial risk. A winner has a PnL above zero. Undefined is None.
Definitions with their sources are in docs/metrics.md. Pure functions.
"""

import math
from collections.abc import Mapping

import numpy as np

from app.runs.quotients import Bools, Floats, Ints, defined, mean, quantiles, ratio, spread
from app.runs.trade_table import Trades

Statistics = dict[str, float | int | None]
_SHARES = (0.10, 0.25, 0.50, 0.75, 0.90)


def trade_statistics(trades: Trades) -> Statistics:
    """Of all trades of a run, by name; currency unless the name says otherwise."""
    pnl, risked = trades.pnl, r_multiples(trades)
    wins, losses = streaks(pnl > 0.0)
    return {
        "gross_profit": float(pnl[pnl > 0.0].sum()),
        "gross_loss": abs(float(pnl[pnl <= 0.0].sum())),
        **group_statistics(trades),
        "sqn": system_quality(risked),
        "kelly_pct": kelly_pct(pnl),
        "longest_holding_s": float(trades.held_ms.max()) / 1e3 if len(trades) else None,
        "longest_winning_streak": wins,
        "longest_losing_streak": losses,
    }


def group_statistics(trades: Trades) -> Statistics:
    """Of a side, a symbol, an exit reason or a tag."""
    pnl = trades.pnl
    winners, losers = pnl[pnl > 0.0], pnl[pnl <= 0.0]
    average_win, average_loss = mean(winners), mean(-losers)
    return {
        "profit_factor": ratio(winners.sum(), -losers.sum()),
        "expectancy": mean(pnl),
        "expectancy_r": mean(r_multiples(trades)),
        "payoff_ratio": None if average_win is None else ratio(average_win, average_loss or 0.0),
        "average_win": average_win,
        "average_loss": average_loss,
        "best_trade": defined(pnl.max()) if pnl.size else None,
        "worst_trade": defined(pnl.min()) if pnl.size else None,
        "average_holding_s": mean(trades.held_ms / 1e3),
    }


def r_multiples(trades: Trades) -> Floats:
    """PnL over initial risk, of the trades that have one."""
    multiples = trades.pnl / trades.initial_risk
    return multiples[np.isfinite(multiples)]


def system_quality(multiples: Floats) -> float | None:
    """SQN: `sqrt(min(n, 100)) * mean(R) / std(R)`, ddof 1 (Van Tharp); None for fewer than two trades."""
    deviation = spread(multiples)
    return None if deviation is None else defined(math.sqrt(min(multiples.size, 100)) * multiples.mean() / deviation)


def kelly_pct(pnl: Floats) -> float | None:
    """`W - (1 - W) / payoff ratio` in percent of the equity (Kelly 1956, as Thorp has it); None without either side."""
    winners, losers = pnl[pnl > 0.0], pnl[pnl <= 0.0]
    if not winners.size or not losers.size:
        return None
    odds = ratio(winners.mean(), -losers.mean())
    won = winners.size / pnl.size
    return None if odds is None else 100.0 * (won - (1.0 - won) / odds)


def streaks(won: Bools) -> tuple[int, int]:
    """The longest run of winners and of losers, in the order of closing."""
    edges = np.flatnonzero(np.diff(won)) + 1
    bounds = np.concatenate(([0], edges, [len(won)]))
    lengths, of_winners = np.diff(bounds), won[bounds[:-1]] if len(won) else np.zeros(1, np.bool_)
    return int(lengths[of_winners].max(initial=0)), int(lengths[~of_winners].max(initial=0))


def exposed_ms(trades: Trades, open_since_ms: Ints, end_ms: int) -> int:
    """Time with at least one position; those still open at the end last until then."""
    begins = np.concatenate((trades.entry.time_ms, open_since_ms))
    ends = np.concatenate((trades.exit.time_ms, np.full(len(open_since_ms), end_ms, np.int64)))
    if not begins.size:
        return 0
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    covered = np.concatenate((begins[:1], ends[:-1]))  # up to where the earlier ones reach
    return int(np.maximum(ends - np.maximum(begins, covered), 0).sum())


def excursions(trades: Trades) -> dict[str, int | float | Mapping[str, float | None] | None]:
    """Quantiles of MAE and MFE in currency and in R, and the edge ratio, over the trades whose log has them.

    Edge ratio: mean MFE over mean MAE, each in R so that trades of any size and volatility count alike (Faith 2007).
    """
    seen = np.isfinite(trades.exit.mae) & np.isfinite(trades.exit.mfe)
    mae, mfe, risk = trades.exit.mae[seen], trades.exit.mfe[seen], trades.initial_risk[seen]
    at_risk = np.isfinite(risk)
    mae_r, mfe_r = mae[at_risk] / risk[at_risk], mfe[at_risk] / risk[at_risk]
    return {
        "trades": int(seen.sum()),
        "edge_ratio": ratio(mfe_r.mean(), mae_r.mean()) if mae_r.size else None,
        "mae": quantiles(mae, _SHARES),
        "mfe": quantiles(mfe, _SHARES),
        "mae_r": quantiles(mae_r, _SHARES),
        "mfe_r": quantiles(mfe_r, _SHARES),
    }
