"""The run folder: a finished run is never overwritten, a file is whole or not there, a full disk has one line."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import OutputError
from app.runs import run_folder
from app.runs.run_folder import DISK_FULL, RunFolder, is_owned, new_folder, to_json, write_json, writing


def claimed(out: Path | None, root: Path = Path("logs/backtests")) -> Path:
    with RunFolder.claim("run", out, root) as run:
        assert is_owned(run.folder)
    assert not list(run.folder.glob(".*")), "nothing of the lock is left"
    return run.folder


def test_the_names_of_the_files(tmp_path: Path) -> None:
    with RunFolder.claim("config_backtest_a_b", tmp_path / "new" / "run") as run:
        assert run.folder.is_dir()
    assert run.files() == {
        "trades": "config_backtest_a_b.csv",
        "equity": "equity.parquet",
        "signals": "signals.csv",
        "manifest": "manifest.json",
    }
    assert run.results == tmp_path / "new" / "run" / "results.json"


def test_without_out_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    names = [claimed(None, tmp_path).name for _ in range(3)]
    assert names == ["run", "run-2", "run-3"]


def test_a_finished_run_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("finished")
    with pytest.raises(OutputError, match="holds a finished run; choose another --out, or remove it first"):
        claimed(tmp_path)
    assert (tmp_path / "results.json").read_text() == "finished"


@pytest.mark.parametrize("status", ["finished", "stopped"])
def test_only_a_failed_run_may_be_run_again_in_its_folder(tmp_path: Path, status: str) -> None:
    write_json(tmp_path / "results.json", {"status": "failed"})
    assert claimed(tmp_path) == tmp_path
    write_json(tmp_path / "results.json", {"status": status})
    with pytest.raises(OutputError, match="holds a finished run"):
        claimed(tmp_path)


def test_an_unfinished_run_may_be_run_again(tmp_path: Path) -> None:
    (tmp_path / "equity.arrows").write_text("half")
    assert claimed(tmp_path) == tmp_path


@pytest.mark.parametrize(("out", "message"), [("file", "it is no folder"), ("file/in", "Not a directory")])
def test_a_file_in_the_way(tmp_path: Path, out: str, message: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=f"cannot write .*{out}: {message}"):
        claimed(tmp_path / out)
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


def test_a_folder_that_is_somebody_elses_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    with RunFolder.claim("run", tmp_path / "run") as run:
        run.trades.write_text("mine")
        with pytest.raises(OutputError, match=f"run belongs to a run that is going on, process {os.getpid()}; stop it"):
            claimed(tmp_path / "run")
        assert run.trades.read_text() == "mine"
        assert is_owned(tmp_path / "run"), "the one who was refused has not let go of it"
        write_json(run.results, {"status": "finished"})
    with pytest.raises(OutputError, match="holds a finished run"):
        claimed(tmp_path / "run")


def test_a_run_that_finishes_while_another_waits_for_its_folder_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def finish_and_leave(folder: Path) -> Iterator[None]:
        write_json(folder / "results.json", {"status": "finished"})
        yield

    monkeypatch.setattr(run_folder, "owned", finish_and_leave)
    with pytest.raises(OutputError, match="holds a finished run"), RunFolder.claim("run", tmp_path):
        pytest.fail("it was claimed")


def test_many_at_once_have_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: new_folder(tmp_path, "run"), range(64)))
    assert len(set(folders)) == 64
    assert {folder.name for folder in folders} == {"run", *(f"run-{number}" for number in range(2, 65))}


def test_of_many_who_want_one_folder_one_has_it_at_a_time(tmp_path: Path) -> None:
    inside = threading.Lock()

    def claim(_: int) -> bool:
        try:
            with RunFolder.claim("run", tmp_path / "run"):
                assert inside.acquire(blocking=False), "two have it"
                inside.release()
                return True
        except OutputError as error:
            assert "belongs to a run that is going on" in str(error)
            return False

    with ThreadPoolExecutor(16) as pool:
        assert any(pool.map(claim, range(200)))
