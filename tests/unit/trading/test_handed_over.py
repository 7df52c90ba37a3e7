"""Fills pass from an exchange to the simulator over one ledger: what is under way then, and what stays refused."""

from typing import Any

import pytest

from app.models.events import Execution
from app.models.market import Candle, Slice
from app.models.orders import Bound, OrderState, Reason, Refusal, Side
from app.strategies.base import exit_position, long
from app.trading.exit_rules import FillRules
from app.trading.handed_over import HandedOver
from app.trading.paper_trader import PaperTrader
from app.trading.risk import RiskOutput
from tests.broker_scenes import BALANCE, LINE_A, A, Scene, entry_of
from tests.candle_columns import MINUTE_MS

LONG = long(stop=90.0, target=120.0)
RULES = FillRules(commission_rate=0.001, slippage_rate=0.01)


def handed_over(scene: Scene, from_ms: int) -> HandedOver:
    return HandedOver(scene.books.broker, PaperTrader(scene.books.ledger, RULES), from_ms)


def minute(scene: Scene, opened: float, *, low: float | None = None, high: float | None = None) -> Slice:
    """The next one of the scene; it closes where it opened."""
    open_ms = scene.time_ms // MINUTE_MS * MINUTE_MS
    scene.time_ms = open_ms + MINUTE_MS
    candle = Candle(A, "1m", open_ms, opened, high or opened, low or opened, opened, 1.0)
    return Slice(scene.time_ms, (candle,), False)


async def test_a_stop_that_rests_at_the_exchange_acts_on_paper_from_then_on() -> None:
    scene = Scene()
    [oco] = scene.protected(LONG)
    before, at = scene.books.account.balance, scene.time_ms // MINUTE_MS * MINUTE_MS + 2 * MINUTE_MS
    broker = handed_over(scene, at)
    await broker.on_slice(minute(scene, 100.0, low=80.0))
    assert LINE_A in scene.books.account.positions, "an exchange says itself that a stop has filled"
    quantity = scene.position().quantity
    await broker.on_slice(minute(scene, 95.0, low=80.0))
    fill = scene.books.fills[-1]
    assert fill.reason is Reason.STOP_LOSS
    assert fill.price == pytest.approx(90.0 * 0.99)
    assert fill.commission == pytest.approx(0.001 * 90.0 * 0.99 * quantity)
    assert scene.books.account.balance == pytest.approx(before + fill.realized_pnl)
    assert broker.take_intents() == ()
    filled = Execution(oco.order_id, OrderState.FILLED, scene.time_ms, fill_id="9", quantity=quantity, leg="s")
    assert await broker.on_execution(filled) is None
    assert scene.books.fills[-1] is fill, "what the exchange did after that belongs to another story"


async def test_what_is_under_way_goes_on_at_the_next_open() -> None:
    scene = Scene()
    scene.want(LONG)
    broker = handed_over(scene, scene.time_ms + 1)
    was_settled = broker.is_settled
    await broker.on_slice(minute(scene, 101.0))
    assert (was_settled, broker.is_settled) == (False, True)
    assert scene.position().entry_price == pytest.approx(101.0 * 1.01)
    other = Scene()
    other.protected(LONG)
    other.want(exit_position())
    broker = handed_over(other, other.time_ms + 1)
    await broker.on_slice(minute(other, 102.0))
    assert other.reasons == ["signal_exit"]
    assert other.books.fills[-1].price == pytest.approx(102.0 * 0.99)


async def test_the_rest_of_an_entry_that_was_filled_in_part_is_cancelled() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    scene.accept(order)
    scene.part(order, 4.0, 100.0)
    broker = handed_over(scene, scene.time_ms + 1)
    await broker.on_slice(minute(scene, 101.0))
    assert scene.position().quantity == pytest.approx(4.0)
    assert not scene.books.account.pending
    assert scene.books.ledger.cancelled["handed_over"] == 1
    await broker.close_all_positions(Reason.END_OF_DATA)
    assert scene.books.account.balance == pytest.approx(BALANCE + scene.books.fills[-1].realized_pnl)
    assert await broker.leave()


@pytest.mark.parametrize(("side", "refused"), [(Side.LONG, None), (Side.SHORT, Refusal.SHORT_ON_SPOT)])
def test_a_short_stays_refused_and_what_only_an_exchange_refuses_does_not(side: Side, refused: Any) -> None:
    scene = Scene()
    asked = RiskOutput(A, side, 1.0, 100.0, 100.0 - 10.0 * side, 100.0 + 10.0 * side, Bound.RISK)
    scene.books.broker.reconciliation.not_trading = frozenset({A})
    early, late = handed_over(scene, scene.time_ms + 1), handed_over(scene, scene.time_ms)
    assert early.refusal(asked) == (refused or Refusal.NOT_TRADING)
    assert late.refusal(asked) == refused
