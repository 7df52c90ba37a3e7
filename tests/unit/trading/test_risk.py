"""From a signal to quantity, stop and target, or to a refusal: the arithmetic of RULES.md, Risk and gate."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.models.orders import MAIN, Action, Bound, Line, Refusal, Side, Signal
from app.trading.account import Account
from app.trading.instruments import Instrument
from app.trading.risk import RiskConfig, RiskEngine, RiskOutput
from tests.made import BTC, BTC_LINE, ETH, account_with, entry, made_account, position

WIDE = RiskConfig(risk_per_trade=0.01, max_position_pct=1.0, max_exposure=10.0)


async def assess(
    signal: Signal, config: RiskConfig = WIDE, account: Account | None = None, **instrument: Any
) -> RiskOutput | Refusal:
    engine = RiskEngine(config, {BTC: Instrument(**instrument)})
    return await engine.assess(BTC_LINE, signal, account or account_with(BTC=100.0))


async def approved(*args: Any, **options: Any) -> RiskOutput:
    output = await assess(*args, **options)
    assert isinstance(output, RiskOutput), output
    return output


async def test_a_long_risks_its_share_of_equity_down_to_the_stop() -> None:
    # Distance 1.5 * 2 = 3; 1 % of 10,000 is 100; 100 / 3 = 33.33333333.
    assert await approved(Signal(Action.LONG, atr=2.0)) == RiskOutput(
        BTC, Side.LONG, 33.33333333, 100.0, 97.0, 106.0, Bound.RISK
    )


async def test_a_short_mirrors_it() -> None:
    output = await approved(Signal(Action.SHORT, atr=2.0))
    assert (output.side, output.stop, output.target) == (Side.SHORT, 103.0, 94.0)


async def test_a_signal_may_bring_its_own_stop_target_and_size() -> None:
    output = await approved(Signal(Action.LONG, atr=50.0, stop=95.0, target=101.0, size_factor=0.5))
    assert (output.stop, output.target, output.quantity) == (95.0, 101.0, 10.0)  # half of 100 / 5


async def test_equity_is_that_of_this_moment() -> None:
    account = account_with(position(symbol=ETH, quantity=10.0, entry_commission=0.0), BTC=100.0, ETH=200.0)
    assert (await approved(Signal(Action.LONG, stop=90.0), account=account)).quantity == 11.0  # 1 % of 11,000 over 10


@pytest.mark.parametrize(
    ("config", "quantity", "bound"),
    [
        (RiskConfig(max_position_pct=0.10, max_exposure=1.0), 10.0, Bound.POSITION),
        (RiskConfig(max_position_pct=0.30, max_exposure=0.25), 25.0, Bound.ROOM),
        (RiskConfig(max_position_pct=1.00, max_exposure=1.0), 50.0, Bound.RISK),
        (RiskConfig(risk_per_trade=0.02, max_position_pct=1.0, max_exposure=1.0), 100.0, Bound.RISK),  # all three equal
    ],
)
async def test_the_least_of_three_bounds_decides(config: RiskConfig, quantity: float, bound: Bound) -> None:
    output = await approved(Signal(Action.LONG, stop=98.0), config)
    assert (output.quantity, output.sized_by) == (quantity, bound)


async def test_room_is_what_positions_and_pending_entries_leave() -> None:
    account = account_with(position(symbol=ETH, quantity=5.0, entry_commission=0.0), BTC=100.0)
    account.pending[Line(MAIN, "SOL/USDT")] = entry(symbol="SOL/USDT", quantity=10.0)
    account.marks["SOL/USDT"] = 50.0
    config = RiskConfig(max_position_pct=1.0, max_exposure=0.15)
    assert (await approved(Signal(Action.LONG, stop=99.0), config, account)).quantity == 5.0  # 1,500 - 500 - 500
    account.pending[Line(MAIN, "SOL/USDT")] = entry(symbol="SOL/USDT", quantity=30.0)
    assert await assess(Signal(Action.LONG, stop=99.0), config, account) is Refusal.NO_QUANTITY


@pytest.mark.parametrize(
    ("signal", "refusal"),
    [
        (Signal(Action.LONG, atr=0.0), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, atr=-1.0), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, atr=float("nan")), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, atr=float("inf")), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, atr=1e-300), Refusal.STOP_DISTANCE),  # 100 - 1e-300 is 100
        (Signal(Action.LONG), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, stop=100.0), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, stop=101.0), Refusal.STOP_DISTANCE),
        (Signal(Action.SHORT, stop=99.0), Refusal.STOP_DISTANCE),
        (Signal(Action.LONG, atr=1.0, target=100.0), Refusal.TARGET_SIDE),
        (Signal(Action.LONG, atr=1.0, target=99.0), Refusal.TARGET_SIDE),
        (Signal(Action.SHORT, atr=1.0, target=101.0), Refusal.TARGET_SIDE),
    ],
)
async def test_what_protects_nothing_is_refused(signal: Signal, refusal: Refusal) -> None:
    assert await assess(signal) is refusal


@pytest.mark.parametrize(
    ("instrument", "refusal"),
    [
        ({"quantity_step": 50.0}, Refusal.NO_QUANTITY),
        ({"min_quantity": 10.1}, Refusal.MIN_QUANTITY),
        ({"min_notional": 1_000.1}, Refusal.MIN_NOTIONAL),
    ],
)
async def test_what_the_exchange_would_not_take_is_refused(instrument: dict[str, Any], refusal: Refusal) -> None:
    assert await assess(Signal(Action.LONG, stop=90.0), **instrument) is refusal
    at_limit = {name: value - 0.1 if name.startswith("min") else 5.0 for name, value in instrument.items()}
    assert (await approved(Signal(Action.LONG, stop=90.0), **at_limit)).quantity == 10.0


async def test_a_symbol_without_a_price_is_refused() -> None:
    assert await assess(Signal(Action.LONG, atr=1.0), account=made_account()) is Refusal.NO_MARK


async def test_a_broke_account_buys_nothing() -> None:
    account = account_with(balance=-5.0, BTC=100.0)
    assert await assess(Signal(Action.LONG, atr=1.0), account=account) is Refusal.NO_QUANTITY


@pytest.mark.parametrize(("action", "stop", "target"), [(Action.LONG, 96.8, 106.3), (Action.SHORT, 103.2, 93.7)])
async def test_stop_and_target_are_rounded_away_from_the_entry(action: Action, stop: float, target: float) -> None:
    output = await approved(Signal(action, atr=2.07), price_tick=0.1)  # distance 3.105, target at 6.21
    assert (output.stop, output.target) == (stop, target)


async def test_other_symbols_have_the_default_instrument() -> None:
    engine = RiskEngine(WIDE, {ETH: Instrument(quantity_step=100.0)})
    output = await engine.assess(BTC_LINE, Signal(Action.LONG, stop=97.0), account_with(BTC=100.0))
    assert isinstance(output, RiskOutput)
    assert output.quantity == 33.33333333


def test_risk_config_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    path.write_text('{"risk_per_trade": 0.02, "reward_risk_ratio": 3}')
    assert RiskConfig.from_file(path, max_exposure=0.5) == RiskConfig(0.02, 1.5, 3.0, 0.10, 0.5)
    path.write_text('{"risk_per_trade": 2}')
    with pytest.raises(ConfigError, match="risk_per_trade: it must be at most 1"):
        RiskConfig.from_file(str(path))


def test_the_whole_arithmetic_is_kept() -> None:
    account = account_with(position(symbol=ETH, quantity=5.0, entry_commission=0.0), BTC=100.0)
    engine = RiskEngine(RiskConfig(), {BTC: Instrument(quantity_step=0.3, min_notional=1.0)})
    sizing = engine.size(BTC_LINE, Signal(Action.LONG, atr=2.0, size_factor=0.5), account)
    assert (sizing.reference, sizing.distance, sizing.stop, sizing.target) == (100.0, 3.0, 97.0, 106.0)
    assert (sizing.equity, sizing.exposure, sizing.room) == (10_000.0, 500.0, 1_500.0)
    assert (sizing.by_risk, sizing.by_position, sizing.by_room) == (10_000.0 * 0.01 / 3.0, 10.0, 15.0)
    assert (sizing.sized_by, sizing.limit, sizing.size_factor) == (Bound.POSITION, 10.0, 0.5)
    assert (sizing.quantity, sizing.notional, sizing.refusal) == (4.8, 480.0, None)
    assert sizing.output == RiskOutput(BTC, Side.LONG, 4.8, 100.0, 97.0, 106.0, Bound.POSITION)


@pytest.mark.parametrize(
    ("signal", "limits", "refusal", "last"),
    [
        (Signal(Action.LONG, atr=0.0), {}, Refusal.STOP_DISTANCE, "distance"),
        (Signal(Action.LONG, atr=1.0, target=1.0), {}, Refusal.TARGET_SIDE, "target"),
        (Signal(Action.LONG, atr=1.0), {"quantity_step": 1e6}, Refusal.NO_QUANTITY, "quantity"),
        (Signal(Action.LONG, atr=1.0), {"min_quantity": 1e6}, Refusal.MIN_QUANTITY, "quantity"),
        (Signal(Action.LONG, atr=1.0), {"min_notional": 1e6}, Refusal.MIN_NOTIONAL, "notional"),
    ],
)
def test_a_refusal_keeps_what_was_computed_before_it(
    signal: Signal, limits: dict[str, float], refusal: Refusal, last: str
) -> None:
    sizing = RiskEngine(WIDE, {BTC: Instrument(**limits)}).size(BTC_LINE, signal, account_with(BTC=100.0))
    assert (sizing.refusal, sizing.output) == (refusal, None)
    computed = [name for name in sizing.__struct_fields__ if getattr(sizing, name) is not None]
    assert [name for name in computed if name != "refusal"][-1] == last
