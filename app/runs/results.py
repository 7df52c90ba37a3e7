"""results.json: what a run did and earned, as one plain mapping.

Built from the totals, never from a clock, so equal runs give equal bytes. `*_pct` and `win_rate` are percent, a
drawdown is positive, what is undefined is None (null), never 0 or infinity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.models.events import Reallocate
from app.models.orders import Side
from app.runs.equity import EquityLog
from app.runs.metrics import RunFiles, RunMetrics, run_metrics
from app.runs.recorder import RunRecorder
from app.runtime.funnel import Funnel
from app.times import iso_ms

FORMAT = 1


@dataclass(frozen=True)
class Shortfall:
    """Candles that a symbol lacks inside the period, or of its warm-up."""

    symbol: str
    missing: int
    gaps: int
    first_open_ms: int | None
    last_open_ms: int | None
    warmup_candles: int
    warmup_wanted: int


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run besides its fills and rows."""

    status: str
    note: str
    exchange: str
    symbols: Sequence[str]
    timeframe: str
    start_ms: int
    end_ms: int
    warmup_candles: int
    shortfalls: Sequence[Shortfall]
    trips: Sequence[tuple[int, str]]
    files: Mapping[str, str]
    feed: Mapping[str, int] = field(default_factory=dict)  # what the world was late with; empty over history
    mode: str = "backtest"
    strategies: Sequence[str] = ()  # the ids, where the config has a list of them
    marks: Mapping[str, float] = field(default_factory=dict)  # the last close of each symbol
    allocations: Sequence[Reallocate] = ()
    target_rate: float | None = None  # commission of a target; None: that of every other fill


def build_results(
    facts: RunFacts,
    recorder: RunRecorder,
    funnel: Funnel,
    starting_balance: float,
    balance: float,
    equity: float,
) -> dict[str, Any]:
    """The content of results.json; `balance` and `equity` are those after the last event. The files are complete."""
    tally = recorder.tally
    candles = dict(recorder.candles)
    first_ms, last_ms = recorder.first_open_ms, recorder.last_close_ms
    strategies = _strategies(facts, recorder)
    metrics = run_metrics(_files(facts, recorder, strategies, starting_balance, equity))
    return {
        "format": FORMAT,
        "mode": facts.mode,
        "status": facts.status,
        "note": facts.note,
        "exchange": facts.exchange,
        "symbols": list(facts.symbols),
        "timeframe": facts.timeframe,
        "requested": {"start": iso_ms(facts.start_ms), "end": iso_ms(facts.end_ms)},
        "period": {"start": _iso(first_ms), "end": _iso(last_ms)},
        "candles_processed": {"total": sum(candles.values()), "per_symbol": candles},
        "warmup_candles": facts.warmup_candles,
        "missing_candles": sum(shortfall.missing for shortfall in facts.shortfalls),
        "shortfalls": [_shortfall(shortfall) for shortfall in facts.shortfalls],
        "signals_generated": funnel.signals_generated,
        "orders_submitted": funnel.orders_submitted,
        "funnel": {**funnel.as_dict(), "entries_filled": tally.opened},
        "kill_switch": _kill_switch(facts, first_ms, last_ms),
        "performance": {
            **_performance(recorder.equity_log, recorder, starting_balance, balance, equity),
            **metrics.performance,
        },
        "to_halt": metrics.to_halt,
        "monthly": metrics.monthly,
        "buy_and_hold": metrics.buy_and_hold,
        "excursions": metrics.excursions,
        "exits": {name: {**own, **metrics.per_reason[name]} for name, own in tally.exits_as_dict().items()},
        "stop_and_target_in_one_candle": tally.both_levels,
        "costs": {
            "commission": tally.commission,
            "slippage": tally.slippage,
            "total": tally.commission + tally.slippage,
            **metrics.costs,
        },
        "uncertainty": metrics.uncertainty,
        "long": {**tally.by_side[Side.LONG].as_dict(), **metrics.long},
        "short": {**tally.by_side[Side.SHORT].as_dict(), **metrics.short},
        "per_symbol": {
            symbol: {
                "candles": candles[symbol],
                **tally.by_symbol[symbol].as_dict(),
                **metrics.per_symbol[symbol],
            }
            for symbol in candles
        },
        **_per_strategy(strategies, recorder, metrics),
        **({"allocations": [_allocation(one) for one in facts.allocations]} if facts.allocations else {}),
        **({"partial_targets": tally.legs.as_dict()} if tally.legs.trades else {}),
        "per_tag": metrics.per_tag,
        "tags_left_out": metrics.tags_left_out,
        "feed": {name: facts.feed[name] for name in sorted(facts.feed) if facts.feed[name]},
        "files": dict(facts.files),
    }


def _strategies(facts: RunFacts, recorder: RunRecorder) -> Sequence[str]:
    # Those of the config, then those of earlier epochs; none where the config has no list.
    return tuple(dict.fromkeys((*facts.strategies, *recorder.tally.by_strategy))) if facts.strategies else ()


def _files(
    facts: RunFacts, recorder: RunRecorder, strategies: Sequence[str], starting_balance: float, equity: float
) -> RunFiles:
    start_ms = recorder.first_open_ms
    tripped = None if start_ms is None or not facts.trips else max(facts.trips[0][0], start_ms)
    return RunFiles(
        trades=recorder.trade_log.source(),
        equity=recorder.equity_log.source(),
        starting_balance=starting_balance,
        final_equity=equity,
        start_ms=facts.start_ms if start_ms is None else start_ms,
        symbols=tuple(recorder.candles),
        first_opens=recorder.first_opens,
        last_closes=facts.marks,
        target_rate=facts.target_rate,
        tripped_ms=tripped,
        strategies=strategies,
    )


def _performance(
    equity_log: EquityLog, recorder: RunRecorder, starting_balance: float, balance: float, equity: float
) -> dict[str, Any]:
    total = recorder.tally.total
    return {
        "starting_balance": starting_balance,
        "final_balance": balance,
        "final_equity": equity,
        "total_return_pct": 100.0 * (equity / starting_balance - 1.0),
        "peak_equity": equity_log.peak,
        "max_drawdown_pct": 100.0 * equity_log.max_drawdown,
        **total.as_dict(),
    }


def _per_strategy(strategies: Sequence[str], recorder: RunRecorder, metrics: RunMetrics) -> dict[str, Any]:
    if not strategies:
        return {}
    totals = recorder.tally.by_strategy
    found = {one: {**totals[one].as_dict(), **metrics.per_strategy[one]} for one in strategies}
    together = metrics.strategy_correlation
    return {"per_strategy": found, **({} if together is None else {"strategy_correlation": together})}


def _allocation(event: Reallocate) -> dict[str, Any]:
    return {"time": iso_ms(event.time_ms), "weights": event.weights, "why": event.why}


def _kill_switch(facts: RunFacts, first_ms: int | None, last_ms: int | None) -> dict[str, Any] | None:
    if not facts.trips or first_ms is None or last_ms is None:
        return None
    time_ms, why = facts.trips[0]
    time_ms = max(time_ms, first_ms)  # a kill that waited for the session comes before its first slice
    return {
        "time": iso_ms(time_ms),
        "why": why,
        "untraded_pct": 100.0 * (last_ms - time_ms) / (last_ms - first_ms),
        "trips": len(facts.trips),
    }


def _shortfall(shortfall: Shortfall) -> dict[str, Any]:
    return {
        "symbol": shortfall.symbol,
        "missing_candles": shortfall.missing,
        "gaps": shortfall.gaps,
        "first_open": _iso(shortfall.first_open_ms),
        "last_open": _iso(shortfall.last_open_ms),
        "warmup_candles": shortfall.warmup_candles,
        "warmup_wanted": shortfall.warmup_wanted,
    }


def _iso(time_ms: int | None) -> str | None:
    return None if time_ms is None else iso_ms(time_ms)
