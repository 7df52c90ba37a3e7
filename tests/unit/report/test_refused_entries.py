"""Refused entries run alone: by hand, and each against a run in which it was the only entry and nothing refused it."""

import random

import pytest

from app.models.events import EndOfData, Event, Halt
from app.models.exits import parse_exits
from app.models.market import Candle, Slice
from app.models.orders import Action, Line, Signal
from app.report.refused_entries import RefusedEntries, RefusedTotals
from app.runs.refused_log import RefusedEntry
from app.strategies.base import FLAT, View
from tests.parity.seeded_strategy import toss
from tests.scenarios.harness import MINUTE_MS, at, play_events, scenario_settings

LINE = Line("main", "A")
COSTS = ("commission_rate=0.001", "slippage_rate=0.01")


def candle(minute: int, opened: float, high: float, low: float, close: float, volume: float = 1.0) -> Candle:
    return Candle("A", "1m", at("00:00") + minute * MINUTE_MS, opened, high, low, close, volume)


def entry(
    minute: int, why: str = "halted", *, action: Action = Action.LONG, equity: float = 10_000.0, **more: object
) -> RefusedEntry:
    given = {"stop": 95.0, "target": 110.0} | more
    return RefusedEntry(at("00:00") + minute * MINUTE_MS, "A", why, equity, action, **given)  # type: ignore[arg-type]


def alone(one: RefusedEntry, *candles: Candle, settings: tuple[str, ...] = (), mark: float = 100.0) -> RefusedTotals:
    refused = RefusedEntries(scenario_settings(*settings))
    refused.add(one, mark)
    for each in candles:
        refused.on_candle(each)
    [totals] = refused.totals()
    return totals


def test_one_that_would_have_reached_its_target() -> None:
    found = alone(entry(1), candle(1, 100, 105, 99, 104), candle(2, 104, 111, 103, 110))
    assert found == RefusedTotals("halted", entries=1, filled=1, winners=1, pnl=100.0, r=2.0)  # 10 pieces, 10 each


def test_one_that_would_have_been_stopped_with_its_costs() -> None:
    found = alone(entry(1), candle(1, 100, 105, 99, 104), candle(2, 104, 104, 90, 91), settings=COSTS)
    bought, sold = 101.0, 95.0 * 0.99
    pnl = 10.0 * (sold - bought) - 0.001 * 10.0 * (sold + bought)
    assert (found.filled, found.winners, found.open) == (1, 0, 0)
    assert found.pnl == pytest.approx(pnl)
    assert found.r == pytest.approx(pnl / (10.0 * (bought - 95.0)))


def test_the_candle_that_was_decided_on_is_not_met() -> None:
    assert alone(entry(1), candle(0, 100, 200, 1, 100)) == RefusedTotals("halted", entries=1)


def test_a_limit_that_expires_is_no_trade() -> None:
    asked = entry(1, limit=98.0, valid_candles=2)
    found = alone(asked, *(candle(minute, 100, 101, 99, 100) for minute in (1, 2, 3)), candle(4, 100, 100, 90, 95))
    assert found == RefusedTotals("halted", entries=1)
    assert alone(asked, candle(1, 100, 101, 97, 98)).filled == 1


def test_an_exit_of_its_strategy_ends_it_and_an_earlier_one_does_not() -> None:
    refused = RefusedEntries(scenario_settings())
    refused.add(entry(2), 100.0)
    refused.on_exit(LINE, at("00:01"))
    refused.on_candle(candle(2, 100, 101, 99, 100))
    refused.on_exit(Line("main", "B"), at("00:03"))
    refused.on_candle(candle(3, 101, 102, 100, 101))
    assert refused.totals() == [RefusedTotals("halted", entries=1, filled=1, winners=1, pnl=10.0, r=0.2, open=1)]
    refused.on_exit(LINE, at("00:04"))
    refused.on_candle(candle(4, 103, 103, 103, 103))
    assert refused.totals() == [RefusedTotals("halted", entries=1, filled=1, winners=1, pnl=30.0, r=0.6)]
    assert refused.is_idle("A")
    waits = RefusedEntries(scenario_settings())
    waits.add(entry(1, limit=90.0, valid_candles=9), 100.0)
    waits.on_exit(LINE, at("00:02"))
    assert waits.is_idle("A"), "an entry that waits is cancelled"


def test_managed_exits_are_its_own() -> None:
    exits = parse_exits({"time": {"candles": 2}})
    rising = [candle(minute, 100 + minute, 104, 100, 100 + minute) for minute in (1, 2, 3)]
    found = alone(entry(1, exits=exits), *rising)
    assert (found.filled, found.open) == (1, 0)
    assert found.pnl == pytest.approx(10.0 * (103 - 101))


def test_with_fill_close_it_is_filled_at_the_mark() -> None:
    found = alone(entry(1), candle(1, 105, 111, 104, 110), settings=("fill=close",))
    assert found.pnl == pytest.approx(10.0 * 10.0)


def test_one_without_room_is_sized_as_if_there_were_room() -> None:
    tight = ("safety.max_exposure=0.0001",)
    assert alone(entry(1, "no_quantity"), candle(1, 100, 111, 99, 105), settings=tight).pnl == pytest.approx(100.0)
    small = RefusedEntries(scenario_settings(*tight))
    small.add(entry(1, "cooldown"), 100.0)
    assert small.totals()[0].pnl == 0.0, "another limit does not lift this one"
    nothing = RefusedEntries(scenario_settings("live.instruments={A: {min_notional: 1000000}}"))
    nothing.add(entry(1, "min_notional"), 100.0)
    assert nothing.totals() == [], "too small by itself"


def test_what_is_not_run_is_counted() -> None:
    refused = RefusedEntries(scenario_settings(), most=1)
    refused.add(entry(1), None)
    refused.add(entry(1), 100.0)
    refused.add(entry(1, "late"), 100.0)
    refused.add(entry(1, strategy="gone"), 100.0)
    assert [(one.limit, one.entries, one.left_out) for one in refused.totals()] == [("halted", 1, 2), ("late", 0, 1)]


def test_candles_that_were_met_already_are_met_again() -> None:
    candles = [candle(1, 100, 105, 99, 104), candle(2, 104, 111, 103, 110)]
    refused = RefusedEntries(scenario_settings())
    refused.add(entry(1), 100.0, candles)
    assert refused.totals() == [alone(entry(1), *candles)]


@pytest.mark.parametrize("seed", range(12))
def test_each_is_what_a_run_with_that_entry_alone_comes_to(seed: int) -> None:
    rng = random.Random(seed)
    settings = ("commission_rate=0.001", "slippage_rate=0.0005", f"fill={rng.choice(['next_open', 'close'])}")
    close, candles = 100.0, []
    for minute in range(90):
        opened, close = close, round(close * rng.uniform(0.985, 1.016), 2)
        high, low = max(opened, close) * rng.uniform(1, 1.01), min(opened, close) * rng.uniform(0.99, 1)
        candles.append(candle(minute, opened, high, low, close, rng.choice((0.0, 1.0, 1.0, 1.0))))
    tosses = {one.open_time_ms: toss(seed, "A", one.open_time_ms, one.close) for one in candles}
    signals = {ms: Signal(**{**asked, "action": Action(asked["action"])}) for ms, asked in tosses.items() if asked}

    def only(ms: int | None) -> "object":
        def answer(one: Candle, view: View) -> Signal:
            asked = signals.get(one.open_time_ms, FLAT)
            return asked if ms in (None, one.open_time_ms) or asked.action is Action.EXIT else FLAT

        return answer

    slices: list[Event] = [Slice(one.close_time_ms, (one,), False) for one in candles]
    halted = play_events([Halt("all of it"), *slices], *settings, answer=only(None))  # type: ignore[arg-type]
    assert not halted.fills
    asked = [one for one in halted.runtime.decisions if one.outcome == "halted"]
    assert len(asked) > 5
    for decision in asked:
        assert decision.signal is not None
        refused, given = RefusedEntries(scenario_settings(*settings)), decision.signal
        kept = RefusedEntry(
            decision.time_ms, "A", "halted", 10_000.0, given.action, "main", given.atr, given.stop, given.target,
            given.size_factor,
        )  # fmt: skip
        refused.add(kept, next(one.close for one in candles if one.close_time_ms == decision.time_ms))
        for one in candles:
            if one.open_time_ms >= decision.time_ms:
                refused.on_candle(one)
            if one.open_time_ms in signals and signals[one.open_time_ms].action is Action.EXIT:
                refused.on_exit(LINE, one.close_time_ms)
        [found] = refused.totals()
        ms = decision.time_ms - MINUTE_MS
        ran = play_events([*slices, *([] if found.open else [EndOfData()])], *settings, answer=only(ms))  # type: ignore[arg-type]
        assert found.filled == sum(fill.opens for fill in ran.fills)
        assert found.pnl == pytest.approx(ran.runtime.account.equity() - 10_000.0)
        assert found.open == len(ran.runtime.account.positions)
