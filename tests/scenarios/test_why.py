"""why: what it says of a candle is what the run wrote of it; for trades, refusals, and signals that did not come."""

import json
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet

from app.models.events import Event, Kill, LateCandle, MarkedSlice
from app.models.market import Slice
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG
from app.times import DAY_MS, iso_ms, parse_time_ms
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import END_MS, START_MS, changed, market, replay, rows_of, said, session, slices_of, trades_of

Capture = pytest.CaptureFixture[str]
OWN = """
from app.strategies.base import FLAT, Strategy, exit_position, long

class Own(Strategy):
    lookback = 2
    def __init__(self) -> None:
        self.seen = 0
    async def on_candle(self, candle, view):
        self.seen += 1
        if view.position is not None:
            return exit_position("enough") if self.seen % 3 == 0 else FLAT
        return long(stop=candle.close * 0.5, target=candle.close * 9, size_factor=0.5, tag="mine")
"""


def why(capsys: Capture, run: Path, symbol: str, time: str | int) -> dict[str, Any]:
    """The JSON of a why, its sections as mappings; of a line that comes again the last."""
    words = ["--cache", str(run.with_name(f"{run.name}_cache"))]
    at = time if isinstance(time, str) else iso_ms(time)
    status, out = said(capsys, "why", run, symbol, at, "--json", *words)
    assert status == 0
    content: dict[str, Any] = json.loads(out)
    content["sections"] = {title: dict(lines) for title, lines in content["sections"].items()}
    return content


def all_of(limit: str) -> str:
    return f"instruments={{AAA/X: {{{limit}}}, BBB/X: {{{limit}}}}}"


def signals_of(run: Path, outcome: str) -> list[dict[str, str]]:
    found = [row for row in rows_of(run / "signals.csv") if row["outcome"] == outcome]
    assert found, f"no {outcome} in this run"
    return found


def test_every_order_of_a_run(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market())
    fills = {row["order_id"]: row for row in rows_of(trades_of(run)) if row["action"] == "OPEN"}
    for row in signals_of(run, "order"):
        told = why(capsys, run, row["symbol"], row["timestamp"])
        output = told["sizing"]["output"]
        for name in ("quantity", "reference", "stop", "target", "sized_by"):
            assert str(output[name]) == row[name], (name, row)
        assert told["signal"]["action"] == row["action"]
        held = [one["held"] for one in told["conditions"] if one["name"].startswith((row["action"], "every"))]
        assert held == [True] * 4 if row["action"] == "LONG" else [True] * 5
        fill = fills[row["order_id"]]
        assert [repr(one["price"]) for one in told["fills"] if one["order_id"] == int(row["order_id"])] == [
            fill["price"]
        ]
        assert told["sections"]["Outcome"]["rule"].startswith("a market order, at the open of the next traded candle")


def test_every_exit_of_a_run_has_its_rule(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market(), "atr_stop_multiplier=0.7")
    rules = set()
    closes = [row for row in rows_of(trades_of(run)) if row["action"] == "CLOSE"]
    for row in closes:
        told = why(capsys, run, row["symbol"], row["timestamp"])
        fills = [one for one in told["fills"] if not one["opens"] and one["trade_id"] == int(row["trade_id"])]
        if not fills:  # stamped with the open of its candle: that slice closes a minute later
            time = row["timestamp"].replace(":00.000Z", ":30Z")
            told = why(capsys, run, row["symbol"], time)
            fills = [one for one in told["fills"] if not one["opens"] and one["trade_id"] == int(row["trade_id"])]
        assert [repr(one["realized_pnl"]) for one in fills] == [row["realized_pnl"]]
        rules.add(told["sections"]["Fills in it"]["rule"].partition(":")[0])
    assert rules >= {"the candle reaches the stop", "the candle goes beyond the target"}
    assert not any(rule.startswith("a market order") for rule in rules), "no exit here was ordered"


def test_the_arithmetic_line_by_line(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market(), "starting_balance=8000", "instruments={AAA/X: {price_tick: 0.5}}")
    row = next(row for row in signals_of(run, "order") if row["symbol"] == "AAA/X")
    told = why(capsys, run, "AAA/X", row["timestamp"])
    sizing, lines = told["sizing"], told["sections"]["Sizing"]
    reference, distance = sizing["reference"], sizing["distance"]
    assert distance == 1.5 * told["signal"]["atr"]
    assert lines["reference"] == f"{reference:,.10g}, the mark"
    assert lines["stop distance"] == (f"atr_stop_multiplier 1.5 x ATR {told['signal']['atr']:,.10g} = {distance:,.10g}")
    assert lines["stop"].endswith(f"rounded away to the tick 0.5 = {sizing['stop']:,.10g}")
    assert lines["by max_position_pct"].startswith(f"{sizing['equity']:,.10g} x 0.1 / {reference:,.10g} = ")
    assert lines[f"by {sizing['sized_by']}"].endswith("<- the least")
    assert lines["quantity"].endswith(f"= {sizing['quantity']:,.10g} (minimum 0)")
    assert told["sections"]["Gate"] == {
        "kill switch": "not tripped",
        "open and pending": "0, must be below max_open_positions 10",
        "drawdown": told["sections"]["Gate"]["drawdown"],
        "loss of the day": told["sections"]["Gate"]["loss of the day"],
        "feed": "in time",
    }
    assert told["sections"]["Gate"]["drawdown"].endswith(", no limit")


@pytest.mark.parametrize(
    ("overrides", "outcome", "told"),
    [
        (["atr_stop_multiplier=20"], "position_open", "the strategy has a position on the symbol already"),
        ([all_of("min_notional: 5000")], "min_notional", "it is worth less"),
        ([all_of("min_quantity: 5000")], "min_quantity", "it is less than"),
        ([all_of("quantity_step: 5000")], "no_quantity", "nothing is left"),
        (["safety.max_drawdown=0.0001"], "halted", "the kill switch has tripped"),
        (["safety.max_open_positions=1"], "max_open_positions", "there are as many positions"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, capsys: Capture, overrides: list[str], outcome: str, told: str) -> None:
    run = replay(tmp_path, "run", market(), *overrides)
    row = signals_of(run, outcome)[0]
    answer = why(capsys, run, row["symbol"], row["timestamp"])
    assert answer["outcome"] == outcome
    assert answer["sections"]["Outcome"]["no order"].startswith(f"{outcome}: {told}")
    assert ("Sizing" in answer["sections"]) is (outcome != "position_open")
    if outcome == "halted":
        assert answer["sections"]["Gate"]["kill switch"] == "TRIPPED"
    if outcome == "max_open_positions":
        assert answer["sections"]["Gate"]["open and pending"] == "1, must be below max_open_positions 1"
    if outcome == "min_notional":
        assert answer["sections"]["Sizing"]["notional"].endswith("(minimum 5,000)")


def test_a_signal_that_did_not_come(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market())
    signals = {(row["symbol"], row["timestamp"]) for row in rows_of(run / "signals.csv")}
    quiet = next(
        time_ms for symbol, time_ms in ((row[0], row[0] + MINUTE_MS) for row in market()["AAA/X"])
        if time_ms > START_MS + MINUTE_MS and ("AAA/X", iso_ms(time_ms)) not in signals
    )  # fmt: skip
    told = why(capsys, run, "AAA/X", quiet)
    assert told["outcome"] is None
    assert told["sections"]["Signal"] == {"signal": "none (FLAT)"}
    for side in ("LONG", "SHORT"):
        failed = [
            one["name"].partition(": ")[2] for one in told["conditions"] if not one["held"] and side in one["name"]
        ]
        assert told["sections"]["Outcome"][f"no {side}"] == f"did not hold: {', '.join(failed)}"
    assert "Sizing" not in told["sections"]
    assert "Gate" not in told["sections"]


def test_inside_a_slice_is_that_slice(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market())
    close = why(capsys, run, "AAA/X", START_MS + 100 * MINUTE_MS)
    inside = why(capsys, run, "AAA/X", START_MS + 99 * MINUTE_MS + 30_000)
    assert close == inside
    assert close["sections"]["Candle"]["slice"] == f"closes {iso_ms(START_MS + 100 * MINUTE_MS)}"


def test_warm_up_answers_are_dropped(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market())
    told = why(capsys, run, "AAA/X", START_MS - 10 * MINUTE_MS)
    assert told["sections"]["Candle"]["slice"].endswith(", warm-up")
    early = why(capsys, run, "AAA/X", START_MS - 55 * MINUTE_MS)
    assert early["conditions"][0]["held"] is False
    assert early["conditions"][0]["value"].startswith("missing: ")
    assert early["indicators"]["ema_slow"] is None


def test_a_symbol_without_a_candle_there(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", changed(market(), "AAA/X", 200, lambda row: None))
    told = why(capsys, run, "AAA/X", START_MS + 201 * MINUTE_MS)
    assert told["candle"] is None
    assert told["sections"]["Candle"]["candle"].startswith("none: the slice went without AAA/X")
    assert "Signal" not in told["sections"]


def test_a_strategy_of_ones_own(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "own.py").write_text(OWN)
    name = f"strategy={{name: '{tmp_path}/own.py:Own', params: {{}}}}"
    run = replay(tmp_path, "run", market(), name)
    entry, leave = signals_of(run, "order")[0], signals_of(run, "exit_ordered")[0]
    told = why(capsys, run, entry["symbol"], entry["timestamp"])
    view = told["sections"]["What the strategy saw"]
    assert view["explanation"].startswith("the strategy gives none")
    assert len([label for label in view if label.startswith("candle ")]) == 2
    assert told["sections"]["Signal"]["signal"].endswith("size factor 0.5, tag 'mine'")
    assert told["sections"]["Sizing"]["stop"].startswith("the signal's own")
    assert " x size factor 0.5, " in told["sections"]["Sizing"]["quantity"]
    told = why(capsys, run, leave["symbol"], leave["timestamp"])
    assert told["outcome"] == "exit_ordered"
    assert told["fills"][-1]["reason"] == "signal_exit"
    assert told["sections"]["Outcome"]["rule"].startswith("a market order, at the open")
    ended = why(capsys, run, leave["symbol"], END_MS)
    if ended["fills"] and ended["fills"][-1]["reason"] == "end_of_data":
        assert ended["sections"]["Fills in it"]["rule"] == "closed at the last mark, where the session ended"


def test_a_fill_at_the_close(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market(), "fill=close")
    row = signals_of(run, "order")[0]
    told = why(capsys, run, row["symbol"], row["timestamp"])
    assert told["sections"]["Fills in it"]["rule"] == "filled at once, at the mark"
    assert told["sections"]["Fills in it"]["price"].startswith("the mark x (1 ")


def test_a_coarser_strategy_is_not_asked_inside_its_candle(tmp_path: Path, capsys: Capture) -> None:
    run = replay(tmp_path, "run", market(), "strategy.timeframe=5m", "startup_candles=120")
    inside, closing = (why(capsys, run, "AAA/X", START_MS + n * MINUTE_MS) for n in (152, 155))
    assert inside["sections"]["Signal"]["signal"].startswith("none: the strategy was not asked")
    assert inside["signal"] is None
    assert closing["signal"] is not None


# Sessions with a tape.


def entry_in(slices: list[Slice], run: Path, which: int = 0) -> tuple[int, str]:
    row = signals_of(run, "order")[which]
    return next(n for n, one in enumerate(slices) if iso_ms(one.close_time_ms) == row["timestamp"]), row["symbol"]


@pytest.mark.parametrize("mark", ["late", "stale"])
def test_what_the_feed_was_late_with(tmp_path: Path, capsys: Capture, mark: str) -> None:
    slices = slices_of(tmp_path / "c", market())
    at, symbol = entry_in(slices, replay(tmp_path, "plain", market()))
    one = slices[at]
    marked = MarkedSlice(
        one.close_time_ms, one.candles, one.warmup, mark == "late", (symbol,) if mark == "stale" else ()
    )
    run = session(tmp_path / "live", [*slices[:at], marked, *slices[at + 1 :]])
    told = why(capsys, run, symbol, one.close_time_ms)
    assert told["outcome"] == mark
    assert told["sections"]["Gate"]["feed"] == mark
    assert told["sizing"]["output"] is not None, "risk would have taken it"


def test_a_candle_that_came_late(tmp_path: Path, capsys: Capture) -> None:
    slices = slices_of(tmp_path / "c", market())
    at, symbol = entry_in(slices, replay(tmp_path, "plain", market()))
    one = slices[at]
    late = next(candle for candle in one.candles if candle.symbol == symbol)
    without = Slice(one.close_time_ms, tuple(c for c in one.candles if c is not late), one.warmup)
    events: list[Event] = [*slices[:at], without, LateCandle(late), *slices[at + 1 :]]
    told = why(capsys, session(tmp_path / "live", events), symbol, one.close_time_ms)
    assert told["candle"]["open_time_ms"] == late.open_time_ms
    assert told["sections"]["Candle"]["late"] == "it was handled too late for an entry"
    assert told["outcome"] == "late"


def test_a_kill_and_a_session_that_has_not_ended(tmp_path: Path, capsys: Capture) -> None:
    slices = slices_of(tmp_path / "c", market())
    plain = replay(tmp_path, "plain", market())
    at, symbol = entry_in(slices, plain, 3)  # it is filled at once
    events: list[Event] = [*slices[: at + 2], Kill("lunch"), *slices[at + 2 : at + 9]]
    run = session(tmp_path / "live", events, finish=False)
    killed = [why(capsys, run, symbol, slices[n].close_time_ms) for n in range(at + 2, at + 9)]
    fills = [fill for told in killed for fill in told["fills"]]
    assert [fill["reason"] for fill in fills] == ["kill_switch"]
    assert (
        why(capsys, run, symbol, slices[at].close_time_ms)["sizing"]
        == why(capsys, plain, symbol, slices[at].close_time_ms)["sizing"]
    ), "a tape and its history answer the same"


def test_the_loss_of_the_day_is_that_of_the_equity_file(tmp_path: Path, capsys: Capture) -> None:
    run, words = tmp_path / "run", ("--cache", SAMPLE_CACHE)
    period = ("--start", "2020-03-01", "--end", "2020-06-02", "--offline", "--no-report")
    assert said(capsys, "--mode", "backtest", "--config", SAMPLE_CONFIG, *words, *period, "--out", run)[0] == 0
    table = read_parquet(run / "equity.parquet").read_all()
    rows = list(zip(table["timestamp_ms"].to_pylist(), table["equity"].to_pylist(), strict=True))
    times = [row["timestamp"] for row in signals_of(run, "order")]
    for time in ("2020-05-31T15:00:00.000Z", times[0], times[len(times) // 2], times[-1]):
        assert time in times
        _, out = said(capsys, "why", run, "BTC/USDT", time, "--json", *words)
        gate = next(dict(lines) for title, lines in json.loads(out)["sections"].items() if title == "Gate")
        time_ms = parse_time_ms(time)
        begin_ms = (time_ms - 1) // DAY_MS * DAY_MS
        start, now = (next(equity for at, equity in reversed(rows) if at <= ms) for ms in (begin_ms, time_ms))
        assert gate["loss of the day"] == f"{1 - now / start:.4%}, no limit"
