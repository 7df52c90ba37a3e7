"""Allocation in whole runs: session, tape and history are one, kills and epochs change nothing, nothing looks ahead."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.cli.paper import event_lines
from app.errors import UnavailableError
from app.feeds.tape import read_tape
from app.models.events import Event, Reallocate
from app.models.market import Candle, Slice
from app.models.orders import Action, Decision, Fill
from app.proof.observation import look
from app.proof.rebuild import source_of
from app.proof.why import sections
from app.report.formats import exact
from app.report.output_thread import OutputThread
from app.report.session_log import SessionLog
from app.runs.reader import Run
from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.session.recorded_runtime import ReplayError
from app.session.tape_replay import TapeRunner
from app.session.view import SessionView
from app.times import DAY_MS, iso_ms
from app.trading.allocation import Allocator
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS
from tests.parity.both import SEEDED
from tests.parity.market import Market, fill_cache, made_up
from tests.reference.candles import Row
from tests.scripted_paper import Feed, no_sockets, trade, trades_of
from tests.unit.session.test_epochs import KEEP, OTHER, broken, cut

SYMBOLS = ["AAA/X", "BBB/X"]
HOUR_MS, DAYS = 3_600_000, 16
FIRST_MIDNIGHT_MS = -(-START_MS // DAY_MS) * DAY_MS


def config(method: Any = "risk_parity", **strategies: Any) -> dict[str, Any]:
    seeds: dict[str, Any] = strategies or {"one": 1, "two": 2, "three": 3}
    return {
        "live": {
            "exchange": "test",
            "symbols": SYMBOLS,
            "timeframe": "1h",
            "startup_candles": 0,
            "allocation": {"method": method, "every_days": 2, "lookback_days": 5},
            "strategies": [
                {"id": name, "name": SEEDED, "params": {"seed": seed}} for name, seed in seeds.items()
            ],
        },
        "trading_mode": {"safety": {"max_drawdown": None, "max_exposure": 2.0}},
    }  # fmt: skip


@cache
def market() -> Market:
    """Hours of two symbols, with holes and hours without a trade."""
    minutes = made_up(4, SYMBOLS, START_MS, 24 * DAYS)
    return {
        symbol: [(START_MS + (row[0] - START_MS) // MINUTE_MS * HOUR_MS, *row[1:]) for row in rows]
        for symbol, rows in minutes.items()
    }


@cache
def slices() -> Sequence[Event]:
    candles: dict[int, list[Candle]] = {}
    for symbol, rows in market().items():
        for row in rows:
            candles.setdefault(row[0], []).append(Candle(symbol, "1h", *row))
    return [Slice(time_ms + HOUR_MS, tuple(candles[time_ms]), False) for time_ms in sorted(candles)]


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)
    monkeypatch.setattr(Feed, "market", slices())


def history(folder: Path, over: Market | None = None, **changes: Any) -> BacktestResults:
    cache_ = fill_cache(folder / "cache", over or market(), "1h")
    runner = ConfigBacktestRunner(
        config=changes.pop("config", config()), start=START_MS, end=slices()[-1].close_time_ms,  # type: ignore[union-attr]
        cache=cache_.root, out=folder / "run", offline=True, **changes,
    )  # fmt: skip
    return runner.run()


def files(results: BacktestResults) -> list[bytes]:
    return [(results.folder / str(results["files"][name])).read_bytes() for name in ("trades", "signals", "equity")]


@pytest.mark.parametrize("method", ["equal", "inverse_volatility", "risk_parity"])
async def test_a_session_is_its_tape_and_its_history(tmp_path: Path, method: str) -> None:
    session = await trade(tmp_path / "live", config=config(method))
    tape = await TapeRunner(tmp_path / "live", tmp_path / "tape").run_async()
    past = history(tmp_path, config=config(method))
    assert files(session) == files(tape) == files(past)
    assert session["allocations"] == tape["allocations"] == past["allocations"]
    assert past["performance"]["total_trades"] > 50
    times = [one["time"] for one in past["allocations"]]
    midnights = [ms for day in range(DAYS) if (ms := FIRST_MIDNIGHT_MS + day * DAY_MS) % (2 * DAY_MS) == 0]
    assert times == [iso_ms(START_MS), *map(iso_ms, midnights)]
    for one in past["allocations"]:
        assert list(one["weights"]) == ["one", "two", "three"]
        assert sum(one["weights"].values()) == pytest.approx(1.0, abs=1e-12)
    is_equal = [one["weights"] == dict.fromkeys(one["weights"], 1 / 3) for one in past["allocations"]]
    assert is_equal[0]
    assert all(is_equal) == (method == "equal")


async def test_each_weight_is_used_from_its_midnight_on(tmp_path: Path) -> None:
    results = history(tmp_path)
    plain = history(tmp_path / "plain", config=config("equal"))
    second = next(one["time"] for one in results["allocations"] if len(set(one["weights"].values())) > 1)
    before = [[row for row in text if row[:25] < second[:25]] for text in map(_trades, (results, plain))]
    assert before[0] == before[1] != []
    assert _trades(results) != _trades(plain)


def _trades(results: BacktestResults) -> list[str]:
    return (results.folder / str(results["files"]["trades"])).read_text().splitlines()[1:]


@pytest.mark.parametrize("day", [4, 7, 10])
def test_candles_after_a_midnight_change_no_weight_of_it(tmp_path: Path, day: int) -> None:
    midnight_ms = FIRST_MIDNIGHT_MS + day * DAY_MS
    changed: Market = {
        symbol: [row if row[0] < midnight_ms else _upside_down(row) for row in rows]
        for symbol, rows in market().items()
    }
    one, other = history(tmp_path / "one")["allocations"], history(tmp_path / "other", changed)["allocations"]
    until = [allocation for allocation in one if allocation["time"] <= iso_ms(midnight_ms)]
    assert len(until) >= 2
    assert other[: len(until)] == until
    assert other[len(until) :] != one[len(until) :]


def _upside_down(row: Row) -> Row:
    open_ms, opened, high, low, close, volume = row
    return open_ms, 1e6 / opened, 1e6 / low, 1e6 / high, 1e6 / close, volume


@pytest.mark.parametrize("count", [3, 101, 150, 222])
async def test_wherever_it_breaks_off_it_goes_on_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    whole = await trade(tmp_path / "whole", KEEP, config=config())
    for ends in (cut, broken):
        for more in ((), (OTHER,)):
            run = tmp_path / f"{ends.__name__}{len(more)}"
            await ends(run, monkeypatch, count, config=config())
            results = await trade(run, KEEP, *more, config=config(), new_epoch=bool(more))
            assert files(results) == files(whole)
            assert results["allocations"] == whole["allocations"]
            assert len(results.get("epochs", [])) == 1 + len(more)
            again = await TapeRunner(run, run.with_name(f"{run.name}-tape")).run_async()
            assert files(again) == files(whole)
            assert again["allocations"] == whole["allocations"]


@pytest.mark.parametrize("new_epoch", [False, True])
async def test_killed_between_the_event_and_its_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_epoch: bool
) -> None:
    whole = await trade(tmp_path / "whole", KEEP, config=config())
    events = [record.event for record in read_tape(tmp_path / "whole").records]
    number = max(place for place, event in enumerate(events) if isinstance(event, Reallocate))
    run = tmp_path / "run"

    def apply(self: Allocator, event: Reallocate) -> None:
        if event == events[number]:
            raise UnavailableError("the process is no more")
        original(self, event)

    original = Allocator.apply
    with monkeypatch.context() as patch, pytest.raises(UnavailableError):
        patch.setattr(Allocator, "apply", apply)
        await trade(run, KEEP, config=config())
    newest = list(read_tape(run).records)[-1]
    assert (newest.event, newest.digest) == (events[number], None)
    heard = sum(isinstance(event, Slice) for event in events[:number])
    monkeypatch.setattr(Feed, "begin_at", heard)
    results = await trade(run, KEEP, *([OTHER] if new_epoch else []), config=config(), new_epoch=new_epoch)
    assert files(results) == files(whole)
    assert results["allocations"] == whole["allocations"]


async def test_another_method_in_a_new_epoch_begins_with_its_first_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(tmp_path / "run", monkeypatch, 203, config=config())
    results = await trade(tmp_path / "run", KEEP, config=config("equal"), new_epoch=True)
    assert results["epochs"][1]["changed"] == ["the settings (live.allocation.method)"]
    second_ms = Run.open(tmp_path / "run").epochs[1]["start"]
    after = [one for one in results["allocations"] if one["time"] >= second_ms]
    assert after[0]["time"] < iso_ms(START_MS + 204 * HOUR_MS)
    assert {one["why"] for one in after} == {"equal shares"}
    assert len(after) < len(results["allocations"])
    tape = await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert trades_of(tmp_path / "run") == (tape.folder / str(tape["files"]["trades"])).read_text()


@pytest.mark.parametrize("begins_with_it", [False, True])
async def test_a_new_epoch_may_begin_with_it_or_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins_with_it: bool
) -> None:
    fixed = config()
    del fixed["live"]["allocation"]
    first, second = (config(), fixed) if begins_with_it else (fixed, config())
    await broken(tmp_path / "run", monkeypatch, 203, config=first)
    results = await trade(tmp_path / "run", KEEP, config=second, new_epoch=True)
    assert ("allocations" in results) == (not begins_with_it)
    if not begins_with_it:
        assert results["allocations"][0]["weights"] == dict.fromkeys(("one", "two", "three"), 1 / 3)
        assert len(results["allocations"]) > 3
    tape = await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()
    assert files(tape) == files(results)


async def test_a_replay_that_shares_otherwise_is_refused_at_that_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(tmp_path / "run", config=config())
    events = [record.event for record in read_tape(tmp_path / "run").records]
    number = max(place for place, event in enumerate(events) if isinstance(event, Reallocate)) + 1
    original = Allocator.apply

    def apply(self: Allocator, event: Reallocate) -> None:
        names = list(event.weights)
        shared = dict(zip(names, reversed(event.weights.values()), strict=True))
        original(self, event if event != events[number - 1] else Reallocate(event.time_ms, shared, event.why))

    monkeypatch.setattr(Allocator, "apply", apply)
    with pytest.raises(ReplayError, match=rf"event {number} \(Reallocate\) was decided on differently"):
        await TapeRunner(tmp_path / "run", tmp_path / "tape").run_async()


async def test_people_and_logs_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    lines: list[str] = []
    output = OutputThread()
    log = SessionLog(lambda event, **values: lines.append(json.dumps([event, values])), output)

    def hear(view: SessionView, event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> None:
        told.extend(event_lines(event, (), ()))
        log.happened(view, event, fills, decisions)

    results = await trade(tmp_path / "run", config=config(), on_event=hear)
    assert output.close(300.0)
    shares = [line for line in told if line.startswith("allocation: ")]
    assert shares[0].startswith("allocation: one 33.33%, two 33.33%, three 33.33% (equal shares: fewer than 2 days")
    logged = [values for name, values in map(json.loads, lines) if name == "reallocated"]
    assert logged == results["allocations"]
    assert len(shares) == len(logged)
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["allocations"] == results["allocations"][-1]["weights"]


async def test_why_shows_the_allocation_in_force(tmp_path: Path) -> None:
    session = await trade(tmp_path / "live", config=config())
    past = history(tmp_path)
    last = past["allocations"][-1]
    signals = Run.open(past.folder).signals()
    entry = next(
        one for one in signals
        if iso_ms(one.time_ms) > last["time"] and one.row["action"] == Action.LONG and one.row["strategy"] == "one"
        and one.row["outcome"] == "order"
    )  # fmt: skip
    for results in (session, past):
        source = source_of(results.folder, [CandleCache(tmp_path / "cache")])
        (seen,) = await look(source, entry.row["symbol"], entry.time_ms, "one")
        assert seen.sizing is not None
        assert seen.sizing.allocation == last["weights"]["one"]
        own = dict(next(one.lines for one in sections(source, seen) if one.title == "Sizing"))["own equity"]
        assert own.startswith(f"E = allocation {exact(last['weights']['one'])} x {exact(seen.sizing.equity)} = ")


async def test_runs_without_it_have_nothing_of_it(tmp_path: Path) -> None:
    fixed = config()
    del fixed["live"]["allocation"]
    results = await trade(tmp_path / "live", config=fixed)
    assert "allocations" not in results
    assert "allocation" not in (tmp_path / "live/manifest.json").read_text()
    assert not any(b"alloc" in path.read_bytes() for path in (tmp_path / "live/tape").iterdir())
    assert results["performance"]["total_trades"] > 50
