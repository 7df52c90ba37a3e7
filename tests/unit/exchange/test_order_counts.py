"""The exchange's count of unfilled orders: read from headers, and never driven to its limit by an entry."""

import pytest

from app.exchange.exchange_rules import OrderLimit
from app.exchange.order_counts import OrderCounts

NOW_MS = 1_767_225_603_000


def counted(**headers: str) -> OrderCounts:
    counts = OrderCounts()
    counts.limits = [OrderLimit(10_000, 50), OrderLimit(86_400_000, 200_000)]
    counts.note({name.replace("_", "-"): value for name, value in headers.items()}, NOW_MS)
    return counts


def test_an_entry_leaves_room_for_what_protects_it() -> None:
    assert counted(x_mbx_order_count_10s="45").problem(1, NOW_MS, is_entry=True) == ""
    counts = counted(x_mbx_order_count_10s="46")
    assert counts.problem(1, NOW_MS, is_entry=True) == "46 of 50 unfilled orders in 10 s"
    assert counts.problem(2, NOW_MS, is_entry=False) == "", "protection is always sent"
    assert counts.problem(1, NOW_MS + 7_000, is_entry=True) == "", "another interval of the exchange's clock"


def test_the_day_has_a_limit_of_its_own() -> None:
    counts = counted(x_mbx_order_count_1d="199999", x_mbx_order_count_10s="1")
    assert counts.problem(1, NOW_MS + 3_600_000, is_entry=True) == "199,999 of 200,000 unfilled orders in 86,400 s"


@pytest.mark.parametrize(
    "headers",
    [
        {"x_mbx_order_count_10s": "-5"}, {"x_mbx_order_count_10s": "9" * 30}, {"x_mbx_order_count_0s": "50"},
        {"x_mbx_order_count_10y": "50"}, {"x_mbx_order_count": "50"}, {"x_mbx_order_count_10s": "50,50"},
    ],
)  # fmt: skip
def test_headers_that_make_no_sense_say_nothing(headers: dict[str, str]) -> None:
    assert counted(**headers).problem(1, NOW_MS, is_entry=True) == ""


def test_after_a_refusal_nothing_is_sent_for_as_long_as_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("app.times.monotonic_s", lambda: now_s[0])
    counts = counted()
    counts.refuse_for(7.0, 100.0)
    assert "no order of this account for 7 s" in counts.problem(2, NOW_MS, is_entry=False)
    now_s[0] = 107.1
    assert counts.problem(2, NOW_MS, is_entry=False) == ""
    counts.refuse_for(None, 107.1)
    assert "for 10 s" in counts.problem(1, NOW_MS, is_entry=True)
