"""Dials are spaced as soon as there are many."""

import pytest

from app.exchange.dialling import DialPacer


def test_twenty_at_once_then_one_every_second_and_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr("app.times.monotonic_s", lambda: now_s[0])
    pacer = DialPacer()
    for dial in range(200):
        now_s[0] += pacer.until_dial_s()
        if dial < 20:
            assert now_s[0] == pytest.approx(0.0)
    assert now_s[0] > 200.0, "300 in five minutes are allowed"
    now_s[0] += 3_600.0
    assert pacer.until_dial_s() == 0.0
