"""How many orders are open, as far as it was told."""

from app.exchange.open_orders import OpenCounts, OpenOrders
from app.exchange.order_reports import OrderReport
from app.models.orders import OrderState
from tests.signed_exchange import BTC


def order(number: int, state: OrderState = OrderState.ACCEPTED, symbol: str = BTC, **changes: object) -> OrderReport:
    fields = {"buys": False, "quantity": 1.0, "filled": 0.0, "list_client_id": "", **changes}
    return OrderReport(symbol, f"c{number}", number, state, time_ms=0, **fields)  # type: ignore[arg-type]


def test_counts_follow_what_is_heard() -> None:
    orders = OpenOrders()
    orders.note(order(1, buys=True, quantity=3.0, filled=1.0), is_algo=False)
    orders.note(order(2, list_client_id="l"), is_algo=False)
    orders.note(order(3, list_client_id="l"), is_algo=True)
    orders.note(order(4, symbol="ETH/USDT", list_client_id="m"), is_algo=True)
    assert orders.counts(BTC, 0.5) == OpenCounts(3, 1, 1, 4, 2, 2, 2.5)
    orders.note(order(3, OrderState.CANCELLED), is_algo=False)
    orders.note(order(2, OrderState.FILLED), is_algo=False)
    assert orders.counts(BTC, 0.0) == OpenCounts(1, 0, 0, 2, 1, 1, 2.0)


def test_all_open_orders_put_it_right() -> None:
    orders = OpenOrders()
    orders.note(order(1), is_algo=False)
    orders.replace([order(7), order(8)], {8: None})
    assert orders.counts(BTC, 0.0)[:2] == (2, 1)
