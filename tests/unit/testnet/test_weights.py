"""Weights and bans, with times written out: windows of a minute, 429, then bans that double."""

import pytest

from app.testnet.weights import REFUSALS_MAX, Refusal, WeightLimit, signed_weight


def test_a_window_is_a_minute_and_every_request_counts() -> None:
    weights = WeightLimit(10)
    assert [weights.charge(5, 1.0), weights.charge(5, 59.9)] == [None, None]
    assert weights.charge(1, 59.95) == Refusal(429, 1)
    assert weights.used == 11
    assert weights.charge(10, 60.0) is None
    assert weights.used == 10
    assert weights.charge(1, 61.5) == Refusal(429, 59)


def test_who_goes_on_is_banned_each_time_for_twice_as_long() -> None:
    weights = WeightLimit(1)
    assert weights.charge(1, 0.0) is None
    assert {weights.charge(1, 0.5) for _ in range(REFUSALS_MAX)} == {Refusal(429, 60)}
    assert weights.charge(1, 1.0) == Refusal(418, 120)
    assert weights.charge(1, 100.5) == Refusal(418, 21)
    assert weights.is_banned(120.9) and not weights.is_banned(121.0)
    assert weights.charge(1, 121.0) is None
    for _ in range(REFUSALS_MAX):
        assert weights.charge(1, 122.0) == Refusal(429, 58)
    assert weights.charge(1, 122.0) == Refusal(418, 240)


def test_without_a_limit_it_only_counts() -> None:
    weights = WeightLimit(None)
    assert {weights.charge(1, 1.0) for _ in range(5_000)} == {None}
    assert weights.used == 5_000
    assert weights.ban(2.0, 0.5) == Refusal(418, 1)
    assert weights.charge(1, 2.4) == Refusal(418, 1)
    assert weights.charge(1, 2.6) is None


def test_a_longer_ban_stays() -> None:
    weights = WeightLimit(None)
    weights.ban(0.0, 10.0)
    weights.ban(1.0, 2.0)
    assert weights.is_banned(9.9)


@pytest.mark.parametrize(
    ("method", "path", "params", "weight"),
    [
        ("POST", "order", {}, 1),
        ("GET", "order", {}, 4),
        ("GET", "openOrders", {"symbol": "BTCUSDT"}, 6),
        ("GET", "openOrders", {}, 80),
        ("GET", "myTrades", {}, 20),
        ("GET", "myTrades", {"orderId": "5"}, 5),
        ("POST", "order/test", {}, 1),
        ("POST", "order/test", {"computeCommissionRates": "true"}, 20),
    ],
)
def test_signed_requests(method: str, path: str, params: dict[str, str], weight: int) -> None:
    assert signed_weight(method, path, params) == weight
