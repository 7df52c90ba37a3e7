"""What commands share: caches, and SIGTERM as Ctrl-C."""

import contextlib
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


HEARD = [signal.SIGINT, signal.SIGTERM, signal.SIGALRM]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sigterm_stops_like_ctrl_c_and_only_inside(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in HEARD]
    with pytest.raises(KeyboardInterrupt), stopping():
        os.kill(os.getpid(), number)
        signal.sigtimedwait([], 10)  # the handler ends the wait
    assert [signal.getsignal(one) for one in HEARD] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_stop_that_a_library_drops_comes_again() -> None:
    dropped = 0
    with pytest.raises(KeyboardInterrupt), stopping():
        while True:
            try:
                os.kill(os.getpid(), signal.SIGTERM) if not dropped else signal.sigtimedwait([], 60)
            except KeyboardInterrupt:
                dropped += 1
                if dropped == 3:
                    raise
    assert dropped == 3


def test_a_stop_that_a_library_tells_as_its_own_error_is_a_stop() -> None:
    with pytest.raises(KeyboardInterrupt), stopping():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 10)
        except KeyboardInterrupt:
            raise ValueError from None
    with pytest.raises(ValueError, match="its own"), stopping():
        raise ValueError("its own")


def test_work_that_ended_before_the_dropped_stop_came_again_is_stopped() -> None:
    with pytest.raises(KeyboardInterrupt), stopping(), contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 10)
