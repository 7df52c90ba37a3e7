"""The checks over several strategies: each answer belongs to a line; limits and managed exits are part of an answer."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.errors import StrategyError
from app.models.exits import Exits, Trailing, parse_exits
from app.models.orders import Action, Signal
from app.research.checks.answer_log import answer_of
from app.research.checks.data_frames import check_frames
from app.research.checks.determinism import WORLDS, find_determinism
from app.research.checks.lookahead import find_lookahead
from app.research.checks.request import Subject, Task
from app.research.checks.strategy_process import ask
from app.research.checks.warmup import find_warmup
from app.session.backtest import ConfigBacktestRunner
from tests.cheats import CACHE, cheat
from tests.made import candle

HONEST = """
    async def on_candle(self, candle, view):
        return side(candle.close > candle.open, candle)
"""
LIMIT = """
    async def on_candle(self, candle, view):
        following = closes(["2020-02"]).get(candle.open_time_ms + HOUR_MS, candle.close)
        return long(atr=10.0, limit=following)
"""
EXITS = """
    async def on_candle(self, candle, view):
        following = closes(["2020-02"]).get(candle.open_time_ms + HOUR_MS, candle.close)
        return long(atr=10.0, exits={"trailing": {"distance_r": 1.0 if following > candle.close else 2.0}})
"""
CLOCK = """
    async def on_candle(self, candle, view):
        return long(atr=10.0, valid_candles=1 + int(time.time()) % 5, limit=candle.close)
"""
FAILING = """
    async def on_candle(self, candle, view):
        return side(1 / 0, candle)
"""
STARTING = """
    def __init__(self):
        self.first = None

    async def on_candle(self, candle, view):
        self.first = self.first or candle.close
        return long(atr=10.0, limit=candle.close) if candle.close > self.first else FLAT
"""


def subject(tmp_path: Path, symbols: int = 1, **bodies: str) -> Subject:
    """Two days of the sample with a strategy for each body, by its id."""
    strategies: list[dict[str, Any]] = []
    for name, body in bodies.items():
        (tmp_path / name).mkdir(parents=True)
        strategies.append({"id": name, "name": cheat(tmp_path / name, body)})
    live = {"exchange": "binance", "symbols": ["BTC/USDT"], "timeframe": "1h", "startup_candles": 24}
    runner = ConfigBacktestRunner(
        config={"live": {**live, "strategies": strategies}}, cache=CACHE, start="2020-02-04", end="2020-02-05",
        offline=True,
    )  # fmt: skip
    return Subject(asyncio.run(runner.plan()), CandleCache(CACHE), lambda _: None)


def test_all_that_a_signal_brings_is_in_its_answer() -> None:
    exits = parse_exits({"trailing": {"distance_r": 1.0}, "partial": [{"at_r": 1.0, "fraction": 0.5}]})
    signal = Signal(Action.LONG, atr=2.0, limit=99.5, valid_candles=3, exits=exits)
    one = answer_of(candle(), signal, strategy="trend")
    assert str(one) == (
        "LONG atr=2.0 limit=99.5 valid_candles=3 trailing.distance_r=1.0 trailing.from_r=0.0 partial.1.at_r=1.0 "
        "partial.1.fraction=0.5"
    )  # fmt: skip
    assert one.candle.startswith("trend BTC/USDT, candle closed at ")
    for other in (
        Signal(Action.LONG, atr=2.0, limit=99.0, valid_candles=3, exits=exits),
        Signal(Action.LONG, atr=2.0, limit=99.5, valid_candles=3, exits=Exits(trailing=Trailing(distance_r=1.1))),
        Signal(Action.LONG, atr=2.0, limit=99.5, valid_candles=2, exits=exits),
    ):
        assert not one.is_same(answer_of(candle(), other, strategy="trend"))
    assert not one.is_same(answer_of(candle(), signal, strategy="dip"))
    near = parse_exits({"trailing": {"distance_r": 1.0 + 1e-12}, "partial": [{"at_r": 1.0, "fraction": 0.5}]})
    nearly = answer_of(
        candle(), Signal(Action.LONG, atr=2.0, limit=99.5, valid_candles=3, exits=near), strategy="trend"
    )
    assert one.same_decision(nearly)
    assert 0.0 < one.difference(nearly) < 1e-11


@pytest.mark.parametrize(("body", "what"), [(LIMIT, "limit="), (EXITS, "trailing.distance_r=")])
def test_a_future_that_shows_in_a_limit_or_an_exit_is_found(tmp_path: Path, body: str, what: str) -> None:
    found = find_lookahead(subject(tmp_path, honest=HONEST, cheat=body))
    assert not found.is_clean
    assert found.strategy == "honest, cheat"
    assert found.findings[0].candle.startswith("cheat BTC/USDT, candle closed at ")
    assert what in found.findings[0].with_future
    assert found.decisions == 48


def test_honest_neighbours_are_clean(tmp_path: Path) -> None:
    found = find_lookahead(subject(tmp_path, one=HONEST, two=STARTING))
    assert (found.is_clean, found.decisions) == (True, 48)


def test_what_depends_on_the_clock_is_named_with_its_line(tmp_path: Path) -> None:
    found = find_determinism(subject(tmp_path, one=HONEST, two=CLOCK), WORLDS[:2])
    assert found.difference is not None
    assert found.difference.candle.startswith("two BTC/USDT, candle closed at ")


def test_a_start_that_is_never_forgotten_is_named_with_its_line(tmp_path: Path) -> None:
    found = find_warmup(subject(tmp_path, one=HONEST, two=STARTING), 48)
    assert found.witness is not None
    assert found.witness.first is not None
    assert found.witness.first.startswith("two BTC/USDT, candle closed at ")
    assert found.strategy == "one, two"


def test_a_strategy_that_fails_is_named(tmp_path: Path) -> None:
    checked = subject(tmp_path, one=HONEST, two=FAILING)
    with pytest.raises(StrategyError, match=r"a strategy fails at two BTC/USDT, candle closed at .*ZeroDivisionError"):
        ask(checked.request(Task.RUN, tmp_path / "run"))


FRAMES = """
    def add_indicators(self, df):
        return df.assign(label=df["close"].SHIFTED)

    async def on_candle(self, candle, view):
        return FLAT
"""


def test_data_frames_are_checked_strategy_by_strategy(tmp_path: Path) -> None:
    honest, shifted = FRAMES.replace("SHIFTED", "shift(1)"), FRAMES.replace("SHIFTED", "shift(-1)")
    checked = subject(tmp_path, plain=HONEST, honest=honest, cheat=shifted)
    request = checked.request(Task.FRAMES, tmp_path / "frames", rows_max=50)
    found = check_frames(request, checked.plan)
    assert (found.rows, found.has_signals) == (2 * 24, False)
    assert found.difference is not None
    assert found.difference.symbol == "cheat BTC/USDT"
    clean = subject(tmp_path / "more", plain=HONEST, honest=honest)
    assert check_frames(clean.request(Task.FRAMES, tmp_path / "again", rows_max=50), clean.plan).difference is None
