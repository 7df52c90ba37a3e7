"""A workbench: one task after another from the same candles, errors that name the trial, and its way to elsewhere."""

import asyncio
import pickle
import shutil
from pathlib import Path

import msgspec
import pytest

from app.errors import ConfigError, DataError, StrategyError
from app.research.trial import Outcome, Task
from app.research.workbench import SharedCache, Workbench, packed_answer, peak_memory_mib
from app.settings.profile import load_settings
from tests.searches import CACHE, END_MS, START_MS, bench, runner, settings

TASK = Task(7, ("strategy.params.ema_fast=5",), START_MS, END_MS)
OWN = """from app.strategies.base import FLAT, Strategy, long
class Own(Strategy):
    def __init__(self, every: int = 50) -> None:
        self.every, self.seen = every, 0
    async def on_candle(self, candle, view):
        self.seen += 1
        return long(atr=10.0) if self.seen % self.every == 0 else FLAT
class Other(Own):
    pass
"""


def test_a_task_is_a_backtest_whatever_came_before() -> None:
    own = bench()
    first = own.answer(TASK)
    own.answer(Task(8, ("risk.reward_risk_ratio=3",), START_MS, END_MS))
    assert own.answer(TASK) == first
    assert bench().answer(TASK) == first
    packed, memory_mib = packed_answer(own, list(TASK))
    assert msgspec.json.decode(packed, type=Outcome) == first
    assert 10.0 < memory_mib <= peak_memory_mib()


def test_an_error_names_the_trial() -> None:
    with pytest.raises(ConfigError, match=r"^trial 3 \(--set strategy.params.ema_fast=50\): .*must be below ema_slow"):
        bench().answer(Task(3, ("strategy.params.ema_fast=50",), START_MS, END_MS))
    with pytest.raises(DataError, match="needs candles, or a cache"):
        Workbench(settings(), START_MS, END_MS).answer(TASK)


@pytest.mark.parametrize("class_name", ["", ":Other"])
def test_it_travels_with_its_candles_and_the_strategys_file(tmp_path: Path, class_name: str) -> None:
    file = tmp_path / "here/own.py"
    file.parent.mkdir()
    file.write_text(OWN if class_name else OWN.partition("class Other")[0])
    own = bench(load_settings(settings(), strategy=f"{file}{class_name}"))
    task = Task(1, ("strategy.params.every=20",), START_MS, END_MS)
    here = own.answer(task)
    sent = pickle.dumps(own.packed(with_candles=True))
    file.unlink()
    there = pickle.loads(sent).unpacked(tmp_path / "there", None)
    assert there.answer(task) == here
    assert here.performance["total_trades"] > 10
    with pytest.raises(StrategyError, match="does not exist"):
        own.answer(task)


def test_or_it_reads_them_from_shared_storage(tmp_path: Path) -> None:
    shutil.copytree(CACHE, tmp_path / "shared")
    shared = SharedCache.of(f"file://{tmp_path}/shared", asyncio.run(runner().plan()).months)
    sent = pickle.loads(pickle.dumps(bench().packed(with_candles=False)))
    assert sent.candles is None
    there = sent.unpacked(tmp_path / "there", shared)
    shutil.rmtree(tmp_path / "shared")
    assert there.answer(TASK) == bench().answer(TASK)
