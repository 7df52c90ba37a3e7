"""Live is history within the lateness limit; beyond it no candle is wrong, doubled or out of order: some seeds."""

import pytest

from tests.live_weather import check_seeds

SEEDS = 100


@pytest.mark.parametrize("mode", ["within", "beyond"])
def test_any_weather(mode: str) -> None:
    check_seeds(mode, 0, SEEDS)


def test_a_seed_that_fails_names_the_command_that_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.live_weather.history", lambda _: [])
    with pytest.raises(AssertionError) as caught:
        check_seeds("within", 7, 1)
    assert caught.value.__notes__ == ["replay it: python -m tests.live_weather within 7"]
