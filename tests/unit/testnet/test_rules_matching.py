"""Matching by the rules, on candles written down: at what price, in which candle, as taker or as maker."""

from typing import Any

import pytest

from tests.spot_exchanges import QUIET, Row, Venue, minute, oco_params

STILL: Row = (100.0, 100.0, 100.0, 100.0, 0.0)  # nobody trades


def venue(*rows: Row | None, **options: Any) -> Venue:
    """The rows are those from minute 1 on; fees are paid in USDT, so that what is bought can be sold."""
    return Venue([QUIET, *rows, QUIET], fees="quote", **options)


def prices(made: Venue) -> list[tuple[str, bool]]:
    """Price and whether it was the maker's, of all trades but the first."""
    return [(f"{float(one['price']):.8f}".rstrip("0"), one["isMaker"]) for one in made.trades()[1:]]


@pytest.mark.parametrize("second", [0.0, 30.0, 59.999])
def test_a_market_order_fills_at_the_open_of_the_candle_that_forms(second: float) -> None:
    made = venue((200.0, 210.0, 190.0, 195.0, 1.0))
    bought = made.at(1, second).buy(1.0)
    assert bought["fills"][0]["price"] == "200.10000000" and bought["status"] == "FILLED"
    assert made.sell(1.0)["fills"][0]["price"] == "199.90000000"


def test_where_nobody_trades_it_is_the_open_of_the_next_candle_with_a_trade() -> None:
    made = venue(None, STILL, (200.0, 210.0, 190.0, 195.0, 1.0))
    for place in (1, 2):
        assert made.at(place, 5).buy(1.0)["fills"][0]["price"] == "200.10000000"
    # The last candle's close serves after the last.
    assert made.at(9).buy(1.0)["fills"][0]["price"] == "100.05000000"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((89.0, 95.0, 85.0, 91.0), ("88.9555", False)),  # a gap through the stop: the open, with slippage
        ((90.0, 95.0, 90.0, 91.0), ("89.955", False)),
        ((121.0, 125.0, 80.0, 91.0), ("121.", True)),  # a gap beyond the target: the open
        ((120.0, 120.0, 99.0, 99.0), None),  # at the target is not through it
        ((100.0, 125.0, 90.0, 110.0), ("89.955", False)),  # both: the stop
        ((100.0, 120.1, 95.0, 110.0), ("120.", True)),
        ((100.0, 119.9, 90.1, 110.0), None),
    ],
)
def test_the_exit_check(row: tuple[float, float, float, float], expected: tuple[str, bool] | None) -> None:
    made = venue(QUIET, (*row, 5.0), STILL)
    made.at(1, 1).buy(1.0)
    made.oco(1.0, 90.0, 120.0)
    made.at(2, 53.9)
    assert prices(made) == []
    made.at(2, 54)
    assert prices(made) == ([] if expected is None else [expected])


def test_on_touch_a_target_fills_where_the_candle_reaches_it() -> None:
    made = venue((100.0, 120.0, 95.0, 110.0, 5.0), limit_fill="touch")
    made.at(1, 1).buy(1.0)
    made.oco(1.0, 90.0, 120.0)
    assert prices(made.at(2)) == [("120.", True)]


def test_the_candle_in_which_an_order_arrived_counts_also_when_it_came_late() -> None:
    for second, checked_ms in ((1.0, minute(1, 54)), (58.0, minute(1, 58.001)), (59.999, minute(1, 59.999))):
        made = venue((100.0, 101.0, 85.0, 99.0, 5.0), QUIET)
        made.at(1, second).buy(1.0)
        made.oco(1.0, 90.0, 120.0)
        assert made.exchange.next_ms(made.now_ms) == checked_ms
        made.at(2)
        assert prices(made) == [("89.955", False)] and made.trades()[-1]["time"] == checked_ms


def test_a_candle_without_a_trade_triggers_nothing() -> None:
    made = venue(QUIET, (80.0, 130.0, 70.0, 80.0, 0.0), None, (100.0, 121.0, 99.0, 100.0, 1.0))
    made.at(1, 1).buy(1.0)
    made.oco(1.0, 90.0, 120.0)
    assert prices(made.at(4)) == []
    assert prices(made.at(5)) == [("120.", True)]


@pytest.mark.parametrize(
    ("row", "price", "expected"),
    [
        ((100.0, 101.0, 99.0, 100.0), 100.5, ("100.05", False)),  # through it: with slippage, at the limit at most
        ((100.0, 101.0, 99.0, 100.0), 100.02, ("100.02", False)),
        ((100.0, 101.0, 99.0, 100.0), 99.5, ("99.5", True)),
        ((100.0, 101.0, 99.0, 100.0), 99.0, None),
    ],
)
def test_a_limit_to_buy(
    row: tuple[float, float, float, float], price: float, expected: tuple[str, bool] | None
) -> None:
    made = venue((*row, 5.0))
    made.at(1, 1).buy(0.1)
    made.limit("BUY", 1.0, price)
    assert prices(made.at(1, 55)) == ([] if expected is None else [expected])


def test_what_rests_is_filled_at_its_price_where_the_candle_opens_past_it() -> None:
    made = venue(QUIET, (95.0, 96.0, 94.0, 95.0, 5.0))
    made.at(1, 1).buy(0.1)
    made.limit("BUY", 1.0, 98.0)
    assert prices(made.at(3)) == [("98.", True)]


def test_a_limit_that_came_while_there_was_no_candle_meets_the_next_as_its_first() -> None:
    for row, expected in ((None, ("95.0475", False)), (STILL, ("98.", True))):
        made = venue(QUIET, row, (95.0, 96.0, 94.0, 95.0, 5.0))
        made.at(1, 1).buy(0.1)
        made.at(2, 5).limit("BUY", 1.0, 98.0)
        assert prices(made.at(4)) == [expected]


def test_on_the_candle_that_filled_a_limit_inside_only_the_stop_counts() -> None:
    reached: Row = (100.0, 125.0, 97.0, 100.0, 5.0)
    made = venue(reached, (100.0, 121.0, 99.5, 100.0, 5.0), QUIET)
    made.at(1, 1).limit("BUY", 1.0, 98.0)
    made.at(1, 54.1).oco(1.0, 96.0, 120.0)
    assert prices(made.at(2)) == []
    assert prices(made.at(3)) == [("120.", True)]
    fallen: Row = (100.0, 125.0, 95.0, 100.0, 5.0)
    made = venue(fallen, QUIET)
    made.at(1, 1).limit("BUY", 1.0, 98.0)
    made.at(1, 54.1).oco(1.0, 96.0, 120.0)
    assert prices(made.at(2)) == [("95.952", False)]


def test_after_a_fill_inside_the_last_price_is_there() -> None:
    made = venue((105.0, 105.0, 97.0, 100.0, 5.0), QUIET)
    made.at(1, 1).limit("BUY", 1.0, 98.0)
    made.at(1, 54.1).oco(1.0, 96.0, 102.0)  # a target under the open of the candle
    assert made.ok("GET", "ticker/price", symbol="BTCUSDT")["price"] == "98.00000000"
    made.at(2)
    assert made.ok("GET", "ticker/price", symbol="BTCUSDT")["price"] == "100.00000000"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((100.0, 101.0, 89.0, 95.0), ("89.955", False)),  # the stop's slippage is within its limit
        ((89.97, 90.0, 85.0, 86.0), ("89.95", False)),  # the limit bounds it
        ((88.0, 89.0, 85.0, 86.0), None),  # a gap past the limit: it rests, and protects nothing
    ],
)
def test_a_stop_with_a_limit(row: tuple[float, float, float, float], expected: tuple[str, bool] | None) -> None:
    made = venue(QUIET, (*row, 5.0), (86.0, 90.5, 85.0, 90.0, 5.0), QUIET)
    made.at(1, 1).buy(1.0)
    limit = 89.95
    listed = made.oco(1.0, 90.0, 120.0, belowType="STOP_LOSS_LIMIT", belowPrice=limit, belowTimeInForce="GTC")
    target, stop = (one["orderId"] for one in listed["orders"])
    made.at(3)
    assert prices(made) == ([] if expected is None else [expected])
    assert (made.order(target)["status"], made.order(stop)["isWorking"]) == ("EXPIRED", True)
    if expected is None:
        assert prices(made.at(4)) == [("89.95", True)]


def test_a_take_profit_is_a_market_order_once_it_triggers() -> None:
    made = venue(QUIET, (100.0, 111.0, 99.0, 100.0, 5.0), (115.0, 116.0, 114.0, 115.0, 1.0))
    made.at(1, 1).buy(2.0)
    for stop in (110.0, 112.0):
        made.ok("POST", "order", symbol="BTCUSDT", side="SELL", type="TAKE_PROFIT", quantity=1, stopPrice=stop)
    assert prices(made.at(3)) == [("109.945", False)]
    assert prices(made.at(4))[1:] == [("114.9425", False)]


def test_a_stop_to_buy() -> None:
    made = venue(QUIET, (100.0, 106.0, 99.0, 100.0, 5.0))
    made.at(1, 1).buy(0.1)
    made.ok("POST", "order", symbol="BTCUSDT", side="BUY", type="STOP_LOSS", quantity=1, stopPrice=105)
    assert prices(made.at(3)) == [("105.0525", False)]


def test_a_coarser_source_is_matched_on_its_own_candles() -> None:
    from app.testnet.market import FileSource
    from app.testnet.spot import SpotMarket
    from app.testnet.spot_exchange import SpotExchange
    from tests.candle_columns import START_MS
    from tests.spot_exchanges import BTC, columns

    hours = columns([(100.0, 125.0, 99.0, 100.0, 5.0)])
    exchange = SpotExchange(SpotMarket(FileSource({(BTC, "1h"): hours})))
    exchange.add_account("me", {"BTC": 1.0})
    params = {name: str(value) for name, value in oco_params(1.0, 90.0, 120.0).items()}
    assert exchange.request("me", "POST", "orderList/oco", params, START_MS + 1_800_000).status == 200
    assert exchange.next_ms(START_MS + 1_800_000) == START_MS + 54 * 60_000
