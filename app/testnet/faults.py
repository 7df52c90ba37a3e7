"""The faults by name: what each takes, and how one is read from a script file or a request.

The rule: a name or field that there is not, or a value that makes no sense, is a ConfigError of one line that names the
nearest; a fault that was read is complete and cannot change. What a fault does belongs to who meets it.
"""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from app.errors import ConfigError
from app.times import TIMEFRAMES_MS, parse_time_ms

PATHS = ("ping", "time", "exchangeInfo", "klines")
# Faults in the rows of a klines answer; on another path they would do nothing.
ROW_FAULTS = ("empty", "missing", "duplicate", "disorder", "forming")


class Where(StrEnum):
    """Who meets a fault: a REST request, the websockets, or everybody from now on."""

    REST = "rest"
    SOCKETS = "sockets"
    LASTING = "lasting"


@dataclass(frozen=True)
class Fault:
    """One fault. REST: it meets `times` requests of `path` and `symbol` (None: any) after the first `after` of them.
    Sockets: at virtual `at_ms`, or at once. `values` are the name's own fields."""

    name: str
    where: Where
    values: Mapping[str, Any]
    path: str | None = None
    symbol: str | None = None
    after: int = 0
    times: int = 1
    at_ms: int | None = None


@dataclass(frozen=True)
class _Kind:
    where: Where
    own: Mapping[str, Any]  # field -> default; ... is mandatory


_KINDS = {
    "drop_sockets": _Kind(Where.SOCKETS, {}),
    "refuse_handshakes": _Kind(Where.SOCKETS, {"n": 1}),
    "silence": _Kind(Where.SOCKETS, {"s": 1.0}),
    "slow": _Kind(Where.REST, {"s": 1.0}),
    "hang": _Kind(Where.REST, {"s": 1.0}),
    "reset": _Kind(Where.REST, {}),
    "rate_limited": _Kind(Where.REST, {"retry_after_s": 1}),
    "banned": _Kind(Where.REST, {"s": 1.0}),
    "server_error": _Kind(Where.REST, {"status": 500, "body": "json"}),
    "html": _Kind(Where.REST, {}),
    "broken_json": _Kind(Where.REST, {}),
    "cut_json": _Kind(Where.REST, {}),
    "empty": _Kind(Where.REST, {}),
    "missing": _Kind(Where.REST, {"rows": 1}),
    "duplicate": _Kind(Where.REST, {"rows": 1}),
    "disorder": _Kind(Where.REST, {"rows": 1}),
    "forming": _Kind(Where.REST, {}),
    "blocked": _Kind(Where.REST, {"status": 403}),
    "maintenance": _Kind(Where.REST, {"s": 1.0}),
    "hole": _Kind(Where.LASTING, {"symbol": ..., "from": ..., "to": ...}),
    "revised": _Kind(
        Where.LASTING,
        {
            "symbol": ...,
            "at": ...,
            "timeframe": "1m",
            "from_answer": 1,
            "after_s": 0.0,
            "open": None,
            "high": None,
            "low": None,
            "close": None,
            "volume": None,
        },
    ),
    "skew": _Kind(Where.LASTING, {"ms": ...}),
}
NAMES = tuple(_KINDS)
_COMMON: dict[Where, dict[str, Any]] = {
    Where.REST: {"path": None, "symbol": None, "after": 0, "times": 1},
    Where.SOCKETS: {"at_ms": None},
    Where.LASTING: {},
}


def parse_fault(spec: object) -> Fault:
    """One fault from its plain keys, `fault` being its name."""
    if not isinstance(spec, Mapping):
        raise ConfigError(f"faults: {spec!r} is no fault; write keys with values, like fault: hang")
    name = spec.get("fault")
    if not isinstance(name, str) or name not in _KINDS:
        raise ConfigError(f"faults: unknown fault {name!r}; {_nearest(str(name), NAMES)}")
    kind = _KINDS[name]
    defaults = {**_COMMON[kind.where], **kind.own}
    values = dict(defaults)
    for key, value in spec.items():
        if key == "fault":
            continue
        if key not in defaults:
            raise ConfigError(f"faults: {name} has no field {key!r}; {_nearest(str(key), tuple(defaults))}")
        values[key] = _checked(name, key, value) if value is not None else defaults[key]
    absent = [key for key, value in values.items() if value is ...]
    if absent:
        raise ConfigError(f"faults: {name} needs {' and '.join(absent)}")
    if name == "hole" and values["from"] >= values["to"]:
        raise ConfigError("faults: hole: from must be before to")
    common = {key: values.pop(key) for key in _COMMON[kind.where]}
    if name in ROW_FAULTS:
        if common["path"] not in (None, "klines"):
            raise ConfigError(f"faults: {name} is a fault of klines, not of {common['path']}")
        common["path"] = "klines"
    return Fault(name, kind.where, values, **common)


def parse_faults(specs: object) -> tuple[Fault, ...]:
    """A list of faults, or one alone."""
    if isinstance(specs, Sequence) and not isinstance(specs, str):
        return tuple(parse_fault(spec) for spec in specs)
    return (parse_fault(specs),)


def read_faults(path: Path) -> tuple[Fault, ...]:
    """The faults of a script: a YAML or JSON list."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(f"--faults {path}: no such file; write none, storm:SEED or a file") from None
    except OSError as error:
        raise ConfigError(f"--faults {path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        why = str(error) if mark is None else f"line {mark.line + 1}: {getattr(error, 'problem', '')}"
        raise ConfigError(f"--faults {path}: cannot be read: {why}") from None
    if not isinstance(content, list):
        raise ConfigError(f"--faults {path}: holds no list of faults")
    try:
        return parse_faults(content)
    except ConfigError as error:
        raise ConfigError(f"--faults {path}: {str(error).removeprefix('faults: ')}") from None


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known) or 'none'}"


def _checked(name: str, key: str, value: Any) -> Any:
    try:
        return (_CHECKS.get(f"{name}.{key}") or _CHECKS[key])(value)
    except (ValueError, TypeError, ConfigError) as error:
        raise ConfigError(f"faults: {name}: {key}: {value!r} is not {error}") from None


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ValueError("a number of seconds, 0 or more")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number, 0 or more")
    return value


def _milliseconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number of milliseconds")
    return value


def _instant(value: Any) -> int:
    # YAML makes a date of 2025-12-01 and a datetime of a time; both print as ISO.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:
        return parse_time_ms(str(value))
    except ConfigError:
        raise ValueError("a time in ms or ISO") from None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number")
    return float(value)


def _symbol(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a symbol like BTC/USDT")
    return value


def _one_of(*choices: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in choices or isinstance(value, bool):
            raise ValueError(f"one of {', '.join(map(str, choices))}")
        return value

    return check


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "path": _one_of(*PATHS),
    "symbol": _symbol,
    "after": _count,
    "times": _count,
    "at_ms": _instant,
    "n": _count,
    "rows": _count,
    "s": _seconds,
    "retry_after_s": _count,
    "blocked.status": _one_of(403, 451),
    "server_error.status": _one_of(500, 502, 503, 504),
    "body": _one_of("json", "html"),
    "from": _instant,
    "to": _instant,
    "at": _instant,
    "timeframe": _one_of(*TIMEFRAMES_MS),
    "from_answer": _count,
    "after_s": _seconds,
    "ms": _milliseconds,
    **dict.fromkeys(("open", "high", "low", "close", "volume"), _number),
}
