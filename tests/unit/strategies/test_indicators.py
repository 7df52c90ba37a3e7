"""Streaming indicators against TA-Lib 0.6.8: every bar, every bit, real candles and nasty ones."""

import math

import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from app.models.market import Candle
from app.strategies.indicators import ATR, EMA, RSI, SETTLED, SMA, Indicator, rsi_of
from tests.made import candle
from tests.talib_values import NAMES, bits, candles_of, series

PERIODS = (2, 3, 9, 14, 21, 50)


def test_the_judge_is_the_version_of_the_rules() -> None:
    assert talib.__version__ == "0.6.8"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("period", PERIODS)
def test_ema_rsi_and_atr_of_prices(name: str, period: int) -> None:
    columns = series(name)
    closes = columns.close.tolist()
    assert bits(map(EMA(period).update, closes)) == bits(talib.EMA(columns.close, period))
    assert bits(map(RSI(period).update, closes)) == bits(talib.RSI(columns.close, period))
    expected = talib.ATR(columns.high, columns.low, columns.close, period)
    assert bits(map(ATR(period).update, candles_of(columns))) == bits(expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("period", (2, 20, 100))
def test_sma_of_volumes_and_closes(name: str, period: int) -> None:
    columns = series(name)
    for column in (columns.volume, columns.close):
        assert bits(map(SMA(period).update, column.tolist())) == bits(talib.SMA(column, period))


def test_an_atr_of_one_is_the_true_range() -> None:
    columns = series("walk")
    expected = talib.ATR(columns.high, columns.low, columns.close, 1)
    assert bits(map(ATR(1).update, candles_of(columns))) == bits(expected)


def test_an_average_of_one_is_the_value() -> None:
    values = series("walk").close.tolist()
    assert list(map(EMA(1).update, values)) == values
    assert list(map(SMA(1).update, values)) == values


@pytest.mark.parametrize(
    ("indicator", "first"), [(EMA(9), 9), (SMA(20), 20), (RSI(14), 15), (ATR(14), 15), (EMA(1), 1)]
)
def test_the_first_value_comes_when_the_warm_up_says(indicator: Indicator, first: int) -> None:
    assert indicator.warmup_candles == first
    values = []
    for number in range(first + 1):
        at: Candle | float = candle(100.0 + number) if isinstance(indicator, ATR) else 100.0 + number
        values.append(indicator.update(at))  # type: ignore[attr-defined]
    assert [value is None for value in values] == [True] * (first - 1) + [False, False]


def test_rsi_is_zero_when_nothing_moved_and_100_when_it_only_rose() -> None:
    still, rising = RSI(3), RSI(3)
    assert [still.update(5.0) for _ in range(6)][-1] == 0.0
    assert [rising.update(float(i)) for i in range(6)][-1] == 100.0
    assert rsi_of(1e-15, 8e-15) == 0.0
    assert rsi_of(1.0, 3.0) == 25.0


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=80), st.integers(2, 20))
def test_any_series_at_all(closes: list[float], period: int) -> None:
    import numpy as np

    array = np.array(closes)
    assert bits(map(EMA(period).update, closes)) == bits(talib.EMA(array, period))
    assert bits(map(RSI(period).update, closes)) == bits(talib.RSI(array, period))
    assert bits(map(SMA(period).update, closes)) == bits(talib.SMA(array, period))


@pytest.mark.parametrize("kind", [EMA, SMA, RSI, ATR])
@pytest.mark.parametrize("period", [0, -1, 2.0, "9", True, None])
def test_a_period_is_a_whole_number(kind: type[Indicator], period: object) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}: period .* is not a whole number of at least"):
        kind(period)  # type: ignore[arg-type]


def test_a_relative_strength_needs_two() -> None:
    with pytest.raises(ValueError, match="RSI: period 1 is not a whole number of at least 2"):
        RSI(1)


@pytest.mark.parametrize(("indicator", "decay"), [(EMA(9), 0.8), (RSI(14), 13 / 14), (ATR(14), 13 / 14)])
def test_settled_is_when_the_seed_weighs_less_than_a_billionth(indicator: Indicator, decay: float) -> None:
    steps = indicator.settling_candles - indicator.warmup_candles
    assert math.pow(decay, steps) < SETTLED <= math.pow(decay, steps - 1)


def test_a_window_is_settled_as_soon_as_it_is_full() -> None:
    assert SMA(20).settling_candles == SMA(20).warmup_candles == 20
