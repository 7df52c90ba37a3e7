"""The objective: by name, undefined with a reason, refused where no trial could have it."""

import pytest

from app.errors import ConfigError
from app.research.study import FIGURES, parse_objective
from app.research.trial import Task
from app.times import DAY_MS
from tests.searches import InlineWorkers, outcome, plan


def test_names_and_signs() -> None:
    assert parse_objective("return", 1, 0, DAY_MS).figure == "total_return_pct"
    assert parse_objective("drawdown", 1, 0, DAY_MS).sign == -1.0
    assert parse_objective("sharpe", 1, 0, 30 * DAY_MS).sign == 1.0
    assert parse_objective("return", 0, 0, DAY_MS).min_trades == 1


@pytest.mark.parametrize(
    ("name", "days", "told"),
    [
        ("sharp", 60, "--objective: unknown sharp; did you mean sharpe?"),
        ("profit", 60, "did you mean profit_factor?"),
        ("sharpe", 29, "--objective sharpe needs 30 days, the period has 29"),
        ("calmar", 7, "needs 30 days"),
    ],
)
def test_bad_input(name: str, days: int, told: str) -> None:
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        parse_objective(name, 1, 0, days * DAY_MS)


def test_undefined_is_none_with_a_reason() -> None:
    returned = parse_objective("return", 10, 0, DAY_MS)
    few, none, enough = (outcome(1.5, trades=9), outcome(None), outcome(1.5, trades=10))
    assert returned.value(few.performance) is None
    assert returned.why_undefined(few.performance) == "fewer than 10 trades"
    assert returned.why_undefined(none.performance) == "no trades"
    assert returned.value(enough.performance) == 1.5
    sharpe = parse_objective("sharpe", 1, 0, 30 * DAY_MS)
    assert sharpe.why_undefined(enough.performance) == "sharpe is undefined"


def test_every_figure_is_one_of_a_run() -> None:
    made = plan()
    ((_, found),) = InlineWorkers().run([Task(1, (), made.start_ms, made.end_ms)])
    assert set(FIGURES) <= set(found.performance)
