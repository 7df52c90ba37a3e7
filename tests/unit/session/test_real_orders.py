"""What real orders cannot do is refused by name before anybody is asked; the limits are written out."""

from typing import Any

import pytest

from app.errors import ConfigError
from app.session.real_orders import live_settings
from app.settings.profile import OrderSettings, Settings, load_settings
from app.strategies.loader import check_settings

LONG_ONLY = {"name": "ScalpingEMARSI", "params": {"allow_short": False}}
LIVE: dict[str, Any] = {"exchange": "binance", "symbols": ["A/B"], "timeframe": "1m", "strategy": LONG_ONLY}


def live(*overrides: str, **changes: Any) -> Settings:
    settings = load_settings({"live": {**LIVE, **changes}}, overrides)
    return live_settings(settings, check_settings(settings))


def test_the_limits_are_written_out() -> None:
    assert load_settings({"live": LIVE}).trading_mode.orders is None
    assert live().trading_mode.orders == OrderSettings()
    assert live().model_dump(mode="json")["trading_mode"]["orders"] == {
        "max_order_notional": 50.0, "max_daily_orders": 20, "refusals_in_a_row": 5, "recv_window_ms": 3000,
        "answer_s": 15.0, "reconcile_s": 300.0, "protection_gap_s": 30.0, "self_trade_prevention": "EXPIRE_MAKER",
    }  # fmt: skip
    given = live("orders.max_order_notional=", "orders.max_daily_orders=3", "orders.recv_window_ms=60000")
    assert given.trading_mode.orders == OrderSettings(
        max_order_notional=None, max_daily_orders=3, recv_window_ms=60_000
    )


@pytest.mark.parametrize(
    ("overrides", "changes", "said"),
    [
        (["exchange=kraken"], {}, "exchange=kraken: exchange: real orders go to binanceus, binance, binance_demo, not"),
        (["fill=close"], {}, "--set fill=close: fill: close is for simulations; an exchange fills later: set fill: "),
        ([], {"symbols": ["A/B", "A/C"]}, "symbols: a session has one balance, and these are paid for in B, C"),
        ([], {"symbols": ["A/B", "BNB/B"]}, "fees may be taken from BNB, so real orders do not trade it: BNB/B"),
        (["strategy.params.allow_short=true"], {}, "ScalpingEMARSI may go short, which spot cannot: set"),
        ([], {"strategy": {"name": "ScalpingEMARSI"}}, r"set strategy.params.allow_short: false"),
        ([], {"strategy": None, "strategies": [{"id": "x", **LONG_ONLY}, {"id": "y", "name": "ScalpingEMARSI"}]},
         r"set strategies.y.params.allow_short: false"),
    ],
)  # fmt: skip
def test_what_real_orders_cannot_do(overrides: list[str], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        live(*overrides, **changes)
    assert said in str(refused.value)


def test_a_strategy_that_does_not_say_is_asked() -> None:
    live(strategy={"name": "tests.parity.seeded_strategy:Seeded"})


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("orders.max_order_notnal=5", "unknown key orders.max_order_notnal; did you mean orders.max_order_notional?"),
        ("orders.max_order_notional=0", "orders.max_order_notional: it must be above 0 (it is 0)"),
        ("orders.max_daily_orders=1.5", "orders.max_daily_orders: it must be a whole number (it is 1.5)"),
        ("orders.refusals_in_a_row=0", "orders.refusals_in_a_row: it must be at least 1 (it is 0)"),
        ("orders.recv_window_ms=60001", "orders.recv_window_ms: it must be at most 60000 (it is 60001)"),
        ("orders.answer_s=", "orders.answer_s: it must be a number (it is None)"),
        ("orders.self_trade_prevention=none", "orders.self_trade_prevention: it must be 'NONE', 'EXPIRE_MAKER', "),
        ("orders=5", "orders: it must hold keys with values"),
    ],
)
def test_each_key_of_the_limits_is_checked(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        live(override)
    assert said in str(refused.value)
