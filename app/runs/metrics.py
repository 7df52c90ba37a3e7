"""The metrics of a run from its two files, the equity rows and the trade log, as blocks of results.json.

The front of daily, ratios, trade_stats and uncertainty: it reads, calls them and names the results; it computes
nothing itself. Everything is numpy over arrays and no pandas, so a bare backtest stays as quick as it was.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from app.runs.daily import EquityPath, EquityScan, EquitySeries, equity_blocks
from app.runs.fill_columns import Fills, Labels
from app.runs.quotients import Floats, Ints, ratio
from app.runs.ratios import monthly, risk_ratios
from app.runs.strategy_days import correlation, strategy_days
from app.runs.tally import TradeTotals
from app.runs.trade_stats import excursions, exposed_ms, group_statistics, trade_statistics
from app.runs.trade_table import Trades, among, entries_of, read_fills, trades_of
from app.runs.uncertainty import turnover_before_slippage, uncertainty
from app.times import iso_ms

Block = dict[str, Any]
TAGS_LISTED = 100  # a strategy may write anything into a tag, also a price


@dataclass(frozen=True)
class RunFiles:
    """Where the metrics come from, and what the files themselves do not say. Times in ms, money in quote currency.

    `start_ms` is the first open time of the run. `first_opens` and `last_closes` are those of each symbol in the run.
    """

    trades: Path | Fills
    equity: Path | EquitySeries
    starting_balance: float
    final_equity: float
    start_ms: int
    symbols: Sequence[str]
    first_opens: Mapping[str, float]
    last_closes: Mapping[str, float]
    target_rate: float | None = None  # commission of a target, where it has a rate of its own
    tripped_ms: int | None = None  # the kill switch, the first time
    strategies: Sequence[str] = ()  # the ids, where the config has a list of them


@dataclass(frozen=True)
class RunMetrics:
    """The blocks by the names of results.json; groups by side, symbol, exit reason and tag."""

    performance: Block
    monthly: list[Block]
    excursions: Block
    buy_and_hold: Block | None
    costs: Block
    uncertainty: Block
    to_halt: Block | None
    long: Block
    short: Block
    per_symbol: dict[str, Block]
    per_strategy: dict[str, Block]
    strategy_correlation: dict[str, dict[str, float | None]] | None
    per_reason: dict[str, Block]
    per_tag: dict[str, Block]
    tags_left_out: int


def run_metrics(files: RunFiles) -> RunMetrics:
    """Everything. DataError for a trade log that cannot be read; a run without rows or trades gives None for most."""
    fills = files.trades if isinstance(files.trades, Fills) else read_fills(files.trades)
    trades = trades_of(fills, Path("trades") if isinstance(files.trades, Fills) else files.trades)
    path = _scanned(files, equity_blocks(files.equity))
    by_tag, left_out = _per_tag(trades)
    return RunMetrics(
        performance=_performance(path, fills, trades),
        monthly=monthly(path),
        excursions=excursions(trades),
        buy_and_hold=buy_and_hold(files.first_opens, files.last_closes, files.starting_balance),
        costs=_costs(fills, trades),
        uncertainty=uncertainty(fills, trades, files.starting_balance, files.final_equity, files.target_rate),
        to_halt=None if files.tripped_ms is None else _to_halt(files, files.tripped_ms, fills, trades),
        long=group_statistics(trades.only(trades.exit.sign > 0.0)),
        short=group_statistics(trades.only(trades.exit.sign < 0.0)),
        per_symbol=_groups(trades, trades.entry.symbol, files.symbols),
        per_strategy=_groups(trades, trades.entry.strategy, files.strategies) if files.strategies else {},
        strategy_correlation=_correlation(files, fills, path) if len(files.strategies) > 1 else None,
        per_reason=_groups(trades, trades.exit.reason, trades.exit.reason.names),
        per_tag=by_tag,
        tags_left_out=left_out,
    )


def buy_and_hold(
    first_opens: Mapping[str, float], last_closes: Mapping[str, float], starting_balance: float
) -> Block | None:
    """The starting balance split equally, each part in its symbol from its first open to its last close, no costs.

    A symbol that begins later is bought when it begins. None without a candle.
    """
    earned = {name: ratio(last_closes[name], first) for name, first in first_opens.items() if name in last_closes}
    known = {name: grown for name, grown in earned.items() if grown is not None}
    if not known:
        return None
    average = sum(known.values()) / len(known)
    return {
        "return_pct": 100.0 * (average - 1.0),
        "final_equity": starting_balance * average,
        "per_symbol": {name: 100.0 * (grown - 1.0) for name, grown in known.items()},
    }


def _scanned(files: RunFiles, blocks: Iterable[tuple[Ints, Floats]], until_ms: int | None = None) -> EquityPath:
    scan = EquityScan(files.starting_balance, files.start_ms)
    for times_ms, equity in blocks:
        rows = len(times_ms) if until_ms is None else int(np.searchsorted(times_ms, until_ms, side="right"))
        scan.add(times_ms[:rows], equity[:rows])
        if rows < len(times_ms):
            break
    return scan.path()


def _performance(path: EquityPath, fills: Fills, trades: Trades) -> Block:
    entries = entries_of(fills)
    still_open = entries.only(~among(entries.trade_id, trades.entry.trade_id))
    end_ms = int(path.times_ms[-1])
    held_ms = exposed_ms(trades, still_open.time_ms, end_ms)
    exposure = ratio(held_ms, path.duration_ms)
    turnover = float((fills.price * fills.quantity).sum())
    return {
        **risk_ratios(path),
        **trade_statistics(trades),
        "exposure_pct": None if exposure is None else 100.0 * exposure,
        "turnover": turnover,
        "turnover_times": ratio(turnover, path.marks.mean()),
    }


def _to_halt(files: RunFiles, tripped_ms: int, fills: Fills, trades: Trades) -> Block:
    # The equity rows up to the trip's own; the trades that were opened by then, with the closes that the trip ordered.
    path = _scanned(files, equity_blocks(files.equity), until_ms=tripped_ms)
    before = trades.only(trades.entry.time_ms <= tripped_ms)
    opened = among(fills.trade_id, fills.trade_id[fills.opens & (fills.time_ms <= tripped_ms)])
    equity, kept = float(path.marks[-1]), trades.kept_legs
    return {
        "time": iso_ms(tripped_ms),
        "final_equity": equity,
        "total_return_pct": 100.0 * (equity / files.starting_balance - 1.0),
        "max_drawdown_pct": 100.0 * path.max_drawdown,
        **_totals(before, kept.realized_pnl[among(kept.trade_id, fills.trade_id[opened])]),
        **_performance(path, fills.only(opened), before),
    }


def _correlation(files: RunFiles, fills: Fills, path: EquityPath) -> dict[str, dict[str, float | None]]:
    end_ms = int(path.times_ms[-1])
    return correlation(strategy_days(fills, files.strategies, files.start_ms, end_ms))


def _totals(trades: Trades, kept_legs: Floats) -> Block:
    # What was realised of positions that are still open counts, as it does in the run's own totals.
    realized_pnl = float(trades.pnl.sum())
    if kept_legs.size:
        realized_pnl += float(kept_legs.sum())
    return TradeTotals(len(trades), int((trades.pnl > 0.0).sum()), realized_pnl).as_dict()


def _costs(fills: Fills, trades: Trades) -> Block:
    before_costs = trades.pnl + trades.costs
    gross = float(before_costs[before_costs > 0.0].sum())
    total = float((fills.commission + fills.slippage).sum())
    share, side = ratio(total, gross), ratio(total, turnover_before_slippage(fills))
    return {
        "gross_profit_before_costs": gross,
        "share_of_gross_profit_pct": None if share is None else 100.0 * share,
        "turnover_bps": None if side is None else 10_000.0 * side,
    }


def _groups(trades: Trades, labels: Labels, names: Sequence[str]) -> dict[str, Block]:
    # Sorted once: to ask all trades anew for each of many symbols would take their product.
    own = _by_code(trades, labels)
    nobody = trades.only(slice(0, 0))
    codes = {name: code for code, name in enumerate(labels.names)}
    return {name: group_statistics(own.get(codes.get(name, -1), nobody)) for name in names}


def _by_code(trades: Trades, labels: Labels) -> dict[int, Trades]:
    """The trades of each label that there is, in their order."""
    order = np.argsort(labels.codes, kind="stable")
    ordered, codes = trades.only(order), labels.codes[order]
    edges = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)])) if len(codes) else np.zeros(1, int)
    return {int(codes[begin]): ordered.only(slice(begin, end)) for begin, end in pairwise(edges.tolist())}


def _per_tag(trades: Trades) -> tuple[dict[str, Block], int]:
    # By the tag of the entry: it says why the trade was made.
    tags, kept = trades.entry.tag, trades.kept_legs
    counts = Counter(tags.codes.tolist())
    listed = [code for code, _ in counts.most_common(TAGS_LISTED)]  # equal counts in the order of appearance
    table: dict[str, Block] = {}
    own = _by_code(trades, tags)
    for code in listed:
        name = tags.names[code]
        table[name] = {**_totals(own[code], kept.realized_pnl[kept.tag.equal(name)]), **group_statistics(own[code])}
    return table, len(counts) - len(listed)
