"""Any order and overlap of merges gives the same bytes; any damage is seen, no wrong candle is ever read."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles.cache import CandleCache
from app.errors import DataError
from tests.candle_columns import MINUTE_MS, START_MS, equal, make_candles

SERIES = ("BTC/USDT", "1m")
# An hour before and after a month's end.
SLOTS = st.integers(0, 119)


def times(slots: set[int]) -> list[int]:
    return [START_MS + slot * MINUTE_MS for slot in sorted(slots)]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.sets(SLOTS, min_size=1), min_size=1, max_size=5), data=st.data())
def test_any_order_of_merges_gives_the_same_bytes(parts: list[set[int]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        at_once = CandleCache(Path(folder, "at_once"))
        at_once.merge(*SERIES, make_candles(times(set().union(*parts))))
        in_parts = CandleCache(Path(folder, "in_parts"))
        new = sum(in_parts.merge(*SERIES, make_candles(times(part))).new for part in data.draw(st.permutations(parts)))
        assert contents(in_parts.root) == contents(at_once.root)
        assert new == len(set().union(*parts))


@settings(max_examples=100, deadline=None)
@given(slots=st.sets(SLOTS.filter(lambda slot: slot < 60), min_size=1), data=st.data())
def test_any_damage_is_seen(slots: set[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = CandleCache(Path(folder))
        candles = make_candles(times(slots))
        cache.merge(*SERIES, candles)
        path = cache.path(*SERIES, "2025-10")
        whole = path.read_bytes()
        damaged = data.draw(damages(whole))
        path.write_bytes(damaged)
        if damaged == whole:
            assert equal(cache.read(*SERIES, "2025-10"), candles)
            return
        with pytest.raises(DataError) as error:
            cache.read(*SERIES, "2025-10")
        assert "\n" not in str(error.value)


def damages(whole: bytes) -> st.SearchStrategy[bytes]:
    """Cut short, lengthened, bits flipped, a stretch zeroed or swapped with another."""
    position = st.integers(0, len(whole) - 1)

    def flip(flips: list[tuple[int, int]]) -> bytes:
        damaged = bytearray(whole)
        for at, bit in flips:
            damaged[at] ^= 1 << bit
        return bytes(damaged)

    return st.one_of(
        position.map(lambda end: whole[:end]),
        position.map(lambda start: whole[start:]),
        st.binary(min_size=1, max_size=64).map(lambda extra: whole + extra),
        st.lists(st.tuples(position, st.integers(0, 7)), min_size=1, max_size=8).map(flip),
        st.tuples(position, st.integers(1, 512)).map(
            lambda zeroed: whole[: zeroed[0]] + bytes(min(zeroed[1], len(whole) - zeroed[0])) + whole[sum(zeroed) :]
        ),
        st.tuples(position, position).map(lambda cut: whole[: min(cut)] + whole[max(cut) :]),
    )
