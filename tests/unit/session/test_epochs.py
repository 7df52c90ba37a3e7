"""New epochs: what had changed, what goes on from where, what is refused; logs go on in the same files."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError, UnavailableError
from app.feeds.tape import read_tape
from app.feeds.websocket import LiveStart
from app.models.events import Close, Event, Kill, LateCandle, Stop
from app.models.market import Slice
from app.session import epochs
from app.session.control import send_command
from app.session.epochs import LateSifter, changed_versions, differing, epoch_start
from app.session.state import RuntimeState
from app.session.tape_replay import TapeRunner
from app.session.view import SessionView
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS, WARMUP
from tests.live_sessions import market
from tests.made import ETH, candle, slice_of
from tests.scripted_paper import Feed, no_sockets, trade, trades_of

KEEP = "on_stop=keep"
OTHER = "feed.silence_s=11"  # a change that decides nothing
CLOSE = Close("in the warm-up, too", "AAA/X")
FILES = ("equity.parquet", "signals.csv", "refused.jsonl")


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


async def cut(run: Path, monkeypatch: pytest.MonkeyPatch, count: int, *overrides: str, **more: Any) -> None:
    """A session up to so many events of the market, kept; the next start hears the rest."""
    with monkeypatch.context() as only:
        only.setattr(Feed, "stop_after", count)
        await trade(run, KEEP, *overrides, **more)
    monkeypatch.setattr(Feed, "begin_at", count)


async def broken(run: Path, monkeypatch: pytest.MonkeyPatch, count: int, *overrides: str, **more: Any) -> None:
    """The same without a stop: it breaks off."""
    with monkeypatch.context() as only:
        only.setattr(Feed, "stop_after", count)
        only.setattr(Feed, "breaks", True)
        with pytest.raises(UnavailableError):
            await trade(run, KEEP, *overrides, **more)
    monkeypatch.setattr(Feed, "begin_at", count)


def held_of(state: RuntimeState) -> set[str]:
    return {one.symbol for one in state.positions} | {one.symbol for one in state.pending}


def assert_same_files(run: Path, other: Path) -> None:
    assert trades_of(run) == trades_of(other)
    for name in FILES:
        assert (run / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("count", [8, 17, 24, 25, 45])
async def test_a_change_that_decides_nothing_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    whole = await trade(tmp_path / "whole", KEEP)
    for ends in (cut, broken):
        run = tmp_path / ends.__name__
        await ends(run, monkeypatch, count)
        told: list[str] = []
        results = await trade(run, KEEP, OTHER, new_epoch=True, tell=told.append)
        assert_same_files(run, tmp_path / "whole")
        for key in ("performance", "funnel", "candles_processed", "exits", "kill_switch", "missing_candles"):
            assert results[key] == whole[key], key
        assert [(one["number"], one["changed"]) for one in results["epochs"]] == [
            (1, []),
            (2, ["the settings (live.feed.silence_s)"]),
        ]
        assert told[0].startswith("epoch 2 begins after 2025-03-30T")
        assert "changed: the settings (live.feed.silence_s); " in told[0]
        again = await TapeRunner(run, tmp_path / f"{ends.__name__}-tape").run_async()
        assert (again.folder / again["files"]["trades"]).read_text() == trades_of(run)
        for name in FILES:
            assert (again.folder / name).read_bytes() == (run / name).read_bytes()


async def test_an_epoch_hears_its_warm_up_and_then_what_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(tmp_path / "run", monkeypatch, 20)
    await trade(tmp_path / "run", KEEP, OTHER, new_epoch=True)
    tape = read_tape(tmp_path / "run")
    begin_ms = tape.epochs[1].header["state"]["last_close_ms"]
    assert Feed.starts[-1] == LiveStart(begin_ms, begin_ms - WARMUP * MINUTE_MS)
    events = [record.event for record in tape.epochs[1].records]
    assert all(isinstance(event, Slice) and event.warmup for event in events[:WARMUP])
    assert events[WARMUP] == market()[20]
    assert all(record.digest for record in tape.records)
    first = [record.event for record in tape.epochs[0].records]
    assert first == [*market()[:20], Stop("SIGTERM")]


async def test_open_positions_keep_their_levels_and_new_entries_have_the_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await broken(tmp_path / "run", monkeypatch, 45)
    with pytest.raises(ConfigError, match=r"changed since: the settings \(risk.reward_risk_ratio\)\. Continue with"):
        await trade(tmp_path / "run", KEEP, "risk.reward_risk_ratio=9.0")
    held: list[Any] = []

    def begin(view: SessionView, continued: bool) -> None:
        assert continued
        held.extend(view.recorded.runtime.account.positions.values())

    await trade(tmp_path / "run", KEEP, "risk.reward_risk_ratio=9.0", new_epoch=True, on_session=begin)
    assert held, "a position was open"
    header = read_tape(tmp_path / "run").epochs[1].header
    kept = {one["symbol"]: (one["stop"], one["target"]) for one in header["state"]["books"]["positions"]}
    assert {one.symbol: (one.stop, one.target) for one in held} == kept
    assert header["settings"]["risk"]["reward_risk_ratio"] == 9.0


async def test_the_latch_stays_closed_and_a_command_that_waited_is_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted: list[tuple[bool, int]] = []

    def begin(view: SessionView, _: bool) -> None:
        safety = view.recorded.runtime.safety
        halted.append((safety.halted, len(safety.trips)))

    await broken(tmp_path / "run", monkeypatch, 16)
    await broken(tmp_path / "run", monkeypatch, 17, OTHER, new_epoch=True, on_session=begin)
    assert halted == [(True, 1)]
    send_command(tmp_path / "run", "resume", "between epochs")
    await trade(tmp_path / "run", KEEP, "feed.silence_s=12", new_epoch=True, on_session=begin)
    assert halted[1] == (True, 1)
    assert [epoch.number for epoch in read_tape(tmp_path / "run").epochs] == [1, 2, 3]


async def test_an_epoch_that_broke_off_goes_on_from_its_own_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(tmp_path / "whole", KEEP)
    await broken(tmp_path / "run", monkeypatch, 20)
    await broken(tmp_path / "run", monkeypatch, 33, OTHER, new_epoch=True)
    tape = read_tape(tmp_path / "run")
    handled: list[Event] = []
    monkeypatch.setattr(epochs, "code_sha256", lambda: "the code")
    results = await trade(tmp_path / "run", KEEP, OTHER, on_event=lambda view, event, *_: handled.append(event))
    assert handled[0] == market()[33], "the first epoch was not handled again"
    assert_same_files(tmp_path / "run", tmp_path / "whole")
    assert len(results["epochs"]) == len(tape.epochs) == 2


async def test_an_epoch_that_ended_in_its_warm_up_begins_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trade(tmp_path / "whole", KEEP)
    await broken(tmp_path / "run", monkeypatch, 20)
    heard = Feed._heard
    with monkeypatch.context() as only:
        only.setattr(Feed, "_heard", lambda self: [*heard(self)[:3], Kill("in the warm-up"), CLOSE])
        only.setattr(Feed, "stop_after", 99)
        only.setattr(Feed, "breaks", True)
        with pytest.raises(UnavailableError):
            await trade(tmp_path / "run", KEEP, OTHER, new_epoch=True)
    assert len(list(read_tape(tmp_path / "run").epochs[1].records)) == 5
    await broken(tmp_path / "run", monkeypatch, 25, OTHER)
    epoch = read_tape(tmp_path / "run").epochs[1]
    events = [record.event for record in epoch.records]
    assert events[:2] == [Kill("in the warm-up"), CLOSE], "what an operator said is not lost"
    assert sum(isinstance(event, Slice) and event.warmup for event in events) == WARMUP
    assert epoch.header["changed"] == ["the settings (live.feed.silence_s)"]


async def test_nothing_changed_is_said_and_no_epoch_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await trade(tmp_path / "whole", KEEP)
    await cut(tmp_path / "run", monkeypatch, 20)
    told: list[str] = []
    await trade(tmp_path / "run", KEEP, new_epoch=True, tell=told.append)
    run = tmp_path / "run"
    assert told == [f"{run}: nothing has changed since its epoch 1 began, so it goes on without another"]
    assert len(read_tape(run).epochs) == 1
    assert_same_files(run, tmp_path / "whole")


async def test_code_that_decides_otherwise_goes_on_with_the_state_of_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(tmp_path / "run", monkeypatch, 45)
    before = trades_of(tmp_path / "run")
    assert before.count("\n") > 3
    monkeypatch.setattr("tests.parity.seeded_strategy.toss", lambda *_: None)
    told: list[str] = []
    results = await trade(tmp_path / "run", KEEP, new_epoch=True, tell=told.append)
    assert "changed: what the code uses (" in told[0]
    assert trades_of(tmp_path / "run").startswith(before)
    assert results["funnel"]["signals"]["LONG"] > 0, "those of the first epoch"
    again = await TapeRunner(tmp_path / "run", tmp_path / "tape", tell=told.append).run_async()
    assert told[-1].startswith("epoch 1 was decided by other code: its rows are the session's own (")
    for name in (*FILES, again["files"]["trades"]):
        assert (tmp_path / "tape" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    manifest = json.loads((tmp_path / "tape/manifest.json").read_text())
    assert [one["replayed"] for one in manifest["epochs"]] == [False, True]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("timeframe=5m", r"another live.timeframe \(1m, now 5m\); begin anew in another --out"),
        ("exchange=binanceus", r"another live.exchange \(test, now binanceus\)"),
        ("starting_balance=20000", r"another trading_mode.starting_balance \(10000.0, now 20000.0\)"),
        ("symbols=[BBB/X, CCC/X]", "AAA/X has an open position or an order, so the new epoch must list it"),
        ("symbols=[AAA/X, CCC/X]", "BBB/X has an open position or an order, so the new epoch must list it"),
    ],
)
async def test_what_a_new_epoch_cannot_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str, said: str
) -> None:
    monkeypatch.setattr(Feed, "begin_at", None)
    for count in range(10, 90):  # until both symbols are held, or ordered
        run = tmp_path / f"run{count}"
        await broken(run, monkeypatch, count)
        state = epoch_start(read_tape(run)).state.runtime
        if held_of(state) == {"AAA/X", "BBB/X"}:
            break
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "status.json"}
    with pytest.raises(ConfigError, match=said):
        await trade(run, KEEP, override, new_epoch=True)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != "status.json"}
    assert after == before


async def test_a_symbol_that_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await cut(tmp_path / "run", monkeypatch, 20)
    results = await trade(tmp_path / "run", KEEP, "symbols=[AAA/X, BBB/X, CCC/X]", new_epoch=True)
    assert results["symbols"] == ["AAA/X", "BBB/X", "CCC/X"]
    assert results["per_symbol"]["CCC/X"]["candles"] == 0


async def test_a_symbol_that_is_traded_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await cut(tmp_path / "run", monkeypatch, 45)
    kept = epoch_start(read_tape(tmp_path / "run")).state.runtime
    held = held_of(kept)
    gone = next(symbol for symbol in ("AAA/X", "BBB/X") if symbol not in held)
    left = "AAA/X" if gone == "BBB/X" else "BBB/X"
    monkeypatch.setattr(Feed, "_heard", lambda self: [])
    results = await trade(tmp_path / "run", KEEP, f"symbols=[{left}]", new_epoch=True)
    assert results["performance"]["total_trades"] >= 1
    assert list(results["per_symbol"]) == [left]


def test_candles_that_were_never_handled_are_late_in_a_warm_up() -> None:
    sift = LateSifter({"BTC/USDT": 60_000, ETH: 0})
    known, news = candle(1.0, at=1), candle(2.0, at=1, symbol=ETH)
    assert sift(slice_of(known, news, warmup=True)) == (slice_of(known, warmup=True), LateCandle(news))
    assert sift(slice_of(news, warmup=True)) == (LateCandle(news),)
    unknown = slice_of(candle(1.0, at=5, symbol="NEW/X"), warmup=True)
    assert sift(unknown) == (unknown,)
    again, old = candle(2.0, at=0), LateCandle(candle(2.0, at=9, symbol=ETH), warmup=True)
    assert sift(LateCandle(again, warmup=True)) == (LateCandle(again, warmup=True),)
    assert sift(old) == (LateCandle(old.candle),), "no earlier epoch has handled it: exits are checked on it"
    assert sift(slice_of(known, news)) == (slice_of(known, news),)


def test_what_differs_is_named() -> None:
    assert differing({"a": {"b": 1, "c": [1]}}, {"a": {"b": 1, "c": [2]}, "d": None}) == ["a.c"]
    assert changed_versions({"versions": {}})[0].startswith("version of python: None, now ")
    assert START_MS % MINUTE_MS == 0
