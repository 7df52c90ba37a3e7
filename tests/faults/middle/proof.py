"""What a damaged session promised, held against what its run, its output and the man in the middle show.

Each promise is a function that yields what is wrong, so that a broken session shows which of them it breaks.
"""

import asyncio
import csv
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.feeds.tape import has_tape, read_tape
from app.models.events import MarkedSlice
from app.models.market import Slice
from app.proof.differences import Cause
from app.session.paper import PaperRunner
from app.session.recorded_runtime import ReplayError
from app.session.tape_replay import TapeRunner
from app.testnet.generator import GeneratorSource
from app.testnet.server import Testnet
from app.times import parse_time_ms
from tests.faults.middle.kinds import Kind
from tests.live_faults import SYMBOLS, Proven, settings
from tests.live_faults import proof as proof_of_session

STRATEGY = "tests.faults.middle.strategy:EveryOther"
START_MS = 1_772_366_420_000  # 2026-03-01T12:00:20Z, when every session begins
_MINUTE_MS = 60_000
_LINES_MAX = 12  # on standard error, of a whole session
_STOP_S = 5.0
_WINDOW_S = 5.0
_REFUSED_MAX = 20  # refused requests in such a window
_UNDER_WAY_MAX = 6  # requests that were on their way when the first was refused
_TRACE = ("Traceback", 'File "', "Error while", "never retrieved", "exception in")


@dataclass(frozen=True)
class Seen:
    """What was seen from outside: times of the exchange in ms."""

    status: int
    end_ms: int | None  # as it was started with
    ended_ms: int | None  # when the damage was over
    damaged: int
    stop_s: tuple[float, ...] | None  # what a stop took, of the exchange's time and of the processor's
    requests: Sequence[dict[str, Any]]
    handshakes: Sequence[dict[str, Any]]
    problems: Sequence[str] = field(default_factory=tuple)


def source() -> GeneratorSource:
    """The candles of every session; one symbol more than they trade."""
    return GeneratorSource(7, [*SYMBOLS, "SOL/USDT"])


def config(folder: Path, strategy: str) -> dict[str, Any]:
    """The session's profile; every time in it is the default's."""
    return settings(folder, strategy={"name": strategy})


def prove(kind: Kind, seen: Seen, folder: Path, strategy: str) -> None:
    """Writes `seen.json` and `verdict.json` beside the session's folder."""
    (folder / "seen.json").write_text(json.dumps(asdict(seen), indent=1))
    facts: dict[str, Any] = {}
    problems = asyncio.run(_problems(kind, seen, folder, strategy, facts))
    facts["processor_s"] = round(time.process_time(), 1)
    (folder / "verdict.json").write_text(json.dumps({"problems": problems, "facts": facts}))


async def _problems(kind: Kind, seen: Seen, folder: Path, strategy: str, facts: dict[str, Any]) -> list[str]:
    out, err = ((folder / name).read_text(errors="replace") for name in ("out", "err"))
    found = [one if one.startswith("alive: ") else f"harness: {one}" for one in seen.problems]
    found += [*ends_well(kind, seen, err), *says_little(out, err), *asks_little(kind, seen)]
    facts.update(status=seen.status, damaged=seen.damaged, lines=err.count("\n"), stop_s=seen.stop_s)
    if seen.status == 2:
        facts["said"] = err.strip()[-200:]
    if not has_tape(folder / "live"):
        return found
    if (folder / "live/results.json").exists():
        try:
            proven = await _proven(folder, strategy)
        except ReplayError as error:
            return [*found, f"tape: {error}"]
        found += [*lasts(seen, proven), *is_its_tape(proven), *is_explained(kind, proven)]
        facts["feed"] = dict(proven.live["feed"])
        facts["differences"] = len(proven.comparison.differences)
        if kind.stop_s is None:
            found += heals(kind, seen, proven)
    else:
        found += await broke_off_as_its_tape(folder)
    return found


async def _proven(folder: Path, strategy: str) -> Proven:
    runner = PaperRunner(config=config(folder, strategy))
    return await proof_of_session(Testnet(source(), start_ms=START_MS), runner, folder)


def ends_well(kind: Kind, seen: Seen, err: str) -> Iterator[str]:
    """(a) Alive to its end, or ended with one clear line; a stop is obeyed soon."""
    if seen.damaged == 0:
        yield "harness: nothing was damaged"
    if seen.status == 2:
        lines = [line for line in err.splitlines() if line.strip()]
        if not lines or not lines[-1].startswith("onetape: "):
            yield f"alive: ended with status 2 and no clear line: {err[-200:]!r}"
    elif seen.status != 0:
        yield f"alive: ended with status {seen.status}: {_last_line(err)}"
    if kind.stop_s is not None and seen.stop_s is None and seen.status == 0:
        yield "harness: the session ended before it was to be stopped"
    for what, took_s in zip(("of the exchange", "of the processor"), seen.stop_s or (), strict=False):
        if took_s > _STOP_S:
            yield f"stop: SIGTERM was obeyed after {took_s:.1f} s {what}"


def lasts(seen: Seen, proven: Proven) -> Iterator[str]:
    """(a) Its last slice is that of its end."""
    last_ms = max((one.close_time_ms for one in proven.events if isinstance(one, Slice)), default=0)
    if seen.end_ms is not None and last_ms < seen.end_ms:
        yield f"alive: it ended {(seen.end_ms - last_ms) // _MINUTE_MS} slices before its end"


def says_little(out: str, err: str) -> Iterator[str]:
    """(a) No traceback on the terminal, no flood."""
    for name, text in (("output", out), ("error", err)):
        trace = [word for word in _TRACE if word in text]
        if trace:
            yield f"lines: {trace} on standard {name}, {text.count(chr(10))} lines: {_last_line(text)}"
    if err.count("\n") > _LINES_MAX:
        yield f"lines: {err.count(chr(10))} on standard error"


def is_its_tape(proven: Proven) -> Iterator[str]:
    """(b) The tape gives the session's trade log, byte for byte."""
    for name in ("trades", "signals"):
        live, tape, _ = proven.log(name)
        if live != tape:
            yield f"tape: its {name} are not the session's"


async def broke_off_as_its_tape(folder: Path) -> list[str]:
    """(b) For a session that ended early: what it traded is what its tape begins with."""
    logs = list((folder / "live").glob("paper_*.csv"))
    if not any(not one.event.warmup for one in read_tape(folder / "live").records if isinstance(one.event, Slice)):
        return []
    try:
        tape = await TapeRunner(folder / "live", folder / "tape").run_async()
    except Exception as error:
        return [f"tape: {type(error).__name__}: {error}"]
    replayed = (tape.folder / str(tape["files"]["trades"])).read_bytes()
    return [] if replayed.startswith(logs[0].read_bytes()) else ["tape: its trades are not the session's"]


def is_explained(kind: Kind, proven: Proven) -> Iterator[str]:
    """(c) `compare` with history names each difference with a cause; only a lie that looks true is traded on."""
    comparison = proven.comparison
    if not comparison.is_explained:
        yield f"compare: {comparison.evidence}"
    if any(one.cause is Cause.UNEXPLAINED for one in comparison.differences):
        yield "compare: a difference has no cause"
    data = [one.said for one in comparison.differences if one.cause is Cause.DATA]
    if data and not kind.lies:
        yield f"believed: {len(data)} candles with other values: {data[0]}"


def heals(kind: Kind, seen: Seen, proven: Proven) -> Iterator[str]:
    """(d) From the third slice after the damage and its bans on: whole, in time, no gap, and entries are accepted."""
    if seen.ended_ms is None:
        yield "heals: the session ended in the middle of the damage"
        return
    slices = [one for one in proven.events if isinstance(one, Slice) and not one.warmup]
    last_ms = seen.end_ms or parse_time_ms(str(proven.live["requested"]["end"]))
    refused_s = max((one["at_s"] for one in seen.requests if one["damaged"]), default=0.0)
    after_ms = max(seen.ended_ms, START_MS + int((refused_s + kind.ban_s) * 1000)) + 3 * _MINUTE_MS
    good = [one for one in slices if after_ms < one.close_time_ms <= last_ms]
    expected = range(after_ms // _MINUTE_MS + 1, last_ms // _MINUTE_MS + 1)
    if len(expected) < 3:
        yield f"harness: only {len(expected)} slices to look at after the damage"
    missing = len(set(expected) - {one.close_time_ms // _MINUTE_MS for one in good})
    if missing:
        yield f"heals: {missing} of {len(expected)} slices are missing"
    bad = [one for one in good if len(one.candles) < len(SYMBOLS)]
    if bad:
        yield f"heals: {len(bad)} of {len(good)} slices are not whole"
    marked = [one for one in good if isinstance(one, MarkedSlice)]
    if marked:
        late = sum(one.late for one in marked)
        yield f"heals: {late} of {len(good)} slices are late, {len(marked) - late} have stale symbols"
    path = proven.live.folder / str(proven.live["files"]["signals"])
    with path.open() as lines:
        rows = [row for row in csv.DictReader(lines) if parse_time_ms(row["timestamp"]) > after_ms]
    for symbol in SYMBOLS:
        if not any(row["symbol"] == symbol and row["outcome"] == "order" for row in rows):
            outcomes = sorted({row["outcome"] for row in rows if row["symbol"] == symbol})
            yield f"heals: no entry of {symbol} is accepted (outcomes: {outcomes})"


def asks_little(kind: Kind, seen: Seen) -> Iterator[str]:
    """(e) Who is refused asks seldom: in any 5 s, and in the time that the exchange asked for."""
    for what, asked in (("requests", seen.requests), ("handshakes", seen.handshakes)):
        times_s = sorted(one["at_s"] for one in asked if one["damaged"] and _is_refused(one))
        most = max((sum(at_s <= other_s < at_s + _WINDOW_S for other_s in times_s) for at_s in times_s), default=0)
        if most > _REFUSED_MAX:
            yield f"hammers: {most} refused {what} in {_WINDOW_S:.0f} s"
        early = sum(at_s < times_s[0] + kind.wait_s * 0.9 for at_s in times_s)
        if early > _UNDER_WAY_MAX:
            yield f"hammers: {early} {what} within the {kind.wait_s:,.0f} s for which the exchange asked for none"


def _is_refused(request: dict[str, Any]) -> bool:
    return bool(request["status"] == 0 or request["status"] >= 400)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else ""
