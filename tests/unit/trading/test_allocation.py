"""The Allocator: when it is due, which day a fill belongs to, what it forgets, and what a new epoch goes on with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from app.models.allocation import Allocation, Method
from app.models.events import Event, Reallocate
from app.models.market import Slice
from app.models.orders import Reason
from app.times import DAY_MS
from app.trading.account import Account
from app.trading.allocation import AllocationMemory, Allocator
from app.trading.risk import RiskConfig, RiskEngine
from tests import made

HOUR_MS = 3_600_000
EVERY, LOOKBACK = 2, 3
INVERSE = Allocation(Method.INVERSE_VOLATILITY, EVERY, LOOKBACK)


class Books:
    """An allocator of strategies a and b, and its account."""

    def __init__(self, allocation: Allocation = INVERSE, strategies: str = "ab") -> None:
        self.account = Account(10_000.0, {})
        share = 1.0 / len(strategies)
        self.risks = {one: RiskEngine(replace(RiskConfig(), allocation=share)) for one in strategies}
        self.allocator = Allocator(allocation, self.risks, self.account, HOUR_MS)

    def hear(self, *closes_ms: int) -> list[Event]:
        """As a session hands slices over: what was handled, in order."""
        handled: list[Event] = []
        for part in self.allocator.parts([slice_(close_ms) for close_ms in closes_ms]):
            handled += part
            for event in part:
                if isinstance(event, Reallocate):
                    self.allocator.apply(event)
                elif isinstance(event, Slice):
                    self.account.time_ms = event.close_time_ms
        return handled

    def close(self, strategy: str, pnl: float, at_ms: int, **more: Any) -> None:
        self.account.time_ms = at_ms
        self.allocator.note_fill(made.fill(strategy=strategy, realized_pnl=pnl, **more))


def slice_(close_ms: int, *, warmup: bool = False) -> Slice:
    return Slice(close_ms, (), warmup)


def due(events: Sequence[Event]) -> list[tuple[int, Event]]:
    """Midnights, with the slice that came after each."""
    return [(one.time_ms, events[i + 1]) for i, one in enumerate(events) if isinstance(one, Reallocate)]


def test_it_begins_with_equal_weights_before_the_first_slice() -> None:
    books = Books()
    start_ms = 10 * DAY_MS + 5 * HOUR_MS
    warm_up = slice_(start_ms, warmup=True)
    assert list(books.allocator.parts([warm_up])) == [[warm_up]]
    first, slice_heard = books.hear(start_ms + HOUR_MS)
    assert first == Reallocate(start_ms, {"a": 0.5, "b": 0.5}, books.allocator.applied[0].why)
    assert slice_heard == slice_(start_ms + HOUR_MS)
    assert books.allocator.weights == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_comes_before_the_first_slice_that_closes_after_a_scheduled_midnight(size: int) -> None:
    books = Books()
    start_ms = 11 * DAY_MS - HOUR_MS
    closes = [start_ms + i * HOUR_MS for i in range(1, 24 * 7)]
    handled = [event for begin in range(0, len(closes), size) for event in books.hear(*closes[begin : begin + size])]
    assert [event.close_time_ms for event in handled if isinstance(event, Slice)] == closes
    midnights = [12 * DAY_MS, 14 * DAY_MS, 16 * DAY_MS]
    assert due(handled) == [(ms, slice_(ms + HOUR_MS)) for ms in (start_ms, *midnights)]


def test_a_session_that_begins_at_a_scheduled_midnight_and_one_with_a_hole() -> None:
    books = Books()
    assert due(books.hear(12 * DAY_MS + HOUR_MS)) == [(12 * DAY_MS, slice_(12 * DAY_MS + HOUR_MS))]
    late_ms = 19 * DAY_MS
    assert due(books.hear(late_ms)) == [(18 * DAY_MS, slice_(late_ms))]  # one for three that were missed
    assert due(books.hear(20 * DAY_MS)) == []


def test_days_end_with_the_slice_that_closes_at_midnight() -> None:
    books = Books()
    books.hear(10 * DAY_MS + HOUR_MS)
    for day, sign in ((10, 1.0), (11, -1.0)):
        books.close("a", sign, (day + 1) * DAY_MS)  # the last moment of the day
        books.close("b", 2 * sign, day * DAY_MS + 1)  # and the first
    books.hear(12 * DAY_MS + HOUR_MS)
    assert books.allocator.weights == pytest.approx({"a": 2 / 3, "b": 1 / 3}, rel=1e-12)
    assert [risk.config.allocation for risk in books.risks.values()] == list(books.allocator.weights.values())


def test_the_day_of_the_start_counts_only_if_it_is_whole() -> None:
    weights = []
    for start_ms in (10 * DAY_MS, 10 * DAY_MS + 1):
        books = Books()
        books.hear(start_ms + HOUR_MS)
        for day in (10, 11):
            books.close("a", 1.0 + day % 2, day * DAY_MS + 9 * HOUR_MS)
            books.close("b", 2.0 - 4.0 * (day % 2), day * DAY_MS + 9 * HOUR_MS)
        books.hear(12 * DAY_MS + HOUR_MS)
        weights.append(books.allocator.weights["a"])
    assert weights == [pytest.approx(0.8), 0.5]


def test_results_are_told_per_unit_of_the_allocation_that_the_trade_began_with() -> None:
    books = Books()
    books.hear(10 * DAY_MS + HOUR_MS)
    books.allocator.note_fill(made.fill(opens=True, strategy="a", trade_id=7, realized_pnl=0.0))
    books.allocator.apply(Reallocate(12 * DAY_MS, {"a": 0.25, "b": 0.75}, "a test"))
    books.close("a", 1.0, 12 * DAY_MS + 1, trade_id=7, reason=Reason.PARTIAL_TARGET)
    books.close("a", 3.0, 12 * DAY_MS + 2, trade_id=7)
    books.close("a", 3.0, 13 * DAY_MS + 2, trade_id=8)
    books.close("b", 3.0, 13 * DAY_MS + 2, trade_id=9)
    memory = books.allocator.memory()
    assert memory.results == {"a": {12: 1.0 / 0.5 + 3.0 / 0.5, 13: 3.0 / 0.25}, "b": {13: 3.0 / 0.75}}
    assert memory.opened == {}


def test_it_keeps_no_more_days_than_it_looks_at() -> None:
    books = Books()
    for hour in range(24 * 40):
        books.hear((10 * 24 + hour + 1) * HOUR_MS)
        books.close("a", 1.0, books.account.time_ms)
        assert len(books.allocator.memory().results["a"]) <= LOOKBACK + EVERY


def after_two_days(allocation: Allocation = INVERSE) -> Books:
    books = Books(allocation)
    books.hear(10 * DAY_MS + HOUR_MS)
    for day, sign in ((10, 1.0), (11, -1.0)):
        books.close("a", sign, day * DAY_MS + HOUR_MS)
        books.close("b", 3 * sign, day * DAY_MS + HOUR_MS)
    books.hear(12 * DAY_MS + HOUR_MS)
    books.close("b", 2.0, 12 * DAY_MS + 2 * HOUR_MS, trade_id=3)
    return books


def recalled(memory: AllocationMemory, allocation: Allocation = INVERSE, strategies: str = "ab") -> Books:
    books = Books(allocation, strategies)
    books.allocator.recall(msgspec.json.decode(msgspec.json.encode(memory), type=AllocationMemory))
    return books


def test_a_new_epoch_goes_on_as_if_there_had_been_none() -> None:
    unbroken = after_two_days()
    books = recalled(unbroken.allocator.memory())
    assert books.allocator.weights == unbroken.allocator.weights != {"a": 0.5, "b": 0.5}
    closes = [12 * DAY_MS + hour * HOUR_MS for hour in range(3, 60)]
    assert books.hear(*closes) == unbroken.hear(*closes)
    assert books.allocator.memory() == unbroken.allocator.memory()
    assert len(books.allocator.applied) == 3


def test_a_new_epoch_with_another_method_has_its_own_weights_at_once() -> None:
    memory = after_two_days().allocator.memory()
    books = recalled(memory, Allocation(Method.EQUAL, EVERY, LOOKBACK))
    first, _ = books.hear(12 * DAY_MS + 3 * HOUR_MS)
    assert first == Reallocate(12 * DAY_MS + 2 * HOUR_MS, {"a": 0.5, "b": 0.5}, "equal shares")
    books = recalled(memory, Allocation(Method.INVERSE_VOLATILITY, 5, 30))
    first, _ = books.hear(12 * DAY_MS + 3 * HOUR_MS)
    assert isinstance(first, Reallocate)
    assert first.weights == pytest.approx({"a": 0.75, "b": 0.25}, rel=1e-12)  # by the results that were there


def test_another_set_of_strategies_begins_without_results() -> None:
    books = recalled(after_two_days().allocator.memory(), strategies="abc")
    first, _ = books.hear(12 * DAY_MS + 3 * HOUR_MS)
    assert isinstance(first, Reallocate)
    assert first.weights == dict.fromkeys("abc", 1 / 3)
    books.close("z", 1.0, 12 * DAY_MS + 4 * HOUR_MS)  # a position of a strategy that is listed no more
    assert books.allocator.memory().results == {"a": {}, "b": {}, "c": {}}
    assert len(books.allocator.applied) == 3
