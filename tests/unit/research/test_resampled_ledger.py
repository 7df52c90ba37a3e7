"""Monte Carlo on trades and days: hand-computed small cases, what each method keeps, and what is too little."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DataError
from app.research import resampled_ledger
from app.research.bootstrap import draws_of, shuffled
from app.research.path_bands import added
from app.research.resampled_ledger import Ledger, Question, days, shuffle, trades

PNL = np.array([100.0, -300.0, 50.0, 200.0])
LEDGER = Ledger(1_000.0, PNL, np.array([0.1, -0.2, 0.05, 0.01]))


def test_a_shuffle_has_the_drawdowns_of_all_orders_and_one_final_balance() -> None:
    answer = shuffle(LEDGER, Question(runs=4_000, ruin=0.75))
    exact = []
    for order in permutations(PNL):
        equity = 1_000.0 + np.concatenate(([0.0], np.cumsum(order)))
        exact.append(100.0 * float(np.max(1.0 - equity / np.maximum.accumulate(equity))))
    drawdown = answer["max_drawdown_pct"]
    assert drawdown["lowest"] == pytest.approx(min(exact))
    assert drawdown["highest"] == pytest.approx(max(exact))
    assert drawdown["mean"] == pytest.approx(np.mean(exact), abs=0.25)
    assert drawdown["observed"] == pytest.approx(100.0 * 300 / 1_100)
    final = answer["final_equity"]
    assert {final[name] for name in ("p5", "p50", "p95", "observed")} == {1_050.0}
    assert final["observed_rank_pct"] is None  # every path has the run's own: there is no rank in that
    # Below 750 are the orders in which the loss comes first (700); after the 50 alone it leads to 750, which is not.
    assert answer["ruin_probability_pct"] == pytest.approx(25.0, abs=3.0)
    assert (answer["mean_block"], answer["observations"], answer["runs"]) == (None, 4, 4_000)


@given(
    st.lists(st.floats(-500.0, 500.0), min_size=2, max_size=40).map(np.array),
    st.integers(0, 1_000),
)
def test_shuffling_keeps_the_sum_and_the_trades(pnl: np.ndarray, seed: int) -> None:
    order = shuffled(draws_of(seed), pnl.size)
    assert sorted(pnl[order].tolist()) == sorted(pnl.tolist())
    assert added(1_000.0, pnl[order][None])[0, -1] == pytest.approx(1_000.0 + pnl.sum(), abs=1e-6)


def test_the_return_of_a_trade_is_on_the_balance_before_it() -> None:
    assert LEDGER.trade_returns.tolist() == pytest.approx([100 / 1_000, -300 / 1_100, 50 / 800, 200 / 850])
    assert 1_000.0 * float(np.prod(1.0 + LEDGER.trade_returns)) == pytest.approx(1_050.0)
    with pytest.raises(DataError, match="zero or below before a trade closed"):
        _ = Ledger(100.0, np.array([-100.0, 5.0]), None).trade_returns


def test_trades_drawn_one_by_one_have_the_mean_of_their_returns() -> None:
    answer = trades(LEDGER, Question(runs=20_000, mean_block=1.0))
    growth = 1.0 + LEDGER.trade_returns
    # Independent draws: the mean of a product is the product of the means.
    assert answer["final_equity"]["mean"] == pytest.approx(1_000.0 * float(growth.mean()) ** 4, rel=0.01)
    assert answer["final_equity"]["highest"] == pytest.approx(1_000.0 * float(growth.max()) ** 4)
    assert answer["final_equity"]["lowest"] == pytest.approx(1_000.0 * float(growth.min()) ** 4)
    assert answer["final_equity"]["observed"] == pytest.approx(1_050.0)
    assert answer["mean_block"] == 1.0


def test_days_in_one_endless_block_are_the_run_turned_round() -> None:
    # A block that never ends wraps round the series: each path has every day once, so all end where the run did.
    answer = days(LEDGER, Question(runs=200, mean_block=1e9))
    final = answer["final_equity"]
    assert final["lowest"] == pytest.approx(final["highest"])
    assert final["observed"] == pytest.approx(1_000.0 * 1.1 * 0.8 * 1.05 * 1.01)
    assert answer["unit"] == "day"


def test_the_block_length_is_the_automatic_one_unless_it_is_given() -> None:
    assert trades(LEDGER, Question(runs=1))["mean_block"] == pytest.approx(4 ** (1 / 3))  # too few to choose by
    assert trades(LEDGER, Question(runs=1, mean_block=3.0))["mean_block"] == 3.0


def test_the_same_seed_gives_the_same_answer() -> None:
    again = [trades(LEDGER, Question(runs=50, seed=7)) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != trades(LEDGER, Question(runs=50, seed=8))


@pytest.mark.parametrize("cells", [1, 12, 100])
def test_how_many_paths_are_made_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    together = [method(LEDGER, Question(runs=50)) for method in (shuffle, trades, days)]
    monkeypatch.setattr(resampled_ledger, "_CELLS", cells)
    assert [method(LEDGER, Question(runs=50)) for method in (shuffle, trades, days)] == together


def test_the_fan_begins_at_the_start_and_holds_the_run_itself() -> None:
    answer = shuffle(LEDGER, Question(runs=100))["fan"]
    assert answer["step"] == [0, 1, 2, 3, 4]
    assert answer["observed"] == [1000.0, 1100.0, 800.0, 850.0, 1050.0]
    assert {answer[name][0] for name in ("p5", "p50", "p95")} == {1000.0}


@pytest.mark.parametrize("method", [shuffle, trades])
@pytest.mark.parametrize(("pnl", "told"), [([], "no closed trades"), ([5.0], "1 closed trade, and 2 are needed")])
def test_too_few_trades(method: object, pnl: list[float], told: str) -> None:
    with pytest.raises(DataError, match=told):
        method(Ledger(1_000.0, np.array(pnl), None), Question())  # type: ignore[operator]


def test_too_few_days() -> None:
    with pytest.raises(DataError, match="it has 1 day, and 2 are needed"):
        days(Ledger(1_000.0, PNL, np.array([0.1])), Question())
    with pytest.raises(DataError, match="equity went to zero or below"):
        days(Ledger(1_000.0, PNL, None), Question())


def test_calm_and_wild_days_make_the_blocks_long() -> None:
    rng = np.random.default_rng(6)
    wild = np.repeat(np.exp(rng.normal(0.0, 1.0, 20)), 50)
    returns = rng.normal(0.0, 0.001, 1_000) * wild  # independent of each other, their sizes are not
    mean_block = days(Ledger(1_000.0, PNL, returns), Question(runs=1))["mean_block"]
    assert mean_block > 20.0
    assert days(Ledger(1_000.0, PNL, rng.permutation(returns)), Question(runs=1))["mean_block"] < 10.0
