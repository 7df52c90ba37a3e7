"""The search for the warm-up that is enough, over made-up lengths; real runs are in tests/integration."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from app.errors import DataError
from app.research.checks.request import Subject
from app.research.checks.warmup import Length, Warmup, _Search, _settled, find_warmup
from tests.checked import subject

LONGEST = 1_000


def search(monkeypatch: pytest.MonkeyPatch, is_same: Callable[[int], bool]) -> tuple[int | None, list[int]]:
    """What is enough, and which lengths were run."""
    found = _Search(subject("ScalpingEMARSI"), Path(), LONGEST)

    def test(self: _Search, candles: int) -> bool:
        same = is_same(candles)
        self.tested[candles] = Length(candles, 0 if same else 3, None, "", "", 0.0)
        return same

    monkeypatch.setattr(_Search, "test", test)
    return found.enough(), sorted(found.tested)


@pytest.mark.parametrize("enough", [0, 1, 2, 22, 255, 256, 257, 500])
def test_the_smallest_that_is_enough(enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found, tested = search(monkeypatch, lambda candles: candles >= enough)
    assert found == enough
    assert set(tested) >= {max(enough - 1, 0), *(enough + step for step in (0, 1, 2, 3, 5, 7))}
    assert len(tested) < 40


def test_one_more_that_differs_moves_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert search(monkeypatch, lambda candles: candles >= 33 and candles != 38)[0] == 39


@pytest.mark.parametrize(
    "is_same",
    [lambda n: False, lambda n: n % 7 == LONGEST % 7, lambda n: n % 2 == 0, lambda n: n >= 502, lambda n: n > 998],
)
def test_what_depends_on_the_start_has_none(is_same: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    assert search(monkeypatch, is_same)[0] is None


def test_numbers_settle_after_the_last_that_does_not_agree() -> None:
    def length(candles: int, difference: float, differing: int = 0) -> Length:
        return Length(candles, differing, None, "", "", difference)

    lengths = (length(0, inf, 2), length(8, 1e-3), length(16, 1e-9), length(32, 2e-9), length(64, 0.0))
    assert _settled(lengths) == 64
    assert _settled(lengths[:4]) is None
    assert _settled((length(0, 0.0),)) == 0


def test_it_is_held_against_what_is_configured() -> None:
    bad = Length(21, 1, "candle", "LONG", "FLAT", inf)
    found = Warmup("S", "over", 9, 64, (bad, Length(22, 0, None, "", "", 0.0)), 22, 22, 20, 30, 22)
    assert found.is_clean and not found.as_dict()["start_dependent"] and found.witness == bad
    assert not replace(found, configured=21).is_clean
    assert replace(found, enough=None).as_dict()["start_dependent"] and not replace(found, enough=None).is_clean
    assert found.as_dict()["lengths"][0]["largest_difference"] is None


def test_the_longest_is_what_the_cache_has_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def run(self: _Search, candles: int) -> Path:
        asked.append(candles)
        return Path()

    monkeypatch.setattr(_Search, "run", run)
    monkeypatch.setattr(_Search, "enough", lambda self: 5)
    monkeypatch.setattr(Subject, "count_decisions", lambda self, folder: 9)
    checked = subject("ScalpingEMARSI")
    assert find_warmup(checked).longest == 8 * find_warmup(checked).settling == 8 * 295
    assert find_warmup(checked, 100).longest == 100
    begin_ms = 1_502_942_400_000  # 2017-08-17T04:00, the sample's first candle
    early = replace(
        checked, plan=replace(checked.plan, period=replace(checked.plan.period, start_ms=begin_ms + 180_000_000))
    )
    assert find_warmup(early).longest == 50
    late = replace(
        checked, plan=replace(checked.plan, period=replace(checked.plan.period, start_ms=begin_ms + 90_000_000))
    )
    with pytest.raises(DataError, match="only 25 candles before 2017-08-18 05:00"):
        find_warmup(late)
    assert asked == [2360, 2360, 100, 50]
