"""The nouns: immutable, and the two sums that they carry."""

from typing import Any

import pytest

from app.models.events import EndOfData, Kill, Resume, Stop
from app.models.orders import FLAT, Action, Side, Signal
from tests.made import candle, entry, fill, position, slice_of


@pytest.mark.parametrize(
    "noun", [candle(), slice_of(candle()), entry(), position(), fill(), FLAT, Stop("x"), Kill("x"), Resume("x")]
)
def test_nothing_that_flows_can_be_changed(noun: Any) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(noun, noun.__struct_fields__[0], None)


def test_equal_content_is_equal_and_hashable() -> None:
    assert candle() == candle()
    assert len({candle(), candle(), candle(at=1)}) == 2
    assert EndOfData() == EndOfData()


def test_a_candle_closes_one_timeframe_after_its_open() -> None:
    assert candle(at=3).close_time_ms == 240_000
    assert candle(at=3, timeframe="1h").close_time_ms == 3 * 60_000 + 3_600_000


@pytest.mark.parametrize(("side", "mark", "expected"), [(1, 110.0, 19.8), (1, 95.0, -10.2), (-1, 95.0, 9.8)])
def test_unrealised_is_after_the_entry_commission_only(side: int, mark: float, expected: float) -> None:
    assert position(side=Side(side)).unrealised(mark) == pytest.approx(expected)


def test_the_value_of_a_side_is_its_sign() -> None:
    assert (Side.LONG, Side.SHORT) == (1, -1)


def test_a_signal_that_says_nothing_more_brings_nothing_more() -> None:
    assert Signal(Action.FLAT) == FLAT
    assert (FLAT.atr, FLAT.stop, FLAT.target, FLAT.size_factor, FLAT.tag) == (None, None, None, 1.0, "")
