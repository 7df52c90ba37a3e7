"""Some of `make orders-storm`: four steps, each with a fault and killed, over real sockets.

ONETAPE_FULL=1 takes the tenth, with every fault in it, for which ten minutes of a test run are too short.
"""

import os

import pytest

from tests.orders_storm.case import OrdersCase
from tests.orders_storm.faults import FAULTS
from tests.orders_storm.run import all_cases, sample, tenth, tried
from tests.orders_storm.session import Kill
from tests.orders_storm.steps import STEPS

CASES = tenth() if os.environ.get("ONETAPE_FULL") else sample()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_step_of_real_orders(case: OrdersCase) -> None:
    assert tried(case).problem == ""


def test_it_is_a_tenth_of_all_with_every_step_fault_and_kill_in_it() -> None:
    chosen, cases = tenth(), {case.name: case for case in all_cases()}
    assert 10 * len(chosen) >= len(cases) - 5
    assert {case.name for case in chosen} <= cases.keys()
    assert {case.step for case in chosen} == STEPS.keys()
    assert {case.fault for case in chosen} == FAULTS.keys()
    assert {case.kill for case in chosen} == set(Kill)
    assert {case.name for case in sample()} <= {case.name for case in chosen}
