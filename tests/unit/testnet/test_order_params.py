"""What a request gets wrong by itself, with the code that Binance has for it."""

from decimal import Decimal
from typing import Any

import pytest

from app.testnet.order_params import PLAIN, check_known, oco_of, order_of, whole
from app.testnet.spot_orders import Order
from app.testnet.symbol_rules import SymbolRules
from app.testnet.trading_errors import Refused
from tests.spot_exchanges import limit_params, oco_params

D = Decimal
RULES = SymbolRules(price_tick=D("0.01"), quantity_step=D("0.00001"))
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 1}
STOP = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": 1, "stopPrice": 90}
LIMIT = limit_params("BUY", 1, 100)


def read(params: dict[str, Any], rules: SymbolRules = RULES) -> Order:
    sent = {name: str(value) for name, value in params.items() if value is not None}
    return order_of(sent, "BTCUSDT", rules, lambda: "made", PLAIN)


def test_an_order_with_everything() -> None:
    order = read(
        LIMIT | {"timeInForce": "IOC", "newClientOrderId": "A-1_b", "selfTradePreventionMode": "EXPIRE_TAKER",
                 "strategyId": 7, "strategyType": 1_000_001}
    )  # fmt: skip
    assert (order.side, order.type, order.quantity, order.price, order.time_in_force, order.client_order_id) == (
        "BUY", "LIMIT", D(1), D(100), "IOC", "A-1_b",
    )  # fmt: skip
    assert (order.stp, order.strategy) == ("EXPIRE_TAKER", {"strategyId": 7, "strategyType": 1_000_001})
    assert (read(MARKET).client_order_id, read(MARKET).stp, read(MARKET).time_in_force) == (
        "made", "EXPIRE_MAKER", "GTC",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        (LIMIT | {"side": None}, -1102, "'side'"),
        (LIMIT | {"type": None}, -1102, "'type'"),
        (LIMIT | {"quantity": None}, -1102, "'quantity'"),
        (LIMIT | {"price": None}, -1102, "'price'"),
        (LIMIT | {"timeInForce": None}, -1102, "'timeInForce'"),
        (STOP | {"stopPrice": None}, -1102, "'stopPrice'"),
        (MARKET | {"quantity": None}, -1102, "'quantity' or 'quoteOrderQty'"),
        (LIMIT | {"side": "HOLD"}, -1117, "Invalid side."),
        (LIMIT | {"type": "ICEBERG"}, -1116, "Invalid orderType."),
        (LIMIT | {"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        (LIMIT | {"quantity": "-1"}, -1100, "'quantity'"),
        (LIMIT | {"quantity": "1e-3"}, -1100, "'quantity'"),
        (LIMIT | {"quantity": ""}, -1105, "Parameter 'quantity' was empty."),
        (LIMIT | {"quantity": "0.0"}, -1013, "Invalid quantity."),
        (LIMIT | {"price": "0"}, -1013, "Invalid price."),
        (LIMIT | {"price": "1.123456789"}, -1111, "Parameter 'price' has too much precision."),
        (LIMIT | {"newClientOrderId": "a b"}, -1100, "'newClientOrderId'"),
        (LIMIT | {"newClientOrderId": "a" * 37}, -1100, "'newClientOrderId'"),
        (LIMIT | {"newClientOrderId": ""}, -1100, "'newClientOrderId'"),
        (LIMIT | {"selfTradePreventionMode": "ALWAYS"}, -1130, "'selfTradePreventionMode'"),
        (LIMIT | {"strategyType": 999_999}, -1134, "1000000"),
        (LIMIT | {"strategyId": "x"}, -1100, "'strategyId'"),
        (LIMIT | {"stopPrice": 90}, -1106, "Parameter 'stopPrice' sent when not required."),
        (LIMIT | {"quoteOrderQty": 90}, -1106, "'quoteOrderQty'"),
        (MARKET | {"price": 90}, -1106, "'price'"),
        (MARKET | {"timeInForce": "GTC"}, -1106, "'timeInForce'"),
        (MARKET | {"icebergQty": 1}, -1106, "'icebergQty'"),
        (MARKET | {"quoteOrderQty": 10}, -1128, "Combination of optional parameters invalid."),
        (LIMIT | {"icebergQty": 2}, -2010, "IcebergQty exceeds QTY."),
        (LIMIT | {"icebergQty": 1, "timeInForce": "IOC"}, -1013, "GTC"),
    ],
)
def test_what_is_wrong(params: dict[str, Any], code: int, said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(params)
    assert refused.value.code == code and said in refused.value.text


def test_without_a_tick_a_price_has_the_digits_of_its_double() -> None:
    price = 0.1 + 0.2
    assert float(read(LIMIT | {"price": repr(price)}, SymbolRules()).price) == price


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aboveType": "LIMIT"}, -1102),  # a LIMIT needs a timeInForce first
        ({"aboveType": "LIMIT", "aboveTimeInForce": "GTC"}, -1158),
        ({"aboveType": "MARKET", "abovePrice": None}, -1158),
        ({"belowType": "LIMIT_MAKER", "belowPrice": 90, "belowStopPrice": None}, -1168),
        ({"aboveType": "STOP_LOSS", "abovePrice": None, "aboveStopPrice": 110}, -1197),
        ({"side": "BUY"}, -1196),
        ({"belowType": "STOP_LOSS_LIMIT"}, -1102),
        ({"abovePrice": None}, -1102),
        ({"aboveClientOrderId": "a", "belowClientOrderId": "a"}, -2010),
    ],
)
def test_an_oco_that_cannot_be(changes: dict[str, Any], code: int) -> None:
    params = oco_params(1.0, 90.0, 110.0) | changes
    sent = {name: str(value) for name, value in params.items() if value is not None}
    with pytest.raises(Refused) as refused:
        oco_of(sent, "BTCUSDT", RULES, iter("abcdef").__next__)
    assert refused.value.code == code


def test_an_oco() -> None:
    params = oco_params(1.0, 90.0, 110.0) | {
        "belowType": "STOP_LOSS_LIMIT", "belowPrice": 89, "belowTimeInForce": "GTC", "belowClientOrderId": "s",
    }  # fmt: skip
    above, below = oco_of({name: str(value) for name, value in params.items()}, "BTCUSDT", RULES, lambda: "t")
    assert (above.type, above.price, above.client_order_id, above.quantity) == ("LIMIT_MAKER", D(110), "t", D(1))
    assert (below.type, below.price, below.stop_price, below.client_order_id) == ("STOP_LOSS_LIMIT", D(89), D(90), "s")


def test_unknown_parameters_are_counted() -> None:
    check_known("GET", "order", {"symbol": "X", "timestamp": "1", "recvWindow": "1", "signature": "s"})
    with pytest.raises(Refused, match="read '1' parameter\\(s\\) but was sent '2'") as refused:
        check_known("GET", "order", {"symbol": "X", "side": "BUY", "timestamp": "1"})
    assert refused.value.code == -1104


def test_whole_numbers() -> None:
    assert (whole({"limit": "5"}, "limit"), whole({}, "limit")) == (5, None)
    for value, code in (("", -1105), ("-5", -1100), ("5.0", -1100)):
        with pytest.raises(Refused) as refused:
            whole({"limit": value}, "limit")
        assert refused.value.code == code
