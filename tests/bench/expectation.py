"""How honest the expectation band is: `python -m tests.bench.expectation [SEEDS]`, on made-up strategies of known edge.

Each seed draws a backtest (the best of so many trials whose true edge is the same), then live periods. Counted: how
often growth at the last day lies within the 90 % band, how often the alarm comes though the edge is there (at most 5 %
are stated), and after how many days it comes where the edge is gone, or has turned into its opposite.
"""

import sys
from typing import NamedTuple

import numpy as np

from app.research.expectation import Band, expected_band
from app.runs.quotients import Floats

_VOLATILITY = 0.02  # a day
_YEAR = 365
_LIVE = 20  # live periods for each backtest


class Case(NamedTuple):
    """`sharpe` a year, the true one; `clustered`: volatility comes in clusters (GARCH), else Student's t alone."""

    sharpe: float
    backtest_days: int
    days: int
    trials: int = 1
    clustered: bool = False


class Measured(NamedTuple):
    """Shares of seeds; `days_taken` is the median of those that were flagged, None without any."""

    covered: float
    false_alarms: float
    flagged: float
    days_taken: float | None
    flagged_reversed: float
    days_reversed: float | None


CASES = (
    Case(2.0, 180, 90), Case(2.0, 365, 90), Case(2.0, 365, 365), Case(2.0, 1095, 180), Case(2.0, 1095, 365),
    Case(4.0, 365, 180), Case(4.0, 1095, 180), Case(4.0, 1095, 365), Case(8.0, 365, 180), Case(8.0, 1095, 180),
    Case(2.0, 365, 180, trials=20), Case(2.0, 365, 180, trials=200), Case(4.0, 1095, 180, trials=200),
    Case(2.0, 365, 180, clustered=True), Case(4.0, 1095, 180, trials=20, clustered=True),
)  # fmt: skip


def measure(case: Case, seeds: int, paths: int = 1_500) -> Measured:
    """Of so many seeds, each with a band of its own."""
    mean = case.sharpe * _VOLATILITY / _YEAR**0.5
    inside = 0
    alarms: list[int | None] = []
    gone: list[int | None] = []
    turned: list[int | None] = []
    for seed in range(seeds):
        draws = np.random.default_rng((seed, 16))
        tried = [mean + _noise(draws, case.backtest_days, clustered=case.clustered) for _ in range(case.trials)]
        best = max(tried, key=lambda returns: float(returns.mean() / returns.std()))
        band = expected_band(best, case.trials, case.days, paths=paths, seed=seed)
        for _ in range(_LIVE):
            noise = _noise(draws, case.days, clustered=case.clustered)
            growth = _growth(mean + noise)
            inside += bool(band.low[-1] <= growth[-1] <= band.high[-1])
            alarms.append(_left(band, growth))
            gone.append(_left(band, _growth(noise)))
            turned.append(_left(band, _growth(noise - mean)))
    covered = inside / len(alarms)
    return Measured(covered, _share(alarms), _share(gone), _median(gone), _share(turned), _median(turned))


def _noise(draws: np.random.Generator, days: int, *, clustered: bool) -> Floats:
    """Fat tails (four degrees of freedom), a deviation of 2 % a day."""
    steps = draws.standard_t(4, days) / 2.0**0.5
    if clustered:
        variance, scales = 1.0, np.empty(days)
        for day, step in enumerate(np.clip(steps, -6.0, 6.0)):
            scales[day] = variance**0.5
            variance = 0.05 + 0.10 * variance * step**2 + 0.85 * variance
        steps = steps * scales
    noise: Floats = np.clip(_VOLATILITY * steps, -0.5, None)
    return noise


def _growth(returns: Floats) -> Floats:
    return np.concatenate(([1.0], np.cumprod(1.0 + returns)))


def _left(band: Band, growth: Floats) -> int | None:
    """The first day outside."""
    days = np.flatnonzero((growth < band.floor) | (growth > band.ceiling))
    return int(days[0]) if days.size else None


def _share(found: list[int | None]) -> float:
    return sum(day is not None for day in found) / len(found)


def _median(found: list[int | None]) -> float | None:
    days = [day for day in found if day is not None]
    return float(np.median(days)) if days else None


def main(seeds: int) -> None:
    """The table of docs/benchmarks.md."""
    print(f"{seeds} backtests each, {_LIVE} live periods for each; deviation 2 % a day, Student's t (4)\n")
    names = ("Sharpe", "backtest", "live", "trials", "clusters", "90 % covers", "false alarms",
             "edge gone: flagged, median day", "edge reversed")  # fmt: skip
    print(f"| {' | '.join(names)} |\n{'|---' * len(names)}|")
    for case in CASES:
        found = measure(case, seeds)
        gone, turned = (
            f"{share:.0%}, {'-' if day is None else f'{day:.0f}'}"
            for share, day in ((found.flagged, found.days_taken), (found.flagged_reversed, found.days_reversed))
        )
        cells = (f"{case.sharpe:g}", f"{case.backtest_days} d", f"{case.days} d", case.trials,
                 "yes" if case.clustered else "no",
                 f"{found.covered:.1%}", f"{found.false_alarms:.1%}", gone, turned)  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
