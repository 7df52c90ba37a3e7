"""Managed exits as RULES.md (Part 2) has them: what a config or a signal may ask for, checked and frozen.

`read_exits` takes the keys of `exits:`, `parse_exits` also holds them against each other; the prices that come of them
are the broker's business. A message begins with the key as `--set` has it: `exits.partial.0.at_r` is of the first leg.
"""

import difflib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import nan
from numbers import Integral, Real
from typing import Any

import msgspec


class BreakEven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Once the best price is `at_r` R away from the entry, the stop goes to the entry and `offset_pct` beyond it."""

    at_r: float = 1.0
    offset_pct: float = 0.0


class Trailing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stop follows the best price in one distance: in R, as a fraction of the price, or in ATRs of the signal."""

    distance_r: float | None = None
    distance_pct: float | None = None
    distance_atr: float | None = None
    from_r: float = 0.0


class Partial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leg: `fraction` of the first quantity is closed `at_r` R away from the entry."""

    at_r: float
    fraction: float


class TimeExit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The position is closed so many candles of the session after its entry."""

    candles: int


class Exits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All of them; what is None or empty is not asked for."""

    break_even: BreakEven | None = None
    trailing: Trailing | None = None
    partial: tuple[Partial, ...] = ()
    time: TimeExit | None = None

    @property
    def needs_atr(self) -> bool:
        """Whether a distance is told in ATRs of the signal."""
        return self.trailing is not None and self.trailing.distance_atr is not None


class Leg(msgspec.Struct, frozen=True):
    """A part of a position that waits at a price."""

    price: float
    quantity: float


CANDLES_MAX = 1_000_000_000
_HUGE = 1e300


@dataclass(frozen=True)
class _Range:
    """What a number may be; `whole` ones are candles."""

    low: float = 0.0
    high: float = _HUGE
    from_low: bool = False  # `low` itself, too
    whole: bool = False

    def read(self, key: str, value: Any) -> float:
        """The number; ValueError says what would be right."""
        is_number = isinstance(value, Integral if self.whole else Real) and value is not True and value is not False
        with suppress(OverflowError):  # a whole number that no float holds
            number = float(value) if is_number else nan
            if self.low < number < self.high or (self.from_low and number == self.low):
                return int(value) if self.whole else number
        kind = "whole number" if self.whole else "number"
        least = f"of at least {self.low:g}" if self.from_low else f"above {self.low:g}"
        most = "" if self.high == _HUGE else f" and below {self.high:g}"
        raise ValueError(f"{key}: it must be a {kind} {least}{most} (it is {value!r})")


_NOT_NEGATIVE, _POSITIVE, _FRACTION = _Range(from_low=True), _Range(), _Range(high=1.0)
_RANGES: dict[str, dict[str, _Range]] = {
    "break_even": {"at_r": _NOT_NEGATIVE, "offset_pct": _Range(-1.0, 1.0)},
    "trailing": {
        "distance_r": _POSITIVE, "distance_pct": _FRACTION, "distance_atr": _POSITIVE, "from_r": _NOT_NEGATIVE,
    },
    "partial": {"at_r": _POSITIVE, "fraction": _FRACTION},
    "time": {"candles": _Range(1, CANDLES_MAX, from_low=True, whole=True)},
}  # fmt: skip
# Every number of `exits:` by its key, of legs the first one's, and whether it is a whole one.
EXIT_KEYS = {
    f"exits.{section}.{'0.' if section == 'partial' else ''}{name}": one.whole
    for section, ranges in _RANGES.items()
    for name, one in ranges.items()
}
_KINDS: dict[str, type[msgspec.Struct]] = {"break_even": BreakEven, "trailing": Trailing, "time": TimeExit}


def parse_exits(asked: "Mapping[str, Any] | Exits") -> Exits:
    """From the keys of `exits:`; ValueError says which key is wrong and what would be right."""
    exits = read_exits(asked)
    if problem := exits_problem(exits):
        raise ValueError(problem)
    return exits


def read_exits(asked: "Mapping[str, Any] | Exits") -> Exits:
    """The same, each key for itself."""
    if isinstance(asked, Exits):
        return asked
    given = _given(asked, "exits", _RANGES)
    legs = given.get("partial") or ()
    if not isinstance(legs, (list, tuple)):
        raise ValueError(f"exits.partial: it must be a list of legs, each with at_r and fraction (it is {legs!r})")
    parts: dict[str, Any] = {
        name: _part(kind, given[name], f"exits.{name}", _RANGES[name]) for name, kind in _KINDS.items() if name in given
    }
    own = _RANGES["partial"]
    parts["partial"] = tuple(_part(Partial, leg, f"exits.partial.{place}", own) for place, leg in enumerate(legs))
    return Exits(**parts)


def exits_problem(exits: Exits) -> str | None:
    """What does not go together, although each key for itself is right."""
    trailing, before = exits.trailing, 0.0
    if trailing is not None:
        names = ("distance_r", "distance_pct", "distance_atr")
        given = [name for name in names if getattr(trailing, name) is not None]
        if len(given) != 1:
            return f"exits.trailing: it has {' and '.join(given) or 'no distance'}; give one of {', '.join(names)}"
    for place, leg in enumerate(exits.partial):
        if leg.at_r <= before:
            return f"exits.partial.{place}.at_r: it must be above {before:g}, the leg before (it is {leg.at_r:g})"
        before = leg.at_r
    total = sum(leg.fraction for leg in exits.partial)
    if total >= 1.0 - 1e-9:
        return f"exits.partial: the fractions sum to {total:g}; together they must be below 1"
    return None


def _part(kind: type[msgspec.Struct], asked: object, where: str, ranges: Mapping[str, _Range]) -> msgspec.Struct:
    given = _given(asked, where, ranges)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in given:
            raise ValueError(f"{where}.{field.name} is missing")
    return kind(**{name: one.read(f"{where}.{name}", given[name]) for name, one in ranges.items() if name in given})


def _given(asked: object, where: str, known: Mapping[str, object]) -> Mapping[str, Any]:
    """The keys that have a value; ValueError for one that there is not."""
    if not isinstance(asked, Mapping):
        raise ValueError(f"{where}: it must hold keys with values: {', '.join(known)} (it is {asked!r})")
    for key in asked:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"{where}.{key}: there is no such key; {hint}")
    return {key: value for key, value in asked.items() if value is not None}
