"""A question is asked until it is answered: waits grow, an exchange's own wait is kept, few lines, no fault ends it."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from app.errors import BlockedError, RateLimitError, RefusedError, UnavailableError
from app.exchange.questions import Questions
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import jittered_s
from tests.virtual_loop import run_virtual


def _ask(faults: Sequence[Exception | None], jitter: float | None = 1.0) -> tuple[list[float], list[str]]:
    """When it was asked, and what was told; a fault of None never answers."""

    async def main() -> tuple[list[float], list[str]]:
        loop, asked, told, left = asyncio.get_running_loop(), list[float](), list[str](), list(faults)
        share = jitter

        async def question() -> str:
            asked.append(round(loop.time(), 3))
            if left:
                fault = left.pop(0)
                if fault is None:
                    await asyncio.Event().wait()
                else:
                    raise fault
            return "answer"

        def drawn(failures: int, base_s: float, longest_s: float) -> float:
            return (share or 0.0) * min(longest_s, base_s * 2.0 ** (failures - 1))

        questions = Questions(RepeatedLines(told.append), 17.0, 60.0, jittered_s if share is None else drawn)
        assert await questions.ask("balances", question) == "answer"
        return asked, told

    return run_virtual(main())


def test_waits_grow_to_a_minute() -> None:
    asked, told = _ask([UnavailableError("HTTP 502")] * 9)
    assert [b - a for a, b in pairwise(asked)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert told[0] == "orders: balances: HTTP 502; asking again in 0.5 s"
    assert len(told) <= 4


def test_the_draw_decides_how_long() -> None:
    assert _ask([UnavailableError("x")] * 3, jitter=0.5)[0] == [0.0, 0.25, 0.75, 1.75]
    assert _ask([UnavailableError("x")] * 3, jitter=None)[0] == _ask([UnavailableError("x")] * 3, jitter=None)[0]


@pytest.mark.parametrize(
    ("fault", "least_s"),
    [
        (RateLimitError("429", 7.0), 7.0),
        (RateLimitError("429"), 60.0),
        (RateLimitError("418", 130.0, banned=True), 130.0),
        (BlockedError("403"), 1.0),
    ],
)
def test_an_exchange_s_own_wait_is_kept(fault: Exception, least_s: float) -> None:
    assert _ask([fault])[0][1] >= least_s


def test_a_question_that_hangs_or_is_refused_is_asked_again() -> None:
    asked, told = _ask([None, RefusedError("-2015")])
    assert asked == [0.0, 17.5, 18.5]
    assert told == ["orders: balances: no answer within 17 s; asking again in 0.5 s"]


def test_a_bug_is_not_waited_out() -> None:
    with pytest.raises(KeyError):
        _ask([KeyError("a bug")])
