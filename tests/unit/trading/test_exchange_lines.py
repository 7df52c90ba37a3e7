"""What rests at the exchange for a position, scene by scene: protection, its move, the sale, and what is refused."""

import pytest

from app.models.intents import STOP, TARGET, PlaceOco
from app.models.orders import OrderState
from app.strategies.base import exit_position, long
from app.trading.exchange_lines import StopPlace
from app.trading.instruments import Instrument
from tests.broker_scenes import LINE_A, A, Scene, cancels, entry_of, ocos, sale_of

S = OrderState
LONG = long(stop=90.0, target=120.0)
TRAILING = long(stop=90.0, target=150.0, exits={"trailing": {"distance_r": 1.0}})
LEGS = long(
    stop=90.0, target=120.0, exits={"partial": [{"at_r": 0.5, "fraction": 0.3}, {"at_r": 1.0, "fraction": 0.3}]}
)


def shape(intents: list[PlaceOco]) -> list[tuple[float, float, float]]:
    """Quantity, target and stop of each."""
    return [(one.quantity, one.target, one.stop) for one in intents]


def test_an_entry_that_is_filled_rests_at_once_with_stop_and_target() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    assert (order.quantity, order.limit, scene.books.account.pending[LINE_A].stop) == (10.0, None, 90.0)
    scene.accept(order)
    assert scene.part(order, 4.0, 100.0) == [], "the rest comes in the same answer: one protection for all of it"
    assert scene.stop_place() is StopPlace.PLACING
    found = ocos(scene.part(order, 6.0, 100.0) + scene.tell(order, S.FILLED, filled=10.0))
    assert shape(found) == [(10.0, 120.0, 90.0)] and scene.stop_place() is StopPlace.PLACING
    assert scene.accept(found[0]) == [] and scene.stop_place() is StopPlace.EXCHANGE


def test_an_oco_that_never_arrived_is_placed_again_and_nothing_is_closed() -> None:
    scene = Scene()
    (oco,) = scene.entered(LONG)
    assert scene.tell(oco, S.UNKNOWN) == [] and scene.stop_place() is StopPlace.PLACING
    (again,) = ocos(scene.never_arrived(oco))
    assert shape([again]) == shape([oco]) and again.order_id != oco.order_id
    assert not scene.books.account.closing and not scene.halted


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("Stop price would trigger immediately.", "stop_loss"), ("Order would trigger immediately.", "stop_loss"),
        ("Order would immediately match and take.", "take_profit"), ("Filter failure: PERCENT_PRICE", "unprotected"),
    ],
)  # fmt: skip
def test_an_oco_that_is_refused_closes_at_the_market_and_says_why(why: str, reason: str) -> None:
    scene = Scene()
    (oco,) = scene.entered(LONG)
    sale = sale_of(scene.refuse(oco, -2010, why))
    assert sale.quantity == 10.0 and scene.stop_place() is StopPlace.CLOSING
    scene.fill(sale, 95.0)
    assert scene.reasons == [reason] and scene.books.broker.is_settled


def test_maintenance_is_waited_out_and_the_stop_is_here_meanwhile() -> None:
    scene = Scene()
    (oco,) = scene.entered(LONG)
    assert scene.refuse(oco, -1008, "Server is currently overloaded", is_passing=True) == []
    assert scene.stop_place() is StopPlace.PROCESS
    scene.later(9_000)
    assert scene.snapshot() == [], "not sooner than after ten seconds"
    scene.later(1_000)
    assert shape(ocos(scene.snapshot())) == [(10.0, 120.0, 90.0)]


@pytest.mark.parametrize(
    ("code", "why"),
    [(-1021, "Timestamp for this request is outside of the recvWindow."), (0, "not sent: 10 orders in 10 s"),
     (0, "turned away by the exchange's firewall (403)"), (-1015, "Too many new orders"), (-2010, "Market is closed.")],
)  # fmt: skip
def test_a_refusal_that_says_nothing_against_the_order_sells_nothing(code: int, why: str) -> None:
    scene = Scene()
    (oco,) = scene.entered(LONG)
    assert scene.refuse(oco, code, why, is_passing=True) == [] and not scene.books.account.closing
    scene.later(10_000)
    assert shape(ocos(scene.snapshot())) == [(10.0, 120.0, 90.0)]


def test_the_stop_of_this_process_acts_while_none_rests_and_only_then() -> None:
    scene = Scene()
    (oco,) = scene.entered(LONG)
    scene.refuse(oco, -1008, is_passing=True)
    scene.later(10_000)
    (order_id,) = {one.order_id for one in scene.candle(89.0, low=88.0)}
    assert scene.books.account.closing[LINE_A].reason == "stop_loss"
    assert scene.books.account.closing[LINE_A].order_id == order_id

    scene = Scene()
    scene.protected(LONG)
    assert scene.candle(89.0, low=88.0) == [], "the exchange's order is the authority"


def test_a_moved_stop_cancels_then_places_exactly_once() -> None:
    scene = Scene()
    (oco,) = scene.protected(TRAILING)
    assert cancels(scene.candle(105.0, high=106.0)) == [oco.order_id], "to 96"
    assert scene.stop_place() is StopPlace.PLACING
    assert scene.candle(106.0, high=107.0) == [], "to 97, and it is being moved already"
    assert scene.tell(oco, S.CANCEL_SENT, TARGET) == [] and scene.tell(oco, S.CANCELLED, TARGET, filled=0.0) == []
    (moved,) = ocos(scene.tell(oco, S.CANCELLED, STOP, filled=0.0))
    assert shape([moved]) == [(10.0, 150.0, 97.0)]
    scene.accept(moved)
    assert scene.stop_place() is StopPlace.EXCHANGE and scene.snapshot() == []


def test_the_old_stop_that_fills_while_it_is_moved_counts_with_its_own_reason() -> None:
    scene = Scene()
    (oco,) = scene.protected(TRAILING)
    assert cancels(scene.candle(105.0, high=106.0)) == [oco.order_id]
    assert scene.fill(oco, 90.0, STOP) == [], "nothing is left to protect"
    assert scene.reasons == ["stop_loss"] and scene.books.broker.is_settled
    (moved,) = scene.protected(TRAILING)
    cancels(scene.candle(118.0, high=118.0))
    (again,) = ocos(scene.gone(moved))
    scene.accept(again)
    scene.fill(again, 108.0, STOP)
    assert scene.reasons == ["stop_loss", "trailing_stop"]


def test_a_target_filled_in_part_whose_stop_ended_is_protected_anew() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    assert cancels(scene.part(oco, 4.0, 120.0, TARGET) + scene.tell(oco, S.EXPIRED, STOP, filled=0.0)) == [oco.order_id]
    assert scene.stop_place() is not StopPlace.EXCHANGE
    (rest,) = ocos(scene.tell(oco, S.CANCELLED, TARGET, filled=4.0))
    assert shape([rest]) == [(6.0, 120.0, 90.0)] and scene.reasons == ["partial_fill"]
    scene.accept(rest)
    scene.fill(rest, 120.0, TARGET)
    assert scene.reasons == ["partial_fill", "take_profit"] and {one.trade_id for one in scene.books.fills} == {1}


def test_what_the_exchange_takes_away_is_placed_again() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    (again,) = ocos(scene.gone(oco, S.EXPIRED))
    assert shape([again]) == shape([oco]) and again.client_id != oco.client_id


def test_a_stop_that_triggered_and_is_not_filled_is_sold_at_the_market() -> None:
    """A STOP_LOSS_LIMIT whose price the market has left behind would rest there for ever."""
    scene = Scene()
    (oco,) = scene.protected(LONG)
    assert scene.tell(oco, S.EXPIRED, TARGET, filled=0.0) == [] and scene.part(oco, 3.0, 89.9, STOP) == []
    assert scene.stop_place() is StopPlace.PROCESS, "the target is gone and the stop is a limit order now"
    assert cancels(scene.candle(85.0, low=84.0)) == [oco.order_id]
    sale = sale_of(scene.tell(oco, S.CANCELLED, STOP, filled=3.0))
    scene.fill(sale, 85.0)
    assert sale.quantity == 7.0 and scene.reasons == ["partial_fill", "stop_loss"]


def test_an_exit_first_takes_the_protection_away_then_sells() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    assert cancels(scene.want(exit_position())) == [oco.order_id]
    assert scene.stop_place() is StopPlace.CLOSING
    sale = sale_of(scene.gone(oco))
    assert sale.quantity == 10.0
    scene.fill(sale, 101.0)
    assert scene.reasons == ["signal_exit"] and not scene.books.account.closing


def test_an_exit_while_the_stop_is_moved_sends_no_second_cancellation() -> None:
    scene = Scene()
    (oco,) = scene.protected(TRAILING)
    assert cancels(scene.candle(105.0, high=106.0)) == [oco.order_id]
    assert scene.want(exit_position()) == []
    assert sale_of(scene.gone(oco)).quantity == 10.0, "and the moved stop is not placed"


def test_the_stop_that_fills_before_the_sale_leaves_nothing_to_sell() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.want(exit_position())
    assert scene.fill(oco, 90.0, STOP) == [] and scene.reasons == ["stop_loss"]
    assert scene.books.broker.is_settled and not scene.books.account.closing


def test_a_sale_that_is_refused_is_tried_again_after_waits_that_grow_to_ten_minutes() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.want(exit_position())
    sale = sale_of(scene.gone(oco))
    for wait_s in (10, 20, 40, 80, 160, 320, 600, 600):
        assert scene.refuse(sale, -2010, "Account has insufficient balance") == []
        scene.later(1_000 * wait_s - 500)
        assert scene.snapshot() == []
        scene.later(500)
        sale = sale_of(scene.snapshot())
    scene.fill(sale, 99.0)
    assert scene.reasons == ["signal_exit"]


def test_a_sale_in_parts_is_one_trade_and_its_rest_is_sold_under_a_new_number() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.want(exit_position())
    sale = sale_of(scene.gone(oco))
    scene.part(sale, 4.0, 99.0)
    rest = sale_of(scene.tell(sale, S.EXPIRED, filled=4.0))
    assert (rest.quantity, rest.order_id != sale.order_id) == (6.0, True)
    scene.fill(rest, 98.0)
    assert scene.reasons == ["partial_fill", "signal_exit"]


def test_each_part_of_a_limit_entry_is_protected_at_once() -> None:
    scene = Scene()
    order = entry_of(scene.want(long(stop=88.0, target=120.0, limit=98.0, valid_candles=3)))
    assert (order.quantity, order.limit) == (10.0, 98.0)
    scene.accept(order)
    (first,) = ocos(scene.part(order, 4.0, 98.0))
    scene.accept(first)
    (second,) = ocos(scene.part(order, 5.0, 98.0))
    assert shape([first, second]) == [(4.0, 120.0, 88.0), (5.0, 120.0, 88.0)]
    scene.accept(second)
    assert scene.stop_place() is StopPlace.EXCHANGE and LINE_A in scene.books.account.pending
    assert [scene.candle() for _ in range(2)] == [[], []]
    assert cancels(scene.candle()) == [order.order_id], "its three candles are over"
    assert scene.tell(order, S.CANCELLED, filled=9.0) == [] and LINE_A not in scene.books.account.pending
    assert scene.position().quantity == 9.0 and scene.books.ledger.cancelled == {}


def test_parts_too_small_for_an_order_of_their_own_join_the_one_that_rests() -> None:
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=100.0))
    order = entry_of(scene.want(long(stop=90.0, target=120.0, limit=100.0)))
    (first,) = ocos(scene.part(order, 9.5, 100.0))
    scene.accept(first)
    assert cancels(scene.part(order, 0.5, 100.0) + scene.tell(order, S.FILLED, filled=10.0)) == [first.order_id]
    (whole,) = ocos(scene.gone(first))
    assert shape([whole]) == [(10.0, 120.0, 90.0)]
    assert scene.accept(whole) == [] and scene.stop_place() is StopPlace.EXCHANGE


def test_many_parts_need_no_more_orders_than_an_exchange_allows() -> None:
    scene = Scene()
    order = entry_of(scene.want(long(stop=90.0, target=120.0, limit=100.0)))
    resting: dict[int, PlaceOco] = {}
    for _ in range(10):
        for intent in scene.part(order, 1.0, 100.0):
            resting[intent.order_id] = intent if isinstance(intent, PlaceOco) else resting[intent.order_id]
            answers = scene.accept(intent) if isinstance(intent, PlaceOco) else scene.gone(resting.pop(intent.order_id))
            for again in ocos(answers):
                resting[again.order_id] = again
                scene.accept(again)
        assert len(resting) <= 2, "Binance allows five stops a symbol"
    assert sum(one.quantity for one in resting.values()) == 10.0 and scene.stop_place() is StopPlace.EXCHANGE


def test_each_leg_rests_with_a_part_of_the_stop() -> None:
    scene = Scene()
    found = scene.protected(LEGS)
    assert shape(found) == [(3.0, 105.0, 90.0), (3.0, 110.0, 90.0), (4.0, 120.0, 90.0)]
    scene.fill(found[0], 105.0, TARGET)
    assert scene.reasons == ["partial_target"] and scene.stop_place() is StopPlace.EXCHANGE
    for one, price in zip(found[1:], (110.0, 120.0), strict=True):
        scene.fill(one, price, TARGET)
    assert scene.reasons == ["partial_target", "partial_target", "take_profit"]
    assert scene.new == [] and scene.books.broker.is_settled and A not in scene.books.ledger.dust


def test_a_leg_whose_price_is_past_when_it_is_placed_is_sold_alone() -> None:
    scene = Scene()
    first, second, last = scene.entered(LEGS)
    scene.accept(second)
    scene.accept(last)
    sale = sale_of(scene.refuse(first, -2010, "Order would immediately match and take."))
    assert sale.quantity == 3.0 and not scene.books.account.closing
    scene.fill(sale, 106.0)
    assert scene.reasons == ["partial_target"] and scene.stop_place() is StopPlace.EXCHANGE and scene.new == [sale]


def test_an_oco_that_is_refused_while_it_is_moved_is_placed_where_the_stop_is_now() -> None:
    scene = Scene()
    (oco,) = scene.entered(TRAILING)
    assert cancels(scene.candle(105.0, high=106.0)) == [oco.order_id]
    (moved,) = ocos(scene.refuse(oco, -2010, "Stop price would trigger immediately."))
    assert shape([moved]) == [(10.0, 150.0, 96.0)] and not scene.books.account.closing
