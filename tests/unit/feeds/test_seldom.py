"""Lines about what happens again and again: seldom, and how many were left out."""

import pytest

from app import times
from app.feeds.seldom import Seldom


def test_each_kind_at_once_then_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, told = [100.0], list[str]()
    monkeypatch.setattr(times, "monotonic_s", lambda: now_s[0])
    seldom = Seldom(told.append, between_s=60.0)
    for number in range(5):
        seldom.say("frame", f"frame {number}")
    seldom.say("time", "the time")
    assert told == ["frame 0", "the time"]
    now_s[0] += 60.0
    seldom.say("frame", "frame 5")
    assert told[2:] == ["frame 5 (4 more of this kind since the last line)"]
    now_s[0] += 60.0
    seldom.say("frame", "frame 6")
    assert told[3:] == ["frame 6"]
    Seldom(None).say("frame", "nobody listens")
