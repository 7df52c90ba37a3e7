"""The faults by name: the fields of each, and how one is read from a script file or a request.

A name or field that there is not, or a value that makes no sense, is a ConfigError of one line that names the nearest.
What a fault does is in rest_faults.py, order_faults.py, fault_desk.py and the sockets.
"""

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from app.errors import ConfigError
from app.testnet.weights import SIGNED_PATHS, WEIGHTS
from app.times import TIMEFRAMES_MS, parse_time_ms

# What an order fault may ask of a signed request, an event fault of an event, beside the symbol; `leg` is what comes
# after the last dash of a client order id.
MATCHED = ("method", "side", "type", "leg")
PRICES_AND_VOLUME = ("open", "high", "low", "close", "volume")
# Faults in the rows of a klines response; on another path they would do nothing.
_ROW_FAULTS = ("empty", "missing", "duplicate", "disorder", "forming")
# Faults in what one signed question is answered.
_PATH_OF = {"wrong_balance": "account", "trades_missing": "myTrades", "stale_orders": "openOrders"}


class Where(StrEnum):
    """Who meets a fault: a REST request, a signed request (REST or websocket API), the events that one matching gave,
    the exchange at a time (most of it its websockets), or everybody from now on."""

    REST = "rest"
    ORDERS = "orders"
    EVENTS = "events"
    SOCKETS = "sockets"
    LASTING = "lasting"


@dataclass(frozen=True)
class Fault:
    """One fault. REST: it meets `times` requests of `path` and `symbol` (None: any) after the first `after` of them.
    Orders, events: likewise, and all that `match` names must fit. Sockets: at virtual `at_ms`, or at once. `values` are
    the name's own fields."""

    name: str
    where: Where
    values: Mapping[str, Any]
    path: str | None = None
    symbol: str | None = None
    after: int = 0
    times: int = 1
    at_ms: int | None = None
    match: Mapping[str, str] = field(default_factory=dict)


# Field -> default; ... is mandatory.
_COMMON: dict[Where, dict[str, Any]] = {
    Where.REST: {"path": None, "symbol": None, "after": 0, "times": 1},
    Where.ORDERS: {"path": None, "symbol": None, **dict.fromkeys(MATCHED), "after": 0, "times": 1},
    Where.EVENTS: {"symbol": None, **dict.fromkeys(MATCHED[1:]), "after": 0, "times": 1},
    Where.SOCKETS: {"at_ms": None},
    Where.LASTING: {},
}
_OWN: dict[Where, dict[str, dict[str, Any]]] = {
    Where.SOCKETS: {
        "drop_sockets": {}, "refuse_handshakes": {"n": 1}, "silence": {"s": 1.0},
        "stream_silent": {"s": 1.0}, "stream_cut": {}, "stream_terminated": {}, "server_shutdown": {"s": 1.0},
        "symbol_status": {"symbol": ..., "status": ...}, "expire_order": {"leg": None, "client_id": None},
    },
    Where.ORDERS: {
        "lost_before": {"s": 0.0}, "lost_after": {"s": 0.0}, "late_before": {"s": 1.0}, "late_after": {"s": 1.0},
        "refused": {"code": -2010, "msg": None, "status": None},
        "unknown": {"code": -1007, "status": None, "body": "json", "executed": True},
        "cut_answer": {}, "doubled_answer": {}, "doubled_request": {"answer": "second"},
        "wrong_balance": {"asset": ..., "by": ...}, "trades_missing": {"rows": 1}, "stale_orders": {},
    },
    Where.EVENTS: {
        "events_lost": {}, "events_late": {"s": 1.0}, "events_doubled": {}, "events_permuted": {"seed": 0},
    },
    Where.REST: {
        "slow": {"s": 1.0}, "hang": {"s": 1.0}, "reset": {},
        "rate_limited": {"retry_after_s": 1}, "banned": {"s": 1.0}, "maintenance": {"s": 1.0},
        "server_error": {"status": 500, "body": "json"}, "blocked": {"status": 403},
        "html": {}, "broken_json": {}, "cut_json": {},
        "empty": {}, "missing": {"rows": 1}, "duplicate": {"rows": 1}, "disorder": {"rows": 1}, "forming": {},
    },
    Where.LASTING: {
        "hole": {"symbol": ..., "from": ..., "to": ...},
        "revised": {
            "symbol": ..., "at": ..., "timeframe": "1m", "from_answer": 1, "after_s": 0.0,
            **dict.fromkeys(PRICES_AND_VOLUME),
        },
        "skew": {"ms": ...},
    },
}  # fmt: skip
_WHERE = {name: where for where, faults in _OWN.items() for name in faults}
NAMES = tuple(_WHERE)


def parse_fault(spec: object) -> Fault:
    """One fault from its plain keys, `fault` being its name; a Fault is what it is."""
    if isinstance(spec, Fault):
        return spec
    if not isinstance(spec, Mapping):
        raise ConfigError(f"faults: {spec!r} is no fault; write keys with values, like fault: hang")
    name = spec.get("fault")
    if not isinstance(name, str) or name not in _WHERE:
        raise ConfigError(f"faults: unknown fault {name!r}; {_nearest(str(name), NAMES)}")
    where = _WHERE[name]
    values = {**_COMMON[where], **_OWN[where][name]}
    for key, value in spec.items():
        if key != "fault" and key not in values:
            raise ConfigError(f"faults: {name} has no field {key!r}; {_nearest(str(key), tuple(values))}")
        if key != "fault" and value is not None:
            values[key] = _checked(name, where, key, value)
    absent = [key for key, value in values.items() if value is ...]
    if absent:
        raise ConfigError(f"faults: {name} needs {' and '.join(absent)}")
    if name == "hole" and values["from"] >= values["to"]:
        raise ConfigError("faults: hole: from must be before to")
    common = {key: values.pop(key) for key in _COMMON[where]}
    if name in _ROW_FAULTS:
        if common["path"] not in (None, "klines"):
            raise ConfigError(f"faults: {name} is a fault of klines, not of {common['path']}")
        common["path"] = "klines"
    if name in _PATH_OF:
        common |= {"path": _PATH_OF[name], "method": "GET"}
    match = {key: value for key in MATCHED if (value := common.pop(key, None)) is not None}
    return Fault(name, where, values, match=match, **common)


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


def _checked(name: str, where: Where, key: str, value: Any) -> Any:
    try:
        return (_CHECKS.get(f"{name}.{key}") or _CHECKS.get(f"{where}.{key}") or _CHECKS[key])(value)
    except (ValueError, TypeError, ConfigError) as error:
        raise ConfigError(f"faults: {name}: {key}: {value!r} is not {error}") from None


def _whole(what: str, least: float = -math.inf) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(what)
        return value

    return check


def _real(what: str, least: float = -math.inf, below: float = math.inf) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < below:
            raise ValueError(what)
        return float(value)

    return check


def _instant(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    try:  # YAML makes a date of 2025-12-01 and a datetime of a time; both print as ISO
        return parse_time_ms(str(value))
    except ConfigError:
        raise ValueError("a time in ms or ISO") from None


def _symbol(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a symbol like BTC/USDT")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _true_or_false(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _one_of(*choices: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in choices or isinstance(value, bool):
            raise ValueError(f"one of {', '.join(map(str, choices))}")
        return value

    return check


_CHECKS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("after", "times", "n", "rows", "retry_after_s", "from_answer"), _whole("a whole number, 0 or more", 0)
    ),
    **dict.fromkeys(("s", "after_s"), _real("a number of seconds, 0 or more", 0, 1e9)),
    **dict.fromkeys(("at_ms", "at", "from", "to"), _instant),
    **dict.fromkeys(PRICES_AND_VOLUME, _real("a number")),
    "ms": _whole("a whole number of milliseconds"),
    "path": _one_of(*WEIGHTS),
    "symbol": _symbol,
    "timeframe": _one_of(*TIMEFRAMES_MS),
    "blocked.status": _one_of(403, 451),
    "server_error.status": _one_of(500, 502, 503, 504),
    "body": _one_of("json", "html"),
    "orders.path": _one_of(*SIGNED_PATHS),
    "method": _one_of("GET", "POST", "DELETE"),
    "side": _one_of("BUY", "SELL"),
    "type": _one_of(
        "MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"
    ),
    **dict.fromkeys(("leg", "client_id", "asset", "msg"), _text),
    "code": _whole("a whole number"),
    "orders.status": _whole("an HTTP status", 200),
    "unknown.body": _one_of("json", "html", "empty"),
    "executed": _true_or_false,
    "answer": _one_of("first", "second"),
    "by": _real("a number"),
    "seed": _whole("a whole number, 0 or more", 0),
    "symbol_status.status": _one_of("TRADING", "HALT", "BREAK", "CANCEL_ONLY", "END_OF_DAY"),
}
