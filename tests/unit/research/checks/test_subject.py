"""What is checked: its words, its slices, its decisions."""

from pathlib import Path

import pytest

from app.errors import DataError
from app.models.orders import Action
from app.research.checks.answer_log import Answer, AnswerLog
from app.research.checks.request import subject_of
from app.session.backtest import ConfigBacktestRunner
from tests.checked import CACHE, COUNT, subject
from tests.integration.processes import PROJECT


def test_it_is_what_a_backtest_would_run() -> None:
    told: list[str] = []
    runner = ConfigBacktestRunner(
        config=PROJECT / "config/sample/live.yaml", cache=CACHE, start="2020-02-04", end="2020-02-06T12:00",
        overrides=["strategy.timeframe=4h"], offline=True,
    )  # fmt: skip
    checked = subject_of(runner, told.append)
    checked.tell("next")
    assert (checked.strategy, told) == ("ScalpingEMARSI", ["next"])
    assert checked.over == "BTC/USDT 4h, 2020-02-04 to 2020-02-06 12:00"


def test_its_slices_are_those_of_the_run() -> None:
    slices = list(subject("ScalpingEMARSI").slices())
    assert [one.warmup for one in slices] == [True] * 240 + [False] * COUNT
    assert [one.close_time_ms for one in slices] == sorted(one.close_time_ms for one in slices)


def test_no_decision_is_nothing_to_check(tmp_path: Path) -> None:
    checked = subject("ScalpingEMARSI")
    AnswerLog(tmp_path / "answers").close()
    with pytest.raises(DataError, match="is asked for no candle on BTC/USDT 1h, 2020-02-04 to 2020-02-06"):
        checked.count_decisions(tmp_path)
    log = AnswerLog(tmp_path / "answers")
    log.add(Answer("BTC/USDT", 1, Action.FLAT))
    log.close()
    assert checked.count_decisions(tmp_path) == 1
