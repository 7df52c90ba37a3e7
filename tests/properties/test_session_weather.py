"""A whole paper session is its tape, and history within the lateness limit, however often it is killed: some seeds."""

import pytest

from tests.session_weather import MODES, check_seeds

SEEDS = 7


@pytest.mark.parametrize("mode", MODES)
def test_any_weather(mode: str) -> None:
    had = check_seeds(mode, 0, SEEDS)
    assert (had["seeds"], had["kills"] > 0) == (SEEDS, mode.startswith("kill"))
    assert (had["late"] > 0) == mode.endswith("beyond")
    assert had["fills"] > SEEDS * 20


def test_a_seed_that_fails_names_the_command_that_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.session_weather.LEAST_FILLS", 1_000)
    with pytest.raises(AssertionError, match="fills prove nothing") as caught:
        check_seeds("within", 7, 1)
    assert caught.value.__notes__ == ["replay it: python -m tests.session_weather within 7"]
