"""Sampling: the same batches from the same seed and what was told, another seed others, a grid each point once."""

import itertools

import pytest

from app.errors import ConfigError
from app.research.sampling import METHODS, Sampling, grid_points, sampler_version
from tests.searches import plan

MIXED = ("ema_fast=5:20", "rsi_long_min=40:60", "allow_short=true,false", "volume_factor=0.5:1.5:0.5")
STEPS = ("ema_fast=5:7", "rsi_long_min=40:60:10", "allow_short=true,false")


def draw(
    method: str, seed: int, batches: int = 4, size: int = 8, params: tuple[str, ...] = MIXED
) -> list[dict[str, str]]:
    sampling = Sampling(method, plan(params, "random").parameters, seed)
    found = []
    for batch in range(batches):
        sampling.begin_batch(batch)
        samples = [sample for sample in (sampling.ask() for _ in range(size)) if sample is not None]
        for number, sample in enumerate(samples):
            if number == 1:
                sampling.drop(sample)
                continue
            fast = int(sample.values["ema_fast"])
            sampling.tell(sample, None if fast == 7 else -abs(fast - 12.0))
        found += [dict(sample.values) for sample in samples]
    return found


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(method: str) -> None:
    params = STEPS if method == "grid" else MIXED
    assert draw(method, 1, params=params) == draw(method, 1, params=params)
    assert draw(method, 1, params=params) != draw(method, 2, params=params)


def test_a_grid_has_each_point_once_and_then_no_more() -> None:
    asked = draw("grid", 3, params=STEPS)
    points = itertools.product(["5", "6", "7"], ["40", "50", "60"], ["true", "false"])
    assert sorted(tuple(one.values()) for one in asked) == sorted(points)
    assert grid_points(plan(STEPS).parameters) == 18
    with pytest.raises(ConfigError, match="--method grid needs a step: write rsi_long_min=LOW:HIGH:STEP"):
        grid_points(plan(MIXED).parameters)


def test_values_lie_where_they_may() -> None:
    for one in draw("random", 5):
        assert 5 <= int(one["ema_fast"]) <= 20
        assert 40.0 <= float(one["rsi_long_min"]) <= 60.0
        assert one["allow_short"] in ("true", "false")
        assert one["volume_factor"] in ("0.5", "1", "1.5")


@pytest.mark.parametrize("method", ["bayes", "genetic"])
def test_what_learns_goes_where_it_was_better(method: str) -> None:
    asked = draw(method, 1, batches=12, size=24)
    late = [abs(int(one["ema_fast"]) - 12) for one in asked[-72:]]
    early = [abs(int(one["ema_fast"]) - 12) for one in asked[:24]]
    assert sum(late) / len(late) < 0.7 * sum(early) / len(early)


def test_the_version_is_told() -> None:
    assert sampler_version()[0].isdigit()
