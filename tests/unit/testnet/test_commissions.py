"""What a trade costs, in each asset that can pay for it; numbers by hand."""

from decimal import Decimal
from typing import Any

import pytest

from tests.spot_exchanges import QUIET, Venue

BNB = "BNB/USDT"


def venue(**options: Any) -> Venue:
    return Venue([QUIET] * 4, **options).at(1, 1)


def fees(made: Venue) -> list[tuple[str, str]]:
    return [(one["commission"], one["commissionAsset"]) for one in made.trades()]


def test_of_what_is_received() -> None:
    made = venue()
    made.buy(2.0)  # at 100.05
    made.sell(1.0)  # at 99.95
    assert fees(made) == [("0.00200000", "BTC"), ("0.09995000", "USDT")]
    assert made.balance("BTC") == ("0.99800000", "0.00000000")
    assert made.balance("USDT") == ("9899.75005000", "0.00000000")  # 10000 - 200.1 + 99.95 - 0.09995


def test_in_bnb_at_a_discount_while_there_is_enough() -> None:
    rows = [(500.0, 500.0, 500.0, 500.0, 1.0)] * 4
    made = venue(fees="bnb", balances={"USDT": 10_000.0, "BNB": 0.0004}, others={BNB: rows})
    made.buy(2.0)  # 200.1 * 0.001 * 0.75 / 500
    made.buy(2.0)  # not enough is left
    assert fees(made) == [("0.00030015", "BNB"), ("0.00200000", "BTC")]
    assert made.balance("BNB") == ("0.00009985", "0.00000000")
    rates = made.ok("GET", "account/commission", symbol="BTCUSDT")
    assert rates["discount"] == {
        "enabledForAccount": True, "enabledForSymbol": True, "discountAsset": "BNB", "discount": "0.75000000",
    }  # fmt: skip


def test_bnb_has_a_price_where_it_has_no_candles() -> None:
    made = venue(fees="bnb", balances={"USDT": 10_000.0, "BNB": 1.0}, bnb_price=250.0)
    made.buy(2.0)
    assert fees(made) == [("0.00060030", "BNB")]


def test_in_the_quote_asset_as_paper_books_it() -> None:
    made = venue(fees="quote")
    made.buy(0.7)
    paid = 0.001 * (100.0 * 1.0005) * 0.7
    assert float(fees(made)[0][0]) == paid
    assert made.balance("BTC") == ("0.70000000", "0.00000000")
    left = Decimal(10_000) - Decimal("70.035") - Decimal(repr(paid))
    assert Decimal(made.balance("USDT")[0]) == left


def test_the_makers_rate() -> None:
    made = venue(maker_commission_rate=0.0002)
    made.limit("BUY", 1.0, 99.5)
    made.at(2)
    assert fees(made) == [("0.00020000", "BTC")]
    account = made.ok("GET", "account")
    assert (account["makerCommission"], account["takerCommission"]) == (2, 10)
    assert account["commissionRates"]["maker"] == "0.00020000"


@pytest.mark.parametrize(("worth", "status"), [(100.1501, 200), (100.15, 400)])
def test_with_fees_in_the_quote_asset_there_must_be_something_for_them(worth: float, status: int) -> None:
    made = venue(fees="quote", balances={"USDT": worth})  # 100.05 and a thousandth of it
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 1}
    assert made.send("POST", "order", **params).status == status
