"""Candles as the page carries them: read back here as the page's script reads them."""

import base64
import math
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.candles.month_file import CandleColumns
from app.models.orders import Fill, Reason
from app.report import candle_chunks
from app.report.candle_chunks import (
    COARSE_MAX,
    VOLUME_OFFSET,
    VOLUME_STEPS,
    Chunk,
    coarsen,
    pack,
    pack_symbols,
    price_digits,
)  # fmt: skip
from app.runs.candle_source import SymbolCandles
from app.runs.fill_columns import fills_of
from app.runs.trade_read import TradeTable, trade_table
from app.times import parse_time_ms
from tests.made import MINUTE_MS, fill

START_MS = parse_time_ms("2025-01-20")


def unpacked(chunk: Chunk, digits: int) -> list[tuple[Any, ...]]:
    planes = np.frombuffer(zlib.decompress(base64.b64decode(chunk.text)), np.uint8).reshape(6, 4, chunk.candles)
    zigzag = (planes.astype(np.int64) << np.array([0, 8, 16, 24])[None, :, None]).sum(axis=1)
    values = (zigzag >> 1) ^ -(zigzag & 1)
    rows, time_ms, close, unit = [], chunk.first_ms, 0, 10**digits
    for step, gap, body, above, below, volume in values.T.tolist():
        time_ms += step * chunk.step_ms
        first = close + gap
        close = first + body
        size = 0.0 if volume == 0 else math.exp((volume - VOLUME_OFFSET) / VOLUME_STEPS)
        top, bottom = max(first, close) + above, min(first, close) - below
        rows.append((time_ms, first / unit, top / unit, bottom / unit, close / unit, size))
    return rows


def walk(count: int, scale: float = 100.0, digits: int = 2, start_ms: int = START_MS) -> CandleColumns:
    random = np.random.default_rng(count)
    close = np.round(scale * np.exp(np.cumsum(random.normal(0, 1e-3, count))), digits)
    open_ = np.concatenate((close[:1], close[:-1]))
    high, low = np.round(np.maximum(open_, close) * 1.001, digits), np.round(np.minimum(open_, close) * 0.999, digits)
    return CandleColumns(
        start_ms + MINUTE_MS * np.arange(count), open_, high, low, close, random.exponential(5.0, count)
    )


@given(st.integers(1, 200), st.sampled_from([(1e-6, 10), (0.5, 6), (100.0, 2), (60_000.0, 2), (1e6, 0)]))
def test_prices_and_times_come_back_exactly(count: int, kind: tuple[float, int]) -> None:
    columns = walk(count, *kind)
    columns = columns.take(np.arange(count) % 3 != 1)  # with gaps
    digits = price_digits(columns)
    rows = unpacked(pack(columns, MINUTE_MS, digits), digits)
    assert digits <= kind[1]
    for row, expected in zip(rows, zip(*(column.tolist() for column in columns), strict=True), strict=True):
        assert row[0] == expected[0]
        assert row[1:5] == pytest.approx(expected[1:5], rel=1e-12)
        assert row[5] == pytest.approx(expected[5], rel=0.011)


def test_a_candle_without_volume_stays_one() -> None:
    columns = walk(3)._replace(volume=np.array([0.0, 1.0, 0.0]))
    assert [row[5] for row in unpacked(pack(columns, MINUTE_MS, 2), 2)] == [0.0, 1.0, 0.0]


def test_prices_without_end_are_cut_to_what_fits() -> None:
    columns = walk(10)
    columns = columns._replace(close=columns.open / 3.0, low=columns.open / 3.0)
    digits = price_digits(columns)
    assert digits == 6
    assert unpacked(pack(columns, MINUTE_MS, digits), digits)[0][4] == pytest.approx(columns.close[0], abs=1e-6)


def test_the_overview_is_coarse_and_a_month_is_whole() -> None:
    columns = walk(20_000)
    (detail,) = pack_symbols(of(columns), MINUTE_MS, trades(), 10_000_000)
    assert detail.coarse.candles <= COARSE_MAX and detail.coarse.step_ms == 15 * MINUTE_MS
    assert [(own.month, own.is_whole) for own in detail.months] == [("2025-01", True), ("2025-02", True)]
    assert sum(own.chunk.candles for own in detail.months) == 20_000 and not detail.months_left_out
    rows = unpacked(detail.months[1].chunk, detail.digits)
    assert rows[0][0] == parse_time_ms("2025-02-01")


def test_a_short_run_is_shown_in_its_own_candles() -> None:
    (detail,) = pack_symbols(of(walk(COARSE_MAX)), MINUTE_MS, trades(), 10_000_000)
    assert (detail.coarse.candles, detail.coarse.step_ms) == (COARSE_MAX, MINUTE_MS)


def test_coarse_candles_hold_all_that_was_traded() -> None:
    columns = walk(240)
    coarse = coarsen(columns, 60 * MINUTE_MS)
    assert coarse.open_time_ms.tolist() == [START_MS + hour * 3_600_000 for hour in range(4)]
    assert coarse.high.max() == columns.high.max() and coarse.low.min() == columns.low.min()
    assert (coarse.open[0], coarse.close[-1]) == (columns.open[0], columns.close[-1])
    assert coarse.volume.sum() == pytest.approx(columns.volume.sum())


def trades(*spans: tuple[str, int, int]) -> TradeTable:
    fills: list[Fill] = []
    for number, (symbol, entry, leave) in enumerate(spans, 1):
        own = {"symbol": symbol, "trade_id": number}
        entry_ms, exit_ms = START_MS + entry * MINUTE_MS, START_MS + leave * MINUTE_MS
        fills.append(fill(**own, opens=True, reason=Reason.SIGNAL, time_ms=entry_ms))
        fills.append(fill(**own, time_ms=exit_ms))
    return trade_table(fills_of(fills))


def of(columns: CandleColumns) -> dict[str, SymbolCandles]:
    return {"A/B": SymbolCandles.of(columns)}


def test_without_room_the_candles_around_trades_come_first() -> None:
    columns = walk(40_000)
    whole = pack_symbols(of(columns), MINUTE_MS, trades(), 10_000_000)[0]
    sizes = {own.month: len(own.chunk.text) for own in whole.months}
    both = trades(("A/B", 100, 200), ("C/D", 5_000, 5_001))
    (detail,) = pack_symbols(of(columns), MINUTE_MS, both, 5_000)
    assert detail.months_left_out == ["2025-02"]
    (part,) = detail.months
    assert not part.is_whole
    times = [row[0] for row in unpacked(part.chunk, detail.digits)]
    assert times == [START_MS + minute * MINUTE_MS for minute in range(40, 260)]
    (more,) = pack_symbols(of(columns), MINUTE_MS, both, sizes["2025-02"] + 23_000)
    assert [(own.month, own.is_whole) for own in more.months] == [("2025-01", False), ("2025-02", True)]


@pytest.mark.parametrize("budget", [0, 500, 5_000, 200_000, 500_000])
def test_the_budget_is_kept(budget: int) -> None:
    candles = {"A/B": walk(30_000), "C/D": walk(35_000)}
    own = trades(*((symbol, at, at + 20) for symbol in candles for at in range(0, 30_000, 3_000)))
    sources = {symbol: SymbolCandles.of(columns) for symbol, columns in candles.items()}
    details = pack_symbols(sources, MINUTE_MS, own, budget)
    months = sum(len(own.chunk.text) for detail in details for own in detail.months)
    assert months <= budget
    if budget >= 5_000:  # below that the overviews of two symbols alone are more
        assert months + sum(len(detail.coarse.text) for detail in details) <= budget


def test_a_long_run_costs_what_its_months_cost() -> None:
    # Ten times the candles and trades: ten times the work, never a hundred (each month once asked for all trades).
    def looked_at(months: int) -> int:
        columns = walk(months * 30 * 1_440 // 10, start_ms=START_MS)
        source = SymbolCandles.of(columns)
        read: list[int] = []

        def noted(month: str) -> CandleColumns:
            found = source.read(month)
            read.append(len(found.open_time_ms))
            return found

        many = trades(*(("A/B", at, at + 20) for at in range(0, len(columns.open_time_ms), 300)))
        pack_symbols({"A/B": replace(source, read=noted)}, MINUTE_MS, many, 100_000)
        return sum(read)

    assert looked_at(100) < 12 * looked_at(10)


def test_a_month_looks_at_the_times_around_its_own_trades_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # Counted is work, not time: asking each month for all trades of a run makes its page grow with the square of it.
    looked_at: list[int] = []
    inside = candle_chunks._inside

    def counted(columns: CandleColumns, spans: candle_chunks.Spans) -> CandleColumns:
        looked_at.append(sum(map(len, spans)))
        return inside(columns, spans)

    monkeypatch.setattr(candle_chunks, "_inside", counted)

    def most_a_month(days: int) -> int:
        looked_at.clear()
        columns = walk(days * 1_440)
        apart = trades(*(("A/B", at, at + 1) for at in range(0, days * 1_440, 480)))  # three a day
        pack_symbols(of(columns), MINUTE_MS, apart, days * 1_440 * 2)
        assert len(looked_at) >= days // 31
        return max(looked_at)

    assert most_a_month(300) <= 1.2 * most_a_month(60) <= 2.4 * 3 * 31


def test_decimals_that_come_later_hold_for_the_whole_symbol() -> None:
    columns = walk(40_000)
    late = columns.open_time_ms >= parse_time_ms("2025-02-10")
    finer = columns._replace(close=np.where(late, np.round(columns.close + 0.001, 3), columns.close))
    (detail,) = pack_symbols(of(finer), MINUTE_MS, trades(), 10_000_000)
    assert detail.digits == price_digits(finer) == 3
    closes = [row[4] for own in detail.months for row in unpacked(own.chunk, 3)]
    assert closes == pytest.approx(finer.close.tolist(), rel=1e-12)


def test_one_candle_in_a_month_of_gaps_is_around_a_trade_too() -> None:
    # Two trades inside one gap of the candles begin and end at the same candle; that one and those after it are kept.
    columns = walk(30_000)
    minutes = (columns.open_time_ms - START_MS) // MINUTE_MS
    columns = columns.take((minutes < 100) | (minutes >= 900))
    both = trades(("A/B", 300, 301), ("A/B", 600, 700), ("A/B", 850, 860))
    (detail,) = pack_symbols(of(columns), MINUTE_MS, both, 2_400)
    (part,) = detail.months
    assert [row[0] for row in unpacked(part.chunk, 2)] == [START_MS + minute * MINUTE_MS for minute in range(900, 920)]


def test_the_overview_of_a_run_with_gaps_is_as_fine_as_its_candles_allow() -> None:
    columns = walk(30_000)
    kept = (columns.open_time_ms < START_MS + 900 * MINUTE_MS) | (columns.open_time_ms >= START_MS + 29_000 * MINUTE_MS)
    (detail,) = pack_symbols(of(columns.take(kept)), MINUTE_MS, trades(), 10_000_000)
    assert (detail.coarse.candles, detail.coarse.step_ms) == (1_900, MINUTE_MS)
