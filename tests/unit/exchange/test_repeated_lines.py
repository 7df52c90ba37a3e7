"""Lines about what happens again and again: seldom, and how many were left out."""

import pytest

from app import times
from app.exchange.repeated_lines import RepeatedLines


def test_each_kind_at_once_then_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, told = [100.0], list[str]()
    monkeypatch.setattr(times, "monotonic_s", lambda: now_s[0])
    lines = RepeatedLines(told.append, between_s=60.0)
    for number in range(5):
        lines.say("frame", f"frame {number}")
    lines.say("time", "the time")
    assert told == ["frame 0", "the time"]
    now_s[0] += 60.0
    lines.say("frame", "frame 5")
    assert told[2:] == ["frame 5 (4 more of this kind since the last line)"]
    now_s[0] += 60.0
    lines.say("frame", "frame 6")
    assert told[3:] == ["frame 6"]
    RepeatedLines(None).say("frame", "nobody listens")
