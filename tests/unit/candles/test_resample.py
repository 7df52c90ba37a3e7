"""Coarser candles out of finer ones, held against a bucket-by-bucket reference in decimals."""

import math
from decimal import Decimal
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import ConfigError
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles, minutes


def columns_with(volumes: list[float], times_ms: list[int] | None = None) -> CandleColumns:
    times = list(minutes(len(volumes))) if times_ms is None else times_ms
    return make_candles(times)._replace(volume=np.array(volumes, dtype=np.float64))


def reference(columns: CandleColumns, coarser_ms: int) -> CandleColumns:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found = []
    for bucket, group in groupby(rows, lambda row: row[0] // coarser_ms):
        part = list(group)
        volumes = [row[5] for row in part]
        decimals = [Decimal(repr(volume)) for volume in volumes]
        if all(one == one.quantize(Decimal("1e-8")) for one in decimals):
            volume = float(sum(decimals))
        else:
            volume = math.fsum(volumes)
        high, low = max(row[2] for row in part), min(row[3] for row in part)
        found.append((bucket * coarser_ms, part[0][1], high, low, part[-1][4], volume))
    times, *floats = zip(*found, strict=True)
    return CandleColumns(np.array(times, dtype=np.int64), *(np.array(one, dtype=np.float64) for one in floats))


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([0.1, 0.2], 0.3),
        ([0.1] * 5, 0.5),
        ([0.00000001, 0.00000002], 0.00000003),
        ([1e17, 1.0, 1.0], 1e17 + 2.0),  # too large for whole units of 1e-8, still a decimal
        ([0.1 / 3, 0.1 / 3, 0.1 / 3], math.fsum([0.1 / 3] * 3)),
        ([8_000_000.1, 8_000_000.2, 8_000_000.3], 24_000_000.6),
        # Each is exact in whole units of 1e-8, their sum needs more bits than a double has.
        ([(2**49 + 7) / 1e8] * 59, 59 * (2**49 + 7) / 10**8),
        ([0.0, 0.0], 0.0),
    ],
)
def test_volume_is_the_decimal_sum(volumes: list[float], expected: float) -> None:
    assert resample(columns_with(volumes), "1m", "1h").volume.tolist() == [expected]


decimal_volumes = st.integers(0, 10**12).map(lambda units: units / 1e8)
summing_high_volumes = st.integers(2**49, 2**50 - 1).map(lambda units: units / 1e8)
large_volumes = st.integers(2**49, 2**56).map(lambda units: float(Decimal(units).scaleb(-8)))
any_volumes = st.floats(0, 1e12)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True).map(sorted),
    st.sampled_from(
        [decimal_volumes, summing_high_volumes, large_volumes, any_volumes, st.one_of(decimal_volumes, any_volumes)]
    ),
    st.sampled_from(["3m", "5m", "15m", "1h", "1d"]),
    st.data(),
)
def test_equals_the_reference(
    places: list[int], volumes: st.SearchStrategy[float], coarser: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(volumes, min_size=len(places), max_size=len(places)))
    columns = columns_with(drawn, [START_MS + place * MINUTE_MS for place in places])
    length_ms = {"3m": 3, "5m": 5, "15m": 15, "1h": 60, "1d": 1440}[coarser] * MINUTE_MS
    assert equal(resample(columns, "1m", coarser), reference(columns, length_ms))


def test_only_candles_that_exist_count() -> None:
    columns = make_candles([START_MS + MINUTE_MS, START_MS + 17 * MINUTE_MS])
    made = resample(columns, "1m", "5m")
    assert made.open_time_ms.tolist() == [START_MS, START_MS + 15 * MINUTE_MS]
    assert made.open.tolist() == columns.open.tolist()


def test_the_same_timeframe_and_no_candles_stay() -> None:
    columns = make_candles(minutes(3))
    assert resample(columns, "1m", "1m") is columns
    assert len(resample(make_candles([]), "1m", "5m").volume) == 0


@pytest.mark.parametrize(("finer", "coarser"), [("3m", "5m"), ("1h", "1m"), ("8h", "12h")])
def test_no_multiple_is_refused(finer: str, coarser: str) -> None:
    with pytest.raises(ConfigError, match=f"{coarser} candles cannot be made of {finer}"):
        resample(make_candles([0]), finer, coarser)
