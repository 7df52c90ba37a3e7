"""Task order decides nothing: random suspensions inside every stage leave the trade log as it is, byte for byte."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.models.market import Slice
from app.runtime.runtime import TradingRuntime
from app.strategies.base import View
from tests.integration.sessions import Disturb, ListFeed, market_slices, run_to_end

T = TypeVar("T")
STAGES = (
    ("broker", "on_slice"),
    ("broker", "submit"),
    ("broker", "cancel_entry"),
    ("broker", "close_all_positions"),
    ("safety", "on_slice"),
    ("safety", "gate"),
    ("execution", "submit_order"),
)


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    return market_slices(tmp_path_factory.mktemp("cache"), seed=2)


def suspending(seed: int, counter: list[int]) -> Disturb:
    """Wraps every awaited stage so that it gives way to other tasks at random, before and after."""
    rng = random.Random(seed)

    async def give_way() -> None:
        for _ in range(rng.choice((0, 0, 1, 3))):
            counter[0] += 1
            await asyncio.sleep(0)

    def wrapped(stage: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        async def run(*args: Any) -> T:
            await give_way()
            result = await stage(*args)
            await give_way()
            return result

        return run

    def disturb(runtime: TradingRuntime) -> None:
        stages = [(getattr(runtime, name), method) for name, method in STAGES]
        stages += [(risk, "assess") for risk in runtime.risks.values()]
        for stage, method in stages:
            shadow(stage, method, wrapped(getattr(stage, method)))
        for own in runtime.host.hosted:
            for symbol, (on_candle, view) in own.asked.items():
                asked: tuple[Callable[..., Any], View] = (wrapped(on_candle), view)
                own.asked[symbol] = asked

    return disturb


def shadow(stage: Any, method: str, replacement: Any) -> None:
    """An instance attribute over the method; what a stage calls on itself is shadowed too."""
    setattr(stage, method, replacement)


async def test_random_suspensions_in_every_stage_change_no_byte(slices: list[Slice], tmp_path: Path) -> None:
    part = slices[:150]
    expected = await run_to_end(ListFeed(part), tmp_path / "undisturbed")
    assert expected.trades.count(b"\n") > 30
    for seed in range(45):  # each size of burst five times
        counter = [0]

        async def noise() -> None:
            while True:
                await asyncio.sleep(0)

        other = asyncio.create_task(noise())
        feed = ListFeed(part, size=1 + seed % 9)
        files = await run_to_end(feed, tmp_path / str(seed), suspending(seed, counter))
        other.cancel()
        assert counter[0] > 500
        assert files.trades == expected.trades, seed
        assert files.equity == expected.equity, seed
