"""why for several strategies, limit entries, managed exits and protections: each line is what the run wrote."""

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.errors import ConfigError
from app.models.orders import Line
from app.proof.observation import look, rebuilt
from app.proof.rebuild import candle_of, source_of
from app.proof.seen import Filled
from app.proof.why import sections
from app.report.formats import exact
from app.report.pairing import LEVEL_EXITS
from app.times import iso_ms, parse_time_ms
from tests.candle_columns import MINUTE_MS
from tests.portfolio import portfolio
from tests.proof_runs import START_MS, WARMUP, market, replay, rows_of, said, session, slices_of, trades_of

Row = dict[str, str]
Sections = dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replay(tmp_path_factory.mktemp("portfolio"), "run", market(), config=portfolio(WARMUP))


def told(run: Path, symbol: str, time_ms: int, strategy: str | None = None) -> list[tuple[Any, Sections]]:
    source = source_of(run, [CandleCache(run.with_name(f"{run.name}_cache"))])
    found = asyncio.run(look(source, symbol, time_ms, strategy))
    return [(seen, {one.title: [list(line) for line in one.lines] for one in sections(source, seen)}) for seen in found]


@cache
def trades(run: Path) -> list[Row]:
    return rows_of(trades_of(run))


def of_fill(run: Path, row: Row) -> dict[str, str]:
    """The lines about one fill, looked for in the slice that it closes with and in the one that it opens."""
    time_ms = parse_time_ms(row["timestamp"])
    for slice_ms in (time_ms, time_ms + MINUTE_MS):
        ((seen, found),) = told(run, row["symbol"], slice_ms, row["strategy"])
        lines = found.get("Fills in it", [])
        starts = [n for n, (label, _) in enumerate(lines) if label.startswith(("OPEN", "CLOSE"))]
        for fill, start, end in zip(seen.fills, starts, [*starts, len(lines)][1:], strict=True):
            same = (str(fill.fill.trade_id), repr(fill.fill.price), fill.fill.reason) == (
                row["trade_id"], row["price"], row["reason"],
            )  # fmt: skip
            if same and fill.fill.opens == (row["action"] == "OPEN"):
                return dict(lines[start:end])
    raise AssertionError(f"no fill of {row}")


RULES = {
    "stop_loss": ("the candle reaches the stop", "the open is at or beyond the stop", "the candle that filled the"),
    "trailing_stop": ("the candle reaches the stop", "the open is at or beyond the stop"),
    "break_even": ("the candle reaches the stop", "the open is at or beyond the stop"),
    "partial_target": ("the candle goes beyond a leg", "the open is beyond a leg"),
    "take_profit": ("the candle goes beyond the target", "the open is beyond the target"),
    "time_exit": ("a market order",),
    "signal_exit": ("a market order",),
}


@pytest.mark.parametrize("reason", list(RULES))
def test_every_kind_of_exit_has_its_rule(run: Path, reason: str) -> None:
    rows = [row for row in trades(run) if row["reason"] == reason]
    assert len(rows) > 3
    for row in rows[:6]:
        lines = of_fill(run, row)
        assert lines["rule"].startswith(RULES[reason]), lines
        assert lines["realized PnL"].startswith(exact(float(row["realized_pnl"])))
        assert ("its share of both commissions" in lines["realized PnL"]) is (reason == "partial_target")
        assert ("(moved: " in lines["rule"]) is (reason in ("trailing_stop", "break_even"))
        if reason == "partial_target":
            assert f", leg {exact(float(row['quantity']))} at " in lines["rule"]


def test_a_stop_on_the_candle_that_filled_the_limit(run: Path) -> None:
    found = 0
    for before, row in zip(trades(run), trades(run)[1:], strict=False):
        together = before["trade_id"] == row["trade_id"] and before["timestamp"] == row["timestamp"]
        inside = before["action"] == "OPEN" and before["slippage"] == "0.0"
        if inside and together and row["reason"] == "stop_loss":
            assert of_fill(run, row)["rule"].startswith("the candle that filled the limit reaches the stop")
            found += 1
    assert found


def test_how_a_limit_entry_ended(run: Path) -> None:
    """Filled as it arrived, filled inside a candle, expired, cancelled by the strategy: in words and by the log."""
    fills = {row["order_id"]: row for row in trades(run) if row["action"] == "OPEN"}
    ends = set()
    orders = [row for row in rows_of(run / "signals.csv") if row["outcome"] == "order" and row["strategy"] == "dip"]
    for row in orders:
        ((seen, found),) = told(run, row["symbol"], parse_time_ms(row["timestamp"]), "dip")
        lines = dict(found["Outcome"])
        limit = exact(float(row["reference"]))
        order = seen.decision.order
        until = iso_ms(order.signal_time_ms + seen.signal.valid_candles * MINUTE_MS)
        assert lines[f"order {row['order_id']}"].endswith(f"at the limit {limit}, on candles that open before {until}")
        assert dict(found["Sizing"])["reference"] == f"{limit}, the limit"
        if row["order_id"] not in fills:
            assert seen.gone is not None
            assert lines["fill"].startswith("none: ")
            ends.add(seen.gone[0])
            continue
        fill = fills[row["order_id"]]
        assert lines["rule"].partition(f" limit {limit}")[0] in (
            "the market is through the", "the candle reaches the arriving", "the candle reaches the resting",
        )  # fmt: skip
        inside = lines["rule"].startswith("the candle")
        assert (fill["slippage"] == "0.0" and fill["price"] == row["reference"]) is inside
        ends.add(lines["rule"].partition(" limit ")[0])
    assert ends >= {
        "expired", "signal_exit", "the market is through the", "the candle reaches the arriving",
        "the candle reaches the resting",
    }  # fmt: skip


def test_a_moved_stop_a_leg_and_a_time_exit(run: Path) -> None:
    """Wherever the stop of a trade's next row is another than that of its entry, a candle before it says how."""
    row = next(row for row in trades(run) if row["reason"] == "trailing_stop" and row["strategy"] == "trend")
    entry = next(one for one in trades(run) if one["trade_id"] == row["trade_id"])
    moves: list[tuple[str, str]] = []
    for time_ms in range(parse_time_ms(entry["timestamp"]) + MINUTE_MS, parse_time_ms(row["timestamp"]), MINUTE_MS):
        ((seen, found),) = told(run, row["symbol"], time_ms, "trend")
        lines = dict(found["Managed exits"])
        if "stop moved" in lines:
            moves.append((lines["stop moved"], lines["best price"]))
            assert exact(seen.after.stop) in lines["stop moved"]
        else:
            assert lines["stop stays"] == exact(seen.after.stop)
    assert moves
    assert moves[0][0].startswith(f"from {exact(float(entry['stop_loss']))} to ")
    assert f"to {exact(float(row['stop_loss']))} by trailing (distance_r 0.8, from_r 0.5)" in moves[-1][0]
    assert all(" R (R is " in best for _, best in moves)


def test_a_time_exit_is_ordered_by_the_candle_that_says_so(run: Path) -> None:
    row = next(row for row in trades(run) if row["reason"] == "time_exit" and row["strategy"] == "dip")
    ((_, found),) = told(run, row["symbol"], parse_time_ms(row["timestamp"]), "dip")
    line = dict(found["Managed exits"])["time exit"]
    assert line.startswith("7 candles after the entry, ")
    assert line.endswith(f"have passed: close order {row['order_id']}")


@pytest.mark.parametrize("kind", ["cooldown", "stop_guard", "losing_streak"])
def test_a_protection_that_refused(run: Path, kind: str) -> None:
    rows = [row for row in rows_of(run / "signals.csv") if row["outcome"] == kind]
    assert rows
    for row in rows[:4]:
        decided_ms = parse_time_ms(row["timestamp"])
        ((_, found),) = told(run, row["symbol"], decided_ms, row["strategy"])
        gate, outcome = dict(found["Gate"]), dict(found["Outcome"])["no order"]
        line = next(text for label, text in gate.items() if label.startswith(f"{kind} ("))
        until = line.removeprefix("REFUSES until ")
        assert outcome.endswith(f", until {until}")
        assert parse_time_ms(until) > decided_ms


def test_the_allocation_is_in_the_arithmetic(run: Path) -> None:
    row = next(one for one in rows_of(run / "signals.csv") if one["outcome"] == "order" and one["strategy"] == "dip")
    ((seen, found),) = told(run, row["symbol"], parse_time_ms(row["timestamp"]), "dip")
    lines, equity = dict(found["Sizing"]), seen.sizing.equity
    assert lines["own equity"] == f"E = allocation 0.3 x {exact(equity)} = {exact(0.3 * equity)}"
    assert lines["by risk_per_trade"].startswith(f"{exact(0.3 * equity)} x 0.02 / "), "the strategy's own risk"


def test_all_that_were_asked_or_the_one_that_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = START_MS + 153 * MINUTE_MS
    quiet = at if at % (5 * MINUTE_MS) else at + MINUTE_MS
    assert "slow" not in [seen.line.strategy for seen, _ in told(run, "BBB/X", quiet)]
    whole = START_MS + 155 * MINUTE_MS
    assert [seen.line.strategy for seen, _ in told(run, "AAA/X", whole)] == ["trend", "dip", "slow"]
    words = ("why", run, "AAA/X", iso_ms(whole), "--cache", run.with_name("run_cache"))
    _, out = said(capsys, *words)
    assert [line for line in out.splitlines() if ", strategy " in line] == [
        f"{run}: AAA/X, strategy {one} (tests.portfolio:Mixed)" for one in ("trend", "dip", "slow")
    ]
    content = json.loads(said(capsys, *words, "--json")[1])
    assert [one["strategy"] for one in content["strategies"]] == ["trend", "dip", "slow"]
    alone = json.loads(said(capsys, *words, "--json", "--strategy", "dip")[1])
    assert (alone["strategy"], alone["sections"]) == ("dip", content["strategies"][1]["sections"])


def test_a_strategy_that_is_not_there(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"no strategy trnd trades AAA/X in this run; did you mean trend\?"):
        told(run, "AAA/X", START_MS + 9 * MINUTE_MS, "trnd")
    with pytest.raises(ConfigError, match="no strategy dip trades BBB/X in this run; there is trend, slow"):
        told(run, "BBB/X", START_MS + 9 * MINUTE_MS, "dip")


def test_a_tape_answers_as_its_history(run: Path, tmp_path: Path) -> None:
    live = session(tmp_path / "live", slices_of(tmp_path / "c", market()), config=portfolio(WARMUP))
    assert trades_of_session(live) == trades_of(run).read_text()
    for minute in range(20, 380, 45):
        at = START_MS + minute * MINUTE_MS
        assert [found for _, found in told(live, "AAA/X", at)] == [found for _, found in told(run, "AAA/X", at)]


def trades_of_session(run: Path) -> str:
    return next(run.glob("paper_*.csv")).read_text()


@pytest.mark.parametrize("overrides", [(), ("fill=close", "limit_fill=touch")])
def test_each_fill_of_a_run_has_the_rule_and_the_price_that_made_it(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    made = replay(tmp_path, "made", market(5), *overrides, config=portfolio(WARMUP))
    source = source_of(made, [CandleCache(tmp_path / "made_cache")])
    slippage_rate = source.settings.trading_mode.slippage_rate
    found: list[Filled] = []

    async def watch() -> None:
        async with rebuilt(source) as watched:
            for event in source.events():
                fills, _ = await watched.handle(event)
                for line in {Line(fill.strategy, fill.symbol) for fill in fills}:
                    found.extend(watched._filled(fills, line, candle_of(event, line.symbol), event))

    asyncio.run(watch())
    assert len(found) == len(rows_of(trades_of(made))) > 200
    for one in found:
        fill, out = one.fill, one.exit
        assert (fill.reason in LEVEL_EXITS) is (out is not None), fill
        if out is not None:
            slipped = out.price if out.is_limit else out.price * (1 - fill.side * slippage_rate)
            assert (slipped, out.both_levels) == (fill.price, fill.both_levels), fill
