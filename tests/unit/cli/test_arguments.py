"""What commands share: caches, and SIGTERM as Ctrl-C."""

import os
import signal

import pytest

from app.cli.arguments import caches_argument, caches_of, stopping
from app.settings.shipped import SAMPLE_CACHE


def test_caches_may_be_named_again_and_have_a_default() -> None:
    parser = caches_argument()
    given, default = parser.parse_args(["--cache", "a", "--cache", "b"]), parser.parse_args([])
    assert [str(cache.root) for cache in caches_of(given)] == ["a", "b"]
    assert [str(cache.root) for cache in caches_of(default)] == ["data/backtest_cache", str(SAMPLE_CACHE)]


def test_sigterm_stops_like_ctrl_c_and_only_inside() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopping():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 10)  # the handler ends the wait
    assert signal.getsignal(signal.SIGTERM) == before
