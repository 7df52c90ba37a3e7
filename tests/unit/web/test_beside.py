"""Programs beside a session: started once for its folder, ended with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.web import beside
from app.web.beside import Beside


def test_each_is_started_once_with_the_folder_and_its_input_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    popen = subprocess.Popen

    def start(words: list[str], **options: object) -> object:
        process = popen([sys.executable, "-c", "import sys; sys.stdin.read()"], **options)  # type: ignore[call-overload]
        started.append((words[2:], options["start_new_session"], process))
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    programs = Beside(lambda _: None, [["serve", "--port", "0"], ["watch"]])
    programs.start(tmp_path)
    programs.start(tmp_path)
    assert [words for words, *_ in started] == [
        ["app", "serve", str(tmp_path), "--port", "0", "--with-parent"],
        ["app", "watch", str(tmp_path), "--with-parent"],
    ]  # fmt: skip
    assert all(is_own_group for _, is_own_group, _ in started), "Ctrl-C of the session is not theirs"
    assert all(process.poll() is None for *_, process in started)
    programs.close()
    assert [process.returncode for *_, process in started] == [0, 0]


def test_one_that_does_not_end_is_ended_and_one_that_cannot_start_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    popen, told = subprocess.Popen, list[str]()

    def start(words: list[str], **options: object) -> object:
        if words[3] == "watch":
            raise FileNotFoundError(2, "No such file or directory")
        return popen([sys.executable, "-c", "import time; time.sleep(1000)"], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(beside, "_PATIENCE_S", 0.2)
    programs = Beside(told.append, [["watch"], ["serve"]])
    programs.start(tmp_path)
    programs.close()
    assert told == ["watch could not be started: No such file or directory"]
