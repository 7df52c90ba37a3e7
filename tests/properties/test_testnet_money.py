"""Whatever is asked of the testnet's exchange, money is only moved: by trades, fees, deposits and withdrawals.

Random requests, right and wrong ones, in every way of matching and paying that there is. After each of them balances
add up to the last digit, what is locked is what the open orders need, and what the events told is what is so.
"""

import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.testnet.amounts import EXACT, plus, times
from app.testnet.exchange_variants import Variants
from tests.properties.test_testnet_parity import walk
from tests.spot_exchanges import ME, Venue, oco_params, totals

KINDS = ("MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
STARTING = {"USDT": 2_000.0, "BTC": 5.0, "BNB": 0.01}


def order_params(rng: random.Random, price: float) -> dict[str, object]:
    kind, side = rng.choice(KINDS), rng.choice(("BUY", "SELL"))
    near = round(price * (1 + rng.gauss(0, 0.01)), 2)
    params: dict[str, object] = {
        "symbol": "BTCUSDT", "side": side, "type": kind, "quantity": round(rng.uniform(0.05, 8), 5),
        "newOrderRespType": rng.choice(("ACK", "RESULT", "FULL")),
    }  # fmt: skip
    if kind.endswith("LIMIT") or kind == "LIMIT_MAKER":
        params["price"] = near
    if kind.endswith("LIMIT"):
        params["timeInForce"] = rng.choice(("GTC", "GTC", "IOC", "FOK"))
    if kind.startswith(("STOP", "TAKE")):
        params["stopPrice"] = round(price * (1 + rng.gauss(0, 0.01)), 2)
    return params


def act(rng: random.Random, venue: Venue, price: float) -> None:
    """One request of a client, or of the world."""
    opened = venue.ok("GET", "openOrders")
    one = rng.choice(opened) if opened else {"orderId": 1, "clientOrderId": "none"}
    roll = rng.random()
    if roll < 0.4:
        venue.send("POST", "order", **order_params(rng, price))
    elif roll < 0.6:
        stop, target = price * (1 - abs(rng.gauss(0, 0.01))), price * (1 + abs(rng.gauss(0, 0.01)))
        params = oco_params(round(rng.uniform(0.05, 4), 5), round(stop, 2), round(target, 2))
        if rng.random() < 0.3:  # the same to buy
            params |= {"side": "BUY", "aboveType": "STOP_LOSS", "aboveStopPrice": params["abovePrice"]}
            params |= {"belowType": "LIMIT_MAKER", "belowPrice": params["belowStopPrice"]}
            del params["abovePrice"], params["belowStopPrice"]
        venue.send("POST", "orderList/oco", **params)
    elif roll < 0.75:
        venue.send("DELETE", "order", symbol="BTCUSDT", orderId=one["orderId"])
    elif roll < 0.9:
        mode = rng.choice(("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        params = order_params(rng, price) | {"cancelReplaceMode": mode, "cancelOrderId": one["orderId"]}
        venue.send("POST", "order/cancelReplace", **params)
    elif roll < 0.95:
        venue.exchange.adjust(ME, rng.choice(("USDT", "BTC", "BNB")), round(rng.uniform(0, 3), 4), venue.now_ms)
    else:
        venue.exchange.expire(ME, str(one["clientOrderId"]), venue.now_ms)


def money_of(ledger: Any) -> dict[str, Decimal]:
    """What the trades, fees and adjustments make of the start."""
    money: dict[str, Decimal] = defaultdict(Decimal, {asset: Decimal(repr(one)) for asset, one in STARTING.items()})
    for trade in ledger["trades"]:
        sign = Decimal(1) if trade["isBuyer"] else Decimal(-1)
        money["BTC"] = plus(money["BTC"], times(sign, Decimal(trade["qty"])))
        money["USDT"] = plus(money["USDT"], times(sign.copy_negate(), Decimal(trade["quoteQty"])))
        asset = trade["commissionAsset"]
        money[asset] = plus(money[asset], Decimal(trade["commission"]).copy_negate())
        assert times(Decimal(trade["price"]), Decimal(trade["qty"])) == Decimal(trade["quoteQty"])
    for one in ledger["adjustments"]:
        money[one["asset"]] = plus(money[one["asset"]], Decimal(one["amount"]))
    return money


def needed(orders: list[Any], reserve: Decimal) -> dict[str, Decimal]:
    """What open orders must lock: those of a list share."""
    needs: dict[tuple[str, int], Decimal] = {}
    for one in orders:
        left = Decimal(one["origQty"]) - Decimal(one["executedQty"])
        asset, need = "BTC", left
        if one["side"] == "BUY":
            price = Decimal(one["price"]) or Decimal(one["stopPrice"])
            asset, need = "USDT", EXACT.multiply(times(left, price), 1 + reserve)
        group = -one["orderId"] if one["orderListId"] == -1 else one["orderListId"]
        needs[asset, group] = max(needs.get((asset, group), Decimal(0)), need)
    locked: dict[str, Decimal] = defaultdict(Decimal)
    for (asset, _), need in needs.items():
        locked[asset] = plus(locked[asset], need)
    return locked


def check(venue: Venue, fees: str) -> None:
    ledger = venue.exchange.ledger(ME)
    held = ledger["balances"]
    assert {asset: one for asset, one in totals(venue).items() if one} == {
        asset: one for asset, one in money_of(ledger).items() if one
    }
    assert all(Decimal(one["free"]) >= 0 and Decimal(one["locked"]) >= 0 for one in held.values())
    reserve = Decimal("0.001") * (1 + Decimal("1e-14")) if fees == "quote" else Decimal(0)
    opened = venue.ok("GET", "openOrders")
    for asset, need in needed(opened, reserve).items():
        assert Decimal(held[asset]["locked"]) == need, (asset, opened)
    assert sum(Decimal(one["locked"]) > 0 for one in held.values()) <= len(opened)


def check_told(venue: Venue) -> None:
    """The last that was said of each order, list and asset is how it is."""
    ledger = venue.exchange.ledger(ME)
    reports = {one["i"]: one for one in venue.heard("executionReport")}
    for order in ledger["orders"]:
        report = reports[order["orderId"]]
        assert (report["X"], report["z"], report["Z"]) == (
            order["status"], order["executedQty"], order["cummulativeQuoteQty"],
        )  # fmt: skip
        trades = [one for one in ledger["trades"] if one["orderId"] == order["orderId"]]
        assert sum((Decimal(one["qty"]) for one in trades), Decimal(0)) == Decimal(order["executedQty"])
    lists = {one["g"]: one["L"] for one in venue.heard("listStatus")}
    assert lists == {one["orderListId"]: one["listOrderStatus"] for one in ledger["order_lists"]}
    balances = {one["a"]: one for event in venue.heard("outboundAccountPosition") for one in event["B"]}
    for asset, one in balances.items():
        assert {"free": one["f"], "locked": one["l"]} == ledger["balances"][asset]
    told = [one["t"] for one in venue.heard("executionReport") if one["x"] == "TRADE"]
    assert told == [one["id"] for one in ledger["trades"]] == sorted(set(told))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from(("received", "bnb", "quote")), st.sampled_from(("rules", "book")),
    st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_money_is_only_moved(seed: int, fees: str, matching: str, parts: int, whole: bool) -> None:
    rng = random.Random(seed)
    rows = walk(rng, 60)
    variants = Variants(part_expires_stop=whole, trigger_reports=whole, commission="cut" if whole else "rounded")
    venue = Venue(
        rows, balances=STARTING, fees=fees, matching=matching, seed=seed, parts=parts, variants=variants
    )  # fmt: skip
    for place in range(1, 60):
        for _ in range(rng.randint(0, 3)):
            venue.at(place, rng.uniform(venue.now_ms % 60_000 / 1_000 if venue.now_ms > 0 else 0, 59))
            row = rows[place]
            act(rng, venue, 100.0 if row is None else row[0])
            check(venue, fees)
    check_told(venue)
