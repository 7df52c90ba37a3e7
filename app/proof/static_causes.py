"""What two runs were built with, from their manifests: settings, code, strategy, versions, period, warm-up.

Such a difference holds from the start on, or from the epoch of a session that brought it. A setting that cannot change
a decision is no cause: what it does is on the tape, or nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.models.orders import MAIN
from app.proof.differences import Cause, Difference
from app.runs.reader import Run
from app.settings.profile import InstrumentSettings
from app.times import iso_ms, parse_time_ms

# The feed's patience ends up on the tape, as marks and late candles; the others name places.
# The limits of real orders mean nothing on paper; with real orders each refusal has its name.
_INERT = ("live.exchange", "live.feed.", "trading_mode.safety.kill_switch_file", "trading_mode.orders")
_WARM_UP = "live.startup_candles"
_MEANINGS = {
    "code_sha256": "the code of Onetape differs",
    "strategy_sha256": "the file of the strategy differs",
}


def static_differences(a: Run, b: Run) -> list[Difference]:
    """Config first, then code, then warm-up; those of later epochs last, by time."""
    stopped = "stopped" in (a.results["status"], b.results["status"])
    first, *later = _built_with(a, b)
    found = list(_settings(first, stopped=stopped))
    start_a, start_b = a.period_ms[0], b.period_ms[0]
    if start_a != start_b:
        found.append(_from_start(Cause.CONFIG, f"period.start: {iso_ms(start_a)} in A, {iso_ms(start_b)} in B"))
    found += _code(first)
    x, y = a.results["warmup_candles"], b.results["warmup_candles"]
    if x != y and a.symbols == b.symbols and start_a == start_b and not later:
        wanted = [_text(run.settings["live"]["startup_candles"]) for run in (a, b)]
        said = f"warm-up candles: {x} in A, {y} in B (startup_candles {wanted[0]} and {wanted[1]})"
        found.append(_from_start(Cause.WARM_UP, said))
    for both in later:
        for name, own, other in (("A", *both.begins_anew), ("B", *reversed(both.begins_anew))):
            if own is not None and other is None:
                said = f"indicators were warmed up anew in {name} only, for its epoch {own}"
                found.append(Difference(Cause.WARM_UP, both.start_ms, "", said))
        known = {one.said for one in found}
        news = (one for one in (*_settings(both, stopped=stopped), *_code(both)) if one.said not in known)
        found += [replace(one, said=f"{one.said}, since the epoch that began {iso_ms(both.start_ms)}",
                          time_ms=both.start_ms) for one in news]  # fmt: skip
    return found


@dataclass(frozen=True)
class _Both:
    """What the runs are built with from a time on."""

    start_ms: int
    a: Mapping[str, Any]
    b: Mapping[str, Any]
    begins_anew: tuple[int | None, int | None] = (None, None)  # the number of the epoch that A, and that B, begins here


def _built_with(a: Run, b: Run) -> Iterator[_Both]:
    """At the start, and at each beginning of a later epoch of either."""
    epochs = [[(parse_time_ms(one["start"]), one) for one in run.epochs] for run in (a, b)]
    yield _Both(0, epochs[0][0][1], epochs[1][0][1])
    for start_ms in sorted({start_ms for own in epochs for start_ms, _ in own[1:]}):
        first, second = ([one for begin_ms, one in own[1:] if begin_ms <= start_ms] or [own[0][1]] for own in epochs)
        begins = [next((one["number"] for begin_ms, one in own[1:] if begin_ms == start_ms), None) for own in epochs]
        yield _Both(start_ms, first[-1], second[-1], (begins[0], begins[1]))


def differing_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Keys of settings that differ, each with both values, for a manifest against another."""
    return [f"{key}: {_text(x)}, now {_text(y)}" for key, x, y in _differing(before, now)]


def deciding_settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key and both values of each setting that differs in its meaning and can change a decision."""
    for key, x, y in _differing(_meant(a), _meant(b)):
        if key != _WARM_UP and not key.startswith(_INERT):
            yield key, _text(x), _text(y)


def _settings(both: _Both, *, stopped: bool) -> Iterator[Difference]:
    for key, x, y in deciding_settings(both.a["settings"], both.b["settings"]):
        if stopped or key != "trading_mode.on_stop":
            yield _from_start(Cause.CONFIG, f"{key}: {x} in A, {y} in B")


def _code(both: _Both) -> Iterator[Difference]:
    for key, meaning in _MEANINGS.items():
        x, y = str(both.a.get(key)), str(both.b.get(key))
        if x != y:
            yield _from_start(Cause.CODE, f"{meaning}: {x[:12]} in A, {y[:12]} in B")
    for name, x, y in _differing(both.a.get("versions") or {}, both.b.get("versions") or {}):
        yield _from_start(Cause.CODE, f"version of {name}: {x} in A, {y} in B")


def _meant(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with what is left out written down, so that only differences of meaning remain."""
    meant: dict[str, Any] = json.loads(json.dumps(settings))
    live = meant["live"]
    written = live.pop("strategies", None) or [{"id": MAIN, **live.pop("strategy")}]
    for own in written:
        own["timeframe"] = own["timeframe"] or live["timeframe"]
        asked = own.get("symbols") or live["symbols"]
        own["symbols"] = [symbol for symbol in live["symbols"] if symbol in asked]
        own["allocation"] = own.get("allocation") or 1.0 / len(written)
    if [own["id"] for own in written] == [MAIN]:
        live["strategy"] = {key: value for key, value in written[0].items() if key not in ("id", "symbols")}
    else:
        live["strategies"] = {own.pop("id"): {"place": place, **own} for place, own in enumerate(written, 1)}
    own = live["instruments"]
    live["instruments"] = {symbol: own.get(symbol) or InstrumentSettings().model_dump() for symbol in live["symbols"]}
    return meant


def _differing(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in sorted({*a, *b}):
            yield from _differing(a.get(key), b.get(key), f"{path}.{key}" if path else str(key))
    elif a != b:
        yield path, a, b


def _text(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _from_start(cause: Cause, said: str) -> Difference:
    return Difference(cause, None, "", said)
