"""Daily marks, drawdown and water: drawn rows, and a slow loop that does the same over any rows in any blocks."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runs.daily import EquityPath, EquityScan, equity_blocks
from app.runs.equity import EquityLog
from app.times import DAY_MS

HOUR_MS = 3_600_000


def scanned(rows: list[tuple[int, float]], *cuts: int, start_ms: int = 0, balance: float = 100.0) -> EquityPath:
    """Rows of (hour of the close, equity), handed over in blocks that end at the cuts."""
    scan = EquityScan(balance, start_ms)
    bounds = [0, *sorted(cuts), len(rows)]
    for begin, end in pairwise(bounds):
        block = rows[begin:end]
        scan.add(np.array([time for time, _ in block], np.int64) * HOUR_MS, np.array([e for _, e in block], np.float64))
    return scan.path()


def test_a_mark_is_the_last_row_up_to_midnight() -> None:
    path = scanned([(1, 101.0), (23, 102.0), (24, 103.0), (25, 104.0), (47, 99.0)])
    assert path.marks.tolist() == [100.0, 103.0, 99.0]
    assert path.times_ms.tolist() == [0, DAY_MS, 47 * HOUR_MS]


def test_a_day_without_a_row_is_a_flat_day() -> None:
    path = scanned([(5, 101.0), (80, 102.0)])
    assert path.marks.tolist() == [100.0, 101.0, 101.0, 101.0, 102.0]
    assert path.returns is not None
    assert path.returns[1:3].tolist() == [0.0, 0.0]


def test_a_run_that_begins_and_ends_inside_a_day_has_parts_of_days() -> None:
    path = scanned([(20, 101.0), (30, 102.0), (60, 103.0)], start_ms=19 * HOUR_MS)
    assert path.times_ms.tolist() == [19 * HOUR_MS, DAY_MS, 2 * DAY_MS, 60 * HOUR_MS]
    assert path.marks.tolist() == [100.0, 101.0, 102.0, 103.0]
    assert path.days == pytest.approx(41 / 24)


def test_the_starting_balance_is_the_first_peak() -> None:
    path = scanned([(1, 90.0), (2, 95.0), (3, 80.0)])
    assert path.max_drawdown == pytest.approx(0.2)
    assert (path.under_water_ms, path.longest_drawdown_ms) == (3 * HOUR_MS, 3 * HOUR_MS)


def test_a_drawdown_lasts_from_its_peak_to_the_row_that_is_back_at_it() -> None:
    path = scanned([(1, 110.0), (2, 105.0), (3, 104.0), (4, 110.0), (5, 120.0), (6, 119.0)])
    assert path.longest_drawdown_ms == 3 * HOUR_MS
    assert path.under_water_ms == 3 * HOUR_MS


def test_rising_equity_is_never_under_water() -> None:
    path = scanned([(1, 100.0), (2, 101.0), (3, 101.0)])
    assert (path.under_water_ms, path.longest_drawdown_ms, path.max_drawdown) == (0, 0, 0.0)


def test_no_row_at_all() -> None:
    path = scanned([], start_ms=5 * HOUR_MS)
    assert path.marks.tolist() == [100.0]
    assert (path.days, path.returns is not None and path.returns.tolist()) == (0.0, [])


@pytest.mark.parametrize("low", [0.0, -5.0])
def test_nothing_left_has_no_returns(low: float) -> None:
    assert scanned([(24, low), (48, 10.0)]).returns is None


def slowly(rows: list[tuple[int, float]], start_ms: int, balance: float) -> tuple[list[float], float, int, int]:
    """Marks, drawdown, time under water and longest drawdown, row by row and day by day."""
    day, marks = start_ms // DAY_MS + 1, [balance]
    last_ms = rows[-1][0] * HOUR_MS if rows else start_ms
    while rows and (day - 1) * DAY_MS < last_ms:
        seen = [equity for time, equity in rows if time * HOUR_MS <= day * DAY_MS]
        marks.append(seen[-1] if seen else balance)
        day += 1
    peak, peak_ms, before_ms, deepest, water_ms, longest_ms = balance, start_ms, start_ms, 0.0, 0, 0
    for time, equity in rows:
        now_ms = time * HOUR_MS
        if equity >= peak:
            if before_ms != peak_ms:
                longest_ms = max(longest_ms, now_ms - peak_ms)
            peak, peak_ms = equity, now_ms
        else:
            deepest = max(deepest, 1.0 - equity / peak)
            water_ms += now_ms - before_ms
        before_ms = now_ms
    if before_ms != peak_ms:
        longest_ms = max(longest_ms, before_ms - peak_ms)
    return marks, deepest, water_ms, longest_ms


@given(data=st.data())
def test_any_rows_in_any_blocks(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 50), label="start")
    steps = data.draw(st.lists(st.integers(1, 40), max_size=40), label="steps")
    hours = np.cumsum([start, *steps])[1:].tolist()
    rows = [(hour, float(data.draw(st.integers(90, 110)))) for hour in hours]
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=3), label="cuts")
    path = scanned(rows, *cuts, start_ms=start * HOUR_MS)
    marks, deepest, water_ms, longest_ms = slowly(rows, start * HOUR_MS, 100.0)
    assert path.marks.tolist() == marks
    assert (path.under_water_ms, path.longest_drawdown_ms) == (water_ms, longest_ms)
    assert path.max_drawdown == pytest.approx(deepest)


def test_blocks_come_from_the_file_of_a_run(tmp_path: Path) -> None:
    log = EquityLog(tmp_path / "equity.parquet", 100.0)
    times = list(range(60_000, 60_000 * 100_001, 60_000))
    log.append(times, [100.0 + i for i in range(len(times))], [100.0] * len(times))
    log.finish()
    blocks = list(equity_blocks(log.path))
    assert len(blocks) > 1
    assert np.concatenate([block[0] for block in blocks]).tolist() == times
    assert np.concatenate([block[1] for block in blocks])[-1] == 100.0 + len(times) - 1
