"""The order desk: the edge between a broker, which decides, and an exchange, which answers late, twice or never.

Intents go out, once each; all that is heard of orders comes back as `Execution` events, and of the account as
`AccountSnapshot` events. Nothing here decides about trading, and nothing is sent that is not an intent.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from app.exchange.order_reports import SpotApi
from app.exchange.order_times import OrderTimes
from app.models.intents import Intent

if TYPE_CHECKING:
    from app.feeds.base import EventQueue

Tell = Callable[[str], None]


class DeskStatus(NamedTuple):
    """What an operator should see. `link` is empty while the user stream is up, else why it is not."""

    link: str
    unresolved: int
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
        times: OrderTimes = OrderTimes(),
        tell: Tell | None = None,
    ) -> None:
        self._api = api

    def take_up(self, intents: Sequence[Intent], unsent: Collection[str] = ()) -> None:
        """Before `run`: what was open when the process before ended. `unsent`: client ids of intents that never
        reached the tape, so they were never sent.
        """

    def send(self, intents: Sequence[Intent]) -> None:
        """They are on the tape: they are sent in their order, without waiting here."""

    def ask_snapshot(self) -> None:
        """A snapshot of the account as soon as possible."""

    def status(self) -> DeskStatus:
        """As it is now."""
        return DeskStatus("not dialled yet", 0, None, None, 0)

    async def run(self, queue: "EventQueue") -> None:
        """For ever, until cancelled; a programming error ends it."""
        await asyncio.Event().wait()
