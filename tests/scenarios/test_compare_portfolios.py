"""compare, reproduce and --tape for several strategies, legs and limits: rows of one line are paired with its own."""

import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.proof.comparison import compare
from app.proof.differences import Cause
from app.proof.static_causes import static_differences
from app.report.pairing import Kind, compare_outputs
from app.runs.reader import Run
from app.session.tape_replay import TapeRunner
from app.settings.profile import load_settings
from app.times import parse_time_ms
from tests.portfolio import STRATEGIES, portfolio
from tests.proof_runs import (
    WARMUP,
    changed,
    compared,
    edit_row,
    market,
    replay,
    rows_of,
    said,
    session,
    slices_of,
    trades_of,
)  # fmt: skip
from tests.unit.proof.test_static_causes import run as made_run

Capture = pytest.CaptureFixture[str]
CONFIG = portfolio(WARMUP)


def other(strategy: str, **changes: Any) -> dict[str, Any]:
    """The portfolio with other keys of one strategy."""
    return portfolio(WARMUP, strategies=[{**one, **changes} if one["id"] == strategy else one for one in STRATEGIES])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replay(tmp_path_factory.mktemp("portfolio"), "run", market(), config=CONFIG)


def test_each_fill_has_the_time_at_which_its_trade_was_decided(run: Path) -> None:
    """Legs and the last close of a trade, too, whatever other lines of the symbol were decided in between."""
    signals = {row["order_id"]: row["timestamp"] for row in rows_of(run / "signals.csv") if row["outcome"] == "order"}
    trades: dict[str, str] = {}
    legs = 0
    for fill in Run.open(run).fills():
        if fill.row["action"] == "OPEN":
            trades[fill.row["trade_id"]] = signals[fill.row["order_id"]]
        legs += fill.row["reason"] == "partial_target"
        assert fill.decided_ms == parse_time_ms(trades[fill.row["trade_id"]]), fill.row
    assert legs > 10


def test_a_change_of_one_strategy_is_a_difference_of_it_alone(tmp_path: Path, capsys: Capture) -> None:
    """Room is never short here and protections look at one line, so the neighbours decide the same."""
    configs = {"a": portfolio(WARMUP), "b": other("slow", params={"seed": 4, "own_exits": 0.6})}
    for config in configs.values():
        config["trading_mode"]["protections"] = [{"kind": "cooldown", "candles": 2}]
    a, b = (replay(tmp_path, name, market(), config=config) for name, config in configs.items())
    lines: Counter[str] = Counter()

    def sizes(left: Any, right: Any) -> None:
        """Neighbours have another equity, so other sizes, and nothing else."""
        assert left.row["strategy"] == right.row["strategy"]
        same = ("timestamp", "symbol", "price", "reason", "stop_loss", "take_profit", "tag")
        if left.row["strategy"] != "slow":
            lines[left.row["strategy"]] += 1
            assert [left.row[name] for name in same] == [right.row[name] for name in same]

    outputs = compare_outputs(Run.open(a), Run.open(b), sizes)
    assert outputs.first is not None
    assert outputs.first.line is not None
    assert outputs.first.line.strategy == "slow"
    assert min(lines["trend"], lines["dip"]) > 20
    status, content = compared(capsys, a, b)
    assert (status, content["class"], content["evidence"]) == (
        0, "config", "live.strategies.slow.params.seed: 3 in A, 4 in B",
    )  # fmt: skip
    assert content["first"]["strategy"] == "slow"
    text = said(capsys, "compare", a, b, "--cache", a.with_name("a_cache"))[1]
    assert " of slow on " in text


def test_an_exit_that_was_moved_is_paired_with_its_own(run: Path, tmp_path: Path) -> None:
    b = replay(tmp_path, "b", market(), config=CONFIG)
    rows = rows_of(trades_of(b))
    reasons = ("partial_target", "trailing_stop", "break_even", "take_profit")
    places = [next(n for n, row in enumerate(rows) if row["reason"] == reason) for reason in reasons]
    for place in places:
        edit_row(trades_of(b), place, lambda row: row.update(price="1.0"))
    told = []
    outputs = compare_outputs(Run.open(run), Run.open(b), lambda left, right: told.append((left.row, right.row)))
    assert outputs.differing == {Kind.FILL: len(places)}
    assert sorted(left["reason"] for left, _ in told) == sorted(reasons)
    assert all({**left, "price": "1.0"} == right for left, right in told)
    assert outputs.first is not None
    assert outputs.first.rank == 0, "exits inside a candle come before the slice is decided on"


def test_a_limit_filled_inside_its_candle_comes_before_the_decision(run: Path, tmp_path: Path) -> None:
    b = replay(tmp_path, "b", market(), config=CONFIG)
    rows = rows_of(trades_of(b))
    for is_inside, rank in ((True, 0), (False, 3)):
        place = next(
            n for n, row in enumerate(rows) if row["action"] == "OPEN" and (row["slippage"] == "0.0") is is_inside
        )
        edit_row(trades_of(b), place, lambda row: row.update(price="1.0"))
        outputs = compare_outputs(Run.open(run), Run.open(b), lambda *_: None)
        assert outputs.first is not None
        assert outputs.first.rank == rank
        edit_row(trades_of(b), place, partial(dict.update, price=rows[place]["price"]))


def test_a_protection_that_refused_in_one_only_is_of_the_safety_class(run: Path, tmp_path: Path) -> None:
    b = replay(tmp_path, "b", market(), config=CONFIG)
    rows = rows_of(b / "signals.csv")
    place = next(n for n, row in enumerate(rows) if row["outcome"] == "stop_guard")
    edit_row(b / "signals.csv", place, lambda row: row.update(outcome="order"))
    found = compare(Run.open(run), Run.open(b), [CandleCache(run.with_name("run_cache"))])
    assert (found.cause, found.is_explained) == (Cause.SAFETY, False)


def test_a_candle_that_differs_explains_what_follows(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """Later fills of legs and moved stops follow from what came before them: none is left unexplained."""
    row = next(row for row in rows_of(trades_of(run)) if row["reason"] == "trailing_stop")
    minute = (parse_time_ms(row["timestamp"]) - Run.open(run).period_ms[0]) // 60_000 - 1
    candles = changed(market(), row["symbol"], minute, lambda one: (*one[:3], one[3] - 0.5, *one[4:]))
    status, content = compared(capsys, run, replay(tmp_path, "b", candles, config=CONFIG))
    assert (status, content["explained"]) == (0, True)
    assert content["later"] == {}
    assert content["differing"].get("fill", 0) + content["differing"].get("equity", 0) > 0 or content["same"]


def test_a_tape_a_history_and_both_once_more(run: Path, tmp_path: Path, capsys: Capture) -> None:
    live = session(tmp_path / "live", slices_of(tmp_path / "c", market()), config=CONFIG)
    cache = run.with_name("run_cache")
    status, content = compared(capsys, live, run, cache)
    assert (status, content["same"], content["inputs"]) == (0, True, [])
    asyncio.run(TapeRunner(live, tmp_path / "tape").run_async())
    for one in (run, live, tmp_path / "tape"):
        assert said(capsys, "reproduce", one, "--cache", cache)[0] == 0
        assert json.loads(said(capsys, "compare", one, run, "--cache", cache, "--json")[1])["same"]


# What differs in the settings.


def told(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    runs = [made_run() for _ in range(2)]
    for one, config in zip(runs, (a, b), strict=True):
        one.manifest["settings"] = json.loads(json.dumps(load_settings(config).model_dump(mode="json")))  # type: ignore[index]
    return [one.said for one in static_differences(*runs)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"allocation": 0.1}, "live.strategies.slow.allocation: 0.2 in A, 0.1 in B"),
        ({"symbols": ["AAA/X"]}, 'live.strategies.slow.symbols: ["AAA/X", "BBB/X"] in A, ["AAA/X"] in B'),
        ({"exits": {"time": {"candles": 9}}},
         'live.strategies.slow.exits: not set in A, {"time": {"candles": 9}} in B'),
        ({"risk": {"reward_risk_ratio": 3.0}},
         'live.strategies.slow.risk: not set in A, {"reward_risk_ratio": 3.0} in B'),
    ],
)  # fmt: skip
def test_a_key_of_a_strategy_is_named_by_its_id(changes: dict[str, Any], said: str) -> None:
    assert told(CONFIG, other("slow", **changes)) == [said]


def test_what_means_the_same_is_no_cause() -> None:
    assert told(CONFIG, other("slow", symbols=["BBB/X", "AAA/X"])) == []
    alone = {"name": "tests.portfolio:Mixed"}
    live = {key: value for key, value in CONFIG["live"].items() if key != "strategies"}
    short, long = ({**CONFIG, "live": {**live, **own}} for own in (
        {"strategy": alone}, {"strategies": [{"id": "main", "allocation": 1.0, "timeframe": "1m", **alone}]},
    ))  # fmt: skip
    assert told(short, long) == []


def test_the_order_of_the_strategies_is_a_cause() -> None:
    found = told(CONFIG, portfolio(WARMUP, strategies=STRATEGIES[::-1]))
    assert found == [
        f"live.strategies.{one}.place: {a} in A, {b} in B" for one, a, b in (("slow", 3, 1), ("trend", 1, 3))
    ]
