"""What commands share: caches, progress of a search, and SIGTERM as Ctrl-C."""

import os
import signal
import sys

import pytest

from app.cli.arguments import SearchProgress, caches_argument, caches_of, stopping
from app.settings.shipped import SAMPLE_CACHE


def test_caches_may_be_named_again_and_have_a_default() -> None:
    parser = caches_argument()
    args = parser.parse_args(["--cache", "a", "--cache", "b"])
    assert [str(cache.root) for cache in caches_of(args.caches)] == ["a", "b"]
    assert [str(cache.root) for cache in caches_of(parser.parse_args([]).caches)] == [
        "data/backtest_cache", str(SAMPLE_CACHE),
    ]  # fmt: skip


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
