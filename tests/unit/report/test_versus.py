"""Two runs on one page: differences of figures, settings and fills; what cannot be paired is said."""

import shutil
from pathlib import Path

import pytest

from app.report.versus import differing_settings, figure_rows, make_versus, trade_differences
from app.runs.run_on_disk import read_run
from tests.proof_runs import market, replay


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return replay(folder, "a", market()), replay(folder, "b", market(), "risk.reward_risk_ratio=3")


def test_a_run_beside_itself(runs: tuple[Path, Path]) -> None:
    same = trade_differences(runs[0], runs[0])
    assert same.listed == [] and same.differing == 0
    assert same.equal == 2 * len(read_run(runs[0]).trades)
    assert differing_settings(read_run(runs[0]), read_run(runs[0])) == []


def test_what_differs(runs: tuple[Path, Path]) -> None:
    a, b = map(read_run, runs)
    assert ("risk.reward_risk_ratio", "2.0", "3.0") in differing_settings(a, b)
    rows = {name: cells for name, *cells in figure_rows(a.results, b.results)}
    x, y, difference = rows["Final equity"]
    assert difference.raw == y.raw - x.raw and difference.text[0] in "+-"
    found = trade_differences(*runs)
    assert found.differing == len(found.listed) > 0
    assert [one.time for one in found.listed] == sorted(one.time for one in found.listed)


def test_where_the_page_goes(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert make_versus(*runs) == runs[0] / "report_vs_b.html"
    text = make_versus(*runs, tmp_path / "x.html").read_text()
    assert "risk.reward_risk_ratio" in text and "fills are the same" in text


def test_a_run_that_is_not_whole(runs: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "broken")
    (tmp_path / "broken/results.json").unlink()
    text = make_versus(tmp_path / "broken", runs[1]).read_text()
    assert "The trades were not paired" in text and "A: The run has not finished" in text
    rows = list(figure_rows({}, read_run(runs[1]).results))
    assert {cells[1].text for cells in rows} == {"n/a"} == {cells[3].text for cells in rows}
