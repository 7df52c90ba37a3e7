"""The order desk: the edge between a broker, which decides, and an exchange, which answers late, twice or never.

Intents go out, once each; all that is heard of orders comes back as `Execution` events, and of the account as
`AccountSnapshot` events. Nothing here decides about trading, and nothing is sent that is not an intent.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from app import times as clock
from app.errors import ExchangeError
from app.exchange.account_watch import AccountWatch
from app.exchange.cancellations import Cancellations
from app.exchange.executions import Executions, Said
from app.exchange.fee_prices import FeePrices
from app.exchange.known_orders import KnownOrders
from app.exchange.order_reports import Heard, SpotApi
from app.exchange.order_times import DEFAULT_TIMES, OrderTimes
from app.exchange.placements import Placements
from app.exchange.questions import Jitter, Questions
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import jittered_s
from app.exchange.user_link import UserLink
from app.models.intents import Cancel, Intent

if TYPE_CHECKING:
    from app.feeds.base import EventQueue

Tell = Callable[[str], None]


class DeskStatus(NamedTuple):
    """What an operator should see. `link` is empty while the user stream is up, else why it is not."""

    link: str
    unresolved: int  # placed, and nobody knows what became of it; or being cancelled
    oldest_unresolved_s: float | None
    snapshot_ms: int | None  # time of the last snapshot, by the exchange's clock
    foreign: int  # orders of somebody else that were heard of


class OrderDesk:
    """`since_ms`: when the session began; trades of its orders are looked for from there on.

    `api` belongs to whoever made it, who closes it after `run` has ended.
    """

    def __init__(
        self,
        api: SpotApi,
        tag: str,
        symbols: Sequence[str],
        *,
        since_ms: int,
        times: OrderTimes = DEFAULT_TIMES,
        tell: Tell | None = None,
        jitter: Jitter = jittered_s,
    ) -> None:
        self._api, self._lines, self._again_s = api, RepeatedLines(tell), times.again_s
        self._goes_on = False
        self._questions = Questions(self._lines, times.answer_s + times.ask_s, times.longest_s, jitter)
        self._link = UserLink()
        self._said = asyncio.Queue[Said]()
        self._heard = asyncio.Queue[Heard]()
        self._to_do = asyncio.Queue[tuple[Intent, bool]]()  # with whether a process before may have sent it
        fees = FeePrices(api.price, times.price_s, times.answer_s)
        self._executions = Executions(
            api, KnownOrders(tag), self._questions, fees, self._lines, self._said.put_nowait
        )  # fmt: skip
        self._watch = AccountWatch(api, self._executions, self._questions, times, self._lines, symbols, since_ms)
        self._placements = Placements(
            api, self._executions, self._link, times, self._lines.say, self._watch.trades_since,
            self._watch.resync,
        )  # fmt: skip
        self._cancellations = Cancellations(api, self._executions, self._placements, times)

    def take_up(self, intents: Sequence[Intent], unsent: Collection[str] = (), accepted: Collection[str] = ()) -> None:
        """Before `run`: what was open when the process before ended. `unsent`: client ids of intents that never
        reached the tape, so they were never sent. Whoever goes on calls it, also where nothing is open: a position may
        lie there whose protection was refused a moment before that process ended. `accepted`: client ids of orders that
        the exchange had told of, so that they are never called never arrived.

        Where an order and its cancellation are both open, one client id cannot say which of them was not sent: then
        the exchange is asked.
        """
        self._goes_on = True
        cancelled = {intent.client_id for intent in intents if isinstance(intent, Cancel)}
        for intent in intents:
            if isinstance(intent, Cancel):
                self._to_do.put_nowait((intent, intent.client_id not in unsent))
                continue
            self._placements.note(intent)
            self._executions.orders.take_up(intent, accepted)
            if intent.client_id in unsent and intent.client_id not in cancelled:
                self._placements.refuse_unsent(intent)
            else:
                self._to_do.put_nowait((intent, True))

    def send(self, intents: Sequence[Intent]) -> None:
        """They are on the tape: they are sent in their order, without waiting here."""
        for intent in intents:
            if not isinstance(intent, Cancel):
                self._placements.note(intent)
            self._to_do.put_nowait((intent, False))

    def ask_snapshot(self) -> None:
        """A snapshot of the account as soon as possible."""
        self._watch.ask(snapshot=True)

    def status(self) -> DeskStatus:
        """As it is now."""
        began = [placement.began_s for placement in self._placements.unresolved]
        began += self._cancellations.running.values()
        oldest_s = clock.monotonic_s() - min(began) if began else None
        return DeskStatus(
            self._link.why, len(began), oldest_s, self._watch.snapshot_ms, self._executions.orders.foreign
        )

    async def run(self, queue: "EventQueue") -> None:
        """For ever, until cancelled; a programming error ends it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._put(queue))
            tasks.create_task(self._listen())
            tasks.create_task(self._hear())
            tasks.create_task(self._watch.run())
            tasks.create_task(self._watch.fill_gaps())
            if self._goes_on:
                tasks.create_task(self._snapshot_again())
            while True:
                intent, is_earlier = await self._to_do.get()
                if isinstance(intent, Cancel):
                    tasks.create_task(self._cancellations.cancel(intent, is_earlier=is_earlier))
                elif is_earlier:
                    tasks.create_task(self._placements.resolve(self._placements.earlier(intent)))
                else:
                    tasks.create_task(self._placements.place(intent))

    async def _snapshot_again(self) -> None:
        """For the broker, which hears the time from events: what was refused before is due for another try."""
        await asyncio.sleep(self._again_s)
        self._watch.ask(snapshot=True)

    async def _put(self, queue: "EventQueue") -> None:
        while True:
            await queue.put((await self._said.get(),))

    async def _listen(self) -> None:
        failures = 0
        while True:
            why = "the stream ended"
            try:
                await self._api.listen(self._heard.put_nowait, self._note_link)
            except ExchangeError as error:
                why = str(error)
            failures = 1 if self._link.is_up else failures + 1
            self._note_link(False, why)
            await asyncio.sleep(self._questions.wait_s(failures))

    def _note_link(self, is_up: bool, why: str) -> None:
        self._link.note(is_up, why)
        if is_up:
            self._watch.ask(snapshot=True)
        else:
            self._lines.say("stream", f"orders: the user stream is down: {self._link.why}")

    async def _hear(self) -> None:
        while True:
            heard = [await self._heard.get()]
            while not self._heard.empty():
                heard.append(self._heard.get_nowait())
            await self._executions.hear(heard, "by the stream")
