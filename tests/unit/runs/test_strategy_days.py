"""Daily results of several strategies: which day a fill counts to, what they add up to, how they hang together."""

import numpy as np
import pytest

from app.models.orders import Fill, Reason
from app.runs.fill_columns import fills_of
from app.runs.strategy_days import correlation, strategy_days
from app.times import DAY_MS
from tests.made import fill

HOUR_MS = DAY_MS // 24


def realised(strategy: str, hour: float, pnl: float, reason: Reason = Reason.STOP_LOSS) -> Fill:
    return fill(strategy=strategy, time_ms=int(hour * HOUR_MS), realized_pnl=pnl, reason=reason)


FILLS = [
    fill(strategy="a", time_ms=HOUR_MS, opens=True, realized_pnl=0.0, reason=Reason.SIGNAL),
    realised("a", 2, 10.0),
    realised("b", 3, -5.0),
    realised("a", 24, 1.0, Reason.PARTIAL_TARGET),  # midnight ends the day before
    realised("a", 25, -20.0),
    realised("b", 26, 10.0),
    realised("b", 73, 4.0),
    realised("other", 74, 99.0),
]


def test_a_day_has_what_was_realised_on_it_midnight_belongs_to_the_day_before() -> None:
    days = strategy_days(fills_of(FILLS), ("a", "b"), 0, 80 * HOUR_MS)
    assert days.ends_ms.tolist() == [DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 80 * HOUR_MS]
    assert days.realized_pnl.T.tolist() == [[11.0, -20.0, 0.0, 0.0], [-5.0, 10.0, 0.0, 4.0]]
    assert days.contribution.T.tolist() == [[11.0, -9.0, -9.0, -9.0], [-5.0, 5.0, 5.0, 9.0]]


def test_the_correlation_is_pearsons_over_all_days() -> None:
    found = correlation(strategy_days(fills_of(FILLS), ("a", "b"), 0, 80 * HOUR_MS))
    # a - mean: 13.25, -17.75, 2.25, 2.25; b - mean: -7.25, 7.75, -2.25, 1.75.
    expected = (13.25 * -7.25 - 17.75 * 7.75 - 2.25 * 2.25 + 2.25 * 1.75) / (
        (13.25**2 + 17.75**2 + 2 * 2.25**2) * (7.25**2 + 7.75**2 + 2.25**2 + 1.75**2)
    ) ** 0.5
    assert found["a"]["b"] == found["b"]["a"] == pytest.approx(expected)
    assert (found["a"]["a"], found["b"]["b"]) == (1.0, 1.0)
    assert expected == pytest.approx(np.corrcoef([11.0, -20.0, 0.0, 0.0], [-5.0, 10.0, 0.0, 4.0])[0, 1])


def test_what_does_not_vary_has_no_correlation() -> None:
    found = correlation(strategy_days(fills_of(FILLS), ("a", "silent"), 0, 80 * HOUR_MS))
    assert found == {"a": {"a": 1.0, "silent": None}, "silent": {"a": None, "silent": None}}


def test_a_run_of_one_day_or_of_nothing_has_one_day() -> None:
    one = strategy_days(fills_of(FILLS[:3]), ("a", "b"), 0, DAY_MS)
    assert (one.ends_ms.tolist(), one.realized_pnl.tolist()) == ([DAY_MS], [[10.0, -5.0]])
    assert correlation(one) == {"a": {"a": None, "b": None}, "b": {"a": None, "b": None}}
    nothing = strategy_days(fills_of([]), ("a",), 5 * DAY_MS, 5 * DAY_MS)
    assert (nothing.ends_ms.tolist(), nothing.realized_pnl.tolist()) == ([5 * DAY_MS], [[0.0]])


def test_a_fill_at_the_very_start_counts_to_the_first_day() -> None:
    days = strategy_days(fills_of([realised("a", 24, 3.0)]), ("a",), DAY_MS, 2 * DAY_MS)
    assert days.realized_pnl.tolist() == [[3.0]]
