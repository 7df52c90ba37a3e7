"""The request budget: order, weights, pauses, and the server's own count of its minute."""

import asyncio
from collections.abc import Iterable

import pytest

from app import times
from app.exchange import limiter as module
from app.exchange.limiter import RateLimiter


class Starts:
    """Requests of some weights, each under way for `lasts_s`; when each began (monotonic) and in which order."""

    def __init__(self, limiter: RateLimiter, lasts_s: float = 0.0) -> None:
        self.limiter, self.lasts_s = limiter, lasts_s
        self.began: list[tuple[float, int]] = []
        self.order: list[int] = []

    async def one(self, number: int, weight: int = 1) -> None:
        async with self.limiter.request(weight):
            self.began.append((times.monotonic_s(), weight))
            self.order.append(number)
            await asyncio.sleep(self.lasts_s)

    def begin(self, weights: Iterable[int]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.one(number, weight)) for number, weight in enumerate(weights)]

    def heaviest(self, second_s: float) -> int:
        """The most weight that began within any `second_s`."""
        return max(sum(w for at, w in self.began if begin <= at < begin + second_s) for begin, _ in self.began)


SHORT_S = 0.2  # for a second, where its length does not matter


@pytest.fixture
def short_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECOND_S", SHORT_S)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock's edge: a hand to turn it with."""
    hand = [1_000.0]
    monkeypatch.setattr(times, "monotonic_s", lambda: hand[0])
    return hand


async def waits(*tasks: asyncio.Task[None]) -> bool:
    """Whether none of them gets on by itself."""
    await asyncio.sleep(0.05)
    return not any(task.done() for task in tasks)


async def test_never_more_than_the_rate_in_any_second_in_the_order_of_asking() -> None:
    weights = [1] * 15 + [10, 1, 7] + [1] * 12
    starts = Starts(RateLimiter(20))
    await asyncio.gather(*starts.begin(weights))
    assert starts.heaviest(0.95) <= 20
    assert starts.order == list(range(len(weights)))
    assert (starts.limiter.requests, starts.limiter.weight) == (30, 45)
    assert starts.began[-1][0] - starts.began[0][0] < 2.5, "two seconds are enough for 45 of 20 a second"


async def test_a_heavy_request_counts_from_its_start(short_second: None) -> None:
    limiter = RateLimiter(10)
    starts = Starts(limiter)
    await asyncio.gather(*starts.begin([1] * 5))
    await asyncio.sleep(SHORT_S / 2)
    await asyncio.gather(*starts.begin([10, 1, 1, 1, 1, 1]))
    assert starts.heaviest(SHORT_S * 0.85) <= 10


async def test_no_rate_is_no_wait() -> None:
    starts = Starts(RateLimiter(None))
    await asyncio.gather(*starts.begin([1] * 500))
    assert starts.began[-1][0] - starts.began[0][0] < 0.5
    assert starts.limiter.weight == 500


async def test_a_request_heavier_than_a_second_takes_all_of_it(short_second: None) -> None:
    starts = Starts(RateLimiter(5))
    await asyncio.wait_for(asyncio.gather(*starts.begin([10, 1])), 2.0)
    assert starts.began[1][0] - starts.began[0][0] >= SHORT_S * 0.85


async def test_a_waiter_that_is_cancelled_has_used_nothing() -> None:
    starts = Starts(RateLimiter(4))
    await asyncio.gather(*starts.begin([1, 1]))
    heavy, *light = starts.begin([4, 1, 1])
    assert await waits(heavy, *light), "two of the four are taken, and who came first goes first"
    began_s = times.monotonic_s()
    heavy.cancel()
    await asyncio.gather(heavy, *light, return_exceptions=True)
    assert heavy.cancelled()
    assert times.monotonic_s() - began_s < 0.3, "the two others found the two that were left"
    assert (starts.limiter.requests, starts.limiter.weight) == (4, 4)


async def test_one_cancelled_in_the_queue_is_left_out_of_it() -> None:
    limiter = RateLimiter(None)
    limiter.pause_for(0.15)
    starts = Starts(limiter)
    tasks = starts.begin([1] * 5)
    await asyncio.sleep(0.02)
    tasks[0].cancel()
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert starts.order == [1, 2, 4]
    assert limiter.weight == 3


async def test_a_pause_holds_everybody_and_a_shorter_one_does_not_end_it() -> None:
    limiter = RateLimiter(None)
    starts = Starts(limiter)
    paused_s = times.monotonic_s()
    limiter.pause_for(0.3)
    limiter.pause_for(0.01)
    await asyncio.gather(*starts.begin([1, 1, 1]))
    assert all(at - paused_s >= 0.3 for at, _ in starts.began)
    assert starts.began[-1][0] - paused_s < 0.6
    limiter.pause_for(0.0)
    await asyncio.wait_for(starts.one(3), 0.2)


async def test_a_pause_that_comes_while_one_waits_holds_it_too() -> None:
    limiter = RateLimiter(None)
    starts = Starts(limiter)
    paused_s = times.monotonic_s()
    limiter.pause_for(0.1)
    [task] = starts.begin([1])
    await asyncio.sleep(0.05)
    limiter.pause_for(0.25)
    await task
    assert starts.began[0][0] - paused_s >= 0.29


async def test_a_pause_while_one_waits_for_its_second_starts_no_burst(short_second: None) -> None:
    starts = Starts(RateLimiter(3))
    await asyncio.gather(*starts.begin([1, 1, 1]))
    tasks = starts.begin([1] * 5)
    await asyncio.sleep(SHORT_S * 0.9)
    starts.limiter.pause_for(SHORT_S * 0.6)
    await asyncio.gather(*tasks)
    assert starts.heaviest(SHORT_S * 0.85) <= 3


async def test_a_request_that_fails_gives_its_place_back() -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(1)
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            async with limiter.request():
                raise OSError("broken")
    await asyncio.wait_for(Starts(limiter).one(0), 0.5)


async def test_the_servers_count_is_not_crossed_and_one_that_dropped_frees_it(hand: list[float]) -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(100)
    limiter.note_used(95)
    starts = Starts(limiter)
    five, one = starts.begin([5, 1])
    await five
    limiter.note_used(100)
    assert await waits(one)
    hand[0] += 30.0
    limiter.note_used(3)
    await one
    assert starts.order == [0, 1]


async def test_what_is_under_way_counts_before_the_server_has_told(hand: list[float]) -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(100)
    limiter.note_used(90)
    starts = Starts(limiter, lasts_s=0.2)
    first, second = starts.begin([10, 1])
    await asyncio.sleep(0.05)
    assert starts.order == [0], "90 and the 10 that are under way are 100"
    limiter.note_used(99)
    await first
    await second
    assert starts.order == [0, 1]


async def test_a_count_that_others_raise_while_one_waits_for_its_second_holds_it(short_second: None) -> None:
    limiter = RateLimiter(2)
    limiter.note_limit(100)
    limiter.note_used(10)
    starts = Starts(limiter)
    await asyncio.gather(*starts.begin([1, 1]))
    [task] = starts.begin([1])
    await asyncio.sleep(SHORT_S / 2)
    limiter.note_used(100)
    await asyncio.sleep(SHORT_S)
    assert not task.done(), "the server's count is at its limit"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_minute_after_its_first_count_the_budget_is_free(hand: list[float]) -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(100)
    for used in range(1, 101):  # without a silence, so that no end of a minute can have been missed
        limiter.note_used(used)
        hand[0] += 0.5
    [task] = Starts(limiter).begin([1])
    assert await waits(task)
    hand[0] = 1_060.0
    assert await waits(task)
    hand[0] = 1_060.1
    await task


async def test_what_is_used_of_the_minute_is_told(hand: list[float]) -> None:
    limiter = RateLimiter(None)
    assert (limiter.minute_weight, limiter.minute_limit) == (0, None)
    limiter.note_limit(100)
    limiter.note_used(40)
    async with limiter.request(5):
        assert (limiter.minute_weight, limiter.minute_limit) == (45, 100)
    assert (limiter.minute_weight, limiter.requests, limiter.weight) == (40, 1, 5)
    hand[0] += 60.1
    assert limiter.minute_weight == 0


async def test_after_a_silence_the_minute_is_counted_anew(hand: list[float]) -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(100)
    limiter.note_used(50)
    hand[0] += 50.0
    limiter.note_used(100)  # of a minute that may have begun a moment ago
    [task] = Starts(limiter).begin([1])
    hand[0] += 55.0
    assert await waits(task)
    hand[0] += 5.1
    await task


async def test_answers_that_overtake_each_other_do_not_lower_the_count() -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(10)
    server, arrivals = 0, [asyncio.Event() for _ in range(10)]

    async def one(number: int) -> None:
        nonlocal server
        async with limiter.request():
            server += 1
            used = server
            await arrivals[number].wait()
            limiter.note_used(used)

    tasks = [asyncio.create_task(one(number)) for number in range(10)]
    await asyncio.sleep(0)
    for arrival in reversed(arrivals):
        arrival.set()
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    [late] = Starts(limiter).begin([1])
    assert await waits(late), "the server has counted ten, though the answer that came last says one"
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)


async def test_a_request_heavier_than_the_limit_goes_alone(hand: list[float]) -> None:
    limiter = RateLimiter(None)
    limiter.note_limit(5)
    starts = Starts(limiter, lasts_s=0.1)
    heavy, next_one = starts.begin([10, 10])
    await asyncio.sleep(0.05)
    assert starts.order == [0]
    await asyncio.gather(heavy, next_one)


async def test_an_order_starts_at_once_unless_the_server_wants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("app.times.monotonic_s", lambda: now_s[0])
    limiter = RateLimiter(20)
    limiter.note_limit(100)
    with limiter.at_once() as wait_s:
        assert wait_s == 0.0
        assert (limiter.requests, limiter.weight, limiter._in_flight) == (1, 1, 1)
    assert limiter._in_flight == 0
    limiter.note_used(100)
    with limiter.at_once() as wait_s:
        assert 0.0 < wait_s <= 60.0
    assert (limiter.requests, limiter._in_flight) == (1, 0), "what was not sent is not counted"
    now_s[0] += 61.0
    with limiter.at_once() as wait_s:
        assert wait_s == 0.0
    limiter.pause_for(7.0)
    with limiter.at_once() as wait_s:
        assert wait_s == 7.0
