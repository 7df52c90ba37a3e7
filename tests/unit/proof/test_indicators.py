"""Indicators of a run, candle by candle: those of the strategy that was fed the candles by hand."""

import asyncio
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.errors import DataError, StrategyError
from app.proof.indicators import Trail, trails
from app.proof.rebuild import source_of
from app.strategies.base import FLAT, Candle, Signal, Strategy, View
from app.strategies.scalping_ema_rsi import ScalpingEMARSI
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import CONFIG, START_MS, market, replay, session, slices_of


class Broken(Strategy):
    """Its indicators cannot be said."""

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        return FLAT

    def indicator_values(self) -> dict[str, float]:
        return {"one": 1.0 / 0.0}


class Silent(Strategy):
    """It has none."""

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        return FLAT


def of(name: str) -> dict[str, object]:
    return {**CONFIG, "live": {**CONFIG["live"], "strategy": {"name": f"tests.unit.proof.test_indicators:{name}"}}}


def look(run: Path, symbol: str = "AAA/X", count: int = 50) -> list[Trail]:
    source = source_of(run, [CandleCache(run.with_name("run_cache"))], START_MS)
    return asyncio.run(trails(source, symbol, count))


def by_hand(count: int) -> list[tuple[int, dict[str, float | None]]]:
    """The shipped strategy over all candles of AAA/X, warm-up first."""
    strategy = ScalpingEMARSI(**CONFIG["live"]["strategy"]["params"])
    found = []
    for row in market()["AAA/X"]:
        asyncio.run(strategy.on_candle(Candle("AAA/X", "1m", *row), None))  # type: ignore[arg-type]
        found.append((row[0], strategy.indicator_values()))
    return found[-count:]


def test_they_are_those_after_each_candle(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    [trail] = look(run)
    wanted = by_hand(50)
    assert list(trail.times_ms) == [time_ms for time_ms, _ in wanted]
    assert list(trail.rows) == [values for _, values in wanted]
    told = trail.as_dict()
    assert (told["strategy"], list(told["values"])) == ("main", ["ema_fast", "ema_slow", "rsi", "atr", "volume_sma"])
    assert told["values"]["rsi"] == [values["rsi"] for _, values in wanted]


def test_of_a_session_that_broke_off_as_far_as_its_tape_goes(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "candles", market())
    run = session(tmp_path / "run", slices[:200], finish=False)
    [trail] = look(run, count=1_000)
    assert trail.times_ms[-1] == slices[199].candles[0].open_time_ms
    wanted = [one for one in by_hand(10_000) if one[0] <= trail.times_ms[-1]]
    assert list(zip(trail.times_ms, trail.rows, strict=True)) == wanted


def test_who_cannot_say_and_who_has_none(tmp_path: Path) -> None:
    broken = session(tmp_path / "broken", slices_of(tmp_path / "candles", market())[:3], config=of("Broken"))
    with pytest.raises(StrategyError, match="strategy Broken cannot say its indicators: ZeroDivisionError"):
        look(broken)
    silent = session(tmp_path / "silent", slices_of(tmp_path / "candles", market())[:3], config=of("Silent"))
    assert look(silent) == []
    with pytest.raises(DataError, match=r"XRP/X is no symbol of this run \(AAA/X, BBB/X\)"):
        look(silent, "XRP/X")


def test_a_candle_behind_a_newer_one_has_no_place(tmp_path: Path) -> None:
    [trail] = look(session(tmp_path / "run", slices_of(tmp_path / "candles", market())[:90], finish=False), count=5)
    before = trail.as_dict()
    trail.add(trail.times_ms[-1] - MINUTE_MS, {"rsi": 1.0})
    assert trail.as_dict() == before
