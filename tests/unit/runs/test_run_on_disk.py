"""A run folder as far as it can be read."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import DataError
from app.runs.run_on_disk import read_run
from tests.proof_runs import COUNT, SYMBOLS, rows_of, trades_of
from tests.report_runs import copy_of, edit_json, made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("runs"))


def test_a_whole_run(run: Path) -> None:
    found = read_run(run)
    assert found.problems == [] and found.symbols == SYMBOLS and found.timeframe == "1m"
    assert len(found.trades) == found.results["performance"]["total_trades"] > 10
    assert found.equity is not None
    equity = np.concatenate([values for _, values in found.equity.blocks()])
    assert COUNT >= len(equity) > 380 and equity[0] == found.equity.first
    assert equity[-1] == found.results["performance"]["final_equity"]


def test_a_run_that_broke_off(run: Path, tmp_path: Path) -> None:
    broken = copy_of(run, tmp_path)
    for name in ("results.json", "manifest.json", "equity.parquet"):
        (broken / name).unlink()
    found = read_run(broken)
    assert found.problems[:3] == [
        "The run has not finished, or broke off: its results were never written.",
        "results.json is missing.",
        "manifest.json is missing.",
    ]
    assert found.equity is not None and found.equity.from_fills
    assert found.symbols == list(dict.fromkeys(row["symbol"] for row in rows_of(trades_of(broken))))
    assert found.timeframe is None


def test_equity_that_the_run_did_not_write_is_not_decoded(run: Path, tmp_path: Path) -> None:
    changed = copy_of(run, tmp_path)
    data = bytearray((changed / "equity.parquet").read_bytes())
    data[50] ^= 1
    (changed / "equity.parquet").write_bytes(data)
    found = read_run(changed)
    assert found.equity is not None and found.equity.from_fills
    assert "not the file that the run wrote" in found.problems[0]


def test_a_json_file_that_is_damaged(run: Path, tmp_path: Path) -> None:
    changed = copy_of(run, tmp_path)
    (changed / "results.json").write_text('{"format": 1, "perf')
    (changed / "manifest.json").write_text("[]")
    problems = " ".join(read_run(changed).problems)
    assert "results.json cannot be read" in problems and "manifest.json does not hold what it should" in problems


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
def test_a_newer_format_is_one_clear_line(run: Path, tmp_path: Path, name: str) -> None:
    newer = copy_of(run, tmp_path)
    edit_json(newer / name, lambda content: content.update(format=99))
    with pytest.raises(DataError, match=rf"{name} has format 99, this Onetape reads up to \d"):
        read_run(newer)


def test_a_folder_with_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no run: neither results\.json nor a trade log"):
        read_run(tmp_path)
    with pytest.raises(DataError, match="is no run folder"):
        read_run(tmp_path / "none")


def test_without_a_trade_log(run: Path, tmp_path: Path) -> None:
    changed = copy_of(run, tmp_path)
    trades_of(changed).unlink()
    found = read_run(changed)
    assert len(found.trades) == 0 and "There is no trade log in this folder." in found.problems
