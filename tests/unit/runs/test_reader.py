"""A finished run's folder: rows as they were written, whose order a fill belongs to, and what is no run at all."""

from pathlib import Path

import pytest
from arro3.io import read_parquet

from app.errors import DataError
from app.runs.reader import Run
from app.times import iso_ms
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import (
    END_MS,
    START_MS,
    SYMBOLS,
    edit,
    edit_row,
    market,
    replay,
    rows_of,
    session,
    slices_of,
    trades_of,
    write_rows,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return replay(tmp_path, "run", market())


def test_what_it_says_of_itself(folder: Path, tmp_path: Path) -> None:
    run = Run.open(folder)
    assert (run.symbols, run.timeframe, run.length_ms, run.is_live) == (SYMBOLS, "1m", MINUTE_MS, False)
    assert run.period_ms == (START_MS, END_MS)
    assert run.file("trades") == trades_of(folder)
    assert Run.open(session(tmp_path / "live", slices_of(tmp_path / "c", market())[:90])).is_live


def test_rows_are_those_of_the_files(folder: Path) -> None:
    run = Run.open(folder)
    assert [signal.row for signal in run.signals()] == rows_of(folder / "signals.csv")
    assert [fill.row for fill in run.fills()] == rows_of(trades_of(folder))
    assert [iso_ms(fill.time_ms) for fill in run.fills()] == [row["timestamp"] for row in rows_of(trades_of(folder))]
    table = read_parquet(folder / "equity.parquet").read_all()
    columns = [table[name].to_pylist() for name in ("timestamp_ms", "equity", "balance")]
    assert list(run.equity()) == list(zip(*columns, strict=True))


def test_both_fills_of_a_trade_know_when_its_entry_was_decided(folder: Path) -> None:
    decided = {
        row["order_id"]: row["timestamp"] for row in rows_of(folder / "signals.csv") if row["outcome"] == "order"
    }
    entries: dict[str, int] = {}
    waited = 0
    for fill in Run.open(folder).fills():
        if fill.row["action"] == "OPEN":
            entries[fill.row["trade_id"]] = fill.decided_ms
            assert iso_ms(fill.decided_ms) == decided[fill.row["order_id"]]
            waited += fill.decided_ms != fill.time_ms
        else:
            assert fill.decided_ms == entries[fill.row["trade_id"]]
    assert waited, "an entry that waited for its symbol's next traded candle is among them"


@pytest.mark.parametrize(
    ("waits", "later"), [(("main", "AAA/X"), ("main", "BBB/X")), (("up", "AAA/X"), ("down", "AAA/X"))]
)
def test_an_order_that_waits_is_not_lost_behind_later_signals(
    folder: Path, waits: tuple[str, str], later: tuple[str, str]
) -> None:
    signals, fills = rows_of(folder / "signals.csv"), rows_of(trades_of(folder))
    entry = next(row for row in fills if row["action"] == "OPEN")
    names, columns = list(signals[0]), list(entry)
    written = [
        {**dict.fromkeys(names, ""), "timestamp": iso_ms(START_MS + minute * MINUTE_MS), "strategy": line[0],
         "symbol": line[1], "action": "LONG", "outcome": outcome, "order_id": order_id}
        for minute, line, outcome, order_id in (
            (1, waits, "order", "1"), (2, waits, "order_pending", ""), (3, later, "order", "2"),
        )
    ]  # fmt: skip
    write_rows(folder / "signals.csv", names, written)
    at = iso_ms(START_MS + 9 * MINUTE_MS)
    opened = [
        {**entry, "strategy": line[0], "symbol": line[1], "order_id": number, "trade_id": number, "timestamp": at}
        for line, number in ((later, "2"), (waits, "1"))
    ]
    write_rows(trades_of(folder), columns, opened)
    assert [(fill.decided_ms - START_MS) // MINUTE_MS for fill in Run.open(folder).fills()] == [3, 1]


def test_every_close_of_a_trade_with_legs_has_the_decision_of_its_entry(folder: Path) -> None:
    rows = rows_of(trades_of(folder))
    entry, close = rows[0], next(row for row in rows if row["action"] == "CLOSE")
    legs = [{**close, "trade_id": entry["trade_id"], "reason": reason} for reason in ("partial_target", "stop_loss")]
    write_rows(trades_of(folder), list(entry), [entry, *legs])
    decided = [fill.decided_ms for fill in Run.open(folder).fills()]
    assert decided == [decided[0]] * 3
    assert decided[0] < Run.open(folder).period_ms[1]


def test_a_fill_of_an_order_that_no_signal_has_is_its_own(folder: Path) -> None:
    edit_row(trades_of(folder), 0, lambda row: row.update(order_id="999"))
    fills = list(Run.open(folder).fills())
    assert fills[0].decided_ms == fills[0].time_ms


def test_whether_a_file_is_still_the_runs_own(folder: Path) -> None:
    assert all(Run.open(folder).is_untouched(key) for key in ("trades", "signals", "equity"))
    edit_row(trades_of(folder), 0, lambda row: row.update(price="1.0"))
    assert not Run.open(folder).is_untouched("trades")
    assert Run.open(folder).is_untouched("signals")


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        run = Run.open(folder)
        for rows in (run.signals(), run.fills(), run.equity()):
            list(rows)
    return str(caught.value)


def test_what_is_no_run(tmp_path: Path, folder: Path) -> None:
    assert refused(tmp_path / "nowhere").endswith("nowhere: it is no run folder: it holds no results.json")
    assert "it is no run folder" in refused(tmp_path)
    assert "it is no run folder" in refused(folder / "signals.csv")


def test_what_has_not_finished(tmp_path: Path, folder: Path) -> None:
    live = session(tmp_path / "live", slices_of(tmp_path / "c", market())[:90], finish=False)
    assert refused(live).endswith("live: its run has not finished: it has no results.json")
    edit(folder / "results.json", lambda content: content.update(status="failed"))
    assert refused(folder).endswith("its run failed half-way, there is nothing to hold it against")


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
def test_other_formats_and_damage(folder: Path, name: str) -> None:
    edit(folder / name, lambda content: content.update(format=0))
    assert refused(folder).endswith(f"{name} has format 0, this Onetape reads 1; run it again")
    (folder / name).write_text("[1]")
    assert "has format None" in refused(folder)
    (folder / name).write_text("{")
    assert f"{name} cannot be read" in refused(folder)


def test_an_older_run_without_signals(folder: Path) -> None:
    edit(folder / "results.json", lambda content: content["files"].pop("signals"))
    assert refused(folder).endswith("it was made by an older Onetape, which wrote no signals; run it again")


@pytest.mark.parametrize("key", ["trades", "signals", "equity"])
def test_files_that_are_gone_or_damaged(folder: Path, key: str) -> None:
    path = Run.open(folder).file(key)
    content = path.read_bytes()
    path.write_bytes(content[:-3] if key == "equity" else content[:-40] + b"\xff\xfe\n")
    assert str(path) in refused(folder)
    if key != "equity":
        path.write_bytes(content.replace(b"timestamp", b"time", 1))
        assert refused(folder).endswith("its columns are not those of this version; run it again")
        path.write_bytes(content + b"1,2,3\n")
        assert "columns" in refused(folder)
        edit_row_of = content.decode().replace("2025-03-3", "2025-13-3", 1)
        path.write_text(edit_row_of)
        assert "line 2: " in refused(folder)
        assert "is no time" in refused(folder)
    path.unlink()
    assert refused(folder) == f"{path} is not there"
