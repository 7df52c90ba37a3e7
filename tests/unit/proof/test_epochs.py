"""compare, why and reproduce on sessions of several epochs, and on replays of a tape: each epoch's header counts."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.errors import DataError, UnavailableError
from app.feeds.tape import read_tape
from app.models.events import Event
from app.models.market import Candle, Slice
from app.proof.comparison import Comparison, compare
from app.proof.differences import Cause
from app.proof.observation import look
from app.proof.rebuild import source_of
from app.proof.reproduce import Reproduction, reproduce
from app.proof.seen import Seen
from app.runs.reader import Run
from app.runs.run_inputs import inputs_of
from app.session.tape_replay import TapeRunner
from app.times import parse_time_ms
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS, SYMBOLS, WARMUP
from tests.parity.market import made_up
from tests.proof_runs import edit, rows_of
from tests.scripted_paper import Feed, no_sockets, trade

KEEP, OTHER = "on_stop=keep", "risk.reward_risk_ratio=9.0"
CUT = 100
NOWHERE = CandleCache(Path("nowhere"))


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)
    monkeypatch.setattr(Feed, "market", long_market())


def long_market() -> list[Event]:
    """Two hundred minutes of the golden market's symbols."""
    rows = made_up(9, SYMBOLS, START_MS - WARMUP * MINUTE_MS, 200 + WARMUP)
    candles: dict[int, list[Candle]] = {}
    for symbol in SYMBOLS:
        for row in rows[symbol]:
            candles.setdefault(row[0], []).append(Candle(symbol, "1m", *row))
    return [Slice(time_ms + MINUTE_MS, tuple(candles[time_ms]), time_ms < START_MS) for time_ms in sorted(candles)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two epochs of the golden market; the second has another ratio."""
    with monkeypatch.context() as only:
        only.setattr(Feed, "stop_after", CUT)
        only.setattr(Feed, "breaks", True)
        with pytest.raises(UnavailableError):
            asyncio.run(trade(tmp_path / "run", KEEP))
    monkeypatch.setattr(Feed, "begin_at", CUT)
    asyncio.run(trade(tmp_path / "run", KEEP, OTHER, new_epoch=True))
    monkeypatch.setattr(Feed, "begin_at", None)
    return tmp_path / "run"


def replayed(run: Path, last_seq: int | None = None) -> Path:
    out = run.with_name(f"{run.name}_tape{last_seq or ''}")
    asyncio.run(TapeRunner(run, out, last_seq).run_async())
    return out


def held(a: Path, b: Path) -> Comparison:
    return compare(Run.open(a), Run.open(b), [NOWHERE])


def again(run: Path) -> Reproduction:
    return asyncio.run(reproduce(Run.open(run), NOWHERE))


def seen(run: Path, row: dict[str, str]) -> Seen:
    time_ms = parse_time_ms(row["timestamp"])
    return asyncio.run(look(source_of(run, [NOWHERE], time_ms), row["symbol"], time_ms))[0]


def test_a_replay_names_its_tape_and_is_the_session(run: Path) -> None:
    out = replayed(run)
    about = json.loads((out / "manifest.json").read_text())["tape"]
    tape = read_tape(run)
    last_seq = max(record.seq for record in tape.records)
    assert about == {"run": str(run), "sha256": tape.sha256(last_seq), "last_seq": last_seq}
    comparison = held(run, out)
    assert (comparison.is_same, comparison.differences, comparison.notes) == (True, [], [])
    for one in (run, out):
        assert (again(one).is_same, again(one).notes) == (True, [])


def test_a_replay_goes_no_further_than_it_did(run: Path) -> None:
    out = replayed(run, 150)
    assert again(out).is_same
    inputs = inputs_of(Run.open(out), [NOWHERE])
    assert inputs.are_known
    assert len(list(inputs.events())) < len(list(inputs_of(Run.open(run), [NOWHERE]).events()))


def test_what_began_with_an_epoch_explains_what_comes_after_it(run: Path, tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path / "whole", KEEP))
    comparison = held(tmp_path / "whole", run)
    assert (comparison.is_same, comparison.is_explained, comparison.cause) == (False, True, Cause.CONFIG)
    start = Run.open(run).epochs[1]["start"]
    assert comparison.evidence == f"risk.reward_risk_ratio: 2.0 in A, 9.0 in B, since the epoch that began {start}"
    first = comparison.outputs.first
    assert first is not None
    assert first.time_ms > parse_time_ms(start)
    # The warm-up of the epoch is no second helping of candles.
    assert [one.cause for one in comparison.differences] == [Cause.WARM_UP, Cause.CONFIG]
    assert comparison.differences[0].said == "indicators were warmed up anew in B only, for its epoch 2"


def test_an_epoch_that_is_the_same_explains_nothing(run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    signals = rows_of(other / "signals.csv")
    early = next(row for row in signals if row["outcome"] == "order")
    path = other / "signals.csv"
    path.write_text(path.read_text().replace(early["target"], "1.0", 1))
    comparison = held(run, other)
    assert (comparison.is_same, comparison.is_explained) == (False, False)


def test_why_takes_the_epoch_of_the_time(run: Path) -> None:
    rows = [row for row in rows_of(run / "signals.csv") if row["outcome"] == "order"]
    start = Run.open(run).epochs[1]["start"]
    before, after = (next(row for row in rows if (row["timestamp"] > start) is late) for late in (False, True))
    for one in (run, replayed(run)):
        for row in (before, after):
            at = seen(one, row)
            assert at.decision is not None
            assert at.decision.order is not None
            order: Any = at.decision.order
            assert (order.order_id, order.target) == (int(row["order_id"]), float(row["target"]))
    sources = [source_of(run, [NOWHERE], parse_time_ms(row["timestamp"])) for row in (before, after)]
    assert [one.settings.risk.reward_risk_ratio for one in sources] == [2.0, 9.0]
    assert sources[0].state is None
    assert sources[1].state is not None


def test_why_knows_a_position_that_an_earlier_epoch_opened(run: Path) -> None:
    start = Run.open(run).epochs[1]["start"]
    trades = rows_of(next(run.glob("paper_*.csv")))
    opened = {row["trade_id"] for row in trades if row["action"] == "OPEN" and row["timestamp"] <= start}
    close = next(
        row for row in trades
        if row["action"] == "CLOSE" and row["trade_id"] in opened and row["timestamp"] > start
        and row["reason"] in ("stop_loss", "take_profit")
    )  # fmt: skip
    filled = seen(run, close).fills[0]
    assert filled.exit is not None
    assert filled.exit.reason == close["reason"]


def test_a_tape_that_is_gone_or_another_one(run: Path, tmp_path: Path) -> None:
    out = replayed(run)
    segment = run / "tape/000002.jsonl"
    whole = segment.read_bytes()
    edit(out / "manifest.json", lambda content: content["tape"].update(sha256="0"))
    for ask in (again, lambda one: source_of(one, [NOWHERE]), lambda one: inputs_of(Run.open(one), [NOWHERE])):
        with pytest.raises(DataError, match=r"is a replay of the tape of .*run, which is another one now"):
            ask(out)
    run.rename(tmp_path / "elsewhere")
    for ask in (again, lambda one: source_of(one, [NOWHERE]), lambda one: inputs_of(Run.open(one), [NOWHERE])):
        with pytest.raises(DataError, match=r"is a replay of the tape of .*run, which is not there any more"):
            ask(out)
    comparison = held(tmp_path / "elsewhere", out)
    assert comparison.is_same
    assert comparison.notes[0].startswith("the candles were not compared: ")
    assert whole


def test_other_code_of_an_epoch_is_a_difference_from_then_on(run: Path) -> None:
    out = replayed(run)
    edit(out / "manifest.json", lambda content: content["epochs"][1].update(code_sha256="0" * 64))
    (difference,) = held(run, out).differences
    assert (difference.cause, difference.time_ms) == (Cause.CODE, parse_time_ms(Run.open(run).epochs[1]["start"]))
