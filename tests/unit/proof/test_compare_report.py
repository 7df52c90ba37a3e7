"""What a comparison says: the same facts as text and as JSON, aligned, and never a list without an end."""

import json
import re
from pathlib import Path

from app.candles.cache import CandleCache
from app.proof.compare_report import comparison_json, render_comparison
from app.proof.comparison import Comparison, compare
from app.runs.reader import Run
from app.runs.run_folder import to_json
from tests.proof_runs import changed, dearer, edit_row, market, replay, session, slices_of, trades_of


def compared(a: Path, b: Path) -> Comparison:
    caches = [CandleCache(run.with_name(f"{run.name}_cache")) for run in (a, b)]
    return compare(Run.open(a), Run.open(b), caches)


def test_the_same(tmp_path: Path) -> None:
    live = session(tmp_path / "live", slices_of(tmp_path / "c", market()))
    found = compared(replay(tmp_path, "a", market()), live)
    assert render_comparison(found) == (
        f"A                  {tmp_path}/a, a replay, finished\n"
        f"B                  {live}, a session with a tape, finished\n"
        "Result             the same: 22 fills, 11 signals, 395 equity rows; the trade logs byte for byte\n"
    )
    content = json.loads(to_json(comparison_json(found)))
    assert (content["format"], content["same"], content["class"], content["first"]) == (1, True, None, None)


def test_a_difference_in_both_forms(tmp_path: Path) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    before = edit_row(trades_of(b), 4, lambda row: row.update(price="1234.5"))
    found = compared(a, b)
    text = render_comparison(found)
    for line in (
        "Result             not the same: of 22 fills, 11 signals, 395 equity rows these differ: 1 fill",
        f"First divergence   fill of {before['symbol']} at {before['timestamp']}",
        f"  price  {before['price']}  1234.5",
        "Class              fill",
        "Explained          NO: something has no cause in what went in",
    ):
        assert line in text.splitlines(), text
    content = json.loads(to_json(comparison_json(found)))
    assert content["first"]["fields"] == ["price"]
    assert content["first"]["a"] == before
    assert content["explained"] is False


def test_what_is_there_in_one_only(tmp_path: Path) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    lines = (b / "signals.csv").read_text().splitlines(keepends=True)
    (b / "signals.csv").write_text("".join(lines[:-1]))
    text = render_comparison(compared(a, b))
    assert "it is there in A only" in text
    assert re.search(rf"^  action +{lines[-1].split(',')[3]} +-$", text, re.MULTILINE)


def test_a_long_list_is_cut_in_the_text_and_whole_in_json(tmp_path: Path) -> None:
    candles = market()
    for minute in range(300, 390, 3):
        if any(row[0] == 1_743_361_200_000 + minute * 60_000 for row in candles["AAA/X"]):
            candles = changed(candles, "AAA/X", minute, dearer)
    found = compared(replay(tmp_path, "a", market()), replay(tmp_path, "b", candles))
    assert len(found.differences) > 20
    text = render_comparison(found)
    assert f"What went in and differs ({len(found.differences)}):" in text
    assert f"  and {len(found.differences) - 20} more; --json lists all\n" in text
    assert len(comparison_json(found)["inputs"]) == len(found.differences)
    assert all(len(line) < 240 for line in text.splitlines())
