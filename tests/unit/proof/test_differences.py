"""Two streams of events side by side: what differs is named once, with both values; what is the same is not kept."""

from collections.abc import Sequence

import msgspec
import pytest

from app.models.events import Close, EndOfData, Event, Halt, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle, Stop
from app.models.market import Candle, Slice
from app.proof.differences import Cause, Difference, InputComparison
from app.times import iso_ms
from tests.made import MINUTE_MS

SYMBOLS = ["A", "B"]


def one(symbol: str, minute: int, close: float = 100.0) -> Candle:
    return Candle(symbol, "1m", minute * MINUTE_MS, 100.0, 101.0, 99.0, close, 1.0)


def slices(*minutes: int, symbols: Sequence[str] = SYMBOLS, warmup: int = 0) -> list[Event]:
    return [Slice((m + 1) * MINUTE_MS, tuple(one(s, m) for s in symbols), m < warmup) for m in minutes]


def without(event: Event, symbol: str) -> Slice:
    assert isinstance(event, Slice)
    return Slice(event.close_time_ms, tuple(c for c in event.candles if c.symbol != symbol), event.warmup)


def marked(event: Event, late: bool = False, stale: tuple[str, ...] = ()) -> MarkedSlice:
    assert isinstance(event, Slice)
    return MarkedSlice(event.close_time_ms, event.candles, event.warmup, late, stale)


def found(a: Sequence[Event], b: Sequence[Event], **options: object) -> list[Difference]:
    return InputComparison(SYMBOLS, **options).run(a, b)  # type: ignore[arg-type]


def at(minute: int) -> str:
    return iso_ms(minute * MINUTE_MS)


def test_nothing_differs_and_nothing_is_kept() -> None:
    comparison = InputComparison(SYMBOLS)
    assert comparison.run([*slices(*range(50)), EndOfData()], slices(*range(50))) == []
    assert comparison._waiting == ({}, {})


def test_values_are_named_with_both() -> None:
    a, b = slices(0, 1, 2), slices(0, 1, 2)
    b[1] = Slice(2 * MINUTE_MS, (one("A", 1), one("B", 1, 100.5)), False)
    said = f"candle of B that opens {at(1)}: close 100.0 in A, 100.5 in B"
    assert found(a, b) == [Difference(Cause.DATA, MINUTE_MS, "B", said, True)]
    revised = [*a, RevisedCandle(one("B", 1, 100.5))]
    assert [d.said for d in found(revised, b)] == [f"{said}; the exchange revised it later"]


@pytest.mark.parametrize("side", [0, 1])
def test_a_candle_in_one_only(side: int) -> None:
    streams = [slices(0, 1, 2), slices(0, 1, 2)]
    streams[1 - side][1] = without(streams[1 - side][1], "B")
    said = f"candle of B that opens {at(1)}: it is there in {'AB'[side]} only"
    assert found(*streams) == [Difference(Cause.GAP, MINUTE_MS, "B", said, True)]


def test_a_whole_slice_in_one_only_is_a_gap_of_each_symbol() -> None:
    assert [(d.cause, d.symbol, d.time_ms) for d in found(slices(0, 2), slices(0, 1, 2))] == [
        (Cause.GAP, "A", MINUTE_MS),
        (Cause.GAP, "B", MINUTE_MS),
    ]


def test_a_late_candle_is_timing_however_late_and_on_either_side() -> None:
    a, b = slices(*range(6)), slices(*range(6))
    a[1] = without(a[1], "B")
    a.insert(4, LateCandle(one("B", 1)))
    late = f"late, after the slice that closes {at(4)}"
    said = f"candle of B that opens {at(1)}: it came {late} in A and in its slice in B"
    assert found(a, b) == [Difference(Cause.TIMING, MINUTE_MS, "B", said, True)]
    swapped = f"candle of B that opens {at(1)}: it came in its slice in A and {late} in B"
    assert [d.said for d in found(b, a)] == [swapped]
    assert found(a, a) == []
    earlier = [*a[:3], a[4], a[3], *a[5:]]
    assert [d.cause for d in found(a, earlier)] == [Cause.TIMING], "late in both, but not at the same moment"


def test_a_late_candle_that_the_other_never_has() -> None:
    a, b = slices(0, 1, 2), slices(0, 1, 2)
    a[1], b[1] = without(a[1], "B"), without(b[1], "B")
    a.insert(2, LateCandle(one("B", 1)))
    when = f"late, after the slice that closes {at(2)}"
    said = f"candle of B that opens {at(1)}: it is there in A only, where it came {when}"
    assert found(a, b) == [Difference(Cause.GAP, MINUTE_MS, "B", said, True)]


def test_marks_in_a_row_are_one_difference() -> None:
    a, b = slices(*range(8)), slices(*range(8))
    for minute in (2, 3, 4):
        a[minute] = marked(a[minute], stale=("B",))
    a[6] = marked(a[6], late=True)
    assert [(d.cause, d.time_ms, d.symbol, d.of_candle) for d in found(a, b)] == [
        (Cause.TIMING, 3 * MINUTE_MS, "B", False),
        (Cause.TIMING, 7 * MINUTE_MS, "", False),
    ]
    assert found(a, b)[0].said.endswith(f"the slice that closes {at(3)} and 2 more until {at(5)}")
    assert found(a, a) == []
    assert [d.said[:23] for d in found(b, a)] == ["B was stale in B only, ", "the slice was handled l"]
    apart = slices(*range(8))
    apart[2], apart[4] = marked(apart[2], stale=("B",)), marked(apart[4], stale=("B",))
    assert len(found(apart, b)) == 2


def test_commands_have_their_place() -> None:
    a, b = slices(0, 1, 2), slices(0, 1, 2)
    killed: list[Event] = [*a[:2], Kill("why"), *a[2:], Resume("now")]
    assert [(d.cause, d.time_ms, d.said) for d in found(killed, b)] == [
        (Cause.SAFETY, 2 * MINUTE_MS, f"kill (why) in A, after the slice that closes {at(2)}"),
        (Cause.SAFETY, 3 * MINUTE_MS, f"resume (now) in A, after the slice that closes {at(3)}"),
    ]
    assert found(killed, killed) == []
    later: list[Event] = [*a, Kill("why"), Resume("now")]
    assert len(found(killed, later)) == 4, "both have a kill, not at the same slice"
    stopped = found([*a, Stop("SIGTERM")], b)
    assert [d.said for d in stopped] == [f"stop (SIGTERM) in A, after the slice that closes {at(3)}"]


def test_a_close_is_of_its_symbol_and_other_words_for_it_are_no_difference() -> None:
    a = slices(0, 1, 2)
    closed: list[Event] = [*a[:2], Close("why", "B"), *a[2:]]
    said = f"close B (why) in A, after the slice that closes {at(2)}"
    assert found(closed, a) == [Difference(Cause.SAFETY, 2 * MINUTE_MS, "B", said)]
    assert found(closed, [*a[:2], Close("another", "B"), *a[2:]]) == []
    assert len(found(closed, [*a[:2], Close("why", "A"), *a[2:]])) == 2
    assert len(found(closed, [*a[:2], Close("why", "B", "slow"), *a[2:]])) == 2
    assert [d.said[:14] for d in found([*a, Halt("a look")], a)] == ["halt (a look) "]


@pytest.mark.parametrize("side", [0, 1])
def test_a_command_that_came_before_the_other_began_is_told(side: int) -> None:
    began, later = slices(1, 2, 3, 4, warmup=2), slices(3, 4)
    for killed, when, time_ms in (
        ([Kill("why"), *began], "before the first slice", None),
        ([*began[:1], Kill("why"), *began[1:]], f"after the slice that closes {at(2)}", 2 * MINUTE_MS),
    ):
        pair = (killed, later) if side == 0 else (later, killed)
        told = [(d.time_ms, d.said) for d in found(*pair) if d.cause is Cause.SAFETY]
        assert told == [(time_ms, f"kill (why) in {'AB'[side]}, {when}")]


def test_a_stop_that_the_session_went_on_after_decided_nothing() -> None:
    a = slices(0, 1, 2)
    assert found([*a[:2], Stop("SIGTERM"), *a[2:]], slices(0, 1, 2)) == []


def test_indicators_that_start_elsewhere() -> None:
    said = f"the indicators start elsewhere: the first slice closes {at(1)} in A and {at(4)} in B"
    assert found(slices(*range(9), warmup=5), slices(*range(3, 9), warmup=5)) == [
        Difference(Cause.WARM_UP, None, "", said)
    ]
    begun = found(slices(*range(9)), slices(*range(3, 9)))
    assert [(d.cause, d.time_ms) for d in begun] == [(Cause.GAP, None)]


@pytest.mark.parametrize("cause", [Cause.GAP, Cause.CONFIG])
def test_one_that_ends_earlier_is_one_difference_and_keeps_nothing(cause: Cause) -> None:
    comparison = InputComparison(SYMBOLS, cause)
    said = f"B ends with the slice that closes {at(3)}, A goes on"
    assert comparison.run(slices(*range(500)), slices(0, 1, 2)) == [Difference(cause, 3 * MINUTE_MS, "", said)]
    assert len(comparison._waiting[0]) <= 2


def test_symbols_and_months_that_cannot_be_compared_are_left_out() -> None:
    three = slices(0, 1, 2, symbols=["A", "B", "C"])
    assert found(three, slices(0, 1, 2)) == []
    other = [Slice((m + 1) * MINUTE_MS, (one("A", m), one("B", m, 100.0 + m)), False) for m in range(3)]
    assert [d.time_ms for d in found(slices(0, 1, 2), other)] == [MINUTE_MS, 2 * MINUTE_MS]
    unread = [("B", 0, 2 * MINUTE_MS)]
    assert [d.time_ms for d in found(slices(0, 1, 2), other, unread=unread)] == [2 * MINUTE_MS]
    assert found(slices(0, 1, 2), [], unread=unread) == []


def test_every_value_counts() -> None:
    a, b = slices(0), slices(0)
    for name in ("open", "high", "low", "close", "volume"):
        changed = msgspec.structs.replace(one("A", 0), **{name: 0.5})
        b[0] = Slice(MINUTE_MS, (changed, one("B", 0)), False)
        assert [d.said.split(": ")[1] for d in found(a, b)] == [f"{name} {getattr(one('A', 0), name)} in A, 0.5 in B"]
