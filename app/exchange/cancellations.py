"""Cancelling an order until it is over, whatever it took: cancelled, or filled meanwhile.

A cancellation may be sent again while its order is open: client ids are never used twice, so it can meet no other.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from app import times
from app.exchange.executions import Executions
from app.exchange.known_orders import KnownOrder
from app.exchange.order_reports import Accepted, Outcome, Refused, SpotApi
from app.exchange.order_times import OrderTimes
from app.exchange.placements import Placements, send_once
from app.models.intents import LIST, STOP, TARGET, Cancel, ClientId
from app.models.orders import OrderState

_UNKNOWN_ORDER = -2011  # nothing is said by it: the order may be over, or not have arrived yet


@dataclass
class Cancellations:
    """`running`: the client ids that are being cancelled, and since when."""

    api: SpotApi
    executions: Executions
    placements: Placements
    waits: OrderTimes
    running: dict[str, float] = field(default_factory=dict)

    async def cancel(self, intent: Cancel, *, is_earlier: bool = False) -> None:
        """Stays until the order, or each leg of the list, is over. `is_earlier`: it may have been sent already, by the
        process before, so the order is asked for first.
        """
        orders = self._orders(intent)
        self.executions.time.note(intent.time_ms)
        if intent.client_id in self.running:
            return  # it goes on anyway
        self.running[intent.client_id] = times.monotonic_s()
        try:
            for order in orders:
                order.is_cancelled = True
            async with asyncio.TaskGroup() as tasks:
                if is_earlier:
                    await self._ask(orders)
                if any(order.state is None and not self.placements.is_resolving(order) for order in orders):
                    tasks.create_task(self.placements.resolve(self.placements.earlier(intent, orders)))
                await self._until_over(tasks, intent, orders)
        finally:
            del self.running[intent.client_id]

    def _orders(self, intent: Cancel) -> tuple[KnownOrder, ...]:
        known, own_id = self.executions.orders, self.executions.orders.own_id(intent.client_id)
        if own_id is None:
            raise ValueError(f"{intent.client_id} is no client id of this session")
        legs = (TARGET, STOP) if own_id.leg == LIST else (own_id.leg,)
        client_ids = [str(ClientId(own_id.tag, own_id.epoch, own_id.order_id, leg)) for leg in legs]
        return tuple(order for one in client_ids if (order := known.known(one, intent.symbol)) is not None)

    async def _until_over(self, tasks: asyncio.TaskGroup, intent: Cancel, orders: tuple[KnownOrder, ...]) -> None:
        def is_over() -> bool:
            return all(order.is_over for order in orders)

        tries = 0
        while not is_over():
            tries += 1
            self._say(
                orders, OrderState.CANCEL_SENT, "" if tries == 1 else f"try {tries}: the order is not known to be over"
            )
            request = tasks.create_task(self._request(intent, orders))
            await asyncio.wait((request,), timeout=self.waits.ask_s)
            if not request.done() and not is_over():
                self._say(orders, OrderState.CANCEL_UNKNOWN, f"no answer within {self.waits.ask_s:g} s")
            refusal = request.result() if request.done() else None
            if not is_over() and not (isinstance(refusal, Refused) and refusal.is_passing):
                await self._ask(orders)
            wait_s = min(self.waits.longest_s, self.waits.cancel_base_s * 2.0 ** min(tries - 1, 16))
            await self.executions.until(is_over, wait_s)

    async def _request(self, intent: Cancel, orders: tuple[KnownOrder, ...]) -> Outcome:
        outcome = await send_once(self.api, intent, self.waits)
        self.executions.time.note(outcome.sent_ms)
        if isinstance(outcome, Accepted):
            await self.executions.hear([*outcome.trades, *outcome.orders], "by the answer to the cancellation")
        elif not isinstance(outcome, Refused):
            self._say(orders, OrderState.CANCEL_UNKNOWN, outcome.why)
        elif outcome.code != _UNKNOWN_ORDER:
            self._say(orders, OrderState.CANCEL_UNKNOWN, f"refused: {outcome.why}", outcome.code)
        return outcome

    async def _ask(self, orders: tuple[KnownOrder, ...]) -> None:
        """How each stands that is not known to be over; an outage of questions does not hold up the cancellation."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.waits.answer_s):
                for order in orders:
                    if not order.is_over and (report := await self.executions.find(order)) is not None:
                        await self.executions.hear([report], "found by its id")

    def _say(self, orders: tuple[KnownOrder, ...], state: OrderState, why: str, code: int = 0) -> None:
        for order in orders:
            if not order.is_over:
                self.executions.say(order.id, state, why, code=code)
