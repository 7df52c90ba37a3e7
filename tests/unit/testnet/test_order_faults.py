"""Faults of trading: which request or events one meets, and what it makes of an answer."""

from typing import Any

import pytest

from app.testnet.faults import Fault, parse_fault
from app.testnet.order_faults import (
    Event,
    error_reply,
    fits_events,
    fits_request,
    leg_of,
    spoilt_answer,
    spoilt_events,
    unknown_answer,
)
from app.testnet.spot_exchange import Reply
from tests.testnets import BTC, ETH

OCO = {
    "symbol": "BTCUSDT", "side": "SELL", "aboveType": "LIMIT_MAKER", "belowType": "STOP_LOSS",
    "listClientOrderId": "s-1-4-l", "aboveClientOrderId": "s-1-4-t", "belowClientOrderId": "s-1-4-s",
}  # fmt: skip
EVENTS: list[Event] = [
    ("test", {"e": "executionReport", "s": "BTCUSDT", "S": "BUY", "o": "MARKET", "c": "s-1-4-e", "C": ""}),
    ("test", {"e": "executionReport", "s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "c": "web", "C": "s-1-4-t"}),
    ("test", {"e": "outboundAccountPosition", "B": []}),
]


def fault(name: str, **fields: Any) -> Fault:
    return parse_fault({"fault": name, **fields})


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({}, True),
        ({"path": "orderList/oco", "method": "POST", "symbol": BTC, "side": "SELL", "type": "STOP_LOSS"}, True),
        ({"leg": "l"}, True),
        ({"leg": "s"}, True),
        ({"leg": "e"}, False),
        ({"type": "MARKET"}, False),
        ({"side": "BUY"}, False),
        ({"method": "GET"}, False),
        ({"path": "order"}, False),
        ({"symbol": ETH}, False),
        ({"side": "SELL", "leg": "e"}, False),
    ],
)
def test_which_request(fields: dict[str, Any], fits: bool) -> None:
    assert fits_request(fault("lost_after", **fields), "POST", "orderList/oco", OCO, BTC) is fits


def test_a_cancel_is_known_by_the_id_it_names() -> None:
    params = {"symbol": "BTCUSDT", "origClientOrderId": "s-1-4-s"}
    assert fits_request(fault("lost_after", leg="s"), "DELETE", "order", params, BTC)
    assert leg_of("web") == "web", "an id without a dash is a leg of its own"


@pytest.mark.parametrize(
    ("fields", "name", "fits"),
    [
        ({}, None, True),
        ({}, "BTCUSDT", True),
        ({}, "ETHUSDT", False),
        ({"leg": "e"}, None, True),
        ({"leg": "t"}, None, True),
        ({"leg": "t", "side": "BUY"}, None, False),
        ({"type": "STOP_LOSS"}, None, False),
    ],
)
def test_which_events(fields: dict[str, Any], name: str | None, fits: bool) -> None:
    assert fits_events(fault("events_lost", **fields), EVENTS, name) is fits


def test_errors_have_their_words_and_status() -> None:
    assert error_reply(-1007).status == 504 and "execution status unknown" in error_reply(-1007).body["msg"]
    assert error_reply(-2010) == Reply(
        400, {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    )
    assert error_reply(-2010, "Market is closed.", 409) == Reply(409, {"code": -2010, "msg": "Market is closed."})


@pytest.mark.parametrize(
    ("fields", "status", "page"),
    [({}, 504, None), ({"code": -1006, "status": 200}, 200, None), ({"body": "empty", "status": 503}, 503, "")],
)
def test_an_unknown_outcome(fields: dict[str, Any], status: int, page: str | None) -> None:
    answer = unknown_answer(fault("unknown", **fields))
    assert (answer.reply.status, answer.page) == (status, page)


def test_an_unknown_outcome_may_be_the_page_of_a_proxy() -> None:
    assert "502 Bad Gateway" in (unknown_answer(fault("unknown", status=502, body="html")).page or "")


def test_answers_that_are_cut_or_doubled() -> None:
    good = Reply(200, {"orderId": 1})
    assert spoilt_answer(fault("lost_after"), good, None).is_cut
    half = spoilt_answer(fault("cut_answer"), good, None)
    assert half.is_cut and half.is_half
    assert spoilt_answer(fault("doubled_answer"), good, None).times == 2
    assert spoilt_answer(fault("late_after"), good, None).reply == good


def test_answers_that_are_lies() -> None:
    account = Reply(200, {"uid": 1, "balances": [{"asset": "USDT", "free": "100.00000000", "locked": "1.00000000"}]})
    told = spoilt_answer(fault("wrong_balance", asset="USDT", by=-30), account, None).reply.body
    assert told == {"uid": 1, "balances": [{"asset": "USDT", "free": "70.00000000", "locked": "1.00000000"}]}
    assert account.body["balances"][0]["free"] == "100.00000000", "the engine's own answer stays"
    trades = Reply(200, [{"id": 1}, {"id": 2}, {"id": 3}])
    assert spoilt_answer(fault("trades_missing", rows=2), trades, None).reply.body == [{"id": 1}]
    assert spoilt_answer(fault("trades_missing", rows=9), trades, None).reply.body == []
    assert spoilt_answer(fault("stale_orders"), Reply(200, []), [{"orderId": 1}]).reply.body == [{"orderId": 1}]
    refused = error_reply(-2015)
    assert spoilt_answer(fault("trades_missing"), refused, None).reply == refused


def test_batches_of_events() -> None:
    assert spoilt_events(None, EVENTS) == EVENTS
    assert spoilt_events(fault("events_lost"), EVENTS) == []
    doubled = spoilt_events(fault("events_doubled"), EVENTS)
    assert doubled == [event for event in EVENTS for _ in range(2)]
    for seed in range(20):
        permuted = spoilt_events(fault("events_permuted", seed=seed), EVENTS)
        assert permuted != EVENTS and sorted(map(str, permuted)) == sorted(map(str, EVENTS))
        assert spoilt_events(fault("events_permuted", seed=seed), EVENTS) == permuted
    assert spoilt_events(fault("events_permuted"), EVENTS[:1]) == EVENTS[:1], "of one there is no other order"
