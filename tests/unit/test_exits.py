"""Managed exits as keys: read, frozen, and held against each other. What is refused: tests/faults/test_bad_exits.py."""

from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pytest

from app.models.exits import (
    EXIT_KEYS,
    BreakEven,
    Exits,
    Partial,
    TimeExit,
    Trailing,
    exits_problem,
    parse_exits,
    read_exits,
)

ALL: dict[str, Any] = {
    "break_even": {"at_r": 1, "offset_pct": 0.001},
    "trailing": {"distance_atr": 2},
    "partial": [{"at_r": 1, "fraction": 0.5}, {"at_r": 1.5, "fraction": 0.25}],
    "time": {"candles": 60},
}


def test_all_of_them() -> None:
    exits = parse_exits(ALL)
    assert exits == Exits(
        break_even=BreakEven(1.0, 0.001),
        trailing=Trailing(distance_atr=2.0),
        partial=(Partial(1.0, 0.5), Partial(1.5, 0.25)),
        time=TimeExit(60),
    )
    assert exits.needs_atr
    assert parse_exits(exits) is exits
    assert msgspec.json.decode(msgspec.json.encode(exits), type=Exits) == exits


def test_what_is_left_out_or_null_is_the_default() -> None:
    assert parse_exits({}) == parse_exits(dict.fromkeys(ALL)) == Exits()
    assert parse_exits({"break_even": {}}).break_even == BreakEven(1.0, 0.0)
    trailing = {"distance_r": 1, "distance_pct": None, "from_r": None}
    assert parse_exits({"trailing": trailing}).trailing == Trailing(distance_r=1.0)
    assert not parse_exits({"trailing": trailing}).needs_atr


def test_a_strategys_numbers_may_be_numpys_and_its_lists_tuples() -> None:
    trailing = MappingProxyType({"distance_r": np.float32(0.5), "from_r": np.float64(1.0)})
    exits = parse_exits({"trailing": trailing, "time": {"candles": np.int64(3)}, "partial": tuple(ALL["partial"])})
    assert exits.trailing == Trailing(distance_r=0.5, from_r=1.0)
    assert exits.time == TimeExit(3)
    assert type(exits.time.candles) is int
    assert exits.partial == parse_exits(ALL).partial


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"trailing": {"from_r": 1.0}}, "exits.trailing: it has no distance; give one of"),
        ({"trailing": {"distance_r": 1, "distance_atr": 1}}, "exits.trailing: it has distance_r and distance_atr;"),
        ({"partial": [{"at_r": 2, "fraction": 0.1}, {"at_r": 1, "fraction": 0.1}]}, "exits.partial.1.at_r: it must be"),
        ({"partial": [{"at_r": 1, "fraction": 0.5}, {"at_r": 2, "fraction": 0.5}]}, "exits.partial: the fractions sum"),
    ],
)
def test_each_key_may_be_right_and_all_together_wrong(asked: dict[str, Any], problem: str) -> None:
    assert (exits_problem(read_exits(asked)) or "").startswith(problem)
    with pytest.raises(ValueError, match=problem):
        parse_exits(asked)


def test_nine_tenths_in_legs_are_not_all() -> None:
    legs = [{"at_r": 0.1 * place, "fraction": 0.1} for place in range(1, 10)]
    assert len(parse_exits({"partial": legs}).partial) == 9


def test_every_number_has_its_key() -> None:
    given = {f"exits.{name}.{key}" for name, own in ALL.items() if isinstance(own, dict) for key in own}
    legs = {f"exits.partial.0.{key}" for key in ALL["partial"][0]}
    others = {"exits.trailing.distance_r", "exits.trailing.distance_pct", "exits.trailing.from_r"}
    assert set(EXIT_KEYS) == given | legs | others
    assert [key for key, whole in EXIT_KEYS.items() if whole] == ["exits.time.candles"]
