"""Made-up histories: candles that can have been, blocks of the real one, symbols together, gaps and volume kept."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.candles.month_file import CandleColumns
from app.errors import DataError
from app.research.bootstrap import draws_of, stationary_indices
from app.research.resampled_candles import CandleMoves, moves_of

MINUTE_MS = 60_000
A, B = "A/USDT", "B/USDT"


def columns(times: list[int], closes: list[float], *, volumes: list[float] | None = None) -> CandleColumns:
    """Each opens at 1 % above the close before it (the first at its close); high and low 2 % around both."""
    close = np.array(closes)
    opens = np.concatenate((close[:1], close[:-1] * 1.01))
    high, low = np.maximum(opens, close) * 1.02, np.minimum(opens, close) * 0.98
    volume = np.arange(1.0, len(closes) + 1.0) if volumes is None else np.array(volumes)
    return CandleColumns(np.array(times, np.int64) * MINUTE_MS, opens, high, low, close, volume)


def random_columns(seed: int, count: int, gaps: bool = False) -> CandleColumns:
    rng = np.random.default_rng(seed)
    times = np.arange(count)
    if gaps:
        times = np.sort(rng.choice(count, max(2, count * 2 // 3), replace=False))
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, len(times))))
    opens = np.concatenate((close[:1], close[:-1])) * np.exp(rng.normal(0.0, 0.001, len(times)))
    high = np.maximum(opens, close) * np.exp(np.abs(rng.normal(0.0, 0.01, len(times))))
    low = np.minimum(opens, close) * np.exp(-np.abs(rng.normal(0.0, 0.01, len(times))))
    return CandleColumns(times.astype(np.int64) * MINUTE_MS, opens, high, low, close, rng.uniform(0.0, 5.0, len(times)))


def test_a_history_by_hand() -> None:
    moves = moves_of({A: columns([0, 1, 2], [100.0, 200.0, 100.0])}, mean_block=2.0)
    made = moves.symbols[A].candles(np.array([1, 1, 0]), moves.times_ms)
    # Slot 1: opens 1 % above the close before, closes at twice it, high 2 % above that, low 2 % below the open.
    assert made.open_time_ms.tolist() == [0, MINUTE_MS, 2 * MINUTE_MS]
    assert made.open.tolist() == pytest.approx([101.0, 202.0, 400.0])
    assert made.close.tolist() == pytest.approx([200.0, 400.0, 400.0])
    assert made.high.tolist() == pytest.approx([204.0, 408.0, 408.0])
    assert made.low.tolist() == pytest.approx([101 * 0.98, 202 * 0.98, 392.0])
    assert made.volume.tolist() == [2.0, 2.0, 1.0]


def test_the_slots_in_their_own_order_are_the_history_itself() -> None:
    real = random_columns(1, 200)
    moves = moves_of({A: real})
    same = moves.symbols[A].candles(np.arange(200), moves.times_ms)
    for made, own in zip(same, real, strict=True):
        np.testing.assert_allclose(made, own, rtol=1e-12)


@given(seed=st.integers(0, 50), count=st.integers(2, 120), mean_block=st.floats(1.0, 40.0), gaps=st.booleans())
def test_every_made_up_candle_can_have_been_one(seed: int, count: int, mean_block: float, gaps: bool) -> None:
    moves = moves_of({A: random_columns(seed, count, gaps)}, mean_block)
    made = moves.history(draws_of(seed, 3, 0))[A]
    assert np.all(made.low <= np.minimum(made.open, made.close))  # to the bit, not to a tolerance
    assert np.all(made.high >= np.maximum(made.open, made.close))
    assert np.all(made.low > 0.0)
    assert np.all(np.diff(made.open_time_ms) > 0)
    assert np.isin(made.open_time_ms, moves.times_ms).all()


def test_symbols_that_moved_together_still_do() -> None:
    a = random_columns(3, 3_000)
    rng = np.random.default_rng(4)
    noise = np.exp(np.cumsum(rng.normal(0.0, 0.005, 3_000)))
    b = CandleColumns(a.open_time_ms, a.open * noise, a.high * noise, a.low * noise, a.close * noise, a.volume)
    moves = moves_of({A: a, B: b})
    made = moves.history(draws_of(1, 3, 0))

    def correlation(one: CandleColumns, other: CandleColumns) -> float:
        returns = np.stack([np.diff(np.log(series.close)) for series in (one, other)])
        return float(np.corrcoef(returns)[0, 1])

    assert correlation(a, b) > 0.9
    assert correlation(made[A], made[B]) == pytest.approx(correlation(a, b), abs=0.02)
    apart = moves.history(draws_of(1, 3, 1))
    assert abs(correlation(made[A], apart[B])) < 0.1


def test_a_gap_of_one_symbol_is_drawn_like_a_candle() -> None:
    a, b = columns([0, 1, 2, 3], [10.0, 11.0, 12.0, 13.0]), columns([2, 3], [50.0, 55.0])
    moves = moves_of({A: a, B: b}, mean_block=1.0)
    assert moves.symbols[B].present.tolist() == [False, False, True, True]
    made = moves.symbols[B].candles(np.array([3, 0, 2, 3]), moves.times_ms)
    assert made.open_time_ms.tolist() == [0, 2 * MINUTE_MS, 3 * MINUTE_MS]
    assert made.close.tolist() == pytest.approx([55.0, 55.0, 60.5])  # it begins at its own first price, 50


def test_the_mean_return_and_the_spread_are_those_of_the_history() -> None:
    real = random_columns(5, 500)
    moves = moves_of({A: real})
    returns = np.log(moves.symbols[A].shape["close"])
    drawn = np.concatenate([np.diff(np.log(moves.history(draws_of(1, 3, number))[A].close)) for number in range(100)])
    assert drawn.mean() == pytest.approx(
        returns.mean(), abs=4 * returns.std() / math.sqrt(drawn.size / moves.mean_block)
    )
    assert drawn.std() == pytest.approx(returns.std(), rel=0.05)


def test_calm_and_wild_times_make_the_blocks_long() -> None:
    rng = np.random.default_rng(6)
    wild = np.repeat(np.exp(rng.normal(0.0, 1.0, 20)), 100)  # its returns are independent, their sizes are not
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, 2_000) * wild))
    times = np.arange(2_000, dtype=np.int64) * MINUTE_MS
    clustered = moves_of({A: CandleColumns(times, close, close, close, close, close)})
    assert clustered.mean_block > 30.0
    calm = moves_of({A: random_columns(5, 2_000)})
    assert calm.mean_block < 10.0


def test_the_same_draws_give_the_same_history() -> None:
    moves = moves_of({A: random_columns(1, 50)})
    same = [moves.history(draws_of(1, 3, 7))[A] for _ in range(2)]
    assert all(np.array_equal(*pair) for pair in zip(*same, strict=True))
    slots = stationary_indices(draws_of(1, 3, 7), 50, 50, moves.mean_block)
    assert np.array_equal(same[0].volume, moves.symbols[A].volume[slots])


def test_what_cannot_be_drawn_from() -> None:
    with pytest.raises(DataError, match="A/USDT has 1 candles"):
        moves_of({A: columns([0], [5.0])})
    with pytest.raises(DataError, match=r"A/USDT has a price of 0\.0"):
        moves_of({A: columns([0, 1, 2], [5.0, 0.0, 5.0])})
    assert isinstance(moves_of({A: columns([0, 1], [5.0, 6.0])}), CandleMoves)
