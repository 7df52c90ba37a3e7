"""What a live feed tells of itself: plain counts."""

from app.feeds.live_state import FeedTimes, LinkState, LiveStart
from app.settings.profile import FeedSettings


def test_the_first_connection_is_no_reconnect() -> None:
    assert LinkState().reconnects == 0
    assert LinkState(connections=1).reconnects == 0
    assert LinkState(connections=4).reconnects == 3


def test_times_have_the_settings_keys_and_defaults() -> None:
    assert FeedTimes(**FeedSettings().model_dump()) == FeedTimes()


def test_a_fresh_start_has_seen_nothing() -> None:
    assert LiveStart(60_000, 0).seen == {}
