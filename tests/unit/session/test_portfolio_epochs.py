"""A new epoch with other strategies: who holds something must stay, who is new begins without memory."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.feeds.tape import read_tape
from app.models.orders import Line, Reason
from app.models.protections import Kind, Protection, Scope
from app.proof.observation import look
from app.proof.rebuild import source_of
from app.proof.why import sections
from app.session.epochs import differing, epoch_start, state_of
from app.session.tape_replay import TapeRunner
from app.trading.account import Account
from app.trading.protections import Protections
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS
from tests.made import fill
from tests.portfolio import STRATEGIES, portfolio
from tests.properties.test_portfolio_state import WARMUP, events
from tests.scripted_paper import Feed, no_sockets, trade, trades_of
from tests.unit.session.test_epochs import KEEP, OTHER, assert_same_files, broken

CONFIG = portfolio(WARMUP)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)
    monkeypatch.setattr(Feed, "market", events(1))


def without(strategy: str, **changes: Any) -> dict[str, Any]:
    """The portfolio without a strategy, or with other keys of it."""
    kept = [one if one["id"] != strategy else {**one, **changes} for one in STRATEGIES]
    return portfolio(WARMUP, strategies=[one for one in kept if changes or one["id"] != strategy])


async def cut_where(run: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, held: str) -> Line:
    """A session that breaks off where the strategy, on the first symbol, has a position or waits for an entry."""
    for count in range(WARMUP + 10, WARMUP + 80):
        await broken(run / str(count), monkeypatch, count, config=CONFIG)
        state = epoch_start(read_tape(run / str(count))).state.runtime
        lines: list[Line] = [one.line for one in getattr(state, held) if one.strategy == strategy]
        others = [one.line for one in state.positions if one.strategy == strategy] if held == "pending" else []
        if lines and not others:
            (run / str(count)).rename(run / "cut")
            monkeypatch.setattr(Feed, "begin_at", count)
            return lines[0]
    raise AssertionError("it never holds one")


@pytest.mark.parametrize(("held", "what"), [("positions", "an open position"), ("pending", "an entry order")])
async def test_a_strategy_that_holds_something_must_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str, what: str
) -> None:
    line = await cut_where(tmp_path, monkeypatch, "trend", held)
    run = tmp_path / "cut"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = f"strategy trend has {what} on {line.symbol}, so the new epoch must have that strategy on it"
    other = "BBB/X" if line.symbol == "AAA/X" else "AAA/X"
    for config in (without("trend"), without("trend", id="tred"), without("trend", symbols=[other])):
        with pytest.raises(ConfigError, match=said):
            await trade(run, KEEP, config=config, new_epoch=True)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before, "nothing was written"


def _holds(run: Path, strategy: str) -> bool:
    state = epoch_start(read_tape(run)).state.runtime
    return strategy in [one.strategy for one in state.positions] + [one.strategy for one in state.pending]


@pytest.mark.parametrize("count", [WARMUP + 20, WARMUP + 53, WARMUP + 97])
async def test_killed_and_continued_it_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Without a new epoch: what was recorded is decided on again, resting limits, legs, moved stops and all."""
    await trade(tmp_path / "whole", KEEP, config=CONFIG)
    run = tmp_path / "run"
    await broken(run, monkeypatch, count, config=CONFIG)
    await trade(run, KEEP, config=CONFIG)
    assert_same_files(run, tmp_path / "whole")
    again = await TapeRunner(run, tmp_path / "tape").run_async()
    assert (again.folder / again["files"]["trades"]).read_text() == trades_of(run)


async def test_why_knows_the_state_that_a_later_epoch_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Legs left, a moved stop and a protection's memory of the epoch before are in its answer."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    await trade(whole, KEEP, config=CONFIG)
    await broken(run, monkeypatch, WARMUP + 60, config=CONFIG)
    await trade(run, KEEP, OTHER, config=CONFIG, new_epoch=True)
    for minute in range(61, 75, 3):
        time_ms = START_MS + minute * MINUTE_MS
        answers = []
        for one in (run, whole):
            source = source_of(one, [], time_ms)
            answers.append([sections(source, seen) for seen in await look(source, "AAA/X", time_ms)])
        assert answers[0] == answers[1]


async def test_a_strategy_that_is_added_begins_without_memory_and_changes_nothing_of_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = portfolio(WARMUP, strategies=STRATEGIES[:2])
    run = tmp_path / "run"
    await broken(run, monkeypatch, 70, config=first)
    rows = trades_of(run)
    told: list[str] = []
    results = await trade(run, KEEP, config=CONFIG, new_epoch=True, tell=told.append)
    assert "changed: the settings (live.strategies.slow); 2 open" in told[0]
    assert trades_of(run).startswith(rows)
    assert ",slow," not in rows
    assert ",slow," in trades_of(run)
    state = state_of(read_tape(run).epochs[1])
    assert state is not None
    keys = {key for seen in state.runtime.safety.protections["seen"] for key in seen}
    assert keys
    assert not any(key.startswith("slow") for key in keys)
    assert list(results["per_strategy"]) == ["trend", "dip", "slow"]
    pnl = sum(one["realized_pnl"] for one in results["per_strategy"].values())
    assert pnl == pytest.approx(results["performance"]["realized_pnl"])
    again = await TapeRunner(run, tmp_path / "tape").run_async()
    assert (again.folder / again["files"]["trades"]).read_text() == trades_of(run)


async def test_the_results_name_a_strategy_of_an_earlier_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in range(WARMUP + 40, WARMUP + 90):
        run = tmp_path / str(count)
        await broken(run, monkeypatch, count, config=CONFIG)
        if not _holds(run, "dip") and ",dip," in trades_of(run):
            break
    results = await trade(run, KEEP, config=without("dip"), new_epoch=True)
    assert list(results["per_strategy"]) == ["trend", "slow", "dip"]
    await TapeRunner(run, tmp_path / "tape").run_async()


def test_keys_of_strategies_are_named_by_their_ids() -> None:
    before, now = CONFIG["live"], without("dip", allocation=0.1)["live"]
    assert differing(before, now) == ["strategies.dip.allocation"]
    swapped = {**before, "strategies": STRATEGIES[::-1]}
    assert differing(before, swapped) == [
        "strategies.slow.place in the list", "strategies.trend.place in the list",
    ]  # fmt: skip


def test_two_protections_of_the_same_kind_remember_each_for_itself() -> None:
    protection = Protection(Kind.LOSING_STREAK, Scope.ACCOUNT, 60_000, 3)
    account = Account(1_000.0, {})
    first, second = (Protections([protection, protection], account) for _ in range(2))
    loss = fill(realized_pnl=-1.0, reason=Reason.STOP_LOSS)
    first.note_fill(loss)
    second.recall(first.memory())
    for one in (first, second):
        one.note_fill(loss)
    assert first.memory() == second.memory()
    assert [seen[""]["losers"] for seen in second.memory()["seen"]] == [2, 2]
