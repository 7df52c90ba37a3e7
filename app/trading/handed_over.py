"""HandedOver: an exchange's fills up to a time, the simulator's from there on, over one ledger: for what-if alone.

A recorded session with real orders is told again under other settings. As long as it decides what was decided then, the
exchange's executions are what happened; where it parts from that, they answer orders that nobody sends here.
"""

from app.models.events import AccountSnapshot, Execution
from app.models.intents import Intent
from app.models.market import Candle, Slice
from app.models.orders import Line, Order, Reason, Refusal, Side
from app.trading.exchange_broker import ExchangeBroker
from app.trading.execution import Broker
from app.trading.paper_trader import PaperTrader
from app.trading.risk import RiskOutput


class HandedOver:
    """Implements the Broker protocol; from the slice on that closes at `from_ms` it is the `paper` trader.

    What is left of an entry that was filled in part is cancelled there. Shorts stay refused: they are at the exchange.
    """

    def __init__(self, exchange: ExchangeBroker, paper: PaperTrader, from_ms: int) -> None:
        self.ledger = exchange.ledger
        self._paper, self._from_ms = paper, from_ms
        self._own: Broker = exchange

    def _at(self, time_ms: int) -> Broker:
        if self._own is not self._paper and time_ms >= self._from_ms:
            self._own = self._paper
            account = self.ledger.account
            for line in [line for line in account.pending if line in account.positions]:
                self.ledger.cancel_entry(line, "handed_over")
        return self._own

    @property
    def _now(self) -> Broker:
        return self._at(self.ledger.account.time_ms)

    async def on_slice(self, slice_: Slice) -> None:
        """By whoever fills in this slice."""
        await self._at(slice_.close_time_ms).on_slice(slice_)

    def update_positions(self, candle: Candle) -> None:
        """By whoever fills now."""
        self._now.update_positions(candle)

    async def submit(self, order: Order) -> None:
        """To whoever fills now."""
        await self._now.submit(order)

    async def on_execution(self, execution: Execution) -> str | None:
        """The exchange's, until it is handed over."""
        return await self._now.on_execution(execution)

    async def on_snapshot(self, snapshot: AccountSnapshot) -> None:
        """The exchange's, until it is handed over."""
        await self._now.on_snapshot(snapshot)

    def refusal(self, order: RiskOutput) -> Refusal | None:
        """What the exchange refuses by its nature is refused on paper, too."""
        is_short = self._now is self._paper and order.side is Side.SHORT
        return Refusal.SHORT_ON_SPOT if is_short else self._now.refusal(order)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way."""
        return self._now.is_settled

    def take_intents(self) -> tuple[Intent, ...]:
        """Nobody sends them."""
        return self._now.take_intents()

    async def cancel_entry(self, line: Line, why: str) -> bool:
        """By whoever fills now."""
        return await self._now.cancel_entry(line, why)

    async def close_all_positions(self, reason: Reason) -> None:
        """By whoever fills now."""
        await self._now.close_all_positions(reason)

    async def leave(self) -> bool:
        """The positions stay."""
        return await self._now.leave()
