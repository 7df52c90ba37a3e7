"""Real orders against paper over the same candles: each part is named, and nothing is left."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.models.intents import Intent, PlaceOco, PlaceOrder
from app.proof.comparison import Comparison, compare
from app.proof.shortfall import Shortfall
from app.runs.reader import Run
from app.session.tape_replay import TapeRunner
from tests.live_twins import Venue, live, paper, slices
from tests.proof_runs import edit, edit_row

EXACT = 1e-9


def base_when_bought(symbol: str, buys: bool) -> str:
    return symbol.partition("/")[0] if buys else "USDT"


def entry(wanted: Callable[[PlaceOrder], bool]) -> Callable[[Intent], bool]:
    return lambda intent: isinstance(intent, PlaceOrder) and intent.buys and wanted(intent)


@pytest.fixture(scope="module")
def on_paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paper(tmp_path_factory.mktemp("paper"), "paper")


def held(live_run: Path, paper_run: Path) -> tuple[Comparison, Shortfall]:
    comparison = compare(Run.open(live_run), Run.open(paper_run), ())
    assert comparison.shortfall is not None
    return comparison, comparison.shortfall


def parts(shortfall: Shortfall) -> dict[str, float]:
    return {str(part): value for part, value in shortfall.parts.items() if abs(value) > EXACT}


def test_calm_nothing_differs_but_the_times(tmp_path: Path, on_paper: Path) -> None:
    comparison, shortfall = held(live(tmp_path, "live", Venue()), on_paper)
    assert not comparison.is_same
    assert comparison.is_explained
    assert len(shortfall.trades) > 10
    assert parts(shortfall) == {}
    assert shortfall.difference == pytest.approx(0.0, abs=EXACT)
    assert shortfall.residual == pytest.approx(0.0, abs=EXACT)
    assert {one.latency_ms for one in shortfall.trades} == {200}


CASES: dict[str, tuple[Venue, set[str]]] = {
    "a worse price": (Venue(worse=0.001), {"slippage"}),
    "a candle late": (Venue(delay_ms=75_000), {"latency", "timing"}),
    "fees in BNB": (Venue(fee_rate=0.00075, fee_asset=lambda _symbol, _buys: "BNB"), {"fees"}),
    "fees in what was bought": (Venue(fee_asset=base_when_bought), {"fees in the base asset", "dust and open rests"}),
    "in parts": (Venue(parts=3, spread_of_parts=0.0003), {"slippage"}),
    "a part only": (Venue(fills_part=lambda _: 0.4), {"partial fills"}),
    "refused": (Venue(refuses=lambda one: "no balance" if entry(lambda o: o.order_id % 3 == 0)(one) else ""),
                {"refusals"}),
    "never arrived": (Venue(lost=entry(lambda one: one.order_id % 5 == 1)), {"refusals"}),
    "an OCO refused": (Venue(refuses=lambda one: "it would trigger immediately." if isinstance(one, PlaceOco) else ""),
                       {"timing"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_cause_has_its_name(tmp_path: Path, on_paper: Path, case: str) -> None:
    venue, named = CASES[case]
    comparison, shortfall = held(live(tmp_path, "live", venue), on_paper)
    assert abs(shortfall.residual) < EXACT
    assert comparison.is_explained
    found = parts(shortfall)
    assert named <= set(found)
    # What follows from it: other fees of other amounts, other sizes of another equity.
    assert set(found) - named <= {"fees", "sizing", "slippage"}
    largest = max(found, key=lambda name: abs(found[name]))
    assert largest in named or case == "fees in what was bought"


def test_a_refusal_is_told_in_the_exchange_s_words(tmp_path: Path, on_paper: Path) -> None:
    venue = Venue(refuses=lambda one: "Account has insufficient balance." if entry(lambda _: True)(one) else "")
    _, shortfall = held(live(tmp_path, "live", venue, "trading_mode.orders.refusals_in_a_row=1000"), on_paper)
    assert shortfall.live_pnl == 0.0
    assert set(parts(shortfall)) == {"refusals"}
    assert all("refused -2010, Account has insufficient balance." in one.notes[0] for one in shortfall.trades)


def test_what_this_program_refused_is_told_by_its_name(tmp_path: Path, on_paper: Path) -> None:
    _, shortfall = held(live(tmp_path, "live", Venue(), "trading_mode.orders.max_order_notional=500"), on_paper)
    assert set(parts(shortfall)) == {"refusals"}
    assert all("refused in live: max_order_notional" in one.notes[0] for one in shortfall.trades)
    assert shortfall.is_explained


@pytest.mark.parametrize("seed", range(6))
def test_the_parts_add_up_whatever_the_exchange_does(tmp_path: Path, seed: int) -> None:
    """Drawn from everything at once: parts, fees in any asset, delays, refusals, lost orders, dust."""
    random, market = Random(seed), slices(seed + 20)
    fees: Any = random.choice([base_when_bought, lambda _symbol, _buys: "BNB", lambda _symbol, _buys: "USDT"])
    refuses, loses, shares = random.randrange(3, 9), random.randrange(3, 9), [1.0, 1.0, 0.7, 0.33]
    venue = Venue(
        delay_ms=random.choice([150, 4_000, 61_000, 130_000]), worse=random.uniform(0.0, 0.002),
        parts=random.randrange(1, 5), spread_of_parts=0.0004, fee_rate=random.choice([0.001, 0.00075, 0.0]),
        fee_asset=fees, fills_part=lambda _: random.choice(shares),
        refuses=lambda one: "it would trigger immediately." if one.order_id % refuses == 1 else "",
        lost=lambda one: one.order_id % loses == 2,
    )  # fmt: skip
    own = live(tmp_path, "live", venue, "trading_mode.orders.refusals_in_a_row=1000", market=market)
    comparison, shortfall = held(own, paper(tmp_path, "paper", market=market))
    assert abs(shortfall.residual) < 1e-6
    assert shortfall.unexplained == []
    assert comparison.is_explained
    for one in shortfall.trades:
        assert sum(one.parts.values()) == pytest.approx(one.difference, abs=EXACT)


def test_a_replay_of_the_tape_is_held_against_paper_as_the_session_is(tmp_path: Path, on_paper: Path) -> None:
    run = live(tmp_path, "live", Venue(worse=0.001, fee_asset=base_when_bought))
    asyncio.run(TapeRunner(run, tmp_path / "again").run_async())
    assert compare(Run.open(run), Run.open(tmp_path / "again"), ()).is_same
    _, own = held(run, on_paper)
    _, again = held(tmp_path / "again", on_paper)
    assert again.parts == own.parts
    turned = compare(Run.open(on_paper), Run.open(run), ()).shortfall
    assert turned is not None
    assert (turned.live_name, turned.parts) == ("B", own.parts)


def test_a_fill_that_the_exchange_never_told_is_not_explained(tmp_path: Path, on_paper: Path) -> None:
    run = live(tmp_path, "live", Venue())
    edit_row(next(run.glob("live_*.csv")), 3, lambda row: row.update(price=repr(float(row["price"]) + 1.0)))
    comparison, shortfall = held(run, on_paper)
    assert "the tape has no execution of the CLOSE" in shortfall.unexplained[0].unexplained
    assert not comparison.is_explained


def test_money_that_no_fill_moved_is_the_residual(tmp_path: Path, on_paper: Path) -> None:
    run = live(tmp_path, "live", Venue(worse=0.001))

    def gain(content: dict[str, Any]) -> None:
        content["performance"]["final_balance"] += 3.0

    edit(run / "results.json", gain)
    comparison, shortfall = held(run, on_paper)
    assert shortfall.residual == pytest.approx(3.0)
    assert not comparison.is_explained


def test_a_signal_that_one_run_alone_had_is_not_explained(tmp_path: Path, on_paper: Path) -> None:
    run = live(tmp_path, "live", Venue())
    path = run / "signals.csv"
    lines = path.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if ",order," in line)
    gone = lines[first].split(",")
    other = paper(tmp_path, "paper")
    theirs = (other / "signals.csv").read_text().splitlines(keepends=True)
    kept = [line for line in theirs if not line.startswith(f"{gone[0]},{gone[1]},")]
    (other / "signals.csv").write_text("".join(kept))
    trades = next(other.glob("paper_*.csv"))
    rows = trades.read_text().splitlines(keepends=True)
    trade_id = rows[0].split(",").index("trade_id")
    trades.write_text("".join(row for row in rows if row.split(",")[trade_id] != "1"))
    comparison, shortfall = held(run, other)
    assert [one.key[0].symbol for one in shortfall.unexplained] == [gone[1]]
    assert "has no such signal, and nothing before it differs" in shortfall.unexplained[0].unexplained
    assert not comparison.is_explained


def test_two_runs_on_paper_have_none(on_paper: Path) -> None:
    run = Run.open(on_paper)
    assert compare(run, run, ()).shortfall is None
