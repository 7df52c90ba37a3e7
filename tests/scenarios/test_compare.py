"""compare: two runs that differ in one thing, and the class that it must have; one thing broken in each test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.models.events import EndOfData
from app.times import iso_ms
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import (
    END_MS,
    START_MS,
    changed,
    compared,
    dearer,
    decided_minute,
    edit,
    edit_row,
    first_entry,
    market,
    replay,
    rows_of,
    said,
    session,
    slices_of,
    trades_of,
)

Capture = pytest.CaptureFixture[str]


def test_the_same_run_twice(tmp_path: Path, capsys: Capture) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    status, content = compared(capsys, a, b)
    assert (status, content["same"], content["explained"], content["class"]) == (0, True, True, None)
    assert content["identical_bytes"] == {"trades": True, "signals": True, "equity": True}
    assert content["compared"]["signals"] > 8
    assert content["inputs"] == content["notes"] == []
    assert "the trade logs byte for byte" in said(capsys, "compare", a, b, "--cache", tmp_path / "a_cache")[1]


def test_a_tape_and_the_same_history(tmp_path: Path, capsys: Capture) -> None:
    live = session(tmp_path / "live", slices_of(tmp_path / "c", market()))
    status, content = compared(capsys, live, replay(tmp_path, "b", market()))
    assert (status, content["same"]) == (0, True)
    assert content["inputs"] == content["notes"] == []


def test_data_a_candle_has_other_values(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    at = decided_minute(a)
    b = replay(tmp_path, "b", changed(market(), first_entry(a)["symbol"], at, dearer))
    status, content = compared(capsys, a, b)
    assert (status, content["same"], content["explained"], content["class"]) == (0, False, True, "data")
    open_time = iso_ms(START_MS + at * MINUTE_MS)
    assert content["evidence"].startswith(f"candle of {first_entry(a)['symbol']} that opens {open_time}: ")
    assert "close " in content["evidence"]
    assert len(content["inputs"]) == 1
    assert content["also_before"] == content["later"] == {}


def test_gap_a_candle_is_there_in_one_only(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    at, symbol = decided_minute(a), first_entry(a)["symbol"]
    b = replay(tmp_path, "b", changed(market(), symbol, at, lambda row: None))
    status, content = compared(capsys, a, b)
    assert (status, content["class"]) == (0, "gap")
    assert content["evidence"].endswith("it is there in A only")
    status, mirrored = compared(capsys, b, a)
    assert (status, mirrored["class"]) == (0, "gap")
    assert mirrored["evidence"].endswith("it is there in B only")


def test_warm_up_the_indicators_start_elsewhere(tmp_path: Path, capsys: Capture) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market(), "startup_candles=30")
    status, content = compared(capsys, a, b)
    assert (status, content["class"]) == (0, "warm-up")
    assert "(startup_candles 60 and 30)" in content["evidence"]


def test_config_names_the_keys(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    b = replay(tmp_path, "b", market(), "reward_risk_ratio=1.5", "safety.max_exposure=0.4")
    status, content = compared(capsys, a, b)
    assert (status, content["class"]) == (0, "config")
    assert [one["what"] for one in content["inputs"]] == [
        "risk.reward_risk_ratio: 2.0 in A, 1.5 in B",
        "trading_mode.safety.max_exposure: 0.5 in A, 0.4 in B",
    ]


def test_a_setting_that_decides_nothing_explains_nothing(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    b = replay(tmp_path, "b", market(), "safety.kill_switch_file=elsewhere", "feed.grace_s=5", "exchange=other")
    status, content = compared(capsys, a, b)
    assert (status, content["same"], content["inputs"]) == (0, True, [])
    edit_fill(b, lambda row: row.update(price="1.0"))
    assert compared(capsys, a, b)[0] == 1


@pytest.mark.parametrize("key", ["code_sha256", "strategy_sha256"])
def test_code(tmp_path: Path, capsys: Capture, key: str) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    edit(b / "manifest.json", lambda content: content.update({key: "f" * 64}))
    assert compared(capsys, a, b)[1]["same"] is True, "other code that gives the same is the same"
    edit_fill(b, lambda row: row.update(price="1.0"))
    status, content = compared(capsys, a, b)
    assert (status, content["class"]) == (0, "code")
    assert content["evidence"].endswith("ffffffffffff in B")


def edit_fill(run: Path, change: Callable[[dict[str, str]], Any], number: int = 4) -> dict[str, str]:
    """Change one row of a trade log; the row as it was."""
    return edit_row(trades_of(run), number, change)


def test_fill_the_same_order_at_another_price(tmp_path: Path, capsys: Capture) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    before = edit_fill(b, lambda row: row.update(price=repr(float(row["price"]) + 0.5)))
    status, content = compared(capsys, a, b)
    assert (status, content["explained"], content["class"]) == (1, False, "fill")
    assert content["first"]["kind"] == "fill"
    assert content["first"]["fields"] == ["price"]
    assert (content["first"]["time"], content["first"]["symbol"]) == (before["timestamp"], before["symbol"])
    assert "is not the file that its run wrote (outputs_sha256.trades)" in content["evidence"]
    assert content["differing"] == {"fill": 1}


def test_fill_the_same_order_at_another_time(tmp_path: Path, capsys: Capture) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    edit_fill(b, lambda row: row.update(timestamp=row["timestamp"].replace(":00.000Z", ":30.000Z")))
    status, content = compared(capsys, a, b)
    assert (status, content["class"], content["differing"]) == (1, "fill", {"fill": 1})
    assert content["first"]["fields"] == ["timestamp"]
    assert content["first"]["a"] is not None
    assert content["first"]["b"] is not None


def test_unexplained_a_signal_that_nothing_explains(tmp_path: Path, capsys: Capture) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    path = b / "signals.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:5], *lines[6:]]))
    status, content = compared(capsys, a, b)
    assert (status, content["class"], content["first"]["kind"]) == (1, "unexplained", "signal")
    assert content["first"]["b"] is None
    assert "NO: something has no cause" in said(capsys, "compare", a, b, "--cache", tmp_path / "a_cache")[1]


def test_one_that_ends_earlier_by_its_settings(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    b = replay(tmp_path, "b", market(), end_ms=END_MS - 60 * MINUTE_MS)
    status, content = compared(capsys, a, b)
    assert (status, content["class"]) == (0, "config")
    assert content["evidence"] == (f"B ends with the slice that closes {iso_ms(END_MS - 60 * MINUTE_MS)}, A goes on")
    assert len(content["inputs"]) == 1


def test_one_that_ends_earlier_because_candles_are_missing(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    cut = {symbol: [row for row in rows if row[0] < END_MS - 60 * MINUTE_MS] for symbol, rows in market().items()}
    status, content = compared(capsys, a, replay(tmp_path, "b", cut))
    assert (status, content["class"]) == (0, "gap")


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [("halted", "safety"), ("max_open_positions", "safety"), ("late", "timing"), ("stale", "timing"),
     ("min_notional", "unexplained")],
)  # fmt: skip
def test_a_class_without_a_cause_says_where_and_does_not_explain(
    tmp_path: Path, capsys: Capture, outcome: str, cause: str
) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    edit_row(b / "signals.csv", 3, lambda row: row.update(outcome=outcome))
    status, content = compared(capsys, a, b)
    assert (status, content["explained"], content["class"], content["first"]["kind"]) == (1, False, cause, "order")
    assert content["evidence"].startswith("nothing that went in before it differs, as far as it is recorded")


# What comes before, what comes after.


def test_a_difference_after_the_first_divergence_explains_nothing(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    b = replay(tmp_path, "b", changed(market(), "AAA/X", 390, dearer))
    edit_fill(b, lambda row: row.update(price=repr(float(row["price"]) + 0.5)))
    status, content = compared(capsys, a, b)
    assert (status, content["class"], content["later"]) == (1, "fill", {"data": 1})


def test_the_candle_that_begins_when_it_was_decided_explains_no_decision(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    next_minute = decided_minute(a) + 1
    b = replay(tmp_path, "b", changed(market(), "BBB/X", next_minute, dearer))
    edit_row(b / "signals.csv", 0, lambda row: row.update(action="EXIT"))
    status, content = compared(capsys, a, b)
    assert (status, content["class"], content["first"]["kind"]) == (1, "unexplained", "signal")
    assert content["later"] == {"data": 1}


def test_an_equity_row_is_compared_too(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    open_trade = rows_of(trades_of(a))[-4]
    at = next(n for n in range(400) if iso_ms(START_MS + n * MINUTE_MS) == open_trade["timestamp"])
    b = replay(
        tmp_path, "b", changed(market(), open_trade["symbol"], at, lambda row: (*row[:4], row[4] - 0.01, row[5]))
    )
    status, content = compared(capsys, a, b)
    assert (status, content["class"], content["first"]["kind"]) == (0, "data", "equity")
    assert content["first"]["fields"] == ["equity"]


def test_a_fill_of_its_own_after_an_explained_divergence_is_not_explained(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    symbol, at = first_entry(a)["symbol"], decided_minute(a)
    other = replay(tmp_path, "b", changed(market(), symbol, at, dearer))
    assert compared(capsys, a, other)[0] == 0
    rows_a, rows_b = rows_of(trades_of(a)), rows_of(trades_of(other))
    shared = ("timestamp", "symbol", "action", "price", "stop_loss", "take_profit", "reason")
    number = next(
        n for n, row in enumerate(rows_b)
        if n > 10 and any(all(row[name] == one[name] for name in shared) for one in rows_a)
    )  # fmt: skip
    edit_fill(other, lambda row: row.update(price=repr(float(row["price"]) + 0.5)), number)
    status, content = compared(capsys, a, other)
    assert (status, content["class"], content["explained"]) == (1, "data", False)
    assert content["later"] == {"fill": 1}


def test_a_later_fill_in_a_candle_that_differs_has_its_cause(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    diverging = changed(market(), first_entry(a)["symbol"], decided_minute(a), dearer)
    opened = [row for row in rows_of(trades_of(replay(tmp_path, "b", diverging))) if row["action"] == "OPEN"][-1]
    at = next(n for n in range(400) if iso_ms(START_MS + n * MINUTE_MS) == opened["timestamp"])
    moved = changed(
        diverging, opened["symbol"], at, lambda row: (row[0], row[1] + 0.25, max(row[2], row[1] + 1), *row[3:])
    )
    status, content = compared(capsys, a, replay(tmp_path, "c", moved))
    assert (status, content["class"], content["later"]) == (0, "data", {"data": 1})


def test_candles_that_are_gone_are_said_and_explain_nothing(tmp_path: Path, capsys: Capture) -> None:
    a = replay(tmp_path, "a", market())
    b = replay(tmp_path, "b", changed(market(), first_entry(a)["symbol"], decided_minute(a), dearer))
    status, content = compared(capsys, a, b, tmp_path / "a_cache")
    assert (status, content["class"]) == (1, "unexplained")
    assert content["notes"][0].startswith("candles of B that are in no cache under their hash were not compared: ")
    live = session(tmp_path / "live", [*slices_of(tmp_path / "c", market()), EndOfData()])
    status, content = compared(capsys, live, b, tmp_path / "a_cache")
    assert (status, content["inputs"]) == (1, []), "no gap where nothing could be read"
