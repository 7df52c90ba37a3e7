"""Where growth stands in a band, by hand; growth of files that are still written; a file that cannot be read."""

from pathlib import Path

import pytest

from app.errors import DataError
from app.runs.expectation_file import (
    beginning,
    growth_of_run,
    growth_of_session,
    read_expectation,
    standing,
)
from app.runs.reader import Run
from tests.expected_runs import BALANCE, BEGAN_MS, backtest, broken_off, rewrite
from tests.proof_runs import START_MS

BAND = {
    "floor": [1.0, 0.9, 0.9], "low": [1.0, 0.95, 0.96], "high": [1.0, 1.1, 1.2], "ceiling": [1.0, 1.2, 1.3],
}  # fmt: skip


@pytest.mark.parametrize(
    ("growth", "days", "side", "left"),
    [
        ([1.0], 0, 0, None),
        ([1.0, 0.9], 1, 0, None),  # on the floor is inside
        ([1.0, 0.89], 1, -1, "2025-03-31"),
        ([1.0, 0.89, 1.0], 2, 0, "2025-03-31"),  # it came back
        ([1.0, 1.0, 1.31], 2, 1, "2025-04-01"),
        ([1.0, 1.0, 1.0, 0.1], 2, 0, None),  # after the band's last day
    ],
)
def test_where_growth_stands(growth: list[float], days: int, side: int, left: str | None) -> None:
    found = standing(BAND, START_MS, growth)
    assert (found["days"], found["side"], found["outside"], found["left"]) == (days, side, side != 0, left)
    assert len(found["live"]) == days + 1


def test_in_words() -> None:
    assert standing(BAND, START_MS, [1.0, 0.89])["why"] == (
        "equity has left its expected band on 2025-03-31; day 1 of 2: -11.00 % since the start is below -10.00 %"
    )
    assert standing(BAND, START_MS, [1.0, 1.02])["why"] == (
        "day 1 of 2: +2.00 % since the start, expected were -5.00 to +10.00 % (90 %)"
    )


def test_growth_of_a_session_counts_days_that_have_ended(tmp_path: Path) -> None:
    run = broken_off(tmp_path, [1.01, 0.99])
    assert growth_of_session(run, BALANCE, START_MS) == pytest.approx([1.0, 1.01, 0.99])
    (run / "equity.rows").unlink()
    (run / "equity.parquet").unlink(missing_ok=True)
    assert growth_of_session(run, BALANCE, START_MS) == [1.0]
    start_ms, settings = beginning(run)
    assert (start_ms, settings["trading_mode"]["starting_balance"]) == (START_MS, BALANCE)
    with pytest.raises(DataError, match="holds no tape"):
        beginning(tmp_path)


def test_growth_of_a_finished_run(tmp_path: Path) -> None:
    run = backtest(tmp_path)
    rewrite(run, [1.1, 1.2], BEGAN_MS)
    assert growth_of_run(Run.open(run)) == pytest.approx([1.0, 1.1, 1.2])
    assert growth_of_session(run, BALANCE, BEGAN_MS) == pytest.approx([1.0, 1.1, 1.2])
    with (run / "equity.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="is damaged"):
        growth_of_run(Run.open(run))


def test_the_file(tmp_path: Path) -> None:
    assert read_expectation(tmp_path) is None
    (tmp_path / "expectation.json").write_text('{"format": 9}')
    with pytest.raises(DataError, match="has format 9"):
        read_expectation(tmp_path)
