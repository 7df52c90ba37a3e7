"""Storms of the trading: the same draw for the same question, and bounds that hold for every seed."""

from itertools import groupby

from app.testnet.faults import Fault, Where
from app.testnet.order_storm import OrderStorm
from app.testnet.storm import SLOT_MS

SEEDS = range(30)
ASKED = (("POST", "order"), ("POST", "orderList/oco"), ("DELETE", "order"), ("GET", "openOrders"), ("GET", "myTrades"))


def drawn(seed: int, method: str, path: str) -> list[list[Fault | None]]:
    storm = OrderStorm(seed)
    return [[storm.for_request(method, path, f"{path}?{one}", count) for count in range(25)] for one in range(20)]


def test_the_same_draw_for_the_same_question() -> None:
    assert drawn(5, "POST", "order") == drawn(5, "POST", "order") != drawn(6, "POST", "order")
    one, other = OrderStorm(3), OrderStorm(3)
    assert [one.for_events(n, 2) for n in range(50)] == [other.for_events(n, 2) for n in range(50)]
    assert [one.for_sockets(n, 1.0) for n in range(50)] == [other.for_sockets(n, 1.0) for n in range(50)]


def test_bounds_that_hold_for_every_seed() -> None:
    seen: set[tuple[str, str]] = set()
    longest = 0
    for seed in SEEDS:
        for method, path in ASKED:
            for answers in drawn(seed, method, path):
                runs = [len(list(group)) for is_good, group in groupby(answers, lambda one: one is None) if not is_good]
                longest = max([longest, *runs])
                faults = [fault for fault in answers if fault is not None]
                seen |= {(fault.name, path) for fault in faults}
                assert all(fault.where is Where.ORDERS and fault.values.get("s", 0.0) <= 3.0 for fault in faults)
    assert longest == 3
    names = {name for name, _ in seen}
    assert names == {
        "lost_before", "lost_after", "late_before", "late_after", "unknown", "refused", "cut_answer", "doubled_answer",
        "doubled_request", "stale_orders", "trades_missing",
    }  # fmt: skip
    assert {path for name, path in seen if name == "doubled_request"} == {"order", "orderList/oco"}
    assert {path for name, path in seen if name == "stale_orders"} == {"openOrders"}


def test_events_and_streams() -> None:
    events = [fault for seed in SEEDS for n in range(40) if (fault := OrderStorm(seed).for_events(n, 3))]
    assert {fault.name for fault in events} == {"events_late", "events_doubled", "events_permuted"}, "none is lost"
    slots = [OrderStorm(seed).for_sockets(slot, 60.0) for seed in SEEDS for slot in range(40)]
    for slot, faults in zip([slot for _ in SEEDS for slot in range(40)], slots, strict=True):
        assert all(fault.at_ms is not None and fault.at_ms >= slot * SLOT_MS for fault in faults)
        if faults and faults[0].name == "stream_silent":
            assert [fault.name for fault in faults] == ["stream_silent", "stream_cut"], "what was not said is asked for"
    assert {fault.name for faults in slots for fault in faults} == {
        "stream_silent", "stream_cut", "stream_terminated", "server_shutdown",
    }  # fmt: skip
