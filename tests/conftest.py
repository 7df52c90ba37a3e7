"""For every test: Hypothesis measures no time, a busy machine takes none away, and interpreters are kept warm."""

import faulthandler
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import HealthCheck, settings

from tests import fair_loop, warm_python

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
fair_loop.install()
_HANGS_S = 900  # a test that takes longer never ends: its worker ends, and it has failed


def pytest_addoption(parser: pytest.Parser) -> None:
    """Shown by `pytest --help`."""
    parser.addoption("--cold", action="store_true", help="start every interpreter anew (see tests/warm_python.py)")


def pytest_configure(config: pytest.Config) -> None:
    """Before the first test."""
    warm_python.install(cold=bool(config.getoption("--cold")))


def pytest_unconfigure() -> None:
    """After the last one."""
    warm_python.remove()


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], object]]:
    """The loop of an asynchronous test."""
    return {"fair": fair_loop.FairLoop}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails by its name, instead of keeping all others."""
    faulthandler.dump_traceback_later(_HANGS_S, exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
