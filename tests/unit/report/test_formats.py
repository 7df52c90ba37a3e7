"""Figures as text, by their names."""

import pytest

from app.report.formats import at, duration_text, label, time_text, tone, value_text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("total_return_pct", 2.139, "+2.14 %"),
        ("max_drawdown_pct", 32.7, "32.70 %"),
        ("win_rate", 37.0968, "37.10 %"),
        ("final_equity", 1234567.891, "1,234,567.89"),
        ("realized_pnl", -0.5, "-0.50"),
        ("expectancy", 2.0, "+2.00"),
        ("expectancy_r", 0.126, "0.13"),
        ("total_trades", 1054, "1,054"),
        ("average_holding_s", 54409.8, "15 h 6 min"),
        ("longest_drawdown_days", 2093.125, "2,093.1 days"),
        ("profit_factor", None, "n/a"),
        ("odd", {"a": 1}, "n/a"),
        ("word", "x", "x"),
    ],
)
def test_value(key: str, value: object, text: str) -> None:
    assert value_text(key, value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1 min"), (3_600, "1 h"), (882_000, "10 d 5 h"), (61, "1 min 1 s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_labels_and_tones() -> None:
    assert [label(key) for key in ("max_drawdown_pct", "cagr_pct", "var_95_pct", "expectancy_r", "realized_pnl")] == [
        "Max drawdown", "CAGR", "VaR 95 %", "Expectancy (R)", "Realized PnL",
    ]  # fmt: skip
    assert [tone("total_return_pct", value) for value in (1.0, -1.0, 0.0, None)] == ["good", "bad", "", ""]
    assert tone("max_drawdown_pct", 3.0) == ""


def test_what_is_not_there() -> None:
    assert at({"a": {"b": 1}}, "a.b") == 1
    assert [at({"a": {"b": 1}}, path) for path in ("a.c", "a.b.c", "x.y")] == [None, None, None]
    assert (time_text(None), time_text("2025-10-30T00:01:00.000Z")) == ("n/a", "2025-10-30 00:01")
