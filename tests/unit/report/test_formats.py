"""Figures as text, by their names."""

import pytest

from app.report.formats import (
    at,
    clock_text,
    countdown,
    counts_text,
    duration_text,
    exact,
    figure,
    label,
    minute_text,
    moment_text,
    money,
    percent,
    rounded_duration,
    time_text,
    tone,
    value_text,
)  # fmt: skip


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


def test_numbers_counts_and_times() -> None:
    assert [money(-1234.5), money(2.0, "+"), money(None)] == ["-1,234.50", "+2.00", "n/a"]
    assert [percent(1234.5), percent(2.0, "+"), percent(None)] == ["1234.50 %", "+2.00 %", "n/a"]
    assert [exact(4079.94), exact(None), exact("held")] == ["4,079.94", "none yet", "held"]
    assert [figure(0.0), figure(None, absent="-")] == ["0.00", "-"]
    assert counts_text({"late": 1, "none": 0, "stale": 2_000}) == "late 1, stale 2,000"
    spans = (None, 119.0, 120.0, 7_199.0, 86_400.0, 172_800.0)
    assert [rounded_duration(one) for one in spans] == ["n/a", "119 s", "2.0 min", "120.0 min", "24.0 h", "2.0 days"]
    assert [countdown(one) for one in (7.4, 3_998.0)] == ["0:07", "1:06:38"]
    assert [minute_text(86_400_000), clock_text(86_461_000)] == ["1970-01-02 00:00", "00:01"]
    assert [moment_text(one) for one in (86_400_000, 86_461_000)] == ["1970-01-02 00:00", "1970-01-02 00:01:01"]
