"""The exchange broker, scene by scene: what counts as a fill, what halts entries, and what is never sent."""

import pytest

from app.models.events import Execution, Resume
from app.models.intents import STOP, TARGET, PlaceOrder
from app.models.orders import MAIN, Line, OrderState, Refusal, Side
from app.strategies.base import exit_position, long, short
from app.times import DAY_MS
from app.trading.exchange_lines import OrderLimits, StopPlace
from app.trading.instruments import Instrument
from app.trading.ledger import Dust
from tests.broker_scenes import BALANCE, LINE_A, LINE_B, A, B, Scene, cancels, entry_of, ocos, sale_of

S = OrderState
LONG = long(stop=90.0, target=120.0)


def outcome(scene: Scene) -> str:
    """Of the last decision."""
    return scene.books.decisions[-1].outcome


# Fills.


def test_an_execution_of_an_order_of_nobody_halts_entries_and_books_nothing() -> None:
    scene = Scene()
    scene.protected(LONG)
    stranger = PlaceOrder("test-1-99-e", 99, A, True, 1.0, 0)
    assert scene.part(stranger, 1.0, 100.0) == []
    assert scene.halted and "order 99, 1 at 100" in scene.books.safety.trips[-1].why
    assert scene.position().quantity == 10.0 and scene.stop_place() is StopPlace.EXCHANGE
    scene.want(LONG, LINE_B)
    assert outcome(scene) == Refusal.HALTED


def test_a_fill_that_is_told_twice_counts_once() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    for _ in range(3):
        scene.part(order, 4.0, 100.0, fill_id="7")
    assert scene.position().quantity == 4.0 and len(scene.books.fills) == 1


def test_a_fill_of_an_order_that_was_over_is_booked_named_and_protected() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    scene.gone(order, S.EXPIRED)
    assert LINE_A not in scene.books.account.pending
    (oco,) = ocos(scene.part(order, 10.0, 100.0))
    assert oco.quantity == 10.0 and scene.halted
    assert scene.books.broker.strange == {"a fill of an order that was over": 1}


def test_a_second_fill_of_an_entry_whose_trade_was_closed_is_a_trade_of_its_own_and_protected() -> None:
    scene = Scene()
    order = entry_of(scene.want(long(stop=90.0, target=120.0, limit=100.0, valid_candles=5)))
    (oco,) = ocos(scene.part(order, 4.0, 100.0))
    scene.accept(oco)
    assert scene.fill(oco, 90.0, STOP) == []
    (again,) = ocos(scene.part(order, 6.0, 100.0))
    assert (again.quantity, scene.position().trade_id, scene.halted) == (6.0, 2, False)


def test_a_late_fill_of_an_older_entry_is_booked_named_and_protected() -> None:
    scene = Scene()
    old = entry_of(scene.want(LONG))
    scene.gone(old, S.EXPIRED)
    scene.protected(LONG)
    (more,) = ocos(scene.part(old, 1.0, 100.0))
    assert (more.quantity, scene.position().quantity) == (1.0, 11.0)
    assert scene.halted and scene.books.broker.strange == {"a fill that no position fits": 1}


def test_a_sale_that_no_position_fits_is_named_and_changes_no_balance() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.fill(oco, 120.0, TARGET)
    balance = scene.books.account.balance
    scene.part(oco, 1.0, 90.0, STOP)
    assert scene.books.account.balance == balance and scene.halted
    assert scene.books.broker.reconciliation.flows["AAA"] == -1.0, "and the next comparison has the numbers"


def test_more_sold_than_was_held_is_named() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.fill(oco, 90.0, STOP, quantity=11.0)
    assert scene.halted and LINE_A not in scene.books.account.positions


def test_what_was_called_refused_and_exists_after_all_is_taken_up_again() -> None:
    """The proof that an order never arrived is an inference: should it ever be wrong, nothing is left to itself."""
    scene = Scene()
    order = entry_of(scene.want(long(stop=90.0, target=120.0, limit=99.0, valid_candles=5)))
    scene.tell(order, S.UNKNOWN)
    scene.never_arrived(order)
    assert not scene.books.broker.book.open
    assert cancels(scene.accept(order)) == [order.order_id] and scene.halted
    assert list(scene.books.broker.book.open) == [order.order_id]
    ocos(scene.part(order, 2.0, 99.0))
    scene.tell(order, S.CANCELLED, filled=2.0)
    assert scene.position().quantity == 2.0

    scene = Scene()
    (oco,) = scene.entered(LONG)
    (second,) = ocos(scene.never_arrived(oco))
    assert cancels(scene.accept(oco)) == [second.order_id] and scene.halted
    assert scene.stop_place() is StopPlace.EXCHANGE
    assert scene.refuse(second, -2010, "Account has insufficient balance") == [], "it is protected, so nothing is sold"


def test_an_entry_ended_long_ago_takes_nothing_from_the_one_that_is_pending() -> None:
    scene = Scene()
    old = entry_of(scene.want(long(stop=90.0, target=120.0, limit=99.0, valid_candles=5)))
    scene.never_arrived(old)
    entry_of(scene.want(long(stop=90.0, target=120.0, limit=99.0, valid_candles=5)))
    scene.accept(old)
    scene.gone(old)
    assert LINE_A in scene.books.account.pending


def test_trades_told_again_long_after_are_no_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart the desk tells the whole history of the session once more."""
    monkeypatch.setattr("app.trading.order_book._KEPT", 5)
    scene = Scene()
    (first,) = scene.protected(long(stop=90.0, target=120.0))
    scene.fill(first, 120.0, TARGET)
    (oco,) = scene.protected(LONG)
    for _ in range(8):
        (oco,) = ocos(scene.gone(oco, S.EXPIRED))
    scene.new.clear()
    assert scene.part(first, 10.0, 120.0, TARGET, fill_id="2") == []
    assert not scene.halted and not scene.books.broker.strange and len(scene.books.fills) == 3


# Fees.


def test_fees_in_the_base_asset_leave_dust_and_the_money_adds_up() -> None:
    scene = Scene(instrument=Instrument(quantity_step=0.01, price_tick=0.01))
    (oco,) = scene.protected(LONG, commission=0.5, fee=0.005, fee_asset="AAA")
    assert (scene.position().quantity, oco.quantity) == (9.995, 9.99) and scene.stop_place() is StopPlace.EXCHANGE
    assert scene.books.account.equity() == pytest.approx(BALANCE - 0.5), "10 bought at 100, 0.005 of it gone"
    scene.fill(oco, 120.0, TARGET, commission=1.1988)
    dust = scene.books.ledger.dust[A]
    assert dust == pytest.approx(Dust(0.005, 0.5)) and scene.reasons == ["take_profit"]
    cash = -1_000.0 + 9.99 * 120.0 - 1.1988
    assert scene.books.account.balance == pytest.approx(BALANCE + cash + dust.cost)
    assert scene.snapshot() == [] and not scene.books.broker.reconciliation.differences


def test_a_fee_in_a_third_asset_costs_money_and_no_quantity() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG, commission=0.75, fee=0.00125, fee_asset="BNB")
    assert oco.quantity == 10.0 and scene.books.account.equity() == BALANCE - 0.75
    assert scene.books.broker.reconciliation.flows == {"AAA": 10.0, "X": -1_000.0, "BNB": -0.00125}


def test_what_is_left_below_the_smallest_order_is_written_off_as_dust() -> None:
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=50.0))
    (oco,) = scene.protected(LONG, commission=1.0)
    scene.want(exit_position())
    sale = sale_of(scene.gone(oco))
    scene.part(sale, 9.6, 99.0)
    assert scene.tell(sale, S.EXPIRED, filled=9.6) == []
    assert not scene.books.account.positions and not scene.books.account.closing
    assert scene.books.ledger.dust[A] == pytest.approx(Dust(0.4, 40.0 + 0.04)), "with its share of the commission"


# What is refused before it is sent.


@pytest.mark.parametrize(
    ("told", "refusal"),
    [({"not_trading": (A,)}, Refusal.NOT_TRADING), ({"balances": {"X": 9_999.0}}, Refusal.ACCOUNT_DIFFERS)],
)  # fmt: skip
def test_what_the_account_says_keeps_entries_back(told: dict[str, object], refusal: Refusal) -> None:
    scene = Scene()
    scene.snapshot(**told)
    assert scene.want(LONG) == [] and outcome(scene) == refusal
    scene.snapshot()
    entry_of(scene.want(LONG))


def test_without_a_snapshot_nothing_is_bought() -> None:
    scene = Scene()
    scene.books.broker.reconciliation.checked_ms = 0
    assert scene.want(LONG) == [] and outcome(scene) == Refusal.ACCOUNT_UNCHECKED


def test_spot_places_no_shorts() -> None:
    scene = Scene()
    assert scene.want(short(stop=110.0, target=80.0)) == [] and outcome(scene) == Refusal.SHORT_ON_SPOT


def test_an_order_above_the_greatest_notional_is_refused() -> None:
    scene = Scene(limits=OrderLimits(999.99, None))
    assert scene.want(LONG) == [] and outcome(scene) == Refusal.MAX_ORDER_NOTIONAL
    entry_of(Scene(limits=OrderLimits(1_000.0, None)).want(LONG))


def test_the_orders_of_a_day_are_counted_anew_after_midnight() -> None:
    scene = Scene(limits=OrderLimits(None, 2))
    for _ in range(2):
        scene.gone(entry_of(scene.want(LONG)), S.EXPIRED)
    assert scene.want(LONG) == [] and outcome(scene) == Refusal.MAX_DAILY_ORDERS
    scene.time_ms = -(-scene.time_ms // DAY_MS) * DAY_MS - 120_000
    assert scene.want(LONG) == [] and outcome(scene) == Refusal.MAX_DAILY_ORDERS, "the minute before midnight"
    entry_of(scene.want(LONG))


@pytest.mark.parametrize("then", [(), (S.CANCEL_SENT,), (S.CANCEL_SENT, S.CANCEL_UNKNOWN)])
def test_an_unknown_order_blocks_its_symbol_and_no_other(then: tuple[OrderState, ...]) -> None:
    scene = Scene(ids=("one", "two"))
    lines = Line("one", A), Line("two", A), Line("two", B)
    order = entry_of(scene.want(LONG, lines[0]))
    scene.tell(order, S.UNKNOWN)
    for state in then:
        scene.tell(order, state)
    assert scene.want(LONG, lines[1]) == [] and outcome(scene) == Refusal.ORDER_UNKNOWN
    entry_of(scene.want(LONG, lines[2]))
    scene.accept(order)
    entry_of(scene.want(LONG, lines[1]))


def test_an_entry_too_small_to_be_protected_is_not_sent() -> None:
    """10 at 100 could be bought, and no exchange would take its stop."""
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=950.0))
    assert scene.want(LONG) == [] and outcome(scene) == Refusal.MIN_NOTIONAL
    near = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=890.0))
    entry_of(near.want(LONG))


# The breaker.


def test_refusals_in_a_row_halt_entries_and_nothing_else_until_resumed() -> None:
    scene = Scene(limits=OrderLimits(None, None, refusals_in_a_row=3))
    (oco,) = scene.protected(LONG)
    for number in range(6):
        assert scene.refuse(entry_of(scene.want(LONG, LINE_B)), -2010, "no") == []
        assert scene.halted is (number % 3 == 2)
        if scene.halted:
            assert "3 orders in a row were refused, the last: no" in scene.books.safety.trips[-1].why
            assert scene.want(LONG, LINE_B) == [] and scene.stop_place() is StopPlace.EXCHANGE
            scene.handle(Resume("a test"))
    scene.refuse(entry_of(scene.want(LONG, LINE_B)), -2010, "no")
    scene.refuse(entry_of(scene.want(LONG, LINE_B)), -2010, "no")
    scene.gone(entry_of(scene.want(LONG, LINE_B)), S.EXPIRED)
    scene.refuse(entry_of(scene.want(LONG, LINE_B)), -2010, "no")
    assert not scene.halted, "one that was not refused begins a new row"
    assert scene.position().quantity == 10.0 and oco.quantity == 10.0


def test_an_order_that_never_arrived_was_not_refused() -> None:
    scene = Scene(limits=OrderLimits(None, None, refusals_in_a_row=1))
    scene.never_arrived(entry_of(scene.want(LONG)))
    assert not scene.halted


def test_a_fill_of_a_limit_entry_as_a_taker_is_held_from_its_signal_on() -> None:
    """RULES.md, limit entries 1: it arrived at a market that was through it, so the candle's own high counts."""
    exits = {"trailing": {"distance_r": 1.0}, "time": {"candles": 1}}
    for is_maker, best, ends in ((False, 108.0, True), (True, 103.0, False)):
        scene = Scene()
        order = entry_of(scene.want(long(stop=90.0, target=150.0, limit=100.0, valid_candles=3, exits=exits)))
        scene.later(200)
        (oco,) = ocos(scene.fill(order, 100.0, is_maker=is_maker))
        scene.accept(oco)
        scene.candle(103.0, high=108.0)
        assert scene.position().held.best == best
        assert (LINE_A in scene.books.account.closing) is ends, "a time exit of one candle"


def test_it_is_told_of_orders_of_other_lines_by_their_numbers() -> None:
    scene = Scene(ids=(MAIN, "two"))
    (oco,) = scene.protected(LONG)
    scene.protected(LONG, Line("two", A))
    scene.fill(oco, 90.0, STOP)
    assert list(scene.books.account.positions) == [Line("two", A)]
    assert scene.books.account.positions[Line("two", A)].side is Side.LONG


def test_a_fill_of_a_leg_that_the_order_does_not_have_is_named() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    scene.handle(Execution(order.order_id, S.PARTLY_FILLED, scene.time_ms, "x", 1.0, 100.0, leg=STOP))
    assert scene.halted and not scene.books.account.positions
