"""For every test: Hypothesis measures no time, a busy machine takes none away, and interpreters are kept warm."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest
from hypothesis import settings

from tests import fair_loop, warm_python

settings.register_profile("house", deadline=None)
settings.load_profile("house")
fair_loop.install()
_PACE = 20.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Shown by `pytest --help`."""
    parser.addoption("--cold", action="store_true", help="start every interpreter anew (see tests/warm_python.py)")


def pytest_configure(config: pytest.Config) -> None:
    """Before the first test."""
    config.addinivalue_line("markers", "waits_outside: its loop waits for another thread or process, in real time")
    if not config.getoption("--cold"):
        warm_python.install()


def pytest_unconfigure() -> None:
    """After the last one."""
    warm_python.remove()


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], object]]:
    """The loop of an asynchronous test."""
    pace = 1.0 if item.get_closest_marker("waits_outside") else _PACE
    return {"fair": partial(fair_loop.FairLoop, pace)}
