"""A desk without an exchange: what it is sent it answers by itself, as an exchange in good order would.

Orders at the market fill at once, an OCO rests until `reach` says that a leg was reached.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from app.feeds.base import EventQueue
from app.models.events import AccountSnapshot, Execution
from app.models.intents import LIST, STOP, TARGET, Cancel, Intent, PlaceOco, PlaceOrder, read_client_id
from app.models.orders import OrderState

FEE_RATE = 0.001


@dataclass
class ScriptedDesk:
    """Balances as the fills leave them; `sent` is all that was asked for, `taken_up` what a restart brought."""

    balances: dict[str, float]
    mark: Callable[[str], float]  # of a symbol, at which orders at the market fill
    sent: list[Intent] = field(default_factory=list)
    taken_up: list[Intent] = field(default_factory=list)
    never_sent: Collection[str] = ()
    is_silent: bool = False
    _resting: dict[str, PlaceOco] = field(default_factory=dict)
    _told: "asyncio.Queue[tuple[Execution | AccountSnapshot, ...]]" = field(default_factory=asyncio.Queue)
    _fills: int = 0
    _time_ms: int = 0

    def take_up(self, intents: Sequence[Intent], unsent: Collection[str] = ()) -> None:
        """What was never sent is over; all else is as it was."""
        self.taken_up, self.never_sent = list(intents), unsent
        for intent in intents:
            if isinstance(intent, Cancel):
                self.send((intent,))
            elif intent.client_id in unsent:
                self._tell(intent, OrderState.REFUSED, why="never sent")
            elif isinstance(intent, PlaceOco):
                self._resting[intent.client_id] = intent

    def send(self, intents: Sequence[Intent]) -> None:
        """Answered in their order."""
        self.sent += intents
        for intent in () if self.is_silent else intents:
            self._time_ms = max(self._time_ms, intent.time_ms) + 1
            if isinstance(intent, PlaceOrder):
                self._fill(intent, intent.quantity, self.mark(intent.symbol), _leg(intent.client_id), buys=intent.buys)
            elif isinstance(intent, PlaceOco):
                self._resting[intent.client_id] = intent
                for leg in (LIST, TARGET, STOP):
                    self._tell(intent, OrderState.ACCEPTED, leg=leg)
            elif (placed := self._resting.pop(intent.client_id, None)) is not None:
                for leg in (TARGET, STOP):
                    self._tell(placed, OrderState.CANCELLED, leg=leg)

    def reach(self, leg: str) -> None:
        """Every resting OCO is filled at this leg."""
        for client_id, placed in list(self._resting.items()):
            del self._resting[client_id]
            self._fill(placed, placed.quantity, placed.target if leg == TARGET else placed.stop, leg, buys=False)
            self._tell(placed, OrderState.EXPIRED, leg=STOP if leg == TARGET else TARGET)

    def snapshot(self) -> None:
        """What the account holds."""
        self._time_ms += 1
        resting = [leg for one in self._resting.values() for leg in (one.target_id, one.stop_id)]
        self._told.put_nowait((AccountSnapshot(self._time_ms, 0, dict(self.balances), tuple(resting)),))

    async def run(self, queue: EventQueue) -> None:
        """All that there is to tell, in its order."""
        self.snapshot()
        while True:
            await queue.put(await self._told.get())

    @property
    def has_told(self) -> bool:
        """Whether nothing waits to be put into the queue."""
        return self._told.empty()

    def _fill(self, placed: PlaceOrder | PlaceOco, quantity: float, price: float, leg: str, *, buys: bool) -> None:
        base, _, quote = placed.symbol.partition("/")
        fee, sign = FEE_RATE * price * quantity, 1.0 if buys else -1.0
        self.balances[base] = self.balances.get(base, 0.0) + sign * quantity
        self.balances[quote] -= sign * quantity * price + fee
        self._fills += 1
        self._tell(
            placed, OrderState.FILLED, leg=leg, fill_id=str(self._fills), quantity=quantity, price=price,
            commission=fee, fee=fee, fee_asset=quote, filled=quantity,
        )  # fmt: skip

    def _tell(self, placed: PlaceOrder | PlaceOco, state: OrderState, *, leg: str = "", **more: object) -> None:
        own = leg or _leg(placed.client_id)
        self._told.put_nowait((Execution(placed.order_id, state, self._time_ms, leg=own, **more),))  # type: ignore[arg-type]


def _leg(client_id: str) -> str:
    read = read_client_id(client_id)
    assert read is not None
    return read.leg
