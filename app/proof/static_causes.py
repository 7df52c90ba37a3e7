"""What two runs were built with, from their manifests: settings, code, strategy, versions, period, warm-up.

The rule: such a difference holds from the start on. A setting that cannot change a decision is no cause: what it
does is on the tape, or nothing.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.proof.differences import Cause, Difference
from app.proof.run_files import Run
from app.settings import InstrumentSettings
from app.times import iso_ms

# The feed's patience ends up on the tape, as marks and late candles; the others name places.
_INERT = ("live.exchange", "live.feed.", "trading_mode.safety.kill_switch_file")
_WARM_UP = "live.startup_candles"
_MEANINGS = {
    "code_sha256": "the code of Onetape differs",
    "strategy_sha256": "the file of the strategy differs",
}


def static_differences(a: Run, b: Run) -> list[Difference]:
    """Config first, then code, then warm-up."""
    found = [_from_start(Cause.CONFIG, f"{key}: {_text(x)} in A, {_text(y)} in B") for key, x, y in _settings(a, b)]
    start_a, start_b = a.period_ms[0], b.period_ms[0]
    if start_a != start_b:
        found.append(_from_start(Cause.CONFIG, f"period.start: {iso_ms(start_a)} in A, {iso_ms(start_b)} in B"))
    for key, meaning in _MEANINGS.items():
        x, y = str(a.manifest.get(key)), str(b.manifest.get(key))
        if x != y:
            found.append(_from_start(Cause.CODE, f"{meaning}: {x[:12]} in A, {y[:12]} in B"))
    for name, x, y in _differing(a.manifest.get("versions", {}), b.manifest.get("versions", {})):
        found.append(_from_start(Cause.CODE, f"version of {name}: {x} in A, {y} in B"))
    x, y = a.results["warmup_candles"], b.results["warmup_candles"]
    if x != y and a.symbols == b.symbols and start_a == start_b:
        wanted = [_text(run.settings["live"]["startup_candles"]) for run in (a, b)]
        said = f"warm-up candles: {x} in A, {y} in B (startup_candles {wanted[0]} and {wanted[1]})"
        found.append(_from_start(Cause.WARM_UP, said))
    return found


def differing_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Keys of settings that differ, each with both values, for a manifest against another."""
    return [f"{key}: {_text(x)}, now {_text(y)}" for key, x, y in _differing(before, now)]


def _settings(a: Run, b: Run) -> Iterator[tuple[str, Any, Any]]:
    stopped = "stopped" in (a.results["status"], b.results["status"])
    for key, x, y in _differing(_meant(a.settings), _meant(b.settings)):
        if key == _WARM_UP or key.startswith(_INERT) or (key == "trading_mode.on_stop" and not stopped):
            continue
        yield key, x, y


def _meant(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings with what is left out written down, so that only differences of meaning remain."""
    meant: dict[str, Any] = json.loads(json.dumps(settings))
    live = meant["live"]
    live["strategy"]["timeframe"] = live["strategy"]["timeframe"] or live["timeframe"]
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
