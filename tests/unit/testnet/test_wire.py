"""The shapes on the wire: every number reads back to its double, rows and frames agree."""

import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.candles.market_data import Market
from app.testnet.generator import GeneratorSource
from app.testnet.spot import klines_of
from app.testnet.wire import decimal_text, exchange_info, kline_frame, kline_row, kline_rows
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes


@given(st.floats(0, 1e15))
def test_a_number_reads_back_to_its_double(value: float) -> None:
    text = decimal_text(value)
    assert float(text) == value
    assert "e" not in text and len(text.partition(".")[2]) >= 8


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00000000"), (0.1, "0.10000000"), (1e-9, "0.000000001"), (6733.55, "6733.55000000"), (1e-8, "0.00000001")],
)
def test_at_least_8_decimals(value: float, text: str) -> None:
    assert decimal_text(value) == text


def test_rows_are_the_candles() -> None:
    columns = make_candles(minutes(50))  # thirds and sevenths: more decimals than 8
    rows = [json.loads(row) for row in kline_rows(columns, MINUTE_MS)]
    for place, row in enumerate(rows):
        assert [len(row), row[11]] == [12, "0"]
        assert row[0] == columns.open_time_ms[place] and row[6] == row[0] + MINUTE_MS - 1
        assert [float(text) for text in row[1:6]] == [column[place] for column in columns.floats()]
        assert isinstance(row[8], int)


def test_the_fast_rows_and_the_single_ones_are_the_same() -> None:
    made = GeneratorSource(3, ["BTC/USDT"]).candles("BTC/USDT", "1m", START_MS, START_MS + 50 * MINUTE_MS)
    for columns in (made, make_candles(minutes(50))):
        assert kline_rows(columns, MINUTE_MS) == [kline_row(kline, MINUTE_MS) for kline in klines_of(columns)]
    assert kline_rows(make_candles([]), MINUTE_MS) == []


def test_nothing_was_traded_in_a_minute_without_volume() -> None:
    columns = make_candles([START_MS])._replace(volume=np.array([0.0]))
    row = json.loads(kline_rows(columns, MINUTE_MS)[0])
    assert (row[5], row[7], row[8], row[9], row[10]) == ("0.00000000", "0.00000000", 0, "0.00000000", "0.00000000")
    frame = json.loads(kline_frame("BTC/USDT", "1m", klines_of(columns)[0], event_ms=1, is_closed=True))
    assert (frame["k"]["n"], frame["k"]["f"], frame["k"]["L"]) == (0, -1, -1)


def test_a_frame_says_what_the_row_says() -> None:
    columns = make_candles([START_MS + MINUTE_MS])
    row = json.loads(kline_rows(columns, MINUTE_MS)[0])
    frame = json.loads(kline_frame("BTC/USDT", "1m", klines_of(columns)[0], event_ms=5, is_closed=False))
    k = frame["k"]
    assert [k[name] for name in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")] == row
    assert (frame["e"], frame["E"], frame["s"], k["i"], k["x"]) == ("kline", 5, "BTCUSDT", "1m", False)
    assert k["L"] - k["f"] + 1 == k["n"]


def test_a_thousand_rows_take_a_few_milliseconds() -> None:
    made = GeneratorSource(3, ["BTC/USDT"]).candles("BTC/USDT", "1m", START_MS, START_MS + 1_000 * MINUTE_MS)
    took_s = []
    for _ in range(3):
        before_s = time.process_time()
        kline_rows(made, MINUTE_MS)
        took_s.append(time.process_time() - before_s)
    assert min(took_s) < 0.01  # 2 ms on the machine of 2026, where a page of 1000 rows may cost 3


def test_filters_as_binance_prints_them() -> None:
    info = json.loads(exchange_info([("BTC/USDT", Market())], 17, 1200))
    (symbol,) = info["symbols"]
    filters = {one["filterType"]: one for one in symbol["filters"]}
    assert (symbol["symbol"], symbol["baseAsset"], symbol["quoteAsset"]) == ("BTCUSDT", "BTC", "USDT")
    assert filters["LOT_SIZE"]["stepSize"] == "0.00000001" and filters["LOT_SIZE"]["minQty"] == "0.00000000"
    assert filters["PRICE_FILTER"]["tickSize"] == "0.00000000"
    assert filters["NOTIONAL"]["minNotional"] == "0.00000000"
    assert info["serverTime"] == 17
    assert [one["limit"] for one in info["rateLimits"] if one["rateLimitType"] == "REQUEST_WEIGHT"] == [1200]
    unlimited = json.loads(exchange_info([], 17, None))
    assert "REQUEST_WEIGHT" not in {one["rateLimitType"] for one in unlimited["rateLimits"]}
