"""Onetape computes Part 2 of RULES.md as the reference does: several strategies, limits, managed exits, protections.

ONETAPE_FULL=1 runs 600 seeds.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from app.times import parse_time_ms
from tests.parity.both import run_both, run_reference
from tests.parity.market import PERP, RAGGED, between, shared
from tests.parity.portfolios import portfolio, portfolio_on
from tests.reference.result import AMBIGUOUS, BOUNDS, CANCELLATIONS, DROPPED, PROTECTIONS

FULL = bool(os.environ.get("ONETAPE_FULL"))
SEEDS = range(600 if FULL else 72)
REAL_SEEDS = range(30 if FULL else 4)
BEGIN_MS = parse_time_ms("2025-03-30T21:00")


@pytest.mark.parametrize("seed", SEEDS)
def test_random_portfolio(seed: int, tmp_path: Path) -> None:
    """Every fill with its strategy, every equity row, every count."""
    run_both(portfolio(seed, BEGIN_MS), tmp_path)


@pytest.mark.parametrize("seed", REAL_SEEDS)
def test_random_portfolio_on_perpetuals(seed: int, tmp_path: Path) -> None:
    market = shared(PERP, ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    start_ms, end_ms = parse_time_ms("2025-05-11"), parse_time_ms("2025-05-11T09:00")
    market = between(market, start_ms - 3_600_000, end_ms)
    run_both(portfolio_on(market, seed, start_ms, end_ms), tmp_path)


@pytest.mark.parametrize("seed", REAL_SEEDS)
def test_random_portfolio_on_ragged_symbols(seed: int, tmp_path: Path) -> None:
    market = shared(RAGGED, ["BTCEUR", "BTCUSD", "LTCUSD"])
    start_ms, end_ms = parse_time_ms("2018-04-04T10:07"), parse_time_ms("2018-04-05")
    market = between(market, start_ms - 3_600_000, end_ms)
    run_both(portfolio_on(market, seed, start_ms, end_ms), tmp_path)


def test_the_random_portfolios_reach_every_branch() -> None:
    """The seeds above are worth something: together they meet every exit, refusal and cancellation."""
    met: Counter[str] = Counter()
    for seed in SEEDS:
        reference = run_reference(portfolio(seed, BEGIN_MS))
        met.update(row["reason"] for row in reference.trades)
        met.update({"unfilled": reference.unfilled_at_end, "ignored_entry": reference.ignored_entries})
        met.update({f"cancelled {name}": count for name, count in reference.cancelled.items()})
        met.update(reference.signals | reference.sized_by | reference.refused_by_risk | reference.refused_by_gate)
        met.update(reference.legs_dropped | reference.ambiguous)
    wanted = {
        "LONG", "SHORT", "EXIT", "signal", "stop_loss", "take_profit", "signal_exit", "kill_switch", "end_of_data",
        "trailing_stop", "break_even", "partial_target", "time_exit", "unfilled", "ignored_entry", "stop_distance",
        "target_side", "no_quantity", "min_quantity", "min_notional", "halted", "max_open_positions",
        *PROTECTIONS, *DROPPED, *AMBIGUOUS, *BOUNDS, *(f"cancelled {name}" for name in CANCELLATIONS),
    }  # fmt: skip
    assert {name: met[name] for name in wanted if not met[name]} == {}
