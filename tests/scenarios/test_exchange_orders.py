"""Kill, halt, stop and exit with orders at an exchange: each until it is verified, whatever is filled meanwhile."""

import pytest

from app.models.events import Close, EndOfData, GiveUp, Halt, Kill, Resume, Stop
from app.models.intents import STOP, TARGET, PlaceOco
from app.models.market import Candle, Slice
from app.models.orders import Line, OrderState
from app.strategies.base import exit_position, long
from app.trading.exchange_lines import StopPlace
from app.trading.instruments import Instrument
from tests.broker_scenes import LINE_A, LINE_B, A, B, Scene, cancels, entry_of, ocos, run, sale_of
from tests.candle_columns import MINUTE_MS

S = OrderState
LONG = long(stop=90.0, target=120.0)
LIMIT = long(stop=90.0, target=120.0, limit=99.0, valid_candles=9)


def test_a_kill_while_the_entry_is_unknown_sells_what_is_filled_later_and_not_before_all_is_known() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    scene.tell(order, S.UNKNOWN)
    assert cancels(scene.handle(Kill("a test"))) == [order.order_id]
    assert scene.part(order, 4.0, 100.0) == [], "more of it may be filled"
    assert scene.tell(order, S.CANCEL_UNKNOWN) == []
    sale = sale_of(scene.tell(order, S.CANCELLED, filled=4.0))
    assert sale.quantity == 4.0
    scene.fill(sale, 99.0)
    assert scene.reasons == ["kill_switch"] and scene.books.safety.killed


def test_a_kill_cancels_own_orders_by_their_ids_and_sells_once_they_are_gone() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    order = entry_of(scene.want(LIMIT, LINE_B))
    scene.accept(order)
    assert set(cancels(scene.handle(Kill("a test")))) == {oco.order_id, order.order_id}
    assert scene.handle(Kill("again")) == [] and scene.candle() == [] and scene.snapshot() == []
    assert scene.tell(oco, S.CANCELLED, TARGET, filled=0.0) == []
    sale = sale_of(scene.tell(oco, S.CANCELLED, STOP, filled=0.0))
    scene.gone(order)
    assert scene.fill(sale, 101.0) == [] and scene.books.broker.is_settled
    assert scene.reasons == ["kill_switch"] and scene.books.ledger.cancelled == {"kill_switch": 1}


def test_a_kill_while_the_oco_is_unknown_waits_for_both_of_its_legs() -> None:
    scene = Scene()
    (oco,) = scene.entered(LONG)
    scene.tell(oco, S.UNKNOWN)
    assert cancels(scene.handle(Kill("a test"))) == [oco.order_id]
    assert scene.tell(oco, S.CANCELLED, TARGET, filled=0.0) == []
    assert sale_of(scene.never_arrived(oco)).quantity == 10.0


def test_an_entry_that_a_kill_was_too_late_for_is_sold_though_entries_were_resumed() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    scene.handle(Kill("a test"))
    scene.handle(Resume("a test"))
    scene.part(order, 10.0, 100.0)
    assert sale_of(scene.tell(order, S.FILLED, filled=10.0)).quantity == 10.0
    assert scene.books.account.closing[LINE_A].reason == "kill_switch"


def test_an_exit_that_came_too_late_for_its_entry_closes_what_was_filled() -> None:
    """On paper the entry would be gone: the strategy wants no position."""
    scene = Scene()
    order = entry_of(scene.want(LIMIT))
    scene.accept(order)
    assert cancels(scene.want(exit_position())) == [order.order_id]
    assert scene.part(order, 4.0, 99.0) == []
    sale = sale_of(scene.tell(order, S.CANCELLED, filled=4.0))
    scene.fill(sale, 98.0)
    assert scene.reasons == ["signal_exit"] and scene.books.decisions[-1].outcome == "entry_cancelled"


def test_an_exit_of_an_entry_filled_in_part_keeps_its_stop_until_the_rest_is_cancelled() -> None:
    scene = Scene()
    order = entry_of(scene.want(LIMIT))
    (oco,) = ocos(scene.part(order, 4.0, 99.0))
    scene.accept(oco)
    assert cancels(scene.want(exit_position())) == [order.order_id]
    assert scene.part(order, 1.0, 99.0) == [] and scene.snapshot() == []
    assert cancels(scene.tell(order, S.CANCELLED, filled=5.0)) == [oco.order_id]
    assert sale_of(scene.gone(oco)).quantity == 5.0


def test_nothing_is_bought_while_an_exit_is_under_way() -> None:
    """freqtrade bought again while a forced exit ran (#228, #4023)."""
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.want(exit_position())
    assert scene.want(LONG) == [] and scene.books.decisions[-1].outcome == "position_open"
    sale = sale_of(scene.gone(oco))
    assert scene.want(LONG) == []
    scene.fill(sale, 100.0)
    entry_of(scene.want(LONG))


def test_a_close_takes_the_oco_away_then_sells_once_and_leaves_the_others() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.protected(LONG, LINE_B)
    scene.handle(Halt("a look"))
    assert cancels(scene.handle(Close("a test", A))) == [oco.order_id]
    assert scene.handle(Close("again", A)) == [] and scene.candle() == [] and scene.snapshot() == []
    assert scene.stop_place() is StopPlace.CLOSING
    sale = sale_of(scene.gone(oco))
    assert scene.handle(Close("again", A)) == [] and scene.candle() == []
    assert scene.fill(sale, 99.0) == [] and scene.reasons == ["operator"]
    assert scene.stop_place(LINE_B) is StopPlace.EXCHANGE and scene.halted
    assert scene.handle(Close("nothing is there", A)) == [] and scene.reasons == ["operator"]


def test_a_stop_that_fills_before_its_oco_is_gone_leaves_nothing_to_sell() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.handle(Close("a test", A))
    assert scene.fill(oco, 90.0, STOP) == []
    assert scene.reasons == ["stop_loss"] and not scene.books.account.closing
    entry_of(scene.want(LONG))


def test_a_close_that_is_refused_is_tried_again_and_nothing_is_bought_meanwhile() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.handle(Close("a test", A))
    assert scene.want(LONG) == [] and scene.books.decisions[-1].outcome == "position_open"
    sale = sale_of(scene.gone(oco))
    assert scene.refuse(sale, -1013, "Market is closed.", is_passing=True) == []
    again = sale_of(scene.want(LONG))
    assert scene.books.decisions[-1].outcome == "position_open"
    scene.fill(again, 99.0)
    assert scene.reasons == ["operator"]


def test_a_close_that_came_too_late_for_an_entry_closes_what_was_filled() -> None:
    scene = Scene()
    order = entry_of(scene.want(LIMIT))
    scene.accept(order)
    assert cancels(scene.handle(Close("a test", A))) == [order.order_id]
    assert scene.want(LONG) == [] and scene.books.decisions[-1].outcome == "order_pending"
    assert scene.part(order, 4.0, 99.0) == []
    sale = sale_of(scene.tell(order, S.CANCELLED, filled=4.0))
    scene.fill(sale, 98.0)
    assert scene.reasons == ["operator"]


def test_a_close_of_an_entry_that_is_cancelled_is_counted() -> None:
    scene = Scene()
    order = entry_of(scene.want(LIMIT))
    scene.accept(order)
    scene.handle(Close("a test", A))
    assert scene.gone(order) == []
    assert scene.books.ledger.cancelled == {"operator": 1} and not scene.reasons


def test_a_close_of_one_strategy_leaves_the_other_on_the_symbol() -> None:
    scene = Scene(ids=("fast", "slow"))
    fast, slow = Line("fast", A), Line("slow", A)
    scene.protected(LONG, fast)
    (oco,) = scene.protected(LONG, slow)
    assert cancels(scene.handle(Close("a test", A, "slow"))) == [oco.order_id]
    scene.fill(sale_of(scene.gone(oco)), 99.0)
    assert set(scene.books.account.positions) == {fast} and scene.stop_place(fast) is StopPlace.EXCHANGE


def test_a_halt_cancels_entries_and_keeps_what_is_protected() -> None:
    scene = Scene()
    scene.protected(LONG)
    order = entry_of(scene.want(LIMIT, LINE_B))
    assert cancels(scene.handle(Halt("a test"))) == [order.order_id]
    (oco,) = ocos(scene.part(order, 2.0, 99.0))
    scene.gone(order, filled=2.0)
    scene.accept(oco)
    assert scene.stop_place() is scene.stop_place(LINE_B) is StopPlace.EXCHANGE and not scene.reasons
    assert scene.want(exit_position(), LINE_B) and LINE_B in scene.books.account.closing, "exits pass"


def test_the_end_waits_until_every_order_has_ended() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    assert cancels(scene.handle(Stop("a test"))) == [oco.order_id]
    sale = sale_of(scene.gone(oco))
    scene.part(sale, 10.0, 99.0)
    assert not scene.books.account.positions and not scene.ended(), "the exchange has not told its end"
    scene.tell(sale, S.FILLED, filled=10.0)
    assert scene.ended() and scene.reasons == ["shutdown"]


def test_an_entry_that_fills_in_the_closing_phase_is_closed() -> None:
    scene = Scene()
    order = entry_of(scene.want(LONG))
    assert cancels(scene.handle(EndOfData())) == [order.order_id]
    scene.part(order, 10.0, 100.0)
    sale = sale_of(scene.tell(order, S.FILLED, filled=10.0))
    scene.fill(sale, 99.0)
    assert scene.ended() and scene.reasons == ["end_of_data"]


@pytest.mark.parametrize("by_candle", [True, False])
def test_the_end_comes_also_where_what_is_left_has_become_dust(by_candle: bool) -> None:
    """No execution is heard any more, so a candle or a snapshot is the last word."""
    scene = Scene(instrument=Instrument(quantity_step=0.001, price_tick=0.01, min_notional=850.0))
    (oco,) = scene.protected(LONG)
    scene.handle(Stop("a test"))
    sale = sale_of(scene.gone(oco))
    scene.refuse(sale, -1008, is_passing=True)
    scene.candle(80.0) if by_candle else None
    scene.books.account.marks[A] = 80.0
    scene.later(10_000)
    if not scene.ended():
        scene.candle(80.0) if by_candle else scene.snapshot()
    assert scene.ended() and not scene.books.account.positions


def test_nothing_is_decided_after_a_stop_though_it_comes_in_one_burst() -> None:
    scene = Scene()
    scene.protected(LONG)
    scene.answers[LINE_B] = LONG
    open_ms = scene.time_ms // MINUTE_MS * MINUTE_MS
    slice_ = Slice(open_ms + MINUTE_MS, (Candle(B, "1m", open_ms, 100.0, 100.0, 100.0, 100.0, 1.0),), False)
    run(scene.books.runtime.handle((Stop("a test"), slice_)))
    assert scene.books.runtime.ending and LINE_B not in scene.books.account.pending


def test_a_stop_that_keeps_positions_sells_nothing_and_leaves_no_entry_behind() -> None:
    """hummingbot's stop sold at the market against keep_position (#8018)."""
    scene = Scene(flattens=False)
    scene.protected(LONG)
    order = entry_of(scene.want(LIMIT, LINE_B))
    assert cancels(scene.handle(Stop("a test"))) == [order.order_id]
    assert not scene.ended(), "it may still be filled, and nobody would protect it"
    (oco,) = ocos(scene.part(order, 2.0, 99.0))
    scene.gone(order, filled=2.0)
    assert not scene.ended(), "its stop is not known to rest"
    scene.accept(oco)
    assert scene.ended() and not scene.reasons and len(scene.books.account.positions) == 2


def test_a_stop_that_keeps_positions_waits_for_a_stop_that_is_being_moved() -> None:
    scene = Scene(flattens=False)
    (oco,) = scene.protected(long(stop=90.0, target=150.0, exits={"trailing": {"distance_r": 1.0}}))
    assert cancels(scene.candle(105.0, high=106.0)) == [oco.order_id]
    assert scene.handle(Stop("a test")) == [] and not scene.ended()
    (moved,) = scene.gone(oco)
    assert isinstance(moved, PlaceOco) and not scene.ended()
    scene.accept(moved)
    assert scene.ended()


def test_a_stop_that_keeps_positions_ends_at_once_where_all_rests() -> None:
    scene = Scene(flattens=False)
    scene.protected(LONG)
    assert scene.handle(Stop("a test")) == [] and scene.ended()


def test_a_closing_phase_that_is_given_up_says_so_and_leaves_the_account_as_it_is() -> None:
    scene = Scene()
    (oco,) = scene.protected(LONG)
    scene.handle(Stop("a test"))
    scene.handle(GiveUp("nobody answers"))
    runtime = scene.books.runtime
    assert (runtime.ended, runtime.gave_up) == (True, "nobody answers") and scene.position().quantity == 10.0
    assert oco.order_id in scene.books.broker.book.open


def test_what_had_expired_before_a_kill_and_is_filled_after_it_is_sold() -> None:
    scene = Scene()
    order = entry_of(scene.want(long(stop=90.0, target=120.0, limit=99.0, valid_candles=1)))
    assert cancels(scene.candle()) == [order.order_id], "expired"
    assert scene.handle(Kill("a test")) == []
    (oco,) = ocos(scene.part(order, 4.0, 99.0))
    assert cancels(scene.gone(order, filled=4.0)) == [oco.order_id]
    assert sale_of(scene.gone(oco)).quantity == 4.0


def test_a_time_exit_closes_once() -> None:
    scene = Scene()
    (oco,) = scene.protected(long(stop=90.0, target=120.0, exits={"time": {"candles": 2}}))
    assert scene.candle() == []
    assert cancels(scene.candle()) == [oco.order_id] and scene.candle() == []
    scene.fill(sale_of(scene.gone(oco)), 100.0)
    assert scene.reasons == ["time_exit"]
