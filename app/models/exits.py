"""Managed exits as RULES.md (Part 2) has them: what a config or a signal may ask for, checked and frozen.

`parse_exits` takes the keys of `exits:`; the prices that come of them are the broker's business.
"""

import difflib
from collections.abc import Mapping
from math import isfinite
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


def parse_exits(asked: "Mapping[str, Any] | Exits") -> Exits:
    """From the keys of `exits:`; ValueError says which key is wrong and what would be right."""
    if isinstance(asked, Exits):
        return asked
    _refuse_unknown(asked, Exits, "exits")
    for name, kind in (("break_even", BreakEven), ("trailing", Trailing), ("time", TimeExit)):
        _refuse_unknown(asked.get(name), kind, f"exits.{name}")
    for number, leg in enumerate(_list(asked.get("partial")), 1):
        _refuse_unknown(leg, Partial, f"exits.partial, leg {number}")
    try:
        exits = msgspec.convert({key: value for key, value in asked.items() if value is not None}, Exits)
    except msgspec.ValidationError as error:
        raise ValueError(f"exits: {str(error).replace('$.', '').replace('`', '')}") from None
    problem = _problem(exits)
    if problem:
        raise ValueError(problem)
    return exits


def _list(legs: object) -> list[object]:
    return list(legs) if isinstance(legs, (list, tuple)) else []


def _refuse_unknown(asked: object, kind: type[msgspec.Struct], where: str) -> None:
    if asked is None:
        return
    known = kind.__struct_fields__
    if not isinstance(asked, Mapping):
        raise ValueError(f"{where} is {asked!r}; it is a mapping with {', '.join(known)}")
    for key in asked:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            raise ValueError(
                f"{where}: unknown key {key!r}; {f'did you mean {near[0]}?' if near else ', '.join(known)}"
            )


def _problem(exits: Exits) -> str | None:
    problems = (
        exits.break_even and _break_even_problem(exits.break_even),
        exits.trailing and _trailing_problem(exits.trailing),
        _partial_problem(exits.partial),
        exits.time and exits.time.candles < 1 and f"exits.time.candles is {exits.time.candles}; it must be at least 1",
    )
    return next((problem for problem in problems if problem), None)


def _break_even_problem(asked: BreakEven) -> str | None:
    if not (isfinite(asked.at_r) and asked.at_r >= 0.0):
        return f"exits.break_even.at_r is {asked.at_r}; it must be a number of R, 0 or more"
    if not -1.0 < asked.offset_pct < 1.0:
        return f"exits.break_even.offset_pct is {asked.offset_pct}; it is a fraction of the entry price, like 0.001"
    return None


def _trailing_problem(asked: Trailing) -> str | None:
    names = ("distance_r", "distance_pct", "distance_atr")
    given = [name for name in names if getattr(asked, name) is not None]
    if len(given) != 1:
        return f"exits.trailing has {' and '.join(given) or 'no distance'}; give one of {', '.join(names)}"
    distance = getattr(asked, given[0])
    if not (isfinite(distance) and distance > 0.0) or (given[0] == "distance_pct" and distance >= 1.0):
        return f"exits.trailing.{given[0]} is {distance}; it must be above 0" + (
            " and below 1" if given[0] == "distance_pct" else ""
        )
    if not (isfinite(asked.from_r) and asked.from_r >= 0.0):
        return f"exits.trailing.from_r is {asked.from_r}; it must be a number of R, 0 or more"
    return None


def _partial_problem(legs: tuple[Partial, ...]) -> str | None:
    before = 0.0
    for leg in legs:
        if not (isfinite(leg.at_r) and leg.at_r > before):
            return f"exits.partial: at_r {leg.at_r} after {before}; the legs' at_r must be above 0 and rise"
        if not 0.0 < leg.fraction < 1.0:
            return f"exits.partial: fraction {leg.fraction} at {leg.at_r} R; it must be above 0 and below 1"
        before = leg.at_r
    total = sum(leg.fraction for leg in legs)
    if total >= 1.0 - 1e-9:
        return f"exits.partial: the fractions sum to {total:g}; together they must be below 1"
    return None
