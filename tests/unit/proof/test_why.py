"""The words of an answer: every number as the stages held it, in the order in which the runtime asks."""

import asyncio
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.models.orders import MAIN, Action, Bound, Line, Refusal, Signal
from app.proof.observation import look
from app.proof.rebuild import Source, source_of
from app.proof.seen import Seen
from app.proof.why import sections
from app.strategies.base import Condition
from app.times import parse_time_ms
from app.trading.risk import RiskConfig, RiskEngine
from tests.made import account_with
from tests.proof_runs import first_entry, market, replay

BTC = "AAA/X"
SIZED = Line(MAIN, "AAA/USDT")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return source_of(replay(tmp_path, "run", market()), [CandleCache(tmp_path / "run_cache")])


def at_entry(source: Source) -> Seen:
    entry = first_entry(source.folder)
    return asyncio.run(look(source, entry["symbol"], parse_time_ms(entry["timestamp"])))[0]


def lines(source: Source, seen: Seen, title: str) -> dict[str, str]:
    return next((dict(section.lines) for section in sections(source, seen) if section.title == title), {})


def test_the_sections_of_an_entry_in_their_order(source: Source) -> None:
    titles = [section.title for section in sections(source, at_entry(source))]
    assert titles == ["Candle", "Indicators", "Conditions", "Signal", "Sizing", "Gate", "Outcome"]


def test_a_sizing_stops_where_it_was_refused(source: Source) -> None:
    engine = RiskEngine(RiskConfig())
    seen = at_entry(source)
    for signal, names in (
        (Signal(Action.LONG, atr=0.0), ["reference", "stop distance"]),
        (Signal(Action.LONG, atr=1.0, target=1.0), ["reference", "stop distance", "stop", "target"]),
    ):
        seen.signal, seen.sizing = signal, engine.size(SIZED, signal, account_with(AAA=100.0))
        assert list(lines(source, seen, "Sizing")) == names


def test_which_bound_held_is_marked(source: Source) -> None:
    seen = at_entry(source)
    seen.signal = Signal(Action.LONG, stop=99.0)
    for config, bound in (
        (RiskConfig(risk_per_trade=0.00001), Bound.RISK),
        (RiskConfig(max_position_pct=0.00001), Bound.POSITION),
        (RiskConfig(max_exposure=0.00001), Bound.ROOM),
    ):
        seen.sizing = RiskEngine(config).size(SIZED, seen.signal, account_with(AAA=100.0))
        told = lines(source, seen, "Sizing")
        assert [name for name, text in told.items() if text.endswith("<- the least")] == [f"by {bound}"]


def test_refusals_in_words(source: Source) -> None:
    from app.models.orders import Decision

    seen = at_entry(source)
    for refusal in Refusal:
        seen.decision = Decision(0, BTC, Action.LONG, refusal, None, "")
        told = lines(source, seen, "Outcome")
        assert list(told) == ["no order"]
        assert told["no order"].startswith(f"{refusal}: ")
    seen.decision = Decision(0, BTC, Action.EXIT, "entry_cancelled", None, "")
    assert lines(source, seen, "Outcome") == {"entry_cancelled": "the entry order that was waiting is cancelled"}


def test_conditions_of_ones_own_count_for_both_sides(source: Source) -> None:
    seen = at_entry(source)
    seen.signal, seen.decision, seen.sizing = Signal(Action.FLAT), None, None
    seen.conditions = [
        Condition("weekday", "Sunday", "Monday", False),
        Condition("SHORT: trend", 1.0, "below 0", False),
    ]
    assert lines(source, seen, "Outcome") == {
        "no LONG": "did not hold: weekday",
        "no SHORT": "did not hold: weekday, trend",
    }
    assert lines(source, seen, "Conditions")["weekday"] == "NO   Sunday, must be Monday"


def test_the_feed_and_the_kill_switch(source: Source) -> None:
    seen = at_entry(source)
    assert lines(source, seen, "Gate")["feed"] == "in time"
    seen.halted, seen.losses = True, (0.25, 0.0)
    told = lines(source, seen, "Gate")
    assert told["kill switch"] == "TRIPPED"
    assert told["drawdown"].startswith("25.0000% of the peak ")
