"""The orders at an exchange: what each message says of a leg, in whatever order they come."""

from itertools import permutations

import msgspec
import pytest

from app.models.events import Execution
from app.models.intents import ENTRY, LIST, STOP, TARGET, Cancel, PlaceOco, PlaceOrder
from app.models.orders import Bound, EntryOrder, Line, OrderState, Side
from app.trading.order_book import OrderBook, OrderRecord, legs_of_intent

LINE = Line("main", "A/X")
S = OrderState


def entry(number: int = 1) -> OrderRecord:
    """Buys 4."""
    intent = PlaceOrder(f"test-1-{number}-e", number, "A/X", True, 4.0, 0)
    order = EntryOrder(number, "A/X", Side.LONG, 4.0, 100.0, 90.0, 120.0, Bound.RISK, "", 0)
    return OrderRecord(intent, LINE, legs_of_intent(intent, is_entry=True), entry=order)


def oco(number: int = 2) -> OrderRecord:
    """Sells 4."""
    list_id, target_id, stop_id = (f"test-1-{number}-{leg}" for leg in (LIST, TARGET, STOP))
    intent = PlaceOco(list_id, target_id, stop_id, number, "A/X", 4.0, 120.0, 90.0, 0)
    return OrderRecord(intent, LINE, legs_of_intent(intent, is_entry=False), trade_id=1)


def note(
    record: OrderRecord, state: S, leg: str, quantity: float = 0.0, fill_id: str = "", filled: float | None = None
) -> bool:
    """One message."""
    return record.note(Execution(record.intent.order_id, state, 1, fill_id, quantity, 100.0, 0.0, filled, leg=leg))


def test_it_is_over_when_its_last_state_and_all_its_fills_have_come_in_any_order() -> None:
    told: list[tuple[S, float, str, float | None]] = [
        (S.FILLED, 0.0, "", 4.0),
        (S.PARTLY_FILLED, 1.0, "a", None),
        (S.PARTLY_FILLED, 3.0, "b", None),
    ]
    for messages in permutations(told):
        record = entry()
        assert [
            note(record, state, ENTRY, quantity, fill_id, filled) for state, quantity, fill_id, filled in messages
        ] == [one[1] > 0 for one in messages]
        assert record.is_over and (record.filled, record.remaining, record.state) == (4.0, 0.0, S.FILLED)
        for place in range(2):
            early = entry()
            for state, quantity, fill_id, filled in messages[: place + 1]:
                note(early, state, ENTRY, quantity, fill_id, filled)
            assert not early.is_over


def test_a_stop_that_sells_the_rest_of_its_target_is_filled_with_less_than_the_oco() -> None:
    record = oco()
    note(record, S.PARTLY_FILLED, TARGET, 3.0, "a")
    note(record, S.EXPIRED, TARGET, filled=3.0)
    note(record, S.FILLED, STOP, filled=1.0)
    over = [record.is_over]  # its trade has not come yet
    note(record, S.PARTLY_FILLED, STOP, 1.0, "b")
    assert (*over, record.is_over, record.filled, record.remaining) == (False, True, 4.0, 0.0)


def test_a_fill_counts_once_by_its_id() -> None:
    record = entry()
    assert [note(record, S.PARTLY_FILLED, ENTRY, 1.0, "a") for _ in range(3)] == [True, False, False]
    assert record.filled == 1.0 and record.remaining == 3.0


def test_a_cancellation_that_was_too_late_for_a_part_waits_for_it() -> None:
    record = entry()
    note(record, S.CANCELLED, ENTRY, filled=1.5)
    over = [record.is_over]
    note(record, S.PARTLY_FILLED, ENTRY, 1.5, "a")
    assert [*over, record.is_over] == [False, True] and record.state is S.CANCELLED


def test_a_state_never_goes_back() -> None:
    for before, told, after in (
        (S.PARTLY_FILLED, S.ACCEPTED, S.PARTLY_FILLED), (S.CANCEL_SENT, S.ACCEPTED, S.CANCEL_SENT),
        (S.CANCELLED, S.ACCEPTED, S.CANCELLED), (S.FILLED, S.CANCELLED, S.FILLED), (S.ACCEPTED, S.SENT, S.ACCEPTED),
        (S.UNKNOWN, S.ACCEPTED, S.ACCEPTED), (S.UNKNOWN, S.CANCEL_SENT, S.UNKNOWN), (S.REFUSED, S.SENT, S.REFUSED),
        (S.UNKNOWN, S.CANCEL_UNKNOWN, S.UNKNOWN), (S.REFUSED, S.ACCEPTED, S.ACCEPTED),
    ):  # fmt: skip
        record = entry()
        note(record, before, ENTRY)
        note(record, told, ENTRY)
        assert record.state is after, (before, told)


def test_what_is_said_of_a_list_is_said_of_both_its_legs_but_not_its_end() -> None:
    record = oco()
    for state in (S.SENT, S.UNKNOWN, S.ACCEPTED):
        note(record, state, LIST)
        assert {leg.state for leg in record.legs.values()} == {state}
        assert record.is_unknown is (state is S.UNKNOWN) and record.rests is (state is S.ACCEPTED)
    note(record, S.CANCELLED, LIST)
    assert not record.is_over, "the legs tell what of them was filled"
    refused = oco()
    note(refused, S.REFUSED, LIST)
    assert refused.is_over and refused.is_refused


@pytest.mark.parametrize(
    ("target", "stop", "rests", "lost", "triggered"),
    [
        (S.ACCEPTED, S.ACCEPTED, True, False, False), (S.PARTLY_FILLED, S.EXPIRED, False, True, False),
        (S.EXPIRED, S.ACCEPTED, True, False, True), (S.EXPIRED, S.PARTLY_FILLED, True, False, True),
        (S.EXPIRED, S.EXPIRED, False, False, False), (S.UNKNOWN, S.ACCEPTED, True, False, False),
    ],
)  # fmt: skip
def test_what_the_two_legs_of_an_oco_say_together(target: S, stop: S, rests: bool, lost: bool, triggered: bool) -> None:
    record = oco()
    note(record, target, TARGET)
    note(record, stop, STOP)
    assert (record.rests, record.has_lost_its_stop, record.has_triggered) == (rests, lost, triggered)
    record.cancel = Cancel(record.intent.client_id, 2, "A/X", 0, is_list=True)
    assert not record.has_triggered, "what becomes of it is known once it is cancelled"


def test_the_book_moves_what_is_over_and_what_is_not_over_after_all() -> None:
    book, record = OrderBook(), entry()
    book.add(record)
    note(record, S.REFUSED, ENTRY)
    assert book.settle(record) and not book.settle(record) and not book.open and book.find(1) is record
    assert not book.reopen(record)
    note(record, S.ACCEPTED, ENTRY)
    assert book.reopen(record) and not book.reopen(record) and book.entry_of(LINE) is record and not book.over


def test_the_book_forgets_and_knows_that_it_did() -> None:
    book = OrderBook()
    for number in range(1, 503):
        book.add(entry(number))
        note(book.open[number], S.PARTLY_FILLED, ENTRY, 4.0, f"{number}")
        note(book.open[number], S.FILLED, ENTRY, filled=4.0)
        book.settle(book.open[number])
    assert (len(book.over), book.forgotten) == (500, 2)
    assert [book.has_forgotten(number) for number in (2, 3, 503)] == [True, False, False]
    counted = [(2, "2"), (3, "3"), (3, "x"), (503, "503")]
    assert [book.has_counted(number, ENTRY, fill) for number, fill in counted] == [True, True, False, False]
    assert not book.has_counted(3, STOP, "3")


def test_what_a_line_may_still_sell_and_what_is_open_as_it_was_asked_for() -> None:
    book = OrderBook()
    for record in (entry(), oco()):
        book.add(record)
    note(book.open[2], S.PARTLY_FILLED, TARGET, 1.0, "a")
    book.open[2].cancel = Cancel("test-1-2-l", 2, "A/X", 0, is_list=True)
    assert book.to_be_sold(LINE) == 3.0 and book.close_of(LINE) is None and book.brackets(LINE) == [book.open[2]]
    assert book.intents() == [book.open[1].intent, book.open[2].intent, book.open[2].cancel]


def test_a_record_survives_its_memory() -> None:
    for record in (entry(), oco()):
        note(record, S.PARTLY_FILLED, next(iter(record.legs)), 1.0, "a")
        assert msgspec.json.decode(msgspec.json.encode(record), type=OrderRecord) == record
    with pytest.raises(TypeError, match="order 1 is no OCO"):
        _ = entry().oco
