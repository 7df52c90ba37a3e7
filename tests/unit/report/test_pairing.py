"""Pairing: every row finds its partner wherever it lies in the other log, and the first difference is the first."""

from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.report.pairing import Divergence, Kind, Outputs, compare_outputs, paired
from app.runs.reader import FillRow, Run
from tests.proof_runs import changed as with_changed
from tests.proof_runs import dearer, decided_minute, edit_row, first_entry, market, replay, rows_of, trades_of


def key(row: tuple[int, str]) -> int:
    return row[0]


ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from("xyz")), max_size=25)


@given(a=ROWS, b=ROWS)
def test_as_many_pairs_as_there_can_be_and_every_row_once(a: list[tuple[int, str]], b: list[tuple[int, str]]) -> None:
    found = paired(a, b, key)
    pairs = list(found)
    assert sorted(left for left, _ in pairs if left is not None) == sorted(a)
    assert sorted(right for _, right in pairs if right is not None) == sorted(b)
    assert all(left[0] == right[0] for left, right in pairs if left is not None and right is not None)
    for number in range(7):
        both = sum(1 for left, right in pairs if left is not None and right is not None and left[0] == number)
        assert both == min(sum(row[0] == number for row in a), sum(row[0] == number for row in b))


@given(rows=ROWS)
def test_rows_of_one_key_keep_their_order(rows: list[tuple[int, str]]) -> None:
    assert all(left == right for left, right in paired(rows, rows, key))


def test_the_lonely_come_last() -> None:
    found = paired([(1, "x"), (2, "x")], [(2, "x"), (3, "x")], key)
    assert list(found) == [
        ((2, "x"), (2, "x")),
        ((1, "x"), None),
        (None, (3, "x")),
    ]


def divergence(time_ms: int, rank: int, a: Mapping[str, str] | None = None) -> Divergence:
    return Divergence(Kind.FILL, time_ms, rank, "A", a, {"x": "1", "y": "", "z": "3"})


def test_the_first_is_the_earliest_and_what_the_runtime_does_first() -> None:
    outputs = Outputs()
    for one in (divergence(5, 0), divergence(3, 2), divergence(3, 1), divergence(3, 3), divergence(4, 0)):
        outputs.add(one)
    outputs.add(None)
    assert outputs.first == divergence(3, 1)
    assert outputs.differing[Kind.FILL] == 5


def test_the_columns_that_differ() -> None:
    assert divergence(1, 1, {"x": "1", "y": "", "z": "4"}).fields == ["z"]
    assert divergence(1, 1).fields == ["x", "z"], "empty ones say nothing"


def outputs_of(a: Path, b: Path) -> tuple[Outputs, list[tuple[FillRow, FillRow]]]:
    told: list[tuple[FillRow, FillRow]] = []
    return compare_outputs(Run.open(a), Run.open(b), lambda left, right: told.append((left, right))), told


def test_fills_are_paired_by_their_order_not_by_their_time(tmp_path: Path) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    moved = edit_row(trades_of(b), 0, lambda row: row.update(timestamp="2025-03-30T23:59:00.000Z"))
    outputs, told = outputs_of(a, b)
    assert outputs.differing == {Kind.FILL: 1}
    assert [(left.row["timestamp"], right.row["timestamp"]) for left, right in told] == [
        (moved["timestamp"], "2025-03-30T23:59:00.000Z")
    ]
    assert outputs.first is not None
    assert outputs.first.rank == 3, "an order's fill comes after the decision"


def test_a_decision_comes_before_what_follows_from_it(tmp_path: Path) -> None:
    a = replay(tmp_path, "a", market())
    changed = with_changed(market(), first_entry(a)["symbol"], decided_minute(a), dearer)
    outputs, _ = outputs_of(a, replay(tmp_path, "b", changed))
    assert outputs.first is not None
    assert outputs.first.kind in (Kind.SIGNAL, Kind.ORDER)
    assert not outputs.are_same
    assert outputs.identical == {"trades": False, "signals": False, "equity": False}


def test_rows_in_another_order_are_not_the_same(tmp_path: Path) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    lines = trades_of(b).read_text().splitlines(keepends=True)
    assert len(rows_of(trades_of(b))) > 12
    trades_of(b).write_text("".join([*lines[:11], lines[12], lines[11], *lines[13:]]))
    outputs, _ = outputs_of(a, b)
    assert not outputs.are_same
