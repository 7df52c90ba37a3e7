"""The run folder: a finished run is never overwritten, a file is whole or not there, a full disk has one line."""

import errno
from pathlib import Path

import pytest

from app.errors import OutputError
from app.runs.run_folder import DISK_FULL, RunFolder, to_json, write_json, writing


def test_the_names_of_the_files(tmp_path: Path) -> None:
    run = RunFolder.create("config_backtest_a_b", tmp_path / "new" / "run")
    assert run.folder.is_dir()
    assert run.files() == {
        "trades": "config_backtest_a_b.csv",
        "equity": "equity.parquet",
        "signals": "signals.csv",
        "manifest": "manifest.json",
    }
    assert run.results == tmp_path / "new" / "run" / "results.json"


def test_without_out_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [RunFolder.create("run", None, tmp_path).folder.name for _ in range(3)]
    assert names == ["run", "run-2", "run-3"]


def test_a_finished_run_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("finished")
    with pytest.raises(OutputError, match="holds a finished run; choose another --out, or remove it first"):
        RunFolder.create("run", tmp_path)
    assert (tmp_path / "results.json").read_text() == "finished"


@pytest.mark.parametrize("status", ["finished", "stopped"])
def test_only_a_failed_run_may_be_run_again_in_its_folder(tmp_path: Path, status: str) -> None:
    write_json(tmp_path / "results.json", {"status": "failed"})
    assert RunFolder.create("run", tmp_path).folder == tmp_path
    write_json(tmp_path / "results.json", {"status": status})
    with pytest.raises(OutputError, match="holds a finished run"):
        RunFolder.create("run", tmp_path)


def test_an_unfinished_run_may_be_run_again(tmp_path: Path) -> None:
    (tmp_path / "equity.arrows").write_text("half")
    assert RunFolder.create("run", tmp_path).folder == tmp_path


@pytest.mark.parametrize(("out", "message"), [("file", "it is no folder"), ("file/in", "Not a directory")])
def test_a_file_in_the_way(tmp_path: Path, out: str, message: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=f"cannot write .*{out}: {message}"):
        RunFolder.create("run", tmp_path / out)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("number", DISK_FULL)
def test_a_full_disk_is_called_so(number: int) -> None:
    with pytest.raises(OutputError, match=r"^cannot write there: the disk is full$"), writing(Path("there")):
        raise OSError(number, "whatever")


def test_the_file_that_failed_is_named_before_the_folder() -> None:
    with pytest.raises(OutputError, match=r"^cannot write a.csv: Read-only file system$"), writing(Path("there")):
        raise OSError(errno.EROFS, "Read-only file system", "a.csv")


def test_json_is_whole_or_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"a": 1})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    (tmp_path / "results.json.tmp").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"cannot write .*results\.json.*: the disk is full"):
        write_json(path, {"a": 2})
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]
    assert path.read_text() == '{\n  "a": 1\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_a_programming_error(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "x.json", {"a": value})
    assert list(tmp_path.iterdir()) == []


def test_text_stays_readable() -> None:
    assert to_json({"symbol": "币安/USDT", "none": None}) == '{\n  "symbol": "币安/USDT",\n  "none": null\n}\n'
