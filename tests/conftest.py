"""For every test: Hypothesis measures no time, a busy machine takes none away, and interpreters are kept warm.

Tests that mostly wait (for a testnet's clock, for processes) come first, so that none of them is left over at the end.
"""

import faulthandler
import os
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import HealthCheck, settings

from tests import fair_loop, warm_python

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
fair_loop.install()
os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")  # tests look at what processes leave behind
# They take minutes and little of the processor: a worker begins with each of these groups, and the others compute.
_WAITING = (
    ("orders_storm/test_orders_storm.py",),
    ("integration/test_real_orders.py", "integration/test_paper.py"),
    (
        "parity/test_paper_live.py", "integration/test_live_processes.py", "integration/test_epochs.py",
        "faults/test_middle.py",
    ),
)  # fmt: skip
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the waiting tests where workers begin: each gets its equal part of the list, and later what others have not
    begun.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    heads: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for place, names in enumerate(_WAITING):
        for name in names:
            heads[place % workers] += [item for item in items if item.path.as_posix().endswith(f"tests/{name}")]
    first = {item for head in heads for item in head}
    rest = [item for item in items if item not in first]
    spread: list[pytest.Item] = []
    for place, head in enumerate(heads):
        size = (len(items) - len(spread)) // (workers - place) - len(head)
        spread += [*head, *rest[: max(size, 0)]]
        rest = rest[max(size, 0) :]
    items[:] = [*spread, *rest]


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
