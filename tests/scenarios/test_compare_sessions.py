"""compare: a session with a tape against its history; what came late, was killed or stopped is named, nothing else."""

from pathlib import Path

import msgspec
import pytest

from app.models.events import Close, Event, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle, Stop
from app.models.market import Slice
from app.times import iso_ms
from tests.proof_runs import compared, first_entry, market, replay, session, slices_of

Capture = pytest.CaptureFixture[str]


def parts(tmp_path: Path) -> tuple[list[Slice], int, str]:
    """Slices of a session, the position of the one that the first order is decided on, and its symbol."""
    slices = slices_of(tmp_path / "c", market())
    plain = replay(tmp_path, "plain", market())
    entry = first_entry(plain)
    at = next(n for n, one in enumerate(slices) if iso_ms(one.close_time_ms) == entry["timestamp"])
    return slices, at, entry["symbol"]


def test_timing_a_late_slice(tmp_path: Path, capsys: Capture) -> None:
    slices, at, symbol = parts(tmp_path)
    one = slices[at]
    marked = MarkedSlice(one.close_time_ms, one.candles, one.warmup, late=True)
    live = session(tmp_path / "live", [*slices[:at], marked, *slices[at + 1 :]])
    status, content = compared(capsys, live, tmp_path / "plain")
    assert (status, content["explained"], content["class"]) == (0, True, "timing")
    assert content["evidence"] == (
        f"the slice was handled late in A only, so no entry: the slice that closes {iso_ms(one.close_time_ms)}"
    )
    first = content["first"]
    assert (first["kind"], first["a"]["outcome"], first["b"]["outcome"]) == ("order", "late", "order")
    assert (first["time"], first["symbol"]) == (iso_ms(one.close_time_ms), symbol)
    assert len(content["inputs"]) == 1


def test_timing_a_stale_symbol(tmp_path: Path, capsys: Capture) -> None:
    slices, at, symbol = parts(tmp_path)
    marked = [MarkedSlice(s.close_time_ms, s.candles, s.warmup, stale=(symbol,)) for s in slices[at - 1 : at + 2]]
    live = session(tmp_path / "live", [*slices[: at - 1], *marked, *slices[at + 2 :]])
    status, content = compared(capsys, tmp_path / "plain", live)
    assert (status, content["class"]) == (0, "timing")
    until = iso_ms(slices[at + 1].close_time_ms)
    assert content["evidence"].startswith(f"{symbol} was stale in B only")
    assert content["evidence"].endswith(f"and 2 more until {until}")
    assert len(content["inputs"]) == 1


def test_timing_a_late_candle_is_named_and_nothing_else(tmp_path: Path, capsys: Capture) -> None:
    slices, at, symbol = parts(tmp_path)
    one = slices[at]
    late = next(candle for candle in one.candles if candle.symbol == symbol)
    without = Slice(one.close_time_ms, tuple(c for c in one.candles if c is not late), one.warmup)
    events: list[Event] = [*slices[:at], without, *slices[at + 1 : at + 4], LateCandle(late), *slices[at + 4 :]]
    live = session(tmp_path / "live", events)
    status, content = compared(capsys, live, tmp_path / "plain")
    assert (status, content["class"]) == (0, "timing")
    where = f"candle of {symbol} that opens {iso_ms(late.open_time_ms)}"
    when = f"late, after the slice that closes {iso_ms(slices[at + 3].close_time_ms)}"
    assert [one["what"] for one in content["inputs"]] == [f"{where}: it came {when} in A and in its slice in B"]


def test_a_late_candle_with_other_values_is_both(tmp_path: Path, capsys: Capture) -> None:
    slices, at, symbol = parts(tmp_path)
    one = slices[at]
    late = next(candle for candle in one.candles if candle.symbol == symbol)
    without = Slice(one.close_time_ms, tuple(c for c in one.candles if c is not late), one.warmup)
    other = msgspec.structs.replace(late, volume=late.volume + 1.0)
    events: list[Event] = [*slices[:at], without, LateCandle(other), *slices[at + 1 :], RevisedCandle(late)]
    status, content = compared(capsys, session(tmp_path / "live", events), tmp_path / "plain")
    assert status == 0
    assert [one["class"] for one in content["inputs"]] == ["timing", "data"]
    assert content["inputs"][1]["what"].endswith("; the exchange revised it later")


def test_safety_an_operators_kill(tmp_path: Path, capsys: Capture) -> None:
    slices, at, _ = parts(tmp_path)
    events: list[Event] = [
        *slices[: at + 3],
        Kill("lunch"),
        *slices[at + 3 : at + 60],
        Resume("back"),
        *slices[at + 60 :],
    ]
    status, content = compared(capsys, session(tmp_path / "live", events), tmp_path / "plain")
    assert (status, content["class"]) == (0, "safety")
    close = iso_ms(slices[at + 2].close_time_ms)
    assert content["evidence"] == f"kill (lunch) in A, after the slice that closes {close}"
    assert content["later"] == {"safety": 1}, "the resume"


@pytest.mark.parametrize("later", [0, 2], ids=["of a pending entry", "of a position"])
def test_safety_an_operators_close(tmp_path: Path, capsys: Capture, later: int) -> None:
    slices, at, symbol = parts(tmp_path)
    place = at + 1 + later
    live = session(tmp_path / "live", [*slices[:place], Close("lunch", symbol), *slices[place:]])
    status, content = compared(capsys, live, tmp_path / "plain")
    assert (status, content["class"]) == (0, "safety")
    close = iso_ms(slices[place - 1].close_time_ms)
    assert content["evidence"] == f"close {symbol} (lunch) in A, after the slice that closes {close}"
    assert content["first"]["symbol"] == symbol
    assert ("operator" in "".join(path.read_text() for path in live.glob("*.csv"))) == bool(later)


def test_safety_an_operators_stop(tmp_path: Path, capsys: Capture) -> None:
    slices, at, _ = parts(tmp_path)
    live = session(tmp_path / "live", [*slices[: at + 3], Stop("SIGTERM")])
    end_ms = slices[at + 2].close_time_ms
    status, content = compared(capsys, live, replay(tmp_path, "short", market(), end_ms=end_ms))
    assert (status, content["class"]) == (0, "safety")
    assert content["evidence"].startswith("stop (SIGTERM) in A")
    assert {content["first"][name]["reason"] for name in "ab"} == {"shutdown", "end_of_data"}
