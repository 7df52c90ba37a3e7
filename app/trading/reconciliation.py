"""Reconciliation: what the exchange says of the account, held against what the fills say. Nothing is ever corrected.

Less at the exchange than in the ledger, a fill that only one of the two knows, an order that is open only there or
rests only here: each is a difference, has a name and numbers, and no entry is accepted while there is one. More at
the exchange than in the ledger is somebody else's.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from app.models.events import AccountSnapshot, Execution
from app.models.intents import LIST, PlaceOco, read_client_id
from app.trading.account import Account
from app.trading.instruments import Instrument
from app.trading.order_book import OrderBook

_TOLERANCE = 1e-6  # of quote currency: what the exchange's 8 digits may differ by


class KnownFill(msgspec.Struct, frozen=True, array_like=True):
    """A fill that was counted since the last comparison."""

    fill_id: str
    order_id: int
    leg: str
    time_ms: int


class ReconciliationMemory(msgspec.Struct, frozen=True):
    """All that it remembers."""

    flows: dict[str, float]
    fills: list[KnownFill]
    differences: list[str]
    not_trading: list[str]
    foreign_orders: int
    checked_ms: int


class Reconciliation:
    """`flows` is what our fills and their fees brought to each asset; `differences` what the last comparison found."""

    def __init__(self, account: Account, instruments: Mapping[str, Instrument]) -> None:
        self._starting_balance = account.starting_balance
        self._symbols = tuple(account.lines)
        self._instruments = instruments
        self.flows: dict[str, float] = {}
        self.differences: list[str] = []
        self.not_trading: frozenset[str] = frozenset()
        self.foreign_orders = 0
        self.checked_ms = 0
        self._fills: list[KnownFill] = []

    @property
    def is_checked(self) -> bool:
        """Whether there was a comparison at all."""
        return self.checked_ms > 0

    def note_fill(self, symbol: str, execution: Execution, *, buys: bool) -> None:
        """A fill that counts."""
        base, _, quote = symbol.partition("/")
        sign = 1.0 if buys else -1.0
        changes = (
            (base, sign * execution.quantity),
            (quote, -sign * execution.quantity * execution.price),
            (execution.fee_asset, -execution.fee),
        )
        for asset, change in changes:
            if asset:
                self.flows[asset] = self.flows.get(asset, 0.0) + change
        self._fills.append(KnownFill(execution.fill_id, execution.order_id, execution.leg, execution.time_ms))

    def compare(self, snapshot: AccountSnapshot, book: OrderBook) -> None:
        """Holds a snapshot against what is known."""
        self.differences = [
            *self._balances(snapshot.balances),
            *self._trades(snapshot, book),
            *_orders(snapshot.open_orders, book),
        ]
        self.not_trading = frozenset(snapshot.not_trading)
        self.foreign_orders = snapshot.foreign_orders
        self.checked_ms = snapshot.time_ms
        self._fills = [fill for fill in self._fills if fill.time_ms >= snapshot.since_ms]

    def memory(self) -> ReconciliationMemory:
        """What it remembers."""
        return ReconciliationMemory(
            self.flows, self._fills, self.differences, sorted(self.not_trading), self.foreign_orders, self.checked_ms
        )

    def recall(self, memory: ReconciliationMemory) -> None:
        """Goes on as the one whose memory it is."""
        self.flows, self._fills, self.differences = dict(memory.flows), list(memory.fills), list(memory.differences)
        self.not_trading, self.foreign_orders = frozenset(memory.not_trading), memory.foreign_orders
        self.checked_ms = memory.checked_ms

    def expected(self) -> dict[str, tuple[float, float]]:
        """What the ledger says that the exchange must hold at least of each asset, and the tolerance."""
        quotes = {symbol.partition("/")[2] for symbol in self._symbols}
        least: dict[str, tuple[float, float]] = {}
        for symbol in self._symbols:
            base = symbol.partition("/")[0]
            if base not in quotes:
                step = self._instruments.get(symbol, Instrument()).quantity_step
                least[base] = self.flows.get(base, 0.0), step
        for quote in sorted(quotes):
            own = self._starting_balance if len(quotes) == 1 else 0.0
            least[quote] = own + self.flows.get(quote, 0.0), _TOLERANCE
        return least

    def _balances(self, balances: Mapping[str, float]) -> Sequence[str]:
        found = []
        for asset, (least, tolerance) in self.expected().items():
            held = balances.get(asset, 0.0)
            if held < least - tolerance:
                found.append(f"{asset}: the exchange holds {held:.8f}, the ledger {least:.8f}, {least - held:.8f} less")
        return found

    def _trades(self, snapshot: AccountSnapshot, book: OrderBook) -> Sequence[str]:
        told = {(trade.order_id, trade.leg, trade.fill_id): trade for trade in snapshot.trades}
        found = [
            f"trade {trade.fill_id} of order {trade.order_id} ({trade.quantity:.8f} at {trade.price:.8f}) is in the "
            "exchange's history and not in the ledger"
            for trade in told.values()
            if not book.has_counted(trade.order_id, trade.leg, trade.fill_id)
        ]
        for fill in self._fills:
            is_due = snapshot.since_ms <= fill.time_ms < snapshot.time_ms
            if is_due and (fill.order_id, fill.leg, fill.fill_id) not in told:
                found.append(
                    f"fill {fill.fill_id} of order {fill.order_id} is in the ledger and not in the exchange's history"
                )
        return found


def _orders(open_orders: Sequence[str], book: OrderBook) -> Iterator[str]:
    for text in open_orders:
        client_id = read_client_id(text)
        if client_id is not None and client_id.leg != LIST and client_id.order_id not in book.open:
            yield f"order {text} is open at the exchange and over in the ledger"
    for record in book.open.values():
        own, intent = {record.intent.client_id}, record.intent
        if isinstance(intent, PlaceOco):
            own = {intent.target_id, intent.stop_id}
        if record.rests and record.cancel is None and own.isdisjoint(open_orders):
            yield f"order {intent.client_id} rests in the ledger and is not open at the exchange"
