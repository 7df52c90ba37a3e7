"""Balances never go below zero, and unfilled orders are counted in windows of 10 seconds and a day."""

from decimal import Decimal

import pytest

from app.testnet.trading_account import TradingAccount, opened_balances
from app.testnet.trading_errors import Refused

D = Decimal


def account(limits: tuple[int, int] = (3, 5)) -> TradingAccount:
    return TradingAccount("me", 1, opened_balances({"USDT": 10.0}), True, False, True, limits)


def test_moving_money() -> None:
    held = account()
    held.move("USDT", free=D(-4), locked=D(4))
    held.move("BTC", free=D("0.1"))
    assert (held.free("USDT"), held.total("USDT"), held.free("BTC"), held.free("ETH"), held.total("ETH")) == (
        D(6), D(10), D("0.1"), D(0), D(0),
    )  # fmt: skip
    assert list(held.touched) == ["USDT", "BTC"]


@pytest.mark.parametrize("change", [{"free": D(-11)}, {"locked": D(-1)}])
def test_below_zero_is_a_bug(change: dict[str, Decimal]) -> None:
    with pytest.raises(AssertionError, match="USDT went below zero"):
        account().move("USDT", **change)


def test_counts_go_with_their_windows() -> None:
    held = account()
    held.count(2, 19_000)
    assert held.counts(19_999) == {"10S": 2, "1D": 2}
    assert held.counts(20_000) == {"10S": 0, "1D": 2}
    held.count(-1, 20_000)  # a fill of one from the window before
    assert held.counts(20_000) == {"10S": 0, "1D": 1}
    assert held.counts(86_400_000) == {"10S": 0, "1D": 0}


def test_too_many_in_10_seconds_and_in_a_day() -> None:
    held = account()
    held.check_count(3, 0)
    held.count(2, 0)
    with pytest.raises(Refused, match="current limit is 3 orders per 10 SECOND") as refused:
        held.check_count(2, 9_999)
    assert (refused.value.status, refused.value.code) == (429, -1015)
    held.check_count(2, 10_000)
    held.count(3, 10_000)
    with pytest.raises(Refused, match="current limit is 5 orders per 1 DAY"):
        held.check_count(1, 20_000)
