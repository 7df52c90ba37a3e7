"""Observed runs: every decision noted once, the run itself unchanged; whole and step by step the same."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from app.models.events import EndOfData
from app.models.orders import Action
from app.research.checks.answer_log import ANSWERS, Answer, read_answers
from app.research.checks.observed_run import (
    RUN,
    SteppedRun,
    StrategyFailedError,
    candles_asked,
    plan_of,
    run_whole,
)  # fmt: skip
from app.research.checks.request import Request, Task
from app.session.backtest import ConfigBacktestRunner
from tests.cheats import HOUR_MS, cheat
from tests.checked import CACHE, COUNT, START_MS, subject
from tests.integration.processes import PROJECT

LONG_EACH = "\n    async def on_candle(self, candle, view):\n        return side(True, candle)\n"


def whole(request: Request, folder: Path) -> list[Answer]:
    asyncio.run(run_whole(request, plan_of(request), folder))
    return list(read_answers(folder / ANSWERS))


def stepped(request: Request, folder: Path) -> list[Answer]:
    async def run() -> list[Answer]:
        plan = plan_of(request)
        one, answers = SteppedRun(request, plan, folder), list[Answer]()
        for burst in request.feed(plan.settings).bursts():
            for slice_ in burst:
                answers += await one.handle(slice_)
        assert await one.handle(EndOfData()) == []
        one.close()
        return answers

    return asyncio.run(run())


@pytest.mark.parametrize(("timeframe", "count"), [("1h", COUNT), ("4h", COUNT // 4)])
def test_every_decision_is_noted_once_whole_or_in_steps(timeframe: str, count: int, tmp_path: Path) -> None:
    checked = subject("ScalpingEMARSI", f"strategy.timeframe={timeframe}")
    request = checked.request(Task.RUN, tmp_path, indicators=True)
    answers = whole(request, tmp_path / "whole")
    step_ms = 48 // count * HOUR_MS
    assert [one.close_time_ms for one in answers] == [START_MS + step_ms * (i + 1) for i in range(count)]
    assert all(one.indicators and one.indicators["atr"] for one in answers)
    plain = [msgspec.structs.replace(one, indicators=None) for one in answers]
    assert stepped(checked.request(Task.STEP, tmp_path), tmp_path / "steps") == plain


def test_the_run_is_that_of_a_backtest_to_the_byte(tmp_path: Path) -> None:
    strategy = cheat(tmp_path, LONG_EACH)
    answers = whole(subject(strategy).request(Task.RUN, tmp_path), tmp_path / "whole")
    assert [one.action for one in answers] == [Action.LONG] * COUNT
    runner = ConfigBacktestRunner(
        config=PROJECT / "config/sample/live.yaml", cache=CACHE, start="2020-02-04", end="2020-02-06",
        strategy=strategy, out=tmp_path / "real", offline=True,
    )  # fmt: skip
    results = runner.run()
    for key, name in (("trades", f"{RUN}.csv"), ("signals", "signals.csv"), ("equity", "equity.parquet")):
        real = tmp_path / "real" / results["files"][key]
        assert (tmp_path / "whole" / RUN / name).read_bytes() == real.read_bytes()
    assert results["signals_generated"] == COUNT


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        ("    async def on_candle(self, candle, view):\n        1 / (candle.open_time_ms - 1580842800000)\n"
         "        return FLAT\n", "BTC/USDT, candle closed at 2020-02-04T20:00:00.000Z", "ZeroDivisionError: "),
        ("    async def on_candle(self, candle, view):\n        return None\n",
         "BTC/USDT, candle closed at 2020-02-04T01:00:00.000Z", "on_candle returned None"),
        ("    async def on_candle(self, candle, view):\n        sys.exit(3)\n",
         "BTC/USDT, candle closed at 2020-01-25T01:00:00.000Z", "SystemExit: 3"),
    ],
)  # fmt: skip
def test_what_a_strategy_raises_is_told_with_its_candle(body: str, where: str, what: str, tmp_path: Path) -> None:
    request = subject(cheat(tmp_path, "\n" + body)).request(Task.RUN, tmp_path)
    for run in (whole, stepped):
        with pytest.raises(StrategyFailedError) as raised:
            run(request, tmp_path / run.__name__)
        assert (raised.value.where, what in str(raised.value)) == (where, True)


def test_the_candles_that_it_is_asked_about(tmp_path: Path) -> None:
    request = subject("ScalpingEMARSI", "strategy.timeframe=4h").request(Task.FRAMES, tmp_path)
    candles = list(candles_asked(request, plan_of(request)))
    assert {one.timeframe for one in candles} == {"4h"}
    assert len(candles) == (240 + COUNT) // 4
    assert candles[-1].close_time_ms == START_MS + COUNT * HOUR_MS
