"""Answers: what makes two the same, and a log that reads back what was written."""

from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from app.models.market import Candle
from app.models.orders import FLAT, Action, Signal
from app.research.checks.answer_log import (
    NOT_ASKED,
    Answer,
    AnswerLog,
    Comparison,
    Difference,
    answer_of,
    compare_logs,
    read_answers,
    relative_difference,
)  # fmt: skip

ANSWER = Answer("A/X", 60_000, Action.LONG, atr=2.0, tag="cross")


def log(path: Path, *answers: Answer) -> Path:
    written = AnswerLog(path)
    for answer in answers:
        written.add(answer)
    written.close()
    return path


def test_a_signal_becomes_an_answer_with_python_numbers() -> None:
    candle = Candle("A/X", "1m", 0, 1.0, 1.0, 1.0, 1.0, 1.0)
    signal = Signal(Action.SHORT, atr=np.float64(3.0), stop=5, size_factor=0.5, tag="t")
    answer = answer_of(candle, signal, {"ema": np.float64(1.5), "rsi": None})
    assert answer == Answer("A/X", 60_000, Action.SHORT, 3.0, 5.0, None, 0.5, "t", {"ema": 1.5, "rsi": None})
    assert (type(answer.atr), type(answer.stop)) == (float, float)
    assert str(answer) == "SHORT atr=3.0 stop=5.0 size_factor=0.5 tag='t'"
    assert str(answer_of(candle, FLAT)) == "FLAT"
    assert answer.candle == "A/X, candle closed at 1970-01-01T00:01:00.000Z"


@pytest.mark.parametrize(
    "change",
    [{"symbol": "B/X"}, {"close_time_ms": 1}, {"action": Action.SHORT}, {"atr": 2.0000000000000004}, {"atr": None},
     {"stop": 1.0}, {"target": 1.0}, {"size_factor": 0.5}, {"tag": ""}],
)  # fmt: skip
def test_everything_makes_another_answer(change: dict[str, object]) -> None:
    other = structs.replace(ANSWER, **change)
    assert not ANSWER.is_same(other)
    assert ANSWER.same_decision(other) == (set(change) <= {"atr", "stop", "target", "size_factor"})


def test_a_nan_is_the_same_as_a_nan() -> None:
    assert structs.replace(ANSWER, atr=nan).is_same(structs.replace(ANSWER, atr=nan))
    assert not structs.replace(ANSWER, atr=nan).is_same(ANSWER)


@pytest.mark.parametrize(
    ("left", "right", "difference"),
    [(1.0, 1.0, 0.0), (-1.0, 1.0, 2.0), (99.0, 100.0, 0.01), (None, None, 0.0), (None, 1.0, inf), (inf, 1.0, inf),
     (inf, inf, 0.0), (nan, 1.0, inf), (0.0, 1e-300, 1.0)],
)  # fmt: skip
def test_relative_difference(left: float | None, right: float | None, difference: float) -> None:
    assert relative_difference(left, right) == relative_difference(right, left) == pytest.approx(difference)


def test_the_largest_difference_counts_indicators_where_both_have_them() -> None:
    with_ema = structs.replace(ANSWER, indicators={"ema": 100.0})
    assert with_ema.difference(structs.replace(ANSWER, indicators={"ema": 99.0})) == pytest.approx(0.01)
    assert with_ema.difference(structs.replace(ANSWER, indicators={})) == inf
    assert with_ema.difference(ANSWER) == 0.0


def test_a_log_reads_back_and_a_cut_one_as_far_as_it_goes(tmp_path: Path) -> None:
    answers = [ANSWER, structs.replace(ANSWER, close_time_ms=120_000, atr=0.1, indicators={"rsi": None})]
    path = log(tmp_path / "log", *answers)
    assert list(read_answers(path)) == answers
    path.write_bytes(path.read_bytes()[:-1])
    assert list(read_answers(path)) == answers[:1]


def test_two_logs_held_together(tmp_path: Path) -> None:
    flat = Answer("A/X", 120_000, Action.FLAT)
    later = structs.replace(flat, close_time_ms=180_000)
    left = log(tmp_path / "left", ANSWER, flat, later)
    right = log(tmp_path / "right", structs.replace(ANSWER, atr=2.002), structs.replace(flat, action=Action.EXIT))
    loose = compare_logs(left, right, to_the_bit=False)
    assert loose == Comparison(3, 2, Difference(flat.candle, "FLAT", "EXIT"), loose.largest_difference)
    assert loose.largest_difference == pytest.approx(0.002 / 2.002)
    exact = compare_logs(left, right, to_the_bit=True)
    assert (exact.differing, exact.first) == (
        3,
        (ANSWER.candle, "LONG atr=2.0 tag='cross'", "LONG atr=2.002 tag='cross'"),
    )
    assert compare_logs(left, left, to_the_bit=True) == Comparison(3, 0, None, 0.0)
    only = compare_logs(log(tmp_path / "none"), log(tmp_path / "one", later), to_the_bit=True)
    assert only.first == (later.candle, NOT_ASKED, "FLAT")
