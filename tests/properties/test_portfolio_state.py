"""A portfolio whose state went through JSON decides on as the one it is of; cut into epochs, it changes no byte."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.models.events import Close, Event, Kill, LateCandle, Resume
from app.models.market import Candle, Slice
from app.models.orders import Reason
from app.session.state import read_state, restore_runtime, restore_totals
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS, SYMBOLS
from tests.live_sessions import Live, live
from tests.parity.market import made_up
from tests.portfolio import portfolio
from tests.properties.test_epochs import check

COUNT, WARMUP = 150, 10
CHOICES = st.fixed_dictionaries({
    "fill": st.sampled_from(("next_open", "close")),
    "limit_fill": st.sampled_from(("through", "touch")),
    "maker_commission_rate": st.sampled_from(("null", -0.0005)),
    "safety.max_drawdown": st.sampled_from(("null", 0.002)),
}).map(lambda keys: [f"{key}={value}" for key, value in keys.items()])  # fmt: skip


def events(seed: int) -> list[Event]:
    """Slices of two symbols; now and then a candle is late, and there are a kill and a resume."""
    rows = made_up(seed, SYMBOLS, START_MS - WARMUP * MINUTE_MS, WARMUP + COUNT)
    by_time: dict[int, list[Candle]] = {}
    for symbol in SYMBOLS:
        for row in rows[symbol]:
            by_time.setdefault(row[0], []).append(Candle(symbol, "1m", *row))
    found: list[Event] = []
    for number, (time_ms, candles) in enumerate(sorted(by_time.items())):
        is_late = number > WARMUP and number % 13 == seed % 13 and len(candles) == len(SYMBOLS)
        found.append(Slice(time_ms + MINUTE_MS, tuple(candles[: 1 if is_late else None]), number < WARMUP))
        found += [LateCandle(candles[1])] if is_late else []
        found += [Kill("a test")] if number == 60 else [Resume("a test")] if number == 63 else []
    return found


def with_closes(heard: list[Event]) -> list[Event]:
    """And an operator's close of one symbol or the other now and then."""
    closes = {place: Close("a test", SYMBOLS[place // 9 % 2]) for place in range(WARMUP, len(heard), 9)}
    return [one for place, event in enumerate(heard) for one in (event, closes.get(place)) if one is not None]


async def handled(made: Live, heard: list[Event]) -> list[str]:
    return [await made.recorded.handle(event) for event in heard]


async def cut_at(cuts: list[int], seed: int, overrides: list[str], folder: Path) -> None:
    heard, config = with_closes(events(seed)), portfolio(WARMUP)
    whole = live(folder / "whole", *overrides, config=config)
    digests = await handled(whole, heard)
    content = whole.trades
    whole.close()
    for cut in cuts:
        first = live(folder / f"{cut}-1", *overrides, config=config)
        await handled(first, heard[:cut])
        state = read_state(first.view.state(cut), folder)
        second = live(folder / f"{cut}-2", *overrides, config=config)
        past = [candle for event in heard[:cut] for candle in candles_of(event)]
        times_ms = sorted({candle.open_time_ms for candle in past})[-WARMUP:]
        for time_ms in times_ms:
            candles = tuple(candle for candle in past if candle.open_time_ms == time_ms)
            await second.recorded.handle(Slice(time_ms + MINUTE_MS, candles, True))
        restore_runtime(state.runtime, second.recorded.runtime)
        restore_totals(state.totals, second.recorded.recorder)
        second.recorded.digest = state.digest
        assert await handled(second, heard[cut:]) == digests[cut:], f"cut after {cut} events"
        assert first.trades + second.trades.split("\n", 1)[1] == content
        tallies = [one.recorded.recorder.tally for one in (second, whole)]
        assert tallies[0] == tallies[1]
        first.close()
        second.close()


def candles_of(event: Event) -> tuple[Candle, ...]:
    if isinstance(event, Slice):
        return event.candles
    return (event.candle,) if isinstance(event, LateCandle) else ()


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(WARMUP, WARMUP + COUNT), min_size=1, max_size=3, unique=True),
    seed=st.integers(0, 10_000),
    overrides=CHOICES,
)
def test_the_state_as_json_decides_the_rest_the_same(cuts: list[int], seed: int, overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(cut_at(cuts, seed, overrides, Path(name)))


def test_what_these_portfolios_hold(tmp_path: Path) -> None:
    """All of Part 2 is in the states that are cut: otherwise the property would say nothing."""
    found: set[str] = set()

    async def look() -> None:
        for seed in (1, 2):
            made = live(tmp_path / str(seed), config=portfolio(WARMUP))
            for event in events(seed):
                await made.recorded.handle(event)
                account, safety = made.recorded.runtime.account, made.recorded.runtime.safety
                found.update(one for position in account.positions.values() for one in told(position))
                found.update("rests" for order in account.pending.values() if order.rests)
                found.update("time exit" for order in account.closing.values() if order.reason is Reason.TIME_EXIT)
                memory = safety.memory().protections
                found.update(
                    one["kind"] for one, seen in zip(memory["protections"], memory["seen"], strict=True) if seen
                )
                found.update(["a trade with a leg"] if memory["legs"] else [])
            made.close()

    asyncio.run(look())
    assert found == {
        "legs left", "leg sold", "moved", "best", "time", "exits of the signal", "rests", "time exit", "cooldown",
        "stop_guard", "losing_streak", "a trade with a leg",
    }  # fmt: skip


def told(position: Any) -> set[str]:
    is_own = position.strategy == "slow" and position.exits is not None
    facts = {
        "legs left": bool(position.legs),
        "leg sold": position.quantity < position.first_quantity,
        "moved": position.moved_by is not None,
        "best": position.held.best is not None,
        "time": position.time_exit_ms is not None,
        "exits of the signal": is_own,
    }
    return {name for name, holds in facts.items() if holds}


@settings(max_examples=8, deadline=None)
@example(seed=1, cuts=[45, 90], breaks=True)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(WARMUP + 1, WARMUP + COUNT - 20), min_size=1, max_size=3, unique=True).map(sorted),
    breaks=st.booleans(),
)
def test_a_portfolio_that_is_cut_into_epochs_changes_no_byte(seed: int, cuts: list[int], breaks: bool) -> None:
    assert check(portfolio(WARMUP), events(seed), cuts, breaks=breaks) > 20
