"""Seeded weather around the order desk: messages lost, late, doubled or refused, a stream that is cut, and kills.

The rule, whatever the seed: one request to place for each order; in the end what was said equals what the exchange
did, state and fills; no order is called dead that lives; a snapshot holds what was said before it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isclose
from random import Random

import pytest

from app.exchange.order_desk import OrderDesk
from app.exchange.order_reports import Outcome, Refused, Unknown
from app.exchange.order_times import OrderTimes
from app.feeds.base import QUEUE_BURSTS, EventQueue
from app.models.events import AccountSnapshot, Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from tests.order_desks import BTC, TAG, cancel, entry, oco
from tests.scripted_spot import BEGIN_MS, OPEN, ScriptedSpot, Way
from tests.virtual_loop import run_virtual

SEEDS = 150
STORM_S, CALM_S = 120.0, 240.0
OVER = {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED}


class RandomSpot(ScriptedSpot):
    """Draws the way of each request."""

    random = Random()
    is_calm = False

    def draw(self) -> Way:
        random = self.random
        if self.is_calm or random.random() < 0.4:
            return Way()
        arrives_s = None if random.random() < 0.4 else random.choice((0.05, 1.0, 2.9, 3.5))
        answers_s = random.choice((0.1, 1.5, 5.0, None))
        instead: Outcome | None = None
        kind = random.random()
        if kind < 0.3 or (arrives_s is None and answers_s is not None):
            instead, answers_s = Unknown("HTTP 503"), answers_s or 0.1
        elif kind < 0.4:
            return Way(None, 0.1, Refused(-1008, "overloaded", is_passing=True))
        return Way(arrives_s, answers_s, instead, is_bare=random.random() < 0.2)

    async def send(self, intent: Intent) -> Outcome:
        self.ways = deque([self.draw()])
        return await super().send(intent)


@dataclass
class Session:
    """What the broker would know: all that was said, over all processes."""

    spot: RandomSpot
    random: Random
    intents: list[Intent] = field(default_factory=list)
    events: list[Execution | AccountSnapshot] = field(default_factory=list)

    def states(self, client_id: str) -> list[Execution]:
        _, _, number, leg = client_id.split("-")
        return [
            one for one in self.events
            if isinstance(one, Execution) and (one.order_id, one.leg) == (int(number), leg) and not one.fill_id
        ]  # fmt: skip

    def fills(self, client_id: str) -> float:
        _, _, number, leg = client_id.split("-")
        found = {
            one.fill_id: one.quantity for one in self.events
            if isinstance(one, Execution) and (one.order_id, one.leg) == (int(number), leg) and one.fill_id
        }  # fmt: skip
        return sum(found.values())

    def is_over(self, client_id: str) -> bool:
        return any(one.state in OVER for one in self.states(client_id))


def _legs(intent: Intent) -> tuple[str, ...]:
    return (intent.target_id, intent.stop_id) if isinstance(intent, PlaceOco) else (intent.client_id,)


async def _live(session: Session, seconds: float, act: Callable[[OrderDesk], None]) -> None:
    """One process: until it is killed."""
    desk = OrderDesk(session.spot, TAG, [BTC], since_ms=BEGIN_MS, times=OrderTimes(reconcile_s=40.0))
    placed = [one for one in session.intents if not isinstance(one, Cancel)]
    open_legs = {leg for one in placed for leg in _legs(one) if not session.is_over(leg)}
    desk.take_up([
        one for one in session.intents
        if any(leg in open_legs for leg in (_legs(one) if not isinstance(one, Cancel) else _of(one, placed)))
    ])  # fmt: skip
    queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)

    async def collect() -> None:
        while True:
            for event in await queue.get():
                assert isinstance(event, Execution | AccountSnapshot)
                session.events.append(event)

    async def work() -> None:
        while True:
            act(desk)
            await asyncio.sleep(session.random.uniform(0.2, 4.0))

    running = [asyncio.create_task(one) for one in (desk.run(queue), collect(), work())]
    done, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    if session.spot.is_calm:
        assert desk.status().unresolved == 0
        assert desk.status().link == ""
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _of(one: Cancel, placed: list[PlaceOrder | PlaceOco]) -> tuple[str, ...]:
    return next(_legs(order) for order in placed if order.client_id == one.client_id)


def _stir(session: Session, desk: OrderDesk) -> None:
    """Something happens: an order, a cancellation, a fill, a cut."""
    random, spot = session.random, session.spot
    kind = random.random()
    number = len(session.intents) + 1
    intent: Intent | None = None
    if kind < 0.3:
        intent = random.choice((entry(number), entry(number, limit=90.0), oco(number)))
    elif kind < 0.4:
        known = [one for one in session.intents if not isinstance(one, Cancel)]
        named = {one.client_id for one in session.intents if isinstance(one, Cancel)}
        left = [one for one in known if one.client_id not in named and not session.is_over(_legs(one)[0])]
        intent = cancel(random.choice(left)) if left else None
    elif kind < 0.6:
        resting = [one for one in spot.orders.values() if one.state in OPEN]
        if resting:
            one = random.choice(resting)
            spot.fill(one.client_id, (one.quantity - one.filled) * random.choice((0.5, 1.0)), 95.0)
    elif kind < 0.65 and spot.is_stream_up:
        spot.cut(up_again_s=random.uniform(0.5, 10.0))
    elif kind < 0.7:
        spot.stream_s = random.choice((None, 0.02, 2.0))
    elif kind < 0.73:
        spot.outages = [(spot.now_s, spot.now_s + random.uniform(1.0, 20.0))]
    elif kind < 0.75:
        desk.ask_snapshot()
    if intent is not None:
        session.intents.append(intent)
        if random.random() < 0.9:  # else the kill comes between the tape and the desk
            desk.send([intent])


def _run(seed: int) -> Session:
    random = Random(f"desk {seed}")
    spot = RandomSpot(
        page=random.choice((2, 1000)), shown_late_s=random.choice((0.0, 0.0, 1.0, 6.0)),
        stream_copies=random.choice((1, 2)), stream_backwards=random.random() < 0.5,
    )  # fmt: skip
    spot.random = random

    async def main() -> Session:
        session = Session(spot, random)
        for _ in range(random.choice((1, 2, 4))):
            await _live(session, random.uniform(5.0, STORM_S), lambda desk: _stir(session, desk))
            # What the process before has said the next one does not know: the history has it by then.
            await asyncio.sleep(spot.shown_late_s)
        spot.is_calm, spot.outages, spot.stream_s = True, (), 0.02
        if not spot.is_stream_up:
            spot.join()
        await _live(session, CALM_S, lambda desk: None)
        return session

    return run_virtual(main())


def _check(session: Session) -> None:
    spot, posts = session.spot, [one.client_id for _, one in session.spot.sent if not isinstance(one, Cancel)]
    assert len(posts) == len(set(posts))
    cancelled = {one.client_id for one in session.intents if isinstance(one, Cancel)}
    for intent in session.intents:
        for leg in () if isinstance(intent, Cancel) else _legs(intent):
            truth, said = spot.orders.get(leg), session.states(leg)
            if truth is None:
                assert said[-1].state in (OrderState.REFUSED, OrderState.CANCELLED), (leg, said)
                continue
            ends = {one.state for one in said if one.state in OVER}
            assert ends <= {truth.state}, (leg, truth, said)  # nobody called it dead, nor anything that it was not
            assert bool(ends) is (truth.state in OVER), (leg, truth, said)
            assert isclose(session.fills(leg), truth.filled), (leg, truth)
            assert not (intent.client_id in cancelled and truth.state in OPEN)
    _check_snapshots(session)


def _check_snapshots(session: Session) -> None:
    fills: dict[str, tuple[float, float]] = {}
    for event in session.events:
        if isinstance(event, AccountSnapshot):
            assert isclose(event.balances["BTC"], sum(quantity for quantity, _ in fills.values()), abs_tol=1e-9)
            in_time = {name for name, (_, at_ms) in fills.items() if event.since_ms <= at_ms < event.time_ms}
            assert {trade.fill_id for trade in event.trades} == in_time
        elif event.fill_id:
            sign = -1.0 if event.leg in "ts" else 1.0
            fills[event.fill_id] = sign * event.quantity, event.time_ms


@pytest.mark.parametrize("block", range(0, SEEDS, 25))
def test_what_was_said_is_what_happened(block: int) -> None:
    for seed in range(block, block + 25):
        _check(_run(seed))
