"""Breaks what a live feed promises, by a patch of its parts, and sees the check of the feed fail."""

import pytest

from app.feeds.alignment import Aligner, FeedEvent
from app.feeds.finality import Known, SeriesTrack
from app.models.market import Candle, Slice
from tests.live_weather import SYMBOLS, check_promises, history, run_feed
from tests.scripted_live import LiveExchange, Weather

WEATHER = Weather(frame_copies=0.5, frame_loss=0.2)


def check_feed() -> None:
    """The check of a live feed in rough weather: what it promises, and that it is history."""
    exchange = LiveExchange(SYMBOLS, WEATHER, 4)
    events = run_feed(exchange)
    check_promises(events, exchange)
    assert events == history(exchange)


def test_kept_a_feed_says_each_candle_once_and_in_order() -> None:
    check_feed()


@pytest.mark.parametrize(("twice", "caught"), [(True, "slices rise"), (False, "slices rise")])
def test_a_feed_that_says_a_slice_twice_or_out_of_order_is_caught(
    twice: bool, caught: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Aligner.next_event
    waiting: list[FeedEvent] = []

    def next_event(aligner: Aligner, now_ms: int) -> FeedEvent | None:
        if len(waiting) == 1 and aligner.slices >= 5:
            return waiting.pop()
        event = real(aligner, now_ms)
        if isinstance(event, Slice) and aligner.slices == 4:
            waiting.append(event)
            return event if twice else real(aligner, now_ms)
        return event

    monkeypatch.setattr(Aligner, "next_event", next_event)
    with pytest.raises(AssertionError, match=caught):
        check_feed()


def test_a_feed_that_forgets_what_it_said_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without this memory the copy of a final frame is news.
    def add_final(track: SeriesTrack, candle: Candle) -> bool:
        if candle.open_time_ms < track.next_ms:
            track.returned.append(candle)
        else:
            track._ready.setdefault(candle.open_time_ms, candle)
            track.closed_ms = max(track.closed_ms, candle.open_time_ms + track.step_ms)
        return True

    monkeypatch.setattr(SeriesTrack, "add_final", add_final)
    with pytest.raises(AssertionError, match="each once, in order"):
        check_feed()


def test_a_feed_that_does_not_wait_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # A slice goes as soon as one symbol is there: the others come late, within the limit.
    real = Aligner._is_settled

    def is_settled(aligner: Aligner) -> bool:
        waited_for = aligner._waited_for()
        return real(aligner) or any(
            track.next_ms == aligner._slot_ms and track.known(track.next_ms) is Known.FINAL for track in waited_for
        )

    monkeypatch.setattr(Aligner, "_is_settled", is_settled)
    with pytest.raises(AssertionError, match=r"USDT minute \d+"):
        check_feed()
