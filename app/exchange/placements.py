"""Placing an order, once, and finding out what became of it: by the answer, the stream, or by asking for the order.

An order is called never arrived only when it cannot arrive any more. The exchange checks a request's time stamp against
its receive window again just before matching (an inference from its documents), so the proof needs the exchange's own
clock past that window and a margin, and after that moment: no such order by its id, no trade of it, nothing of it on a
stream that was up all the time or was made good since. That an order was not found earlier proves nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf

from app import times
from app.errors import ExchangeError
from app.exchange.executions import Executions
from app.exchange.known_orders import KnownOrder
from app.exchange.order_reports import Accepted, Outcome, Refused, SpotApi, TradeReport, Unknown
from app.exchange.order_times import OrderTimes
from app.exchange.user_link import UserLink
from app.models.intents import ENTRY, LIST, Cancel, ClientId, Intent, PlaceOco, PlaceOrder
from app.models.orders import NOT_THERE, OrderState

_EARLIER_MS = 60_000  # trades of an order are looked for from so long before it was decided: clocks differ


class RequestError(Exception):
    """The same order was about to be sent a second time: a programming error, and better than two orders."""


@dataclass
class Placement:
    """One request to place, and the orders it makes: one, or the two legs of a list."""

    symbol: str
    orders: tuple[KnownOrder, ...]
    list_id: ClientId | None
    from_ms: int  # no trade of it is older
    began_s: float
    breaks: int | None  # of the stream when it was sent; None: the stream was not up
    sent_ms: int | None = None  # by the exchange's clock; or later, where that is not known
    is_answered: bool = False
    is_accepted: bool = False
    is_list_said: bool = False

    @property
    def ids(self) -> list[ClientId]:
        """Of all that is said of it: the list before its legs."""
        return [*([] if self.list_id is None else [self.list_id]), *(order.id for order in self.orders)]

    @property
    def is_settled(self) -> bool:
        """It is known what became of it."""
        return not self.missing

    @property
    def missing(self) -> list[KnownOrder]:
        """The orders that nothing is known of."""
        return [order for order in self.orders if order.state is None and not order.is_dead]


class Placements:
    """`trades_since` asks for the trades of a symbol, `resync` makes good what the stream may have missed."""

    def __init__(
        self, api: SpotApi, executions: Executions, link: UserLink, waits: OrderTimes,
        tell: Callable[[str, str], None], trades_since: Callable[[str, int], Awaitable[list[TradeReport]]],
        resync: Callable[[], Awaitable[object]],
    ) -> None:  # fmt: skip
        self.unresolved: list[Placement] = []
        self._api, self._executions, self._link = api, executions, link
        self._waits, self._tell, self._trades_since, self._resync = waits, tell, trades_since, resync
        self._sent: set[str] = set()

    def note(self, intent: PlaceOrder | PlaceOco) -> None:
        """It is going to be sent, or was by an earlier process: never again."""
        if intent.client_id in self._sent:
            raise RequestError(f"{intent.client_id} would be sent twice")
        self._sent.add(intent.client_id)

    def refuse_unsent(self, intent: PlaceOrder | PlaceOco) -> None:
        """An intent that never reached the tape."""
        placement = self._placement(intent)
        for own_id in placement.ids:
            why = "never sent: its intent did not reach the tape"
            self._executions.say(own_id, OrderState.REFUSED, why, code=NOT_THERE)
        for order in placement.orders:
            order.is_dead = True

    def is_resolving(self, order: KnownOrder) -> bool:
        """Whether somebody finds out about it already."""
        return any(order in placement.orders for placement in self.unresolved)

    async def place(self, intent: PlaceOrder | PlaceOco) -> None:
        """Sends it, and stays until it is known what became of it."""
        placement = self._placement(intent)
        for order in placement.orders:
            order.awaits_answer = True
        self._executions.time.note(intent.time_ms)
        self._say(placement.ids, OrderState.SENT, "")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._request(intent, placement))
            await self.resolve(placement)

    async def resolve(self, placement: Placement) -> None:
        """Until it is settled."""
        self.unresolved.append(placement)
        try:
            wait_s = self._waits.ask_s if not placement.is_answered else 0.0
            while not await self._until_answered_or_settled(placement, wait_s):
                was_answered = placement.is_answered
                await self._ask(placement)
                wait_s = min(2.0 * wait_s or self._waits.ask_s, self._waits.poll_s)
                left_s = self._until_deadline_s(placement)
                if left_s > 0.0 or placement.is_answered > was_answered:
                    wait_s = min(wait_s, max(0.0, left_s) + self._waits.gap_s)
        finally:
            self.unresolved.remove(placement)
        self._say_list(placement)

    async def _until_answered_or_settled(self, placement: Placement, most_s: float) -> bool:
        """Whether it is settled; an answer after the deadline that settles nothing ends the wait, too."""
        is_waiting = not placement.is_answered

        def is_due() -> bool:
            is_late = is_waiting and placement.is_answered and self._until_deadline_s(placement) <= 0.0
            is_late = is_late and times.monotonic_s() - placement.began_s >= self._waits.ask_s
            return placement.is_settled or is_late

        await self._executions.until(is_due, most_s)
        return placement.is_settled

    def _until_deadline_s(self, placement: Placement) -> float:
        """How long it may still arrive, by the exchange's time as it is known here; inf before that can be told."""
        if placement.sent_ms is None:
            return inf
        return (self._deadline_ms(placement.sent_ms) - self._executions.time.now_ms()) / 1000.0

    def earlier(self, intent: Intent, orders: tuple[KnownOrder, ...] = ()) -> Placement:
        """What a process before has sent, as far as its intent tells."""
        placement = self._placement(intent, orders)
        placement.is_answered, placement.breaks = True, None
        return placement

    def _placement(self, intent: Intent, orders: tuple[KnownOrder, ...] = ()) -> Placement:
        known, symbol = self._executions.orders, intent.symbol
        if isinstance(intent, PlaceOco):
            client_ids = [intent.target_id, intent.stop_id]
        else:
            client_ids = [] if isinstance(intent, Cancel) else [intent.client_id]
        made = orders or tuple(order for one in client_ids if (order := known.known(one, symbol)) is not None)
        own_id = known.own_id(intent.client_id)
        if own_id is None or not made:
            raise RequestError(f"{intent.client_id} is no client id of this session")
        list_id = own_id if own_id.leg == LIST else None
        breaks = self._link.breaks if self._link.is_up else None
        return Placement(symbol, made, list_id, intent.time_ms - _EARLIER_MS, times.monotonic_s(), breaks)

    async def _request(self, intent: Intent, placement: Placement) -> None:
        outcome = await send_once(self._api, intent, self._waits)
        placement.is_answered, placement.sent_ms = True, outcome.sent_ms or None
        self._executions.time.note(outcome.sent_ms)
        for order in placement.orders:
            order.awaits_answer = False
        is_heard = any(order.is_heard for order in placement.orders)
        if isinstance(outcome, Accepted):
            placement.is_accepted = True
            if not is_heard:
                placement.is_list_said = True
                for own_id in placement.ids if placement.list_id is None else [placement.list_id]:
                    self._executions.say(own_id, OrderState.ACCEPTED, "by the answer")
            await self._executions.hear([*outcome.trades, *outcome.orders], "by the answer")
        elif isinstance(outcome, Refused) and not is_heard:
            for order in placement.orders:
                order.is_dead = True
            for own_id in placement.ids:
                self._executions.say(
                    own_id, OrderState.REFUSED, outcome.why, code=outcome.code, is_passing=outcome.is_passing
                )
            await self._say_again(placement, outcome)
        elif refusals := [order.refusal for order in placement.orders if order.refusal is not None]:
            await self._executions.hear(refusals, "by the stream")
        elif isinstance(outcome, Refused):
            self._tell("contradiction", f"orders: {placement.ids[0]} exists, and the answer refuses it: {outcome.why}")
        elif not placement.is_settled:
            unknown = [order.id for order in placement.missing]
            self._say(unknown if is_heard else placement.ids, OrderState.UNKNOWN, outcome.why)

    async def _say_again(self, placement: Placement, refused: Refused) -> None:
        """Who protects or closes a position tries again after a while, but hears the time from events alone."""
        if placement.ids[0].leg != ENTRY:
            await asyncio.sleep(self._waits.again_s)
            why = f"refused {self._waits.again_s:g} s ago: {refused.why}"
            self._say(placement.ids[:1], OrderState.REFUSED, why, code=refused.code)

    async def _ask(self, placement: Placement) -> None:
        """Once: is it there? And if not, can it still come?"""
        if placement.sent_ms is None and placement.is_answered:
            placement.sent_ms = await self._executions.server_ms()  # it was sent before now
        after_ms = 0
        if placement.sent_ms is not None:
            after_ms = await self._executions.server_ms() - self._deadline_ms(placement.sent_ms)
        reports = [report for order in placement.missing if (report := await self._executions.find(order)) is not None]
        await self._executions.hear(reports, "found by its id")
        self._say_list(placement)
        if after_ms > 0 and placement.missing:
            await self._conclude(placement, after_ms)

    def _deadline_ms(self, sent_ms: int) -> int:
        return sent_ms + self._api.recv_window_ms + self._waits.late_ms

    async def _conclude(self, placement: Placement, after_ms: int) -> None:
        """The deadline had passed before the exchange knew of no such order: is there no other sign of it either?"""
        trades = await self._trades_since(placement.symbol, placement.from_ms)
        if self._link.is_up and placement.breaks == self._link.breaks:
            stream = "from the stream, which was up all the time"
        else:
            await self._resync()
            stream = "from the open orders and trades that the stream, which was not up all the time, may have missed"
        missing = placement.missing
        # Of a list that is over a leg may be known no longer: one that was cancelled before it did anything.
        is_gone = all(order.is_cancelled for order in missing) or any(order.is_over for order in placement.orders)
        is_there = placement.is_accepted or any(order.is_heard or order.was_accepted for order in placement.orders)
        if not missing or any(order.traded for order in missing) or (is_there and not is_gone):
            return
        sent_ms = placement.sent_ms or 0
        deadline_ms = self._deadline_ms(sent_ms)
        evidence = (
            f"server time {deadline_ms + after_ms}, deadline {deadline_ms} (time stamp {sent_ms}), absent from the "
            f"query by id, from {len(trades)} trades since {placement.from_ms}, {stream}"
        )
        for order in missing:
            order.is_dead = True
        ids = placement.ids if len(missing) == len(placement.orders) else [order.id for order in missing]
        if is_gone:
            self._say(ids, OrderState.CANCELLED, f"gone: {evidence}", filled=0.0)
        else:
            self._say(ids, OrderState.REFUSED, f"never arrived: {evidence}", code=NOT_THERE)

    def _say(
        self, ids: Sequence[ClientId], state: OrderState, why: str, *, code: int = 0, filled: float | None = None
    ) -> None:
        for own_id in ids:
            self._executions.say(own_id, state, why, code=code, filled=filled)

    def _say_list(self, placement: Placement) -> None:
        """The list exists where one of its legs does, and was refused where a leg was."""
        heard = [order for order in placement.orders if order.state is not None]
        if placement.list_id is not None and heard and not placement.is_list_said:
            placement.is_list_said = True
            is_refused = all(order.state is OrderState.REFUSED for order in heard)
            state = OrderState.REFUSED if is_refused else OrderState.ACCEPTED
            self._executions.say(placement.list_id, state, f"its leg {heard[0].client_id} was found")


async def send_once(api: SpotApi, intent: Intent, waits: OrderTimes) -> Outcome:
    """The outcome of one request; what does not answer in time is unknown."""
    most_s = waits.answer_s + waits.ask_s  # the way to the exchange has a limit of its own, and knows more
    try:
        async with asyncio.timeout(most_s):
            return await api.send(intent)
    except TimeoutError:
        return Unknown(f"no answer within {most_s:g} s")
    except ExchangeError as error:  # it may have been sent
        return Unknown(str(error))
