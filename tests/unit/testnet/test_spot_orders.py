"""What orders need to be locked, alone and in a list."""

from decimal import Decimal

import pytest

from app.testnet.spot_orders import Order, OrderGroup

D = Decimal


def order(side: str, kind: str, quantity: str, price: str = "0", stop: str = "0") -> Order:
    return Order("BTCUSDT", side, kind, D(quantity), kind, price=D(price), stop_price=D(stop))  # type: ignore[arg-type]


def group(*orders: Order) -> OrderGroup:
    return OrderGroup("me", "BTCUSDT", "BTC", "USDT", orders)


@pytest.mark.parametrize(
    ("orders", "asset", "needs"),
    [
        ([order("BUY", "LIMIT", "2", "100")], "USDT", "200"),
        ([order("SELL", "LIMIT", "2", "100")], "BTC", "2"),
        ([order("BUY", "STOP_LOSS", "2", stop="110")], "USDT", "220"),
        ([order("BUY", "STOP_LOSS_LIMIT", "2", "111", "110")], "USDT", "222"),
        ([order("SELL", "LIMIT_MAKER", "2", "110"), order("SELL", "STOP_LOSS", "2", stop="90")], "BTC", "2"),
        ([order("BUY", "STOP_LOSS", "2", stop="110"), order("BUY", "LIMIT_MAKER", "2", "90")], "USDT", "220"),
    ],
)
def test_the_dearest_open_order_is_locked(orders: list[Order], asset: str, needs: str) -> None:
    held = group(*orders)
    assert (held.locks_asset, held.needs("stop_price", D(0))) == (asset, D(needs))
    with_fee = D(needs) * (D("1.001") if asset == "USDT" else 1)
    assert held.needs("stop_price", D("0.001")) == with_fee
    for one in orders:
        one.status = "CANCELED"
    assert held.needs("stop_price", D(0)) == 0


def test_what_is_filled_is_not_locked() -> None:
    one = order("BUY", "LIMIT", "2", "100")
    one.executed = D("0.5")
    assert (one.left, group(one).needs("stop_price", D(0))) == (D("1.5"), D("150.0"))


def test_words_of_an_order() -> None:
    stop = order("SELL", "STOP_LOSS", "1", stop="90")
    assert (stop.sign, stop.is_open, stop.is_working, stop.has_limit) == (-1, True, False, False)
    stop.working_ms, stop.status = 5, "PARTIALLY_FILLED"
    assert (stop.is_open, stop.is_working) == (True, True)
    target = order("SELL", "LIMIT_MAKER", "1", "110")
    held = group(target, stop)
    assert held.beside(target) == [stop] and not held.is_list and held.side == "SELL"
    target.status = "FILLED"
    assert held.open_orders == [stop]
