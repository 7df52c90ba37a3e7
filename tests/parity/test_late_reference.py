"""Late candles, kills and resumes: Onetape computes what the reference computes, fill by fill and row by row."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.events import EndOfData, Event, Kill, LateCandle, Resume
from app.models.market import Slice
from app.models.orders import Signal
from app.settings.profile import Settings
from app.strategies.base import FLAT, Action, Candle, View
from tests.parity import seeded_portfolio, seeded_strategy
from tests.parity.both import NUMBERS
from tests.properties.events import SETTINGS, TABLES, Move, events_of
from tests.reference import candles, simulator
from tests.reference.config import Config, configure
from tests.scenarios.harness import build, scenario_settings

Toss = Callable[[int, str, int, float], dict[str, Any] | None]
NOT_THERE = "safety.max_daily_loss"  # the reference has no such limit


@settings(max_examples=150, deadline=None)
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_late_candles_and_kills(table: Sequence[tuple[Move, ...]], overrides: list[str], seed: int) -> None:
    hold_together(table, overrides, seed, seeded_strategy.toss)


@settings(max_examples=150, deadline=None)
@given(table=TABLES, overrides=SETTINGS, seed=st.integers(0, 10_000))
def test_limits_and_managed_exits_on_late_candles(
    table: Sequence[tuple[Move, ...]], overrides: list[str], seed: int
) -> None:
    hold_together(table, overrides, seed, seeded_portfolio.toss)


def hold_together(table: Sequence[tuple[Move, ...]], overrides: list[str], seed: int, toss: Toss) -> None:
    own = scenario_settings(*(word for word in overrides if NOT_THERE not in word))
    events = events_of(table)

    def answer(candle: Candle, view: View) -> Signal:
        decision = toss(seed, candle.symbol, candle.open_time_ms, candle.close)
        return FLAT if decision is None else Signal(**{**decision, "action": Action(decision["action"])})

    def strategy(symbol: str, history: list[candles.Row]) -> simulator.Signal | None:
        return toss(seed, symbol, history[-1][0], history[-1][4])

    played = build(own, answer)
    asyncio.run(played.runtime.handle([*events, EndOfData()]))
    reference = simulator.simulate_events([told(event) for event in events], config_of(own), {"main": strategy})

    assert len(played.fills) == len(reference.trades), (played.fills, reference.trades)
    for mine, theirs in zip(played.fills, reference.trades, strict=True):
        texts = (mine.time_ms, mine.symbol, "OPEN" if mine.opens else "CLOSE", mine.side.name, mine.reason)
        assert texts == tuple(theirs[key] for key in ("timestamp", "symbol", "action", "side", "reason"))
        for name in NUMBERS:
            own_name = {"stop_loss": "stop", "take_profit": "target"}.get(name, name)
            assert math.isclose(getattr(mine, own_name), theirs[name], rel_tol=1e-9, abs_tol=1e-9), (name, mine, theirs)
    assert len(played.rows) == len(reference.equity)
    for row, other in zip(played.rows, reference.equity, strict=True):
        assert all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(row, other, strict=True)), (row, other)
    funnel = played.runtime.funnel.as_dict()
    assert funnel["signals"] == reference.signals
    for stage in ("refused_by_gate", "refused_by_risk"):
        counts: Mapping[str, int] = getattr(reference, stage)
        assert funnel[stage] == {name: count for name, count in counts.items() if count}


def told(event: Event) -> simulator.Event:
    """An event in the words of the reference."""
    if isinstance(event, Slice):
        return "slice", [(candle.symbol, row_of(candle)) for candle in event.candles], event.close_time_ms
    if isinstance(event, LateCandle):
        return "late", event.candle.symbol, row_of(event.candle)
    assert isinstance(event, (Kill, Resume))
    return (type(event).__name__.lower(),)


def row_of(candle: Candle) -> candles.Row:
    return candle.open_time_ms, candle.open, candle.high, candle.low, candle.close, candle.volume


def config_of(own: Settings) -> Config:
    mode, safety = own.trading_mode, own.trading_mode.safety
    fills = ("starting_balance", "fill", "limit_fill", "commission_rate", "maker_commission_rate", "slippage_rate")
    limits = ("max_drawdown", "max_open_positions", "max_exposure")
    live = {
        "symbols": list(own.live.symbols),
        "timeframe": own.live.timeframe,
        "strategy": {"name": "answers", "timeframe": own.strategy_timeframe},
        "instruments": {
            symbol: {name: value for name, value in rules.model_dump().items() if value is not None}
            for symbol, rules in own.live.instruments.items()
        },
    }
    trading_mode = {name: getattr(mode, name) for name in fills}
    trading_mode["safety"] = {name: getattr(safety, name) for name in limits}
    return configure(live, own.risk.model_dump(), trading_mode)
