"""What is counted of real orders, over sessions whose exchange does as a test says; a tape gives the same figures."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from app.models.intents import Intent, PlaceOco, PlaceOrder
from app.session.tape_replay import TapeRunner
from tests.live_twins import Venue, live, paper
from tests.proof_runs import rows_of


def counted(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "results.json").read_text())["real_orders"]
    return content


def base_when_bought(symbol: str, buys: bool) -> str:
    return symbol.partition("/")[0] if buys else "USDT"


def test_orders_by_state_latencies_and_fees(tmp_path: Path) -> None:
    run = live(tmp_path, "live", Venue(delay_ms=250, parts=2, fee_asset=base_when_bought))
    found = counted(run)
    trades = json.loads((run / "results.json").read_text())["performance"]["total_trades"]
    assert found["orders"]["entry"] == {"filled": trades}
    protections = found["orders"]["protection"]
    assert protections["filled"] + protections["cancelled"] == trades
    assert found["orders"]["sale"] == {"filled": protections["cancelled"]}
    assert (found["open"], found["refused"], found["never_arrived"], found["stops"]) == (0, {}, 0, {})
    assert found["latency_ms"]["decision_to_sent"]["p50"] == pytest.approx(20.0)
    assert found["latency_ms"]["decision_to_filled"]["max"] >= 250.0
    assert set(found["fees"]) == {"AAA", "BBB", "USDT"}
    assert all(amount > 0.0 for amount in found["fees"].values())
    assert set(found["dust"]) <= {"AAA/USDT", "BBB/USDT"}
    marks = {row["order_id"]: float(row["reference"]) for row in rows_of(run / "signals.csv") if row["reference"]}
    entries = [row for row in rows_of(next(run.glob("live_*.csv"))) if row["action"] == "OPEN"]
    worse = sum((float(row["price"]) - marks[row["order_id"]]) * float(row["quantity"]) for row in entries)
    assert found["worse_than_mark"]["entry"]["quote"] == pytest.approx(worse)
    assert 0.0 < found["unprotected_longest_s"] < 60.0
    assert found["reconciliations"] == 1


def test_refusals_by_their_reason_and_what_never_arrived(tmp_path: Path) -> None:
    def is_entry(intent: Intent, number: int) -> bool:
        return isinstance(intent, PlaceOrder) and intent.order_id == number

    venue = Venue(
        refuses=lambda one: "Account has insufficient balance." if is_entry(one, 2) else "",
        lost=lambda one: is_entry(one, 1),
    )
    found = counted(live(tmp_path, "live", venue))
    assert found["refused"] == {"-2010 Account has insufficient balance.": 1}
    assert found["never_arrived"] == 1
    assert found["unknown"] == {"orders": 1, "longest_s": pytest.approx(13.97), "now": 0}
    assert found["orders"]["entry"]["refused"] == 2


def test_an_oco_that_is_refused_leaves_the_position_bare_for_a_while(tmp_path: Path) -> None:
    venue = Venue(refuses=lambda one: "it would trigger immediately" if isinstance(one, PlaceOco) else "")
    found = counted(live(tmp_path, "live", venue))
    assert found["orders"]["protection"] == {"refused": sum(found["refused"].values())}
    assert found["unprotected_longest_s"] > 0.0


def test_a_tape_gives_the_same_figures(tmp_path: Path) -> None:
    run = live(tmp_path, "live", Venue(parts=3, fee_asset=base_when_bought))
    asyncio.run(TapeRunner(run, tmp_path / "again").run_async())
    assert counted(tmp_path / "again") == counted(run)


def test_a_session_on_paper_has_none(tmp_path: Path) -> None:
    run = paper(tmp_path, "paper")
    assert "real_orders" not in json.loads((run / "results.json").read_text())
