"""Epochs of a session: what has changed since the last one, whether it can go on with it, and from which state.

The state is what the code that decided wrote itself, and fits the tape's digest. Candles after it come again from the
exchange; commands after it are carried over. Nothing of an older epoch is computed again.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from app.errors import ConfigError, DataError
from app.feeds.tape import Epoch, Record, Tape
from app.models.events import Close, Event, Halt, Kill, LateCandle, Resume
from app.models.market import Candle, Slice
from app.models.orders import Line
from app.runs.manifest import code_sha256, sha256_json
from app.runs.recorder import LogLengths
from app.runs.run_folder import RunFolder
from app.session.building import OrderNames
from app.session.period import Period
from app.session.plan import RunPlan, versions
from app.session.state import SessionState, encode_state, read_state, with_day
from app.session.state_file import read_states
from app.settings.profile import Settings, load_settings
from app.strategies.loader import LoadedStrategies, check_settings
from app.times import DAY_MS, TIME_MAX_MS, iso_ms

UNENDED_MS = TIME_MAX_MS - DAY_MS
_FIXED = ("live.exchange", "live.timeframe", "trading_mode.starting_balance")


@dataclass(frozen=True)
class EpochStart:
    """Where a new epoch begins: its number and first segment, the state before it, and commands not yet obeyed."""

    number: int
    segment: int
    next_seq: int
    state: SessionState
    carried: tuple[Event, ...]


def header_of(plan: RunPlan, trades: str) -> dict[str, Any]:
    """What a tape's header says of what computes; `trades` is the name of the session's trade log."""
    settings = plan.settings.model_dump(mode="json")
    return {
        "settings": settings,
        "settings_sha256": sha256_json(settings),
        "strategy_sha256": plan.strategies.source_sha256,
        "code_sha256": code_sha256(),
        "versions": _versions(),
        "start_ms": plan.period.start_ms,
        "warmup": plan.warmup,
        "warmup_start_ms": plan.warmup_start_ms,
        "trades": trades,
        **({} if plan.orders is None else {"mode": "live", "tag": plan.orders.tag}),
    }


def epoch_header(plan: RunPlan, folder: RunFolder, start: EpochStart, changed: Sequence[str]) -> dict[str, Any]:
    """The same for an epoch that is not the first, with the state that it goes on from."""
    return {
        **header_of(plan, folder.trades.stem),
        "epoch": start.number,
        "after": start.state.seq,
        "changed": list(changed),
        "logs_sha256": logs_sha256(folder, start.state.logs),
        "state": msgspec.json.decode(encode_state(start.state)),
    }


def mode_of(header: Mapping[str, Any]) -> str:
    """`live` where the session's orders are real, else `paper`."""
    return str(header.get("mode", "paper"))


def orders_of(epoch: Epoch) -> OrderNames | None:
    """What its client ids begin with; None where its orders are not real."""
    return OrderNames(epoch.header["tag"], epoch.number) if mode_of(epoch.header) == "live" else None


def plan_of_epoch(tape: Tape, epoch: Epoch, run: Path, mode: str | None = None) -> tuple[RunPlan, RunFolder]:
    """What an epoch's header says of its session, and the files of the run folder. `mode`: None for the session's."""
    header = epoch.header
    settings = load_settings(header["settings"])
    strategies = check_settings(settings)
    period = Period(tape.header["start_ms"], UNENDED_MS, "on the exchange's stream")
    warmup_start_ms = header["warmup_start_ms"]
    plan = RunPlan(
        settings, strategies, period, header["warmup"], warmup_start_ms, mode=mode or mode_of(header),
        epochs=epoch_notes(tape), orders=orders_of(epoch),
    )  # fmt: skip
    return plan, RunFolder(run, header["trades"])


def state_of(epoch: Epoch) -> SessionState | None:
    """The state that an epoch began with; None for the first."""
    state = epoch.header.get("state")
    return None if state is None else read_state(msgspec.json.encode(state), epoch.folder)


def has_traded(epoch: Epoch) -> bool:
    """Whether it came to an end with its warm-up, or ordered something; until then it has decided nothing."""
    return any(_decided(record) for record in epoch.records)


def _decided(record: Record) -> bool:
    return bool(record.intents) or (isinstance(record.event, Slice) and not record.event.warmup)


def epoch_notes(tape: Tape) -> list[dict[str, Any]]:
    """Each epoch for results.json and manifest.json: number, when, what had changed, and what it computed with."""
    return [epoch_note(epoch.number, epoch.header) for epoch in tape.epochs]


def epoch_note(number: int, header: Mapping[str, Any]) -> dict[str, Any]:
    """One of them. `start`: the close of the last slice before it, or the session's start."""
    state = header.get("state")
    return {
        "number": number,
        "start": iso_ms(header["start_ms"] if state is None else state["last_close_ms"]),
        "changed": header.get("changed", []),
        "settings": header["settings"],
        **{key: header.get(key) for key in ("settings_sha256", "strategy_sha256", "code_sha256", "versions")},
    }


def changes(header: Mapping[str, Any], settings: Settings, strategies: LoadedStrategies) -> list[str]:
    """What is not as it was when an epoch began, in words."""
    asked = settings.model_dump(mode="json")
    changed = []
    if sha256_json(asked) != header["settings_sha256"]:
        changed.append(f"the settings ({', '.join(differing(header['settings'], asked))})")
    if strategies.source_sha256 != header["strategy_sha256"]:
        changed.append("the strategy's code")
    if code_sha256() != header["code_sha256"]:
        changed.append("Onetape's code")
    return changed


def changed_versions(header: Mapping[str, Any]) -> list[str]:
    """Libraries that compute and are others now; they do not forbid to go on, the digests tell whether they matter."""
    before, now = header.get("versions") or {}, _versions()
    return [f"version of {name}: {before.get(name)}, now {now[name]}" for name in now if before.get(name) != now[name]]


def differing(before: Any, now: Any, path: str = "") -> list[str]:
    """Keys whose values differ; strategies by their ids."""
    before, now = _by_id(before), _by_id(now)
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if json.dumps(before) == json.dumps(now) else [path]
    keys = sorted({*before, *now})
    return [
        found for key in keys for found in differing(before.get(key), now.get(key), f"{path}.{key}" if path else key)
    ]


def _by_id(content: Any) -> Any:
    """A list of strategies as a mapping, in which their order is a value, too."""
    if isinstance(content, list) and content and all(isinstance(one, dict) and "id" in one for one in content):
        return {one["id"]: {"place in the list": place, **one} for place, one in enumerate(content, 1)}
    return content


def epoch_start(tape: Tape) -> EpochStart:
    """Where the next epoch begins; one that did not come past its warm-up begins once more."""
    epoch = tape.epochs[-1]
    began = state_of(epoch)
    if began is not None and not has_traded(epoch):
        carried = tuple(_commands(epoch, began.seq))
        segment = sum(len(one.segments) for one in tape.epochs[:-1]) + 1
        return EpochStart(epoch.number, segment, epoch.first_seq, began, carried)
    states = {}
    for content in read_states(epoch.folder):
        mark = msgspec.json.decode(content, type=_Mark)
        states[mark.seq, mark.digest] = content
    found, last_seq = None, 0
    for record in epoch.records:
        last_seq = record.seq
        # Orders that the state does not know of, but that may have been sent, leave it without a meaning.
        before = None if record.intents and record.digest else found
        found = states.get((record.seq, record.digest or ""), before)
    if found is None:
        raise DataError(
            f"{epoch.folder.parent}: the state after its last event is not there (an older Onetape wrote it, or the "
            "power went); start it once with the code and settings it was begun with, stop it, then add --new-epoch"
        )
    state = with_day(read_state(found, epoch.folder), RunFolder(epoch.folder.parent, epoch.header["trades"]))
    segment = sum(len(one.segments) for one in tape.epochs) + 1
    return EpochStart(epoch.number + 1, segment, last_seq + 1, state, tuple(_commands(epoch, state.seq)))


def refuse_what_cannot_go_on(run: Path, header: Mapping[str, Any], settings: Settings, state: SessionState) -> None:
    """ConfigError for a change that would leave the state without a meaning."""
    asked = settings.model_dump(mode="json")
    for key in differing(header["settings"], asked):
        if key in _FIXED:
            before, now = (_value(content, key) for content in (header["settings"], asked))
            raise ConfigError(
                f"{run}: a new epoch cannot have another {key} ({before}, now {now}); begin anew in another --out"
            )
    lines = {Line(spec.id, symbol) for spec in settings.strategies for symbol in spec.symbols}
    held = {one.line: "an open position" for one in state.runtime.positions}
    held |= {one.line: "an entry order" for one in state.runtime.pending}
    for line, what in held.items():
        if line in lines:
            continue
        if line.symbol not in settings.live.symbols:
            raise ConfigError(
                f"{run}: {line.symbol} has an open position or an order, so the new epoch must list it in symbols; "
                "take it out when it is closed"
            )
        raise ConfigError(
            f"{run}: strategy {line.strategy} has {what} on {line.symbol}, so the new epoch must have that strategy on "
            "it; take it out when it is closed"
        )


def logs_sha256(folder: RunFolder, lengths: LogLengths) -> dict[str, str]:
    """Of what the logs held when an epoch began."""
    pairs = [("trades", folder.trades, lengths.trades_bytes), ("signals", folder.signals, lengths.signals_bytes)]
    if lengths.refused_bytes:
        pairs.append(("refused", folder.refused, lengths.refused_bytes))
    return {name: hashlib.sha256(path.read_bytes()[:length]).hexdigest() for name, path, length in pairs}


def refuse_other_logs(folder: RunFolder, epoch: Epoch, lengths: LogLengths) -> None:
    """DataError where the rows of earlier epochs are not those that were there when this one began."""
    paths = folder.trades, folder.signals, folder.refused
    for (name, found), path in zip(logs_sha256(folder, lengths).items(), paths, strict=False):
        if found != epoch.header["logs_sha256"][name]:
            raise DataError(f"{path}: its rows before epoch {epoch.number} are not those that its session wrote")


@dataclass(frozen=True)
class LateSifter:
    """A warm-up in the middle of a session: candles in it that were never handled are late ones, not warm-up.

    `seen` are the newest open times that were handled; a symbol that is new has none, and nothing late.
    """

    seen: Mapping[str, int]

    def __call__(self, event: Event) -> Sequence[Event]:
        """The event, or what it is here."""
        if isinstance(event, LateCandle) and event.warmup and self._is_news(event.candle):
            return (LateCandle(event.candle),)
        if not (isinstance(event, Slice) and event.warmup):
            return (event,)
        late = [candle for candle in event.candles if self._is_news(candle)]
        if not late:
            return (event,)
        known = tuple(candle for candle in event.candles if candle not in late)
        return (*([Slice(event.close_time_ms, known, True)] if known else []), *map(LateCandle, late))

    def _is_news(self, candle: Candle) -> bool:
        return candle.open_time_ms > self.seen.get(candle.symbol, UNENDED_MS)


def late_sifter(state: SessionState, start_ms: int) -> LateSifter:
    """For the epoch after a state; of a symbol that was listed but never heard, all since the start is late."""
    return LateSifter({**{series.symbol: start_ms - 1 for series in state.coverage}, **state.seen})


class _Mark(msgspec.Struct):
    seq: int
    digest: str


def _commands(epoch: Epoch, after_seq: int) -> Iterator[Event]:
    # Slices come again from the exchange; what an operator said is only here.
    return (
        one.event for one in epoch.records if one.seq > after_seq and isinstance(one.event, (Halt, Kill, Close, Resume))
    )


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **versions()}


def _value(settings: Mapping[str, Any], key: str) -> Any:
    section, name = key.split(".")
    return settings[section][name]
