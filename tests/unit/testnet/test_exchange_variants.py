"""Every open question of Binance's documents can be played either way; each way is seen here to differ."""

from typing import Any

import pytest

from app.testnet.exchange_variants import Variants
from tests.spot_exchanges import QUIET, Row, Venue, oco_params

FALL: Row = (100.0, 100.5, 94.0, 95.0, 10.0)
RISE: Row = (100.0, 106.0, 99.5, 105.0, 10.0)


def venue(*rows: Row, variants: dict[str, Any] | None = None, **options: Any) -> Venue:
    """Bought one in minute 1; the rows given are those from minute 2 on."""
    made = Venue([QUIET, QUIET, *rows, QUIET], variants=Variants(**(variants or {})), **{"fees": "quote", **options})
    made.at(1, 1).buy(1.0)
    return made


@pytest.mark.parametrize("sends", [True, False])
def test_a_second_new_when_a_stop_triggers_or_none(sends: bool) -> None:
    made = venue(FALL, variants={"trigger_reports": sends})
    made.oco(1.0, 95.0, 110.0)
    made.at(3)
    of_stop = [(one["x"], one["w"]) for one in made.heard("executionReport") if one["o"] == "STOP_LOSS"]
    second = [("NEW", True)] if sends else []
    assert of_stop == [("NEW", False), *second, ("TRADE", False)]


@pytest.mark.parametrize("text", ["Stop price would trigger immediately.", "Order would trigger immediately."])
def test_the_wording_of_a_stop_at_the_market(text: str) -> None:
    made = venue(variants={"trigger_text": text})
    assert made.refused("POST", "orderList/oco", **oco_params(1.0, 100.0, 110.0)) == (400, -2010, text)


def test_prices_on_the_wrong_side_by_leg_or_by_their_relationship() -> None:
    wrong = "The relationship of the prices for the orders is not correct."
    for stop, target, text in (
        (101.0, 110.0, "Stop price would trigger immediately."),
        (90.0, 99.0, "Order would immediately match and take."),
    ):
        assert venue().refused("POST", "orderList/oco", **oco_params(1.0, stop, target))[2] == text
        made = venue(variants={"oco_refusal": "relationship"})
        assert made.refused("POST", "orderList/oco", **oco_params(1.0, stop, target)) == (400, -2010, wrong)


@pytest.mark.parametrize("code", [-1013, -2010])
def test_the_code_for_a_type_that_a_symbol_lacks_and_for_a_shut_market(code: int) -> None:
    made = venue(variants={"missing_type_code": code, "closed_code": code})
    made.exchange.set_rules("BTCUSDT", order_types=("LIMIT", "LIMIT_MAKER", "MARKET"))
    text = "Stop loss orders are not supported for this symbol."
    assert made.refused("POST", "orderList/oco", **oco_params(1.0, 95.0, 110.0)) == (400, code, text)
    made.exchange.set_status("BTCUSDT", "CANCEL_ONLY")
    assert made.refused("POST", "orderList/oco", **oco_params(1.0, 95.0, 110.0)) == (400, code, "Market is closed.")


@pytest.mark.parametrize("tells", [True, False])
def test_a_plain_refusal_with_an_execution_report_or_without(tells: bool) -> None:
    made = venue(variants={"refusal_reports": tells})
    made.events.clear()
    made.refused("POST", "orderList/oco", **oco_params(2.0, 95.0, 110.0))
    reports = [(one["x"], one["X"], one["r"]) for one in made.heard("executionReport")]
    assert reports == ([("REJECTED", "REJECTED", "INSUFFICIENT_BALANCES")] * 2 if tells else [])


@pytest.mark.parametrize("finds", [True, False])
def test_a_cancelled_order_by_its_first_client_id(finds: bool) -> None:
    made = venue(variants={"finds_cancelled": finds})
    made.limit("BUY", 1.0, 90.0, newClientOrderId="first")
    made.ok("DELETE", "order", symbol="BTCUSDT", origClientOrderId="first", newClientOrderId="cancel")
    for name, found in (("first", finds), ("cancel", not finds)):
        reply = made.send("GET", "order", symbol="BTCUSDT", origClientOrderId=name)
        assert reply.status == (200 if found else 400)
        assert reply.body.get("clientOrderId" if found else "code") == (name if found else -2013)


@pytest.mark.parametrize(
    ("order", "first"),
    [("reports_first", "executionReport"), ("list_first", "listStatus"), ("balances_first", "outboundAccountPosition")],
)
def test_the_order_of_events(order: str, first: str) -> None:
    made = venue(variants={"event_order": order})
    made.events.clear()
    made.oco(1.0, 95.0, 110.0)
    kinds = [event["e"] for event in made.events]
    assert kinds[0] == first and sorted(kinds) == [
        "executionReport", "executionReport", "listStatus", "outboundAccountPosition",
    ]  # fmt: skip


def test_a_commission_is_cut_or_rounded() -> None:
    for how, commission in (("cut", "0.00000123"), ("rounded", "0.00000124")):
        made = Venue([QUIET] * 3, variants=Variants(commission=how), commission_rate=0.0000123789)  # type: ignore[arg-type]
        assert made.at(1).buy(0.1)["fills"][0]["commission"] == commission


@pytest.mark.parametrize("expires", [True, False])
def test_the_first_part_of_a_target_and_the_stop_beside_it(expires: bool) -> None:
    seed = next(seed for seed in range(50) if _parts(seed) > 1)
    made = venue(RISE, QUIET, variants={"part_expires_stop": expires}, parts=3, seed=seed)
    listed = made.oco(1.0, 95.0, 105.0)
    target, stop = (made.order(one["orderId"]) for one in listed["orders"])
    made.at(2, 54.0)
    target, stop = (made.order(one["orderId"]) for one in listed["orders"])
    assert target["status"] == "PARTIALLY_FILLED"
    if expires:
        assert (stop["status"], stop["expiryReason"]) == ("EXPIRED", "OCO_TRIGGER")
    else:  # it guards what is left
        assert stop["status"] == "NEW"
        assert float(stop["origQty"]) == pytest.approx(1.0 - float(target["executedQty"]))
    made.at(3)
    assert [made.order(one["orderId"])["status"] for one in listed["orders"]] == ["FILLED", "EXPIRED"]


def _parts(seed: int) -> int:
    """In how many trades the target of the first OCO is filled."""
    made = venue(RISE, QUIET, parts=3, seed=seed)
    listed = made.oco(1.0, 95.0, 105.0)
    made.at(3)
    return len([one for one in made.trades() if one["orderId"] == listed["orders"][0]["orderId"]])


def test_what_a_stop_to_buy_locks() -> None:
    for locks, locked in (("stop_price", "105.00000000"), ("nothing", "0.00000000")):
        made = venue(variants={"stop_buy_locks": locks}, fees="received")
        made.ok("POST", "order", symbol="BTCUSDT", side="BUY", type="STOP_LOSS", quantity=1, stopPrice=105)
        assert made.balance("USDT")[1] == locked


def test_client_ids_are_unique_in_the_account_or_on_the_symbol() -> None:
    for within, status in (("account", 400), ("symbol", 200)):
        made = venue(variants={"ids_unique_in": within}, others={"ETH/USDT": [QUIET] * 3})
        made.limit("BUY", 1.0, 90.0, newClientOrderId="one")
        params = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 1, "price": 90}
        reply = made.send("POST", "order", symbol="ETHUSDT", newClientOrderId="one", **params)
        assert reply.status == status


def test_a_first_fill_lowers_the_count_or_not() -> None:
    for lowers, count in ((True, 0), (False, 1)):
        made = venue(variants={"fills_lower_count": lowers})
        assert made.exchange.order_counts("me", made.now_ms) == {"10S": count, "1D": count}


def test_a_candle_that_opens_beyond_the_target() -> None:
    for how, price in (("open", "112.00000000"), ("limit", "110.00000000")):
        made = venue((112.0, 113.0, 111.0, 112.0, 5.0), variants={"gap_target": how})
        made.oco(1.0, 95.0, 110.0)
        made.at(3)
        assert made.trades()[-1]["price"] == price


def test_cancels_in_a_halt() -> None:
    for allowed, status in ((True, 200), (False, 400)):
        made = venue(variants={"cancels_while_shut": allowed})
        listed = made.oco(1.0, 95.0, 110.0)
        made.exchange.set_status("BTCUSDT", "HALT")
        reply = made.send("DELETE", "orderList", symbol="BTCUSDT", orderListId=listed["orderListId"])
        assert reply.status == status


def test_reports_of_a_list_that_asked_for_no_type() -> None:
    for kind, keys in (("ACK", 5), ("RESULT", 16)):
        (first, _) = venue(variants={"list_reports": kind}).oco(1.0, 95.0, 110.0)["orderReports"]
        assert len(first) == keys
