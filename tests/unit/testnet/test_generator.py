"""Made-up candles: a function of seed, symbol and time, plausible as candles, whole as a series."""

import hashlib
import time

import numpy as np
import pytest

from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import ConfigError
from app.testnet.generator import GeneratorSource
from tests.candle_columns import MINUTE_MS, START_MS, equal

BTC, ETH = "BTC/USDT", "ETH/USDT"
END_MS = START_MS + 3_000 * MINUTE_MS


def candles(seed: int = 7, symbol: str = BTC, timeframe: str = "1m") -> CandleColumns:
    return GeneratorSource(seed, [BTC, ETH]).candles(symbol, timeframe, START_MS, END_MS)


def test_a_function_of_seed_symbol_and_time() -> None:
    source = GeneratorSource(7, [ETH, BTC])
    one = source.candles(BTC, "1m", START_MS + 100 * MINUTE_MS, START_MS + 101 * MINUTE_MS)
    assert equal(one, candles().take(slice(100, 101)))
    assert not np.array_equal(candles(8).close, candles().close)
    assert not np.array_equal(candles(symbol=ETH).close, candles().close)


def test_the_same_ones_as_ever() -> None:
    digest = hashlib.sha256(b"".join(column.tobytes() for column in candles())).hexdigest()
    assert digest == "2a436188e47e154e506ce0cea8d939bba278c57005067bd1003ffceb4d298c79"


def test_plausible_candles_that_connect() -> None:
    made = candles()
    assert made.open_time_ms.tolist() == list(range(START_MS, END_MS, MINUTE_MS))
    assert np.array_equal(made.open[1:], made.close[:-1])
    assert np.all(made.high >= np.maximum(made.open, made.close))
    assert np.all(made.low <= np.minimum(made.open, made.close))
    assert np.all(made.low > 0) and np.all(made.volume > 0)
    changes = np.diff(np.log(made.close))
    assert 1e-5 < changes.std() < 1e-2
    assert np.count_nonzero(changes) > 2_000


def test_prices_are_cents_and_volumes_hundred_thousandths() -> None:
    made = candles()
    for column in made.floats()[:4]:
        assert np.array_equal(np.rint(column * 100) / 100, column)
    assert np.array_equal(np.rint(made.volume * 100_000) / 100_000, made.volume)


@pytest.mark.parametrize("timeframe", ["5m", "1h", "1d"])
def test_coarser_candles_are_made_of_the_minutes(timeframe: str) -> None:
    source = GeneratorSource(7, [BTC])
    day_ms = 86_400_000
    start_ms = START_MS // day_ms * day_ms
    minutes = source.candles(BTC, "1m", start_ms, start_ms + 3 * day_ms)
    assert equal(source.candles(BTC, timeframe, start_ms, start_ms + 3 * day_ms), resample(minutes, "1m", timeframe))


def test_a_month_of_minutes_takes_well_under_a_second() -> None:
    before_s = time.process_time()
    GeneratorSource(7, [BTC]).candles(BTC, "1m", START_MS, START_MS + 40_000 * MINUTE_MS)
    assert time.process_time() - before_s < 0.5


def test_what_it_has_not() -> None:
    source = GeneratorSource(7, [BTC])
    assert len(source.candles(BTC, "1s", START_MS, END_MS).volume) == 0
    assert len(source.candles(ETH, "1m", START_MS, END_MS).volume) == 0
    assert source.span_ms(BTC)[0] == 0
    for name in ("BTCUSDT", "btc/usdt", "A/B/C", "/USDT", ""):
        with pytest.raises(ConfigError, match="is no symbol"):
            GeneratorSource(7, [name])
