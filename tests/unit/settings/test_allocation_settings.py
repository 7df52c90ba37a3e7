"""`allocation:` of live.yaml: its two forms, what goes with it, and one line for each mistake."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.models.allocation import Allocation, Method
from app.settings.profile import Settings, load_settings


def load(given: Any, *overrides: str, live: dict[str, Any] | None = None, **of_first: Any) -> Settings:
    strategies = [{"id": "trend", "name": "ScalpingEMARSI", **of_first}, {"id": "range", "name": "ScalpingEMARSI"}]
    own = {"exchange": "test", "symbols": ["AAA/X"], "timeframe": "1m", "strategies": strategies, **(live or {})}
    return load_settings({"live": {**own, "allocation": given}}, overrides)


@pytest.mark.parametrize("method", list(Method))
def test_a_name_alone_and_a_mapping_are_one(method: Method) -> None:
    short, long = load(method.value), load({"method": method.value, "every_days": 7, "lookback_days": 30})
    assert short.model_dump(mode="json") == long.model_dump(mode="json")
    assert short.live.allocation is not None
    assert short.live.allocation.allocation() == Allocation(method, 7, 30)
    assert [one.allocation for one in short.strategies] == [0.5, 0.5]
    again = load_settings(short.model_dump(mode="json"))
    assert again.live == short.live


def test_without_it_nothing_is_told_of_it() -> None:
    assert "allocation" not in load(None).model_dump(mode="json")["live"]


def test_a_key_of_it_can_be_set_over_both_forms() -> None:
    for given in ("risk_parity", {"method": "risk_parity", "every_days": 7}):
        allocation = load(given, "allocation.lookback_days=12").live.allocation
        assert allocation is not None
        assert allocation.allocation() == Allocation(Method.RISK_PARITY, 7, 12)
    allocation = load(None, "allocation=equal").live.allocation
    assert allocation is not None
    assert allocation.method == "equal"


def test_a_single_strategy_by_its_name_takes_all() -> None:
    settings = load_settings(load("equal"), strategy="ScalpingEMARSI")
    assert settings.live.allocation is None
    assert [one.allocation for one in settings.strategies] == [1.0]


@pytest.mark.parametrize(
    ("allocation", "problem"),
    [
        ("risk_party", "allocation.method: unknown allocation method 'risk_party'; did you mean risk_parity?"),
        (
            "fixed",
            "allocation.method: unknown allocation method 'fixed'; known are equal, inverse_volatility, risk_parity",
        ),
        ({"every_days": 3}, "allocation.method is missing"),
        ({"method": "equal", "every_day": 3}, "unknown key allocation.every_day; did you mean allocation.every_days?"),
        ({"method": "equal", "every_days": 0}, "allocation.every_days: it must be at least 1 (it is 0)"),
        ({"method": "equal", "every_days": 1.5}, "allocation.every_days: it must be a whole number (it is 1.5)"),
        ({"method": "equal", "lookback_days": 1}, "allocation.lookback_days: it must be at least 2 (it is 1)"),
        (
            0.5,
            "allocation: it must be one of equal, inverse_volatility, risk_parity, or hold method, every_days and "
            "lookback_days (it is 0.5)",
        ),
        (
            ["equal"],
            "allocation: it must be one of equal, inverse_volatility, risk_parity, or hold method, every_days and "
            "lookback_days",
        ),
    ],
)  # fmt: skip
def test_mistakes(allocation: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(allocation)
    assert str(caught.value) == f"config['live']: {problem}"


def test_it_does_not_go_with_fixed_numbers_or_with_one_strategy() -> None:
    with pytest.raises(ConfigError) as caught:
        load("equal", allocation=0.3)
    assert str(caught.value) == (
        "config['live']: allocation: strategies.trend.allocation is given, too; take one of them out"
    )
    with pytest.raises(ConfigError) as caught:
        load("equal", live={"strategies": None, "strategy": {"name": "ScalpingEMARSI"}})
    assert str(caught.value) == (
        "config['live']: allocation: it shares the equity among a list of strategies, and the config has none"
    )
    with pytest.raises(ConfigError, match=r"^--set allocation=equal: allocation: strategies\.trend\.allocation is"):
        load(None, "allocation=equal", allocation=0.3)
