"""A run brought back to one candle: what is held there is what the run wrote, and nothing of it is left behind."""

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.errors import DataError, StrategyError
from app.models.events import Close, Event, Stop
from app.proof.observation import look
from app.proof.rebuild import source_of
from app.proof.seen import Seen
from app.runs.reader import Run
from app.times import parse_time_ms
from app.trading.exit_rules import ExitRule
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import START_MS, market, record_events, replay, rows_of, session, slices_of, trades_of


def seen_at(run: Path, symbol: str, time_ms: int) -> Seen:
    source = source_of(run, [CandleCache(run.with_name(f"{run.name}_cache"))])
    return asyncio.run(look(source, symbol, time_ms))[0]


def test_the_account_of_that_moment_is_the_one_of_the_equity_rows(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    for time_ms, equity, _ in list(Run.open(run).equity())[20:-1:60]:
        assert seen_at(run, "AAA/X", time_ms).equity == equity


def test_positions_and_orders_before_it(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    rows = rows_of(trades_of(run))
    opened = next(row for n, row in enumerate(rows) if row["action"] == "OPEN" and rows[n + 1]["action"] == "CLOSE"
                  and rows[n + 1]["timestamp"] > row["timestamp"])  # fmt: skip
    open_ms = parse_time_ms(opened["timestamp"])
    at_fill = seen_at(run, opened["symbol"], open_ms + MINUTE_MS)
    assert at_fill.pending is not None
    assert at_fill.pending.order_id == int(opened["order_id"])
    assert at_fill.before is None
    assert at_fill.fills[0].fill.opens


def test_the_rule_of_an_exit_in_the_candle_of_its_entry(tmp_path: Path) -> None:
    """The position never stands between two slices; it is caught all the same."""
    run = replay(tmp_path, "run", market(5), "atr_stop_multiplier=0.05", "reward_risk_ratio=1")
    rows = rows_of(trades_of(run))
    both = [
        (row, following) for row, following in pairwise(rows)
        if row["action"] == "OPEN" and following["trade_id"] == row["trade_id"]
        and parse_time_ms(following["timestamp"]) <= parse_time_ms(row["timestamp"]) + MINUTE_MS
        and following["reason"] in ("stop_loss", "take_profit")
    ]  # fmt: skip
    assert both
    for opened, _ in both[:4]:
        seen = seen_at(run, opened["symbol"], parse_time_ms(opened["timestamp"]) + MINUTE_MS)
        assert [one.fill.opens for one in seen.fills] == [True, False]
        assert seen.fills[0].exit is None
        assert seen.fills[1].exit is not None
        assert seen.fills[1].exit.rule in set(ExitRule)


def test_a_session_that_kept_its_positions_and_went_on(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "c", market())
    run = tmp_path / "live"
    events: list[Event] = [*slices[:250], Stop("SIGTERM"), *slices[250:]]
    session(run, slices, "on_stop=keep")
    again = record_events(tmp_path / "again", events, "on_stop=keep")
    last = slices[400]
    ours, theirs = (seen_at(one, "AAA/X", last.close_time_ms) for one in (run, again))
    assert ours.equity == theirs.equity
    assert ours.indicators == theirs.indicators


def test_an_entry_that_an_operator_closed_before_it_filled(tmp_path: Path) -> None:
    slices = slices_of(tmp_path / "c", market())
    signals = rows_of(replay(tmp_path, "first", market()) / "signals.csv")
    ordered = next(row for row in signals if row["outcome"] == "order")
    closes_ms = [one.close_time_ms for one in slices]
    decided = closes_ms.index(parse_time_ms(ordered["timestamp"]))
    closed: list[Event] = [*slices[: decided + 1], Close("a look", ordered["symbol"]), *slices[decided + 1 :]]
    seen = seen_at(record_events(tmp_path / "run", closed), ordered["symbol"], closes_ms[decided])
    assert seen.decision is not None and seen.decision.outcome == "order"
    assert seen.gone == ("operator", closes_ms[decided]) and seen.later is None


def test_a_strategy_that_cannot_explain_itself(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from app.strategies.base import FLAT, Strategy\n"
        "class Own(Strategy):\n"
        "    async def on_candle(self, candle, view):\n"
        "        return FLAT\n"
        "    def explain(self, candle, view):\n"
        "        return 1 / 0\n"
    )
    run = replay(tmp_path, "run", market(), f"strategy={{name: '{tmp_path}/own.py:Own'}}")
    with pytest.raises(StrategyError, match="strategy Own cannot explain itself: ZeroDivisionError: division by zero"):
        seen_at(run, "AAA/X", START_MS + 99 * MINUTE_MS)


def test_an_unknown_symbol(tmp_path: Path) -> None:
    run = replay(tmp_path, "run", market())
    with pytest.raises(DataError, match=r"CCC/X is no symbol of this run \(AAA/X, BBB/X\)"):
        seen_at(run, "CCC/X", START_MS)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replay(tmp_path, "run", market())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert seen_at(run, "AAA/X", START_MS + 300 * MINUTE_MS).equity > 0.0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
