"""Asking again: how often, after which waits, and for which faults."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from app import times
from app.errors import BlockedError, ConfigError, DataError, RateLimitError, RefusedError, UnavailableError
from app.exchange.limiter import RateLimiter
from app.exchange.retries import Asker, RetryPolicy, jittered_s

POLICY = RetryPolicy(tries=5, base_s=2.0, longest_s=9.0, patience_s=100.0, limit_answers=3)


class Waits:
    """An Asker whose own waits take no time, and what it said; the limiter's waits turn the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        self.slept: list[float] = []
        self.said: list[str] = []
        monkeypatch.setattr(times, "monotonic_s", lambda: self.now_s)
        monkeypatch.setattr("asyncio.sleep", self.sleep)  # the limiter's: a pause passes at once
        self.limiter = RateLimiter(None)
        self.asker = Asker(self.limiter, self.sleep, POLICY)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    async def ask(self, request: Callable[[], Awaitable[str]], weight: int = 1) -> str:
        return await self.asker.ask(weight, request, self.said.append)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


def answering(*faults: Exception) -> Callable[[], Awaitable[str]]:
    """These faults, one each time, then the answer."""
    left = list(faults)

    async def request() -> str:
        if left:
            raise left.pop(0)
        return "answer"

    return request


async def test_an_answer_is_an_answer(waits: Waits) -> None:
    assert await waits.ask(answering(), weight=10) == "answer"
    assert (waits.slept, waits.said, waits.asker.retried) == ([], [], 0)
    assert (waits.limiter.requests, waits.limiter.weight) == (1, 10)


async def test_what_may_be_over_soon_is_asked_again_after_growing_waits(waits: Waits) -> None:
    bounds = [2.0, 4.0, 8.0, 9.0]
    longest = [0.0] * 4
    for _ in range(50):
        waits.slept.clear()
        assert await waits.ask(answering(*[UnavailableError("busy")] * 4)) == "answer"
        assert all(0.0 <= wait <= bound for wait, bound in zip(waits.slept, bounds, strict=True))
        longest = list(map(max, longest, waits.slept))
    assert all(reached > 0.6 * bound for reached, bound in zip(longest, bounds, strict=True))
    assert waits.asker.retried == 200
    assert waits.limiter.requests == 250, "every try went through the limiter"


async def test_the_jitter_is_full(waits: Waits) -> None:
    for _ in range(200):
        await waits.ask(answering(UnavailableError("busy")))
    assert min(waits.slept) < 0.3
    assert max(waits.slept) > 1.7
    assert len(set(waits.slept)) == 200


async def test_the_last_fault_is_raised_after_so_many_tries(waits: Waits) -> None:
    with pytest.raises(UnavailableError, match="fault 4"):
        await waits.ask(answering(*[UnavailableError(f"fault {number}") for number in range(9)]))
    assert (waits.limiter.requests, waits.asker.retried, len(waits.slept)) == (5, 4, 4)


@pytest.mark.parametrize("tries", [1, 3, 7])
async def test_a_fault_may_know_better_how_often(waits: Waits, tries: int) -> None:
    with pytest.raises(UnavailableError):
        await waits.ask(answering(*[UnavailableError("nobody there", tries)] * 9))
    assert waits.limiter.requests == tries


@pytest.mark.parametrize("error", [RefusedError("no"), ConfigError("no"), DataError("no"), RuntimeError("a bug")])
async def test_what_would_fail_again_is_not_asked_again(waits: Waits, error: Exception) -> None:
    with pytest.raises(type(error)):
        await waits.ask(answering(error))
    assert (waits.limiter.requests, waits.slept) == (1, [])


@pytest.mark.parametrize(("said_s", "waited_s"), [(7.0, 7.0), (0.5, 0.5), (0.0, 0.5), (None, 60.0), (100.0, 100.0)])
async def test_the_exchanges_own_wait_is_kept_by_everybody(waits: Waits, said_s: float | None, waited_s: float) -> None:
    assert await waits.ask(answering(RateLimitError("slow down", said_s))) == "answer"
    assert waits.slept == [waited_s], "in the limiter, so that all others wait, too"
    assert waits.asker.retried == 1


async def test_a_wait_beyond_patience_is_given_up_at_once(waits: Waits) -> None:
    with pytest.raises(RateLimitError, match="banned"):
        await waits.ask(answering(RateLimitError("banned", 100.1)))
    assert (waits.slept, waits.limiter.requests) == ([], 1)


async def test_an_exchange_that_only_ever_says_wait_is_given_up(waits: Waits) -> None:
    with pytest.raises(RateLimitError):
        await waits.ask(answering(*[RateLimitError("slow down", 1.0)] * 9))
    assert waits.limiter.requests == POLICY.limit_answers


async def test_waits_that_were_told_do_not_use_up_the_tries(waits: Waits) -> None:
    faults: list[Exception] = [UnavailableError("busy"), RateLimitError("slow down", 1.0)] * 2
    assert await waits.ask(answering(*faults, *[UnavailableError("busy")] * 2)) == "answer"
    assert waits.limiter.requests == 7


async def test_only_a_long_wait_is_worth_a_note(waits: Waits) -> None:
    await waits.ask(answering(RateLimitError("slow down", 4.9)))
    assert waits.said == []
    await waits.ask(answering(RateLimitError("slow down", 30.4)))
    assert waits.said == ["slow down; asking again in 30 s"]
    await waits.asker.ask(1, answering(RateLimitError("slow down", 30.4)))


async def test_a_fault_gives_its_place_at_the_limiter_back(waits: Waits) -> None:
    waits.limiter.note_limit(1)
    assert await waits.ask(answering(*[UnavailableError("busy")] * 3)) == "answer"


def test_a_wait_is_drawn_up_to_a_bound_that_doubles_and_ends() -> None:
    for failures, most_s in ((1, 0.5), (2, 1.0), (3, 2.0), (9, 30.0), (10_000, 30.0)):
        drawn = [jittered_s(failures, 0.5, 30.0) for _ in range(200)]
        assert all(0.0 <= wait_s <= most_s for wait_s in drawn)
        assert max(drawn) > most_s / 2 > min(drawn)


# The policy of a live session: it never gives up, and makes everybody wait.


def live(waits: Waits) -> Asker:
    return Asker(waits.limiter, waits.sleep, RetryPolicy(patience_s=float("inf"), is_live=True))


async def refused(waits: Waits, asker: Asker, error: Exception) -> float:
    """One question that is refused; how long nobody may ask."""
    before_s = waits.now_s
    with pytest.raises(type(error)):
        await asker.ask(1, answering(error), waits.said.append)
    await waits.asker.ask(1, answering())
    return waits.now_s - before_s


@pytest.mark.parametrize(
    ("error", "least_s", "most_s"),
    [
        (RateLimitError("banned", 3_600.0, banned=True), 3_600.0, 3_600.0),
        (RateLimitError("banned", 0.0, banned=True), 120.0, 121.0),
        (RateLimitError("banned", None, banned=True), 120.0, 121.0),
        (RateLimitError("slow down", 7.0), 7.0, 7.0),
        (RateLimitError("slow down"), 60.0, 60.0),
        (BlockedError("403"), 1.0, 4.0),
    ],
)
async def test_a_live_refusal_is_raised_and_all_wait(
    waits: Waits, error: Exception, least_s: float, most_s: float
) -> None:
    assert least_s <= await refused(waits, live(waits), error) <= most_s + 0.001


@pytest.mark.parametrize("tries", [None, 3])
async def test_a_live_fault_is_raised_to_who_asks_again_anyway(waits: Waits, tries: int | None) -> None:
    with pytest.raises(UnavailableError):
        await live(waits).ask(1, answering(UnavailableError("cut", tries)))
    assert (waits.slept, waits.limiter.requests) == ([], 1)


async def test_bans_of_unknown_length_double_and_never_exceed_three_days(waits: Waits) -> None:
    asker = live(waits)
    lengths = [await refused(waits, asker, RateLimitError("banned", None, banned=True)) for _ in range(20)]
    assert all(later >= 1.9 * length for length, later in itertools.pairwise(lengths[:11]))
    assert lengths[-1] == pytest.approx(3 * 86_400, abs=2)
    await asker.ask(1, answering())
    assert await refused(waits, asker, RateLimitError("banned", None, banned=True)) < 122.0, "an answer ends the row"


async def test_short_waits_that_never_end_grow(waits: Waits) -> None:
    asker = live(waits)
    lengths = [await refused(waits, asker, RateLimitError("slow down", 0.1)) for _ in range(12)]
    assert lengths[0] < 1.0
    assert lengths[-1] == pytest.approx(60.0)


async def test_a_blocked_address_is_asked_about_seldom(waits: Waits) -> None:
    asker = live(waits)
    lengths = [await refused(waits, asker, BlockedError("403")) for _ in range(200)]
    assert all(1.0 <= length <= 60.01 for length in lengths)
    assert max(lengths) > 45.0


async def test_one_line_for_a_refusal_that_many_meet(waits: Waits) -> None:
    asker, all_asked = live(waits), asyncio.Event()
    asked = 0

    async def request() -> str:
        nonlocal asked
        asked += 1
        if asked == 5:
            all_asked.set()
        await all_asked.wait()
        raise RateLimitError("banned", None, banned=True)

    together = [asyncio.create_task(asker.ask(1, request, waits.said.append)) for _ in range(5)]
    refusals = await asyncio.gather(*together, return_exceptions=True)
    assert [type(one) for one in refusals] == [RateLimitError] * 5
    assert len(waits.said) == 1 and waits.said[0].startswith("banned; asking again in 12")
    assert waits.limiter._paused_until_s - waits.now_s < 122.0, "they are one refusal, not five in a row"
