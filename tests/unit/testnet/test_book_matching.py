"""The made-up book: orders walk its levels, wait in its queues, fill in parts, and all of it comes from the seed."""

from decimal import Decimal
from typing import Any

from app.testnet.book_matching import Book
from tests.spot_exchanges import QUIET, Row, Venue, limit_params

# The path goes up from 100 to 103, down to 96, and to 98: a third of the minute each.
SWING: Row = (100.0, 103.0, 96.0, 98.0, 100.0)
THIN = Book(depth=0.001, levels=5)


def venue(*rows: Row | None, **options: Any) -> Venue:
    options = {"matching": "book", "fees": "quote", "seed": 5, "balances": {"USDT": 1e6, "BTC": 100.0}, **options}
    return Venue([QUIET, *(rows or (SWING, SWING, SWING)), QUIET], **options)


def test_a_small_order_pays_the_spread_and_a_large_one_walks() -> None:
    made = venue().at(1, 0)
    path = float(made.ok("GET", "ticker/price", symbol="BTCUSDT")["price"])
    assert path == 100.0
    small, large = made.buy(0.1)["fills"], made.buy(20.0)["fills"]
    assert len(small) == 1 and float(small[0]["price"]) > path
    assert len(large) > 3
    prices = [float(one["price"]) for one in large]
    assert prices == sorted(prices) and prices[0] == float(small[0]["price"]) and prices[-1] > prices[0]
    assert all(round(price * 100) == price * 100 or abs(price * 100 - round(price * 100)) < 1e-9 for price in prices)
    sold = [float(one["price"]) for one in made.sell(20.0)["fills"]]
    assert sold == sorted(sold, reverse=True) and sold[0] < path


def test_a_book_too_thin_leaves_the_rest() -> None:
    made = venue(book=THIN).at(1, 1)
    bought = made.buy(50.0)
    assert (bought["status"], bought["expiryReason"]) == ("EXPIRED", "INSUFFICIENT_LIQUIDITY")
    assert 0 < float(bought["executedQty"]) < 50
    # A fill-or-kill order takes nothing of it, an immediate-or-cancel one what there is within its price.
    assert made.limit("BUY", 50.0, 110.0, timeInForce="FOK")["executedQty"] == "0.00000000"
    taken = made.limit("BUY", 50.0, 110.0, timeInForce="IOC")
    assert taken["status"] == "EXPIRED" and float(taken["executedQty"]) > 0


def test_an_order_travels_while_the_price_moves() -> None:
    slow = venue(book=Book(latency_ms=10_000)).at(1, 0).buy(0.1)["fills"][0]["price"]
    fast = venue(book=Book(latency_ms=0)).at(1, 0).buy(0.1)["fills"][0]["price"]
    assert float(slow) > 101.4 > float(fast)  # the path is halfway to 103 by then


def test_a_limit_waits_in_its_queue_and_is_filled_in_parts() -> None:
    still: Row = (100.0, 100.01, 99.99, 100.0, 100.0)
    made = venue(still, still, still).at(1, 0)
    resting = made.limit("BUY", 30.0, 99.99)["orderId"]
    statuses = []
    for place in range(1, 61):
        made.at(1, place * 3 if place < 20 else 59.9)
        statuses.append(made.order(resting)["status"])
    made.at(4)
    assert statuses[0] == "NEW" and "PARTIALLY_FILLED" in statuses
    fills = made.trades()
    assert len(fills) > 2 and all(one["isMaker"] and one["price"] == "99.99000000" for one in fills)


def test_a_limit_that_the_price_goes_through_is_filled_whole() -> None:
    made = venue().at(1, 1)
    resting = made.limit("BUY", 3.0, 98.5)["orderId"]
    assert made.at(1, 30).order(resting)["status"] == "NEW"
    assert made.at(1, 45).order(resting)["status"] == "FILLED"
    assert sum(Decimal(one["qty"]) for one in made.trades()) == 3


def test_stops_and_targets_trigger_on_the_path() -> None:
    made = venue().at(1, 1)
    made.oco(1.0, 99.0, 102.5)  # up comes first
    made.at(1, 30)
    assert [(one["price"], one["isMaker"]) for one in made.trades()] == [("102.50000000", True)]
    made = venue().at(1, 1)
    made.oco(1.0, 99.0, 110.0)
    made.at(2)
    (stopped,) = made.trades()
    assert float(stopped["price"]) < 99.0 and not stopped["isMaker"]
    made = venue().at(1, 1)
    made.ok("POST", "order", symbol="BTCUSDT", side="BUY", type="TAKE_PROFIT", quantity=1, stopPrice=98)
    assert made.at(2).trades()[0]["isBuyer"]


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    def fills(seed: int) -> list[Any]:
        made = venue(seed=seed).at(1, 1)
        made.send("POST", "order", **limit_params("BUY", 5, 99.2))
        made.buy(12.5)
        return made.at(3).trades()

    assert fills(1) == fills(1) != fills(2)


def test_without_candles_nothing_moves() -> None:
    made = venue(None, None, SWING).at(1, 1)
    resting = made.limit("BUY", 1.0, 99.0)["orderId"]
    assert made.exchange.next_ms(made.now_ms) == made.now_ms - 1_000 + 2 * 60_000 + 3_000
    assert made.at(2, 59).order(resting)["status"] == "NEW"
    assert made.at(4).order(resting)["status"] == "FILLED"
