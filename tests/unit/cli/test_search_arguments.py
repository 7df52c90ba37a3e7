"""What the commands of research share: progress of a search, and SIGTERM as Ctrl-C."""

import os
import signal
import sys

import pytest

from app.cli.search_arguments import SearchProgress, stopping


def test_progress_in_a_pipe_and_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = SearchProgress()
    for done in range(1, 101):
        progress(done, 100, None if done < 50 else (("a=1",), 1.25))
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0] == "onetape: 1 of 100 trials, best so far none yet"
    assert lines[-1] == "onetape: 100 of 100 trials, best so far 1.25 (a=1)"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = SearchProgress()
    progress(1, 100, None)
    progress(2, 100, None)
    progress.close()
    assert capsys.readouterr().err.count("\r\033[K") == 3


def test_sigterm_stops_like_ctrl_c_and_only_inside() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopping():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 10)  # the handler ends the wait
    assert signal.getsignal(signal.SIGTERM) == before
