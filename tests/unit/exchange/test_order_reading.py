"""Answers and events of the documents, read; and whatever else a stranger could send, refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exchange.order_reading import UNREADABLE, OrderReader
from app.exchange.order_reports import OrderReport, TradeReport
from app.models.orders import OrderState
from tests.signed_exchange import BTC, full, report, row

OCO = {
    "orderListId": 1, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED", "listOrderStatus": "EXECUTING",
    "listClientOrderId": "t-1-1-l", "transactionTime": 1710485608839, "symbol": "BTCUSDT",
    "orders": [
        {"symbol": "BTCUSDT", "orderId": 10, "clientOrderId": "t-1-1-s"},
        {"symbol": "BTCUSDT", "orderId": 11, "clientOrderId": "t-1-1-t"},
    ],
}  # fmt: skip
LEGS = ("t-1-1-t", "t-1-1-s")


def reader() -> OrderReader:
    return OrderReader({"BTCUSDT": BTC})


def leg(number: int, client_id: str, kind: str, status: str = "NEW", **changes: Any) -> dict[str, Any]:
    return row(client_id, status, orderId=number, orderListId=1, type=kind, side="SELL", transactTime=5, **changes)


def test_a_full_answer_has_the_order_and_its_trades() -> None:
    orders, trades = reader().placed(full("t-1-1-e"), ("t-1-1-e",), buys=True, quantity=10.0)
    assert orders == (OrderReport(BTC, "t-1-1-e", 28, OrderState.FILLED, True, 10.0, 10.0, 1507725176595),)
    assert trades == (
        TradeReport(BTC, 56, 28, "t-1-1-e", True, 1.0, 4000.0, 4.0, "USDT", 1507725176595),
        TradeReport(BTC, 57, 28, "t-1-1-e", True, 9.0, 3999.0, 0.01, "BNB", 1507725176595),
    )


def test_an_acknowledgement_says_no_more_than_that_it_is_there() -> None:
    ack = {
        name: full("t-1-1-e")[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
    }
    orders, trades = reader().placed(ack, ("t-1-1-e",), buys=False, quantity=3.0)
    assert orders == (OrderReport(BTC, "t-1-1-e", 28, OrderState.ACCEPTED, False, 3.0, 0.0, 1507725176595),)
    assert trades == ()


def test_a_list_is_answered_with_reports_or_with_ids_alone() -> None:
    whole = {**OCO, "orderReports": [leg(10, "t-1-1-s", "STOP_LOSS"), leg(11, "t-1-1-t", "LIMIT_MAKER")]}
    read = reader()
    orders, _ = read.placed(whole, LEGS, buys=False, quantity=1.0)
    assert [(one.client_id, one.exchange_id, one.list_client_id) for one in orders] == [
        ("t-1-1-s", 10, "t-1-1-l"), ("t-1-1-t", 11, "t-1-1-l"),
    ]  # fmt: skip
    assert list(read.algo) == [10]
    bare, _ = reader().placed(OCO, LEGS, buys=False, quantity=1.0)
    assert [(one.state, one.quantity, one.list_client_id, one.time_ms) for one in bare] == 2 * [
        (OrderState.ACCEPTED, 1.0, "t-1-1-l", 1710485608839)
    ]
    half = {**OCO, "orderReports": [leg(11, "t-1-1-t", "LIMIT_MAKER", "FILLED", executedQty="1.0")]}
    states, _ = reader().placed(half, LEGS, buys=False, quantity=1.0)
    assert [one.state for one in states] == [OrderState.ACCEPTED, OrderState.FILLED]


@pytest.mark.parametrize("answer", [full("someone-else"), OCO, {}, full("t-1-1-e", status="LIKE_NEW")])
def test_an_answer_about_something_else_is_unreadable(answer: dict[str, Any]) -> None:
    with pytest.raises(UNREADABLE):
        reader().placed(answer, ("t-1-1-e",), buys=True, quantity=1.0)


def test_a_cancellation_names_the_order_beside_its_own_id() -> None:
    answer = row(
        "cancel-id", "CANCELED", origClientOrderId="t-1-1-e", updateTime=None, transactTime=7, executedQty="0.4"
    )
    assert reader().answered(answer) == (
        OrderReport(BTC, "t-1-1-e", 1, OrderState.CANCELLED, True, 1.0, 0.4, 7),
    )  # fmt: skip
    reports = [
        leg(10, "cancel-id", "STOP_LOSS", "CANCELED", origClientOrderId="t-1-1-s"),
        leg(11, "cancel-id", "LIMIT_MAKER", "CANCELED", origClientOrderId="t-1-1-t"),
    ]
    legs = reader().answered({**OCO, "orderReports": reports})
    assert [(one.client_id, one.list_client_id) for one in legs] == [("t-1-1-s", "t-1-1-l"), ("t-1-1-t", "t-1-1-l")]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", "accepted"), ("PENDING_NEW", "accepted"), ("PARTIALLY_FILLED", "partly_filled"), ("FILLED", "filled"),
        ("CANCELED", "cancelled"), ("EXPIRED", "expired"), ("EXPIRED_IN_MATCH", "expired"), ("REJECTED", "refused"),
        ("PENDING_CANCEL", "accepted"),
    ],
)  # fmt: skip
def test_states(status: str, state: str) -> None:
    order = reader().order(row("x", status))
    assert order.state == state
    assert order.time_ms == 1499827319560
    assert order.why == ("EXPIRED_IN_MATCH" if status == "EXPIRED_IN_MATCH" else "")


def test_an_order_found_by_an_id_has_that_id() -> None:
    assert reader().order(row("cancel-id", "CANCELED"), "t-1-1-e").client_id == "t-1-1-e"
    expired = reader().order(row("x", "EXPIRED", expiryReason="INSUFFICIENT_LIQUIDITY"))
    assert expired.why == "INSUFFICIENT_LIQUIDITY"
    assert reader().order(row("x", symbol="LTCBTC")).symbol == "LTCBTC", "another's keeps the exchange's name"


@pytest.mark.parametrize("status", ["NEW", "FILLED", "EXPIRED", "REJECTED"])
def test_an_answer_about_another_order_is_none(status: str) -> None:
    with pytest.raises(ValueError, match="another order"):
        reader().order(row("t-1-3-c", status), "t-1-1-e")


def test_an_open_order_in_a_state_of_tomorrow_is_open() -> None:
    """Somebody else's order must not make all of them unreadable."""
    read = reader()
    read.algo[9] = None
    orders = read.open_orders([row("x", "OF_TOMORROW", symbol="LTCBTC"), row("t-1-1-s", type="STOP_LOSS", orderId=2)])
    assert [one.state for one in orders] == [OrderState.ACCEPTED, OrderState.ACCEPTED]
    assert list(read.algo) == [2]
    with pytest.raises(UNREADABLE):
        read.order(row("x", "OF_TOMORROW"))


def test_a_trade_of_the_history() -> None:
    trade = reader().trade(
        {
            "symbol": "BTCUSDT", "id": 28457, "orderId": 100234, "orderListId": -1, "price": "4.00000100",
            "qty": "12.00000000", "quoteQty": "48.000012", "commission": "10.10000000", "commissionAsset": "BNB",
            "time": 1499865549590, "isBuyer": True, "isMaker": False, "isBestMatch": True,
        }
    )  # fmt: skip
    assert trade == TradeReport(BTC, 28457, 100234, "", True, 12.0, 4.000001, 10.1, "BNB", 1499865549590)


def test_an_execution_report_is_the_order_and_a_trade_comes_before_it() -> None:
    (order,) = reader().heard(report("t-1-1-e"))
    assert order == OrderReport(BTC, "t-1-1-e", 4293153, OrderState.ACCEPTED, True, 1.0, 0.0, 1499405658657)
    fill = report(
        "t-1-1-e", "TRADE", "PARTIALLY_FILLED", l="0.4", z="0.4", L="60000.5", n="0.0004", N="BTC", t=77, m=True
    )
    trade, after = reader().heard(fill)
    assert trade == TradeReport(
        BTC, 77, 4293153, "t-1-1-e", True, 0.4, 60000.5, 0.0004, "BTC", 1499405658657, is_maker=True
    )
    assert isinstance(after, OrderReport)
    assert (after.state, after.filled) == (OrderState.PARTLY_FILLED, 0.4)


def test_on_a_cancel_the_orders_own_id_is_in_the_other_field() -> None:
    """ORDERS: `C`, not `c`."""
    (order,) = reader().heard(report("web_cancel", "CANCELED", "CANCELED", C="t-1-1-t"))
    assert isinstance(order, OrderReport)
    assert (order.client_id, order.state) == ("t-1-1-t", OrderState.CANCELLED)
    for nothing in ("", "null", None):
        (order,) = reader().heard(report("t-1-1-t", C=nothing))
        assert order.client_id == "t-1-1-t"


def test_reasons_of_ends() -> None:
    (expired,) = reader().heard(report("x", "EXPIRED", "EXPIRED", eR="EXECUTION_RULE_PRICE_RANGE_EXCEEDED"))
    (rejected,) = reader().heard(report("x", "REJECTED", "REJECTED", r="INSUFFICIENT_BALANCES"))
    (cancelled,) = reader().heard(report("x", "CANCELED", "CANCELED", C="y", r="NONE"))
    assert [one.why for one in (expired, rejected, cancelled) if isinstance(one, OrderReport)] == [
        "EXECUTION_RULE_PRICE_RANGE_EXCEEDED", "INSUFFICIENT_BALANCES", "",
    ]  # fmt: skip


def test_the_name_of_a_list_is_learnt_from_its_event() -> None:
    read = reader()
    assert read.heard({"e": "listStatus", "s": "BTCUSDT", "g": 2, "c": "OCO", "C": "t-1-1-l", "O": []}) == ()
    (order,) = read.heard(report("t-1-1-t", g=2))
    assert isinstance(order, OrderReport)
    assert order.list_client_id == "t-1-1-l"
    assert read.heard({"e": "outboundAccountPosition"}) == ()


def test_names_of_old_lists_are_forgotten() -> None:
    read = reader()
    for number in range(10_050):
        read.heard({"e": "listStatus", "g": number, "C": f"l{number}"})
    assert len(read._lists) == 10_000
    (order,) = read.heard(report("x", g=10_049))
    assert isinstance(order, OrderReport)
    assert order.list_client_id == "l10049"


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@given(
    st.sampled_from(["s", "c", "S", "o", "q", "g", "C", "x", "X", "i", "l", "z", "L", "n", "N", "T", "t", "m"]), JUNK
)
def test_a_field_of_another_kind_is_refused_or_means_what_it_says(field: str, value: Any) -> None:
    event = report("t-1-1-e", "TRADE", "FILLED", l="1", z="1", L="5", t=7, N="BTC")
    try:
        heard = reader().heard({**event, field: value})
    except UNREADABLE:
        return
    for one in heard:
        assert isinstance(one.symbol, str)
        assert isinstance(one.client_id, str)
        assert type(one.exchange_id) is int
        assert type(one.time_ms) is int
        assert 0.0 <= one.quantity < float("inf")
        if isinstance(one, TradeReport):
            assert 0.0 <= one.price < float("inf")
            assert isinstance(one.fee_asset, str)
