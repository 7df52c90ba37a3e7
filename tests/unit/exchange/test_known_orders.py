"""What is news of an order, what is missing of it, and whose an order is."""

import pytest

from app.exchange import known_orders
from app.exchange.known_orders import KnownOrders
from app.exchange.order_reports import OrderReport
from app.models.orders import OrderState

BTC, MINE = "BTC/USDT", "seed1-1-1-e"


def _report(state: OrderState, filled: float = 0.0, client_id: str = MINE, number: int = 7) -> OrderReport:
    return OrderReport(BTC, client_id, number, state, True, 1.0, filled, 1)


ACCEPTED, PARTLY, FILLED = OrderState.ACCEPTED, OrderState.PARTLY_FILLED, OrderState.FILLED
CANCELLED, REFUSED = OrderState.CANCELLED, OrderState.REFUSED


@pytest.mark.parametrize(
    ("reports", "news"),
    [
        ([(ACCEPTED, 0.0), (ACCEPTED, 0.0)], [True, False]),
        ([(PARTLY, 0.5), (ACCEPTED, 0.0), (PARTLY, 0.25), (PARTLY, 0.75)], [True, False, False, True]),
        ([(FILLED, 1.0), (ACCEPTED, 0.0), (PARTLY, 0.5), (FILLED, 1.0)], [True, False, False, False]),
        ([(CANCELLED, 0.0), (CANCELLED, 0.5), (FILLED, 1.0)], [True, True, True]),
    ],
)
def test_what_is_said_already_or_older_is_no_news(reports: list[tuple[OrderState, float]], news: list[bool]) -> None:
    order = KnownOrders("seed1").known(MINE, BTC)
    assert order is not None
    assert [order.note(_report(*one)) for one in reports] == news


def test_a_dead_order_that_is_heard_of_lives() -> None:
    order = KnownOrders("seed1").known(MINE, BTC)
    assert order is not None
    order.is_dead = True
    assert order.is_over
    assert not order.note(_report(REFUSED))  # the exchange's word for what was said
    assert order.is_dead
    assert order.note(_report(ACCEPTED))
    assert order.is_open


def test_reports_that_tell_more_than_the_trades() -> None:
    orders = KnownOrders("seed1")
    order = orders.known(MINE, BTC)
    assert order is not None
    order.note(_report(FILLED, 0.3))
    orders.weigh(order)
    assert orders.lacking() == [order]
    order.traded = {1: 0.1, 2: 0.1, 3: 0.1}  # 0.30000000000000004
    orders.weigh(order)
    assert orders.lacking() == []


def test_whose_an_order_is() -> None:
    orders = KnownOrders("seed1")
    assert orders.known("web_1", BTC) is None
    assert orders.known("other-1-1-e", BTC) is None
    assert [orders.learn(BTC, number, name) for number, name in ((1, "web_1"), (1, "web_1"), (7, MINE))] == [
        True, False, False,
    ]  # fmt: skip
    assert orders.foreign == 1
    assert orders.client_id_of(BTC, 7) == MINE
    assert orders.client_id_of("ETH/USDT", 7) is None  # numbers are a symbol's own


def test_what_has_long_been_over_is_forgotten_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_orders, "_REMEMBERED", 10)
    orders = KnownOrders("seed1")
    for number in range(1, 12):
        order = orders.known(f"seed1-1-{number}-e", BTC)
        assert order is not None
        order.note(_report(ACCEPTED if number == 2 else CANCELLED, client_id=order.client_id, number=number))
    assert [order.id.order_id for order in orders.open()] == [2]
    assert [order.id.order_id for order in orders.doubtful()] == [2]
    assert len(orders._orders) == 7
    for number in range(50):
        orders.learn(BTC, 1000 + number, "web_1")
    assert len(orders._client_ids) == 40
