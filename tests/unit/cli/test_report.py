"""`report` and `--no-report`: where the page is, and that its failure is not the run's."""

from pathlib import Path

import pytest

from app.cli.main import main
from app.errors import OutputError
from app.report import making
from tests.report_runs import made_run

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = [
    "--mode", "backtest", "--config", str(ROOT / "config/sample/live.yaml"), "--cache", str(ROOT / "data/sample"),
    "--offline", "--start", "2018-01-01", "--end", "2018-01-04",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("runs"))


def test_it_prints_the_path(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--cache", str(run.with_name("run_cache"))]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert main(["report", str(run), str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report_vs_run.html'}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--month", "2025-13"], "--month 2025-13: write a year and a month, for example 2025-03"),
        (["{run}", "--month", "2025-03"], "--month belongs to the page of one run"),
        (["--out", "{run}"], "it is a folder; name the file of the page"),
    ],
)
def test_bad_arguments(run: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    assert main(["report", str(run), *(word.format(run=run) for word in words)]) == 2
    assert line in capsys.readouterr().err


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_backtest_makes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SAMPLE, "--out", str(tmp_path / "a")]) == 0
    assert capsys.readouterr().out.endswith(f"\nReport saved:         {tmp_path / 'a/report.html'}\n")
    assert (tmp_path / "a/report.html").is_file()
    assert main([*SAMPLE, "--out", str(tmp_path / "b"), "--no-report"]) == 0
    assert "Report saved" not in capsys.readouterr().out and not (tmp_path / "b/report.html").exists()
    for name in ("results.json", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_page_that_cannot_be_written_does_not_fail_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OutputError(f"cannot write {path}: the disk is full")

    monkeypatch.setattr(making, "write_whole", full)
    assert main([*SAMPLE, "--out", str(tmp_path / "a")]) == 0
    assert "onetape: no report was made: cannot write" in capsys.readouterr().err
    assert (tmp_path / "a/results.json").is_file()
