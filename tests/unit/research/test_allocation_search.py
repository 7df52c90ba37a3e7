"""A search over the keys of `allocation`: which key is meant, which values it has, and that a trial is a run."""

from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.errors import ConfigError
from app.research.loaded_candles import LoadedCandles
from app.research.parameters import Parameter, overrides_of, parse_parameters
from app.research.trial import run_trial
from app.settings.profile import load_settings
from app.strategies.loader import check_settings
from tests.parity.both import SEEDED
from tests.searches import CACHE, END_MS, START_MS, runner, settings


def config(allocation: Any = "risk_parity") -> dict[str, Any]:
    strategies = [{"id": f"s{seed}", "name": SEEDED, "params": {"seed": seed}} for seed in (1, 2, 3)]
    sample = settings().model_dump(mode="json")
    live = {key: value for key, value in sample["live"].items() if key != "strategy"}
    return {**sample, "live": {**live, "allocation": allocation, "strategies": strategies}}


def parse(text: str, allocation: Any = "risk_parity") -> Parameter:
    own = load_settings(config(allocation))
    (parameter,) = parse_parameters([text], own, check_settings(own))
    return parameter


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("allocation.lookback_days=5:25:10", "allocation.lookback_days", ["5", "15", "25"]),
        ("live.allocation.every_days=1:3", "allocation.every_days", ["1", "2", "3"]),
        ("allocation=equal,risk_parity", "allocation.method", ["equal", "risk_parity"]),
        ("allocation.method=equal,risk_parity", "allocation.method", ["equal", "risk_parity"]),
    ],
)
@pytest.mark.parametrize("allocation", ["inverse_volatility", {"method": "inverse_volatility", "every_days": 3}])
def test_values(text: str, key: str, values: list[str], allocation: Any) -> None:
    parameter = parse(text, allocation)
    assert parameter.key == key
    assert [parameter.text(place) for place in range(parameter.count or 0)] == values
    for value in values:
        own = load_settings(load_settings(config(allocation)), overrides_of({parameter.name: value}, [parameter]))
        assert own.live.allocation is not None
        found = own.live.allocation.model_dump()
        assert str(found.pop(key.removeprefix("allocation."))) == value
        before = load_settings(config(allocation)).live.allocation
        assert before is not None
        assert found.items() <= before.model_dump().items()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("allocation.lookback=5:25", "unknown key allocation.lookback; did you mean allocation.lookback_days?"),
        ("allocation.lookback_days=1:5", "it must be at least 2 (it is 1)"),
        ("allocation=equal,risk_party", "unknown allocation method 'risk_party'; did you mean risk_parity?"),
        ("allocation=1:5", "allocation takes no range; write choices, like allocation=one,other"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"--param {text}: ")
    assert str(caught.value).endswith(problem)


def test_a_trial_is_the_run_of_the_command_line(tmp_path: Path) -> None:
    own = load_settings(config())
    candles = LoadedCandles.load(CandleCache(CACHE), own.live.symbols, own.live.timeframe, START_MS, END_MS)
    found = []
    for days in ("5", "25"):
        override = f"allocation.lookback_days={days}"
        trial = run_trial(candles, load_settings(config(), [override]), START_MS, END_MS)
        written = runner(config=config(), overrides=[override], out=tmp_path / days).run()
        assert trial.results == dict(written)
        assert len(trial.results["allocations"]) > 5
        found.append(trial.results["allocations"])
    assert found[0] != found[1]
