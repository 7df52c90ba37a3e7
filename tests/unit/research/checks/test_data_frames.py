"""Whole DataFrames: what depends on a later row is found at its first row, what only rounds otherwise is not."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.models.market import Candle
from app.models.orders import FLAT, Action, Signal
from app.research.checks import data_frames
from app.research.checks.data_frames import (
    Frames,
    SymbolFrames,
    chosen_rows,
    first_differing,
    frame_of,
    scrambled_frame,
)
from app.research.checks.observed_run import StrategyFailedError
from tests.candle_columns import MINUTE_MS, START_MS

COUNT, BEGIN = 700, 300
ALL = range(BEGIN, COUNT)


def candle(number: int) -> Candle:
    close = 100.0 + (number * 37 % 101) / 7 + number * 0.01
    return Candle("A/X", "1m", START_MS + number * MINUTE_MS, close, close + 1, close - 1, close, 1.0 + number % 5)


CANDLES = [candle(number) for number in range(COUNT)]


class Made:
    """A strategy with whole DataFrames; `label` makes the column that is checked."""

    warmup_candles = 20
    label: Callable[[pd.DataFrame], Any]

    def add_indicators(self, df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(mean=df["close"].rolling(20).mean(), label=type(self).label(df))

    def generate_signal(self, df: pd.DataFrame) -> Signal:
        return FLAT


def frames(label: Callable[[pd.DataFrame], Any], *, has_signals: bool = False, **more: Any) -> Frames:
    made = type("Labelled", (Made,), {"label": staticmethod(label), **more})
    return Frames(made, CANDLES, BEGIN, COUNT, has_signals)


HONEST: dict[str, Callable[[pd.DataFrame], Any]] = {
    "ewm": lambda df: df["close"].ewm(span=9).mean(),
    "shift": lambda df: df["close"].shift(5),
    "long look-back": lambda df: df["close"].rolling(280).std(),
    "text": lambda df: np.where(df["close"] > df["open"].shift(1), "up", "down"),
    "cumulated": lambda df: df["volume"].cumsum(),
    "rounding": lambda df: df["close"] * (1.0 + 1e-14 * len(df)),
}
CHEATS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "shift": lambda df: df["close"].shift(-1),
    "label": lambda df: (df["close"].shift(-1) > df["close"]).map({True: "up", False: "down"}),
    "whole mean": lambda df: df["close"] / df["close"].mean(),
    "centred": lambda df: df["close"].rolling(5, center=True).mean(),
    "backwards": lambda df: df["close"][::-1].ewm(span=5).mean()[::-1],
    "rank": lambda df: df["close"].rank(),
    "the last row": lambda df: df["close"].iloc[-1],
}


@pytest.mark.parametrize("how", HONEST)
def test_what_is_honest_passes(how: str) -> None:
    checked = frames(HONEST[how], has_signals=True)
    assert checked.check(range(550, COUNT)) is None
    assert (checked.checked, checked.cuts) == (150, 16)


@pytest.mark.parametrize("rows_max", [10_000, 7])
@pytest.mark.parametrize("how", CHEATS)
def test_what_looks_ahead_is_found_at_its_first_row(how: str, rows_max: int) -> None:
    wrong = frames(CHEATS[how]).check(chosen_rows(BEGIN, COUNT, rows_max))
    assert wrong is not None
    assert (wrong.row, wrong.what) == (BEGIN, "column label") if how != "label" else wrong.row <= BEGIN + 3


@pytest.mark.parametrize("row", [BEGIN, BEGIN + 64, 511, COUNT - 2])
def test_one_row_alone_is_found_among_all(row: int) -> None:
    at_ms = CANDLES[row].open_time_ms
    wrong = frames(lambda df: df["close"].where(df["timestamp_ms"] != at_ms, df["close"].shift(-1))).check(ALL)
    assert wrong is not None and wrong.row == row
    assert (wrong.with_future, wrong.without) == (repr(CANDLES[row + 1].close), "nan")


def test_what_looks_further_than_a_block_is_found_by_the_whole_cuts() -> None:
    far = data_frames._BLOCK + data_frames._AHEAD + 10
    wrong = frames(lambda df: df["close"].shift(-far)).check(ALL)
    assert wrong is not None and wrong.how.startswith("history cut at 2025-")


def test_a_value_that_only_a_scrambled_future_shows() -> None:
    # Where there is no next row it is honest; where there is one, it looks.
    def label(df: pd.DataFrame) -> pd.Series:
        following = df["close"].shift(-1)
        same = df["close"].where(following.isna(), df["close"] + 0.0 * following)
        return same.where(~(following < df["close"] * 0.97), -1.0)

    wrong = frames(label).check(ALL)
    assert wrong is not None


def test_a_row_that_is_dropped_for_want_of_a_future_is_found() -> None:
    def add_indicators(self: Made, df: pd.DataFrame) -> pd.DataFrame:
        return df.assign(label=df["close"].shift(-1)).dropna()

    wrong = frames(CHEATS["shift"], add_indicators=add_indicators).check(ALL)
    assert wrong is not None and wrong[:4] == (BEGIN, "the row itself", "kept", "dropped")


def test_a_signal_that_looks_behind_its_last_row_is_found() -> None:
    def add_indicators(self: Any, df: pd.DataFrame) -> pd.DataFrame:
        self.seen = df
        return df

    def generate_signal(self: Any, df: pd.DataFrame) -> Signal:
        return Signal(Action.LONG, atr=1.0) if self.seen.index[-1] > df.index[-1] else FLAT

    wrong = frames(CHEATS["shift"], has_signals=True, add_indicators=add_indicators, generate_signal=generate_signal)
    found = wrong.check(ALL)
    assert found is not None
    assert found[:4] == (BEGIN, "generate_signal", "LONG atr=1.0", "FLAT")


def test_windows_grow_until_there_is_something_to_compare() -> None:
    checked = frames(lambda df: df["close"].rolling(280).mean().shift(-1))
    assert checked.check([350, 400, 699]) is not None, "a window of 256 rows would hold NaN against NaN"
    assert checked._window > 280


@pytest.mark.parametrize("bad", [lambda df: None, lambda df: df.reset_index(drop=True), lambda df: 1 / 0])
def test_what_cannot_be_held_together_is_told(bad: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(StrategyFailedError) as raised:
        frames(CHEATS["shift"], add_indicators=lambda self, df: bad(df)).check(ALL)
    assert raised.value.where == "add_indicators() of 700 rows"
    assert "index" in str(raised.value) or "ZeroDivisionError" in str(raised.value)


def test_rows_are_all_or_one_of_each_stretch() -> None:
    assert list(chosen_rows(3, 8, 5)) == [3, 4, 5, 6, 7]
    some = list(chosen_rows(0, 1_000, 40))
    assert some == sorted(some) and len(set(some)) == 40
    assert all(number * 25 <= row < (number + 1) * 25 for number, row in enumerate(some))
    assert len({row % 4 for row in some}) == 4 and len({row % 25 for row in some}) > 10


def test_frames_have_the_columns_of_the_cache() -> None:
    frame = frame_of(CANDLES)
    assert list(frame.columns) == ["timestamp_ms", "open", "high", "low", "close", "volume"]
    assert frame.index[0] == pd.Timestamp(START_MS, unit="ms", tz="UTC")
    other = scrambled_frame(frame)
    assert (other["timestamp_ms"] == frame["timestamp_ms"]).all() and other.index.equals(frame.index)
    assert (other[["open", "close", "volume"]] != frame[["open", "close", "volume"]]).all(axis=None)


def test_the_first_row_that_differs() -> None:
    left = pd.DataFrame({"a": [1.0, np.nan, 3.0, 4.0], "b": pd.Series(["x", None, "z", "w"]), "only": [1, 2, 3, 4]})
    assert first_differing(left, left.copy(), left.index) is None
    assert first_differing(left, left.assign(a=[1.0, np.nan, 3.0 + 1e-12, 5.0]), left.index) == 3
    assert first_differing(left, left.assign(b=pd.Series(["x", None, "y", "w"])), left.index) == 2
    assert first_differing(left, left.assign(a=[1.0, 2.0, 3.0, 4.0]).drop(columns="only"), left.index) == 1
    assert first_differing(left, left.iloc[:2], left.index[:2]) is None


def stretched(
    cheat: Callable[[pd.DataFrame], Any], chosen: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> SymbolFrames:
    monkeypatch.setattr(data_frames, "STRETCH", 90)
    monkeypatch.setattr(data_frames, "_LEAD", 100)
    made = type("Labelled", (Made,), {"label": staticmethod(cheat)})
    checked = SymbolFrames(made, True, CANDLES[BEGIN].open_time_ms, chosen)
    held = 0
    for one in CANDLES:
        checked.add(one)
        held = max(held, len(checked.held))
    checked.check_rest()
    assert held < BEGIN + 90 + 64, "the warm-up, a stretch and its future; later on less"
    assert len(checked.held) == 100
    return checked


def test_a_long_history_is_checked_in_stretches_and_only_one_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = stretched(HONEST["ewm"], list(chosen_rows(0, COUNT - BEGIN, 150)), monkeypatch)
    assert (checked.first, checked.checked, checked.cuts) == (None, 150, 4 * 16)


@pytest.mark.parametrize("row", [BEGIN + 20, BEGIN + 89, BEGIN + 90, BEGIN + 300, COUNT - 2])
def test_the_row_that_looks_ahead_is_found_in_every_stretch(row: int, monkeypatch: pytest.MonkeyPatch) -> None:
    at_ms = CANDLES[row].open_time_ms

    def label(df: pd.DataFrame) -> pd.Series:
        return df["close"].where(df["timestamp_ms"] < at_ms, df["close"].shift(-1))

    found = stretched(label, range(COUNT - BEGIN), monkeypatch).first
    assert found is not None and found.close_time_ms == CANDLES[row].close_time_ms
