"""Scrambled candles: valid ones, of the same times, none like the real one, the same ones again."""

import numpy as np

from app.research.checks.past_cache import factors, scrambled
from tests.candle_columns import equal, make_candles, minutes

REAL = make_candles(minutes(500))


def test_no_candle_stays_and_every_one_is_valid() -> None:
    other = scrambled(REAL)
    assert np.array_equal(other.open_time_ms, REAL.open_time_ms)
    for real, one in zip(REAL.floats(), other.floats(), strict=True):
        assert (real != one).all() and np.isfinite(one).all()
    assert (other.low <= np.minimum(other.open, other.close)).all()
    assert (other.high >= np.maximum(other.open, other.close)).all()
    assert (other.volume > 0).all() and (other.low > 0).all()


def test_the_same_again_and_whatever_stands_beside_it() -> None:
    assert equal(scrambled(REAL), scrambled(REAL))
    assert equal(scrambled(REAL.take(slice(100, 200))), scrambled(REAL).take(slice(100, 200)))


def test_factors_are_never_near_one_and_spread_to_both_sides() -> None:
    found = factors(REAL.open_time_ms, 1)
    assert ((found >= 0.6) & (found < 1.4)).all()
    assert (abs(found - 1.0) >= 0.05).all()
    assert 0.4 < (found > 1).mean() < 0.6
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.2, "a candle says nothing of the next"
    assert (found != factors(REAL.open_time_ms, 2)).all()
