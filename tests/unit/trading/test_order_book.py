"""The orders of a broker that answers later: each answer by itself."""

import pytest

from app.models.events import Execution
from app.models.orders import Bound, CloseOrder, EntryOrder, Fill, Line, OrderState, Reason, Side
from app.trading.account import Account, lines_of
from app.trading.ledger import Ledger
from app.trading.order_book import OrderBook

LINE = Line("main", "A/X")
S = OrderState


class Booked:
    """A book with one entry of 4 at 100, sent."""

    def __init__(self) -> None:
        self.fills: list[Fill] = []
        self.account = Account(1_000.0, lines_of({"main": ["A/X"]}, ["A/X"]))
        self.account.marks["A/X"] = 100.0
        self.ledger = Ledger(self.account, self.fills.append, 60_000)
        self.book = OrderBook(self.ledger)
        order_id = self.account.next_order_id()
        self.entry = EntryOrder(order_id, "A/X", Side.LONG, 4.0, 100.0, 90.0, 120.0, Bound.RISK, "", 0)
        self.record = self.book.place(self.entry)

    def hear(self, state: OrderState, quantity: float = 0.0, fill_id: str = "", *, price: float = 100.0,
             filled: float | None = None, order_id: int = 1) -> None:  # fmt: skip
        self.book.apply(Execution(order_id, state, 1, fill_id, quantity, price, 0.1 * quantity, filled))

    def place_close(self) -> CloseOrder:
        order = CloseOrder(self.account.next_order_id(), "A/X", Reason.SIGNAL_EXIT, 1, "")
        self.book.place(order)
        return order


def test_parts_are_one_position_at_their_mean_price() -> None:
    booked = Booked()
    booked.hear(S.ACCEPTED)
    booked.hear(S.PARTLY_FILLED, 1.0, "a", price=100.0)
    assert LINE in booked.account.pending
    booked.hear(S.FILLED, 3.0, "b", price=104.0)
    position = booked.account.positions[LINE]
    assert (position.quantity, position.entry_price, position.first_quantity) == (4.0, 103.0, 4.0)
    assert position.entry_commission == pytest.approx(0.4)
    assert [fill.trade_id for fill in booked.fills] == [1, 1]
    assert not booked.account.pending and not booked.book.open


def test_a_fill_that_is_told_twice_counts_once() -> None:
    booked = Booked()
    for _ in range(3):
        booked.hear(S.PARTLY_FILLED, 1.0, "a")
    assert booked.account.positions[LINE].quantity == 1.0


def test_the_last_word_before_the_fills_keeps_the_order_open_until_they_come() -> None:
    booked = Booked()
    booked.hear(S.FILLED, filled=4.0)
    assert LINE in booked.account.pending, "its fills have not come"
    booked.hear(S.PARTLY_FILLED, 1.0, "a")
    booked.hear(S.PARTLY_FILLED, 3.0, "b")
    assert LINE not in booked.account.pending and booked.record.state is S.FILLED


def test_a_cancellation_that_was_too_late_for_a_part() -> None:
    booked = Booked()
    booked.record.cancel_why = "kill_switch"
    booked.hear(S.CANCELLED, filled=1.5)
    assert LINE in booked.account.pending
    booked.hear(S.PARTLY_FILLED, 1.5, "a")
    assert LINE not in booked.account.pending and booked.account.positions[LINE].quantity == 1.5
    assert booked.ledger.cancelled == {}, "it was filled in part"


@pytest.mark.parametrize(("state", "why"), [(S.REFUSED, "refused"), (S.EXPIRED, "expired"), (S.CANCELLED, "cancelled")])
def test_an_order_of_which_nothing_came_is_counted(state: OrderState, why: str) -> None:
    booked = Booked()
    booked.hear(state, filled=0.0)
    booked.hear(state, filled=0.0)
    assert booked.ledger.cancelled == {why: 1} and not booked.account.pending


def test_a_state_never_goes_back_but_the_unknown_may_become_known() -> None:
    booked, states = Booked(), []
    for state, filled in (
        (S.UNKNOWN, None), (S.ACCEPTED, None), (S.PARTLY_FILLED, None), (S.ACCEPTED, None), (S.CANCELLED, 1.0),
        (S.PARTLY_FILLED, None),
    ):  # fmt: skip
        booked.hear(state, 1.0 if state is S.PARTLY_FILLED else 0.0, "a", filled=filled)
        states.append(booked.record.state)
    assert states == [S.UNKNOWN, S.ACCEPTED, S.PARTLY_FILLED, S.PARTLY_FILLED, S.CANCELLED, S.CANCELLED]


def test_a_close_in_parts_is_one_trade_and_its_rest_is_closed_again() -> None:
    booked = Booked()
    booked.hear(S.FILLED, 4.0, "a")
    order = booked.place_close()
    booked.hear(S.PARTLY_FILLED, 1.0, "b", order_id=order.order_id, price=110.0)
    booked.hear(S.CANCELLED, order_id=order.order_id, filled=1.0)
    assert [fill.reason for fill in booked.fills[1:]] == [Reason.PARTIAL_FILL]
    again = booked.book.close_again()
    assert [(one.reason, one.order_id) for one in again] == [(Reason.SIGNAL_EXIT, order.order_id + 1)]
    booked.book.place(again[0])
    booked.hear(S.FILLED, 3.0, "c", order_id=again[0].order_id, price=110.0)
    assert [fill.reason for fill in booked.fills[1:]] == [Reason.PARTIAL_FILL, Reason.SIGNAL_EXIT]
    assert booked.book.close_again() == []
    # 4 * (110 - 100) - entry 0.4 - exits 0.1 and 0.3
    assert booked.account.balance == pytest.approx(1_000.0 + 40.0 - 0.8)


def test_what_is_not_ours_is_counted_and_changes_nothing() -> None:
    booked = Booked()
    booked.hear(S.FILLED, 4.0, "a", order_id=99)
    assert booked.book.strange == {"orders of nobody": 1} and not booked.account.positions
