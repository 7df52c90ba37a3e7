"""An order desk on a virtual clock with a scripted exchange: what it said, when, and what the exchange heard.

A test is one coroutine; nothing in it waits longer than it must, and waiting costs nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field

from app.exchange.order_desk import OrderDesk
from app.exchange.order_times import OrderTimes
from app.feeds.base import QUEUE_BURSTS, EventQueue
from app.models.events import AccountSnapshot, Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from tests.scripted_spot import BEGIN_MS, ScriptedSpot
from tests.virtual_loop import run_virtual

TAG, BTC = "seed1", "BTC/USDT"
MOST_S = 3_600.0  # an hour that costs nothing


def entry(number: int = 1, *, limit: float | None = None, quantity: float = 1.0) -> PlaceOrder:
    return PlaceOrder(f"{TAG}-1-{number}-e", number, BTC, True, quantity, BEGIN_MS, limit)


def oco(number: int = 2, *, quantity: float = 1.0) -> PlaceOco:
    name = f"{TAG}-1-{number}-"
    return PlaceOco(f"{name}l", f"{name}t", f"{name}s", number, BTC, quantity, 110.0, 90.0, BEGIN_MS)


def cancel(of: PlaceOrder | PlaceOco) -> Cancel:
    return Cancel(of.client_id, of.order_id, of.symbol, BEGIN_MS, isinstance(of, PlaceOco))


@dataclass
class Table:
    """The desk and all that it said, with the second of each."""

    spot: ScriptedSpot
    desk: OrderDesk
    told: list[str]
    said: list[tuple[float, Execution]] = field(default_factory=list)
    snapshots: list[tuple[float, AccountSnapshot]] = field(default_factory=list)
    order: list[Execution | AccountSnapshot] = field(default_factory=list)

    def of(self, order_id: int, leg: str = "e") -> list[Execution]:
        """All that was said of one leg."""
        return [one for _, one in self.said if (one.order_id, one.leg) == (order_id, leg)]

    def states(self, order_id: int, leg: str = "e") -> list[str]:
        """Its states in their order, without the fills."""
        return [one.state.value for one in self.of(order_id, leg) if not one.fill_id]

    def fills(self, order_id: int, leg: str = "e") -> dict[str, float]:
        """Its fills, each once."""
        return {one.fill_id: one.quantity for one in self.of(order_id, leg) if one.fill_id}

    def at_s(self, order_id: int, state: str, leg: str = "e") -> float:
        """When a state was said first."""
        return next(at_s for at_s, one in self.said if (one.order_id, one.leg, one.state) == (order_id, leg, state))

    @property
    def posts(self) -> list[str]:
        """The client ids of all requests to place."""
        return [intent.client_id for _, intent in self.spot.sent if not isinstance(intent, Cancel)]

    @property
    def cancels(self) -> list[float]:
        """When cancellations were sent."""
        return [at_s for at_s, intent in self.spot.sent if isinstance(intent, Cancel)]

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Waits for it, an hour at most."""
        async with asyncio.timeout(MOST_S):
            while not is_true():
                await asyncio.sleep(0.05)

    async def until_said(self, order_id: int, state: str, leg: str = "e") -> None:
        """Waits for a state of a leg."""
        await self.until(lambda: any(one.state == state for one in self.of(order_id, leg)))

    async def collect(self, queue: EventQueue) -> None:
        while True:
            for event in await queue.get():
                now_s = asyncio.get_running_loop().time()
                assert isinstance(event, Execution | AccountSnapshot)
                self.order.append(event)
                if isinstance(event, Execution):
                    self.said.append((now_s, event))
                else:
                    self.snapshots.append((now_s, event))


def at_the_desk(
    script: Callable[[Table], Awaitable[None]],
    spot: ScriptedSpot | None = None,
    *,
    open_before: Sequence[Intent] = (),
    unsent: Collection[str] = (),
    goes_on: bool = False,
    waits: OrderTimes | None = None,
    since_ms: int = BEGIN_MS,
    prepare: Callable[[ScriptedSpot], None] | None = None,
) -> Table:
    """Runs a desk until the script is at its end; no task may be left then."""

    async def main() -> Table:
        exchange = spot or ScriptedSpot()
        if prepare is not None:
            prepare(exchange)
        told: list[str] = []
        desk = OrderDesk(
            exchange, TAG, [BTC], since_ms=since_ms, times=waits or OrderTimes(), tell=told.append,
            jitter=lambda failures, base_s, longest_s: min(longest_s, base_s * 2.0 ** min(failures - 1, 16)),
        )  # fmt: skip
        table = Table(exchange, desk, told)
        if open_before or unsent or goes_on:
            desk.take_up(open_before, unsent)
        queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)
        running = [asyncio.create_task(desk.run(queue)), asyncio.create_task(table.collect(queue))]
        scripted = asyncio.ensure_future(script(table))
        try:
            done, _ = await asyncio.wait([*running, scripted], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            assert scripted in done
        finally:
            for task in [*running, scripted]:
                task.cancel()
            await asyncio.gather(*running, scripted, return_exceptions=True)
        return table

    return run_virtual(main())
