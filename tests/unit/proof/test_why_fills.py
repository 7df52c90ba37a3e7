"""The words for orders, positions and moved stops: each says its price, and until when."""

from typing import Any

import msgspec
import pytest

from app.models.exits import Leg, parse_exits
from app.models.orders import CloseOrder, HeldRange, Line, Position, Reason
from app.proof.seen import Seen
from app.proof.why_fills import gone_words, managed_lines, order_words, position_lines, waiting_words
from tests.made import BTC, MINUTE_MS, candle, entry, position, slice_of

LIMIT = {"limit": 99.5, "valid_until_ms": 3 * MINUTE_MS}


def held(**changes: Any) -> Position:
    """A long of 2 from 100, its first stop at 90, of which a half is sold."""
    exits = parse_exits({"break_even": {"at_r": 1.0}, "partial": [{"at_r": 1.0, "fraction": 0.5}]})
    own = {"exits": exits, "first_quantity": 2.0, "quantity": 1.0, "risk": 10.0, "held": HeldRange(95, 112, False, 112)}
    return position(**{**own, **changes})


def test_orders() -> None:
    assert order_words(entry()) == "LONG 2, at the market"
    until = "1970-01-01T00:03:00.000Z"
    assert order_words(entry(**LIMIT)) == f"LONG 2 at the limit 99.5, on candles that open before {until}"
    assert waiting_words(entry(**LIMIT)).endswith("; it arrives with this candle, order 1")
    assert waiting_words(entry(**LIMIT).resting()).endswith("; it rests, order 1")
    assert order_words(CloseOrder(1, BTC, Reason.TIME_EXIT, 0, "")) == "close the position, at the market"


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("expired", "it expired, unfilled, with"), ("signal_exit", "the strategy cancelled it with"),
        ("kill_switch", "the kill switch cancelled it"), ("session_end", "the session ended before"),
        ("closed", "the position was closed before"), ("operator", "an operator's close cancelled it after"),
    ],
)  # fmt: skip
def test_how_an_order_ended(why: str, words: str) -> None:
    seen = Seen(Line("main", BTC), slice_of(candle()), candle(), gone=(why, MINUTE_MS))
    assert gone_words(seen).startswith(f"none: {words}")
    assert gone_words(seen).endswith("the slice that closes 1970-01-01T00:01:00.000Z")


def test_a_position_tells_what_its_exits_have_left() -> None:
    lines = dict(position_lines(held(legs=(Leg(110.0, 0.5),), moved_by=Reason.BREAK_EVEN, time_exit_ms=MINUTE_MS)))
    assert lines["position"] == "LONG 1 from 100, stop 90, target 120, trade 1"
    assert lines["entry"] == "2, R 10; its stop was moved by break_even"
    assert lines["legs left"] == "0.5 at 110"
    assert lines["time exit"].endswith("1970-01-01T00:01:00.000Z or later")
    assert list(dict(position_lines(position()))) == ["position"]


def test_a_stop_that_moved_and_one_that_stayed() -> None:
    seen = Seen(Line("main", BTC), slice_of(candle()), candle(), first_stop=90.0)
    seen.after = held(stop=100.0, moved_by=Reason.BREAK_EVEN)
    assert dict(managed_lines(seen)) == {
        "stop moved": "from 90 to 100 by break_even (at_r 1, offset_pct 0), for the next candle on",
        "best price": "112, 1.2 R (R is 10)",
        "legs left": "none",
    }
    trailing = parse_exits({"trailing": {"distance_atr": 2.0, "from_r": 0.5}})
    seen.after = held(stop=104.0, moved_by=Reason.TRAILING_STOP, exits=trailing, atr=4.0)
    moved = dict(managed_lines(seen))["stop moved"]
    assert (
        moved == "from 90 to 104 by trailing (distance_atr 2 of the signal's ATR 4, from_r 0.5), for the next candle on"
    )
    seen.after = msgspec.structs.replace(seen.after, stop=90.0)
    assert dict(managed_lines(seen))["stop stays"] == "90"
