"""A tenth of `make orders-storm` over real sockets: every step, every fault and every moment of a kill is in it.

The cases mostly wait, so several run side by side, and one test has them all.
"""

from concurrent.futures import ThreadPoolExecutor

from tests.orders_storm.faults import FAULTS
from tests.orders_storm.run import all_cases, tenth, tried
from tests.orders_storm.session import Kill
from tests.orders_storm.steps import STEPS

_AT_ONCE = 8


def test_a_tenth_of_the_steps_faults_and_kills() -> None:
    cases = tenth()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = pool.map(tried, cases)
        problems = {case.name: outcome.problem for case, outcome in zip(cases, outcomes, strict=True)}
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_it_is_a_tenth_of_all_with_every_step_fault_and_kill_in_it() -> None:
    chosen, cases = tenth(), {case.name: case for case in all_cases()}
    assert 10 * len(chosen) >= len(cases) - 5
    assert {case.name for case in chosen} <= cases.keys()
    assert {case.step for case in chosen} == STEPS.keys()
    assert {case.fault for case in chosen} == FAULTS.keys()
    assert {case.kill for case in chosen} == set(Kill)
