"""The trades of one order: as many as the seed says, on the step, and together the quantity."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.testnet.order_parts import OrderParts, unit
from app.testnet.spot_orders import Order
from tests.spot_exchanges import QUIET, Row, Venue

STEP = Decimal("0.001")


def parts_of(seed: int, most: int, number: int, quantity: str) -> list[Decimal]:
    order = Order("BTCUSDT", "BUY", "MARKET", Decimal(quantity), "x", order_id=number)
    return OrderParts(seed, most, 1_000, lambda _: STEP).of(order, order.quantity)


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 50), st.integers(1, 5_000))
def test_they_add_up(seed: int, most: int, number: int, steps: int) -> None:
    parts = parts_of(seed, most, number, str(steps * STEP))
    assert sum(parts) == steps * STEP and 1 <= len(parts) <= most
    assert all(one > 0 and one % STEP == 0 for one in parts)
    assert parts == parts_of(seed, most, number, str(steps * STEP))


def test_all_counts_occur() -> None:
    assert {len(parts_of(7, 3, number, "5")) for number in range(60)} == {1, 2, 3}
    assert 0.45 < sum(unit(1, str(one)) for one in range(2_000)) / 2_000 < 0.55


def test_a_resting_order_is_filled_over_time_and_can_be_cancelled_between() -> None:
    rise: Row = (100.0, 106.0, 99.5, 105.0, 10.0)
    for seed in range(40):
        made = Venue([QUIET, rise, QUIET], balances={"BTC": 1.0}, parts=3, seed=seed, parts_spread_ms=2_000)
        resting = made.at(1, 1).limit("SELL", 1.0, 105.0)["orderId"]
        made.at(1, 54)
        if made.order(resting)["status"] == "PARTIALLY_FILLED":
            break
    first = Decimal(made.order(resting)["executedQty"])
    assert Decimal(made.balance("BTC")[1]) == 1 - first
    assert made.exchange.next_ms(made.now_ms) == made.now_ms + 2_000
    cancelled = made.ok("DELETE", "order", symbol="BTCUSDT", orderId=resting)
    assert (cancelled["status"], Decimal(cancelled["executedQty"])) == ("CANCELED", first)
    assert made.at(2).exchange.next_ms(made.now_ms) is None
    assert len(made.trades()) == 1 and Decimal(made.balance("BTC")[0]) == 1 - first
