"""What can be said of real orders at any moment: their states, where each stop rests, the stream, the reconciliation.

It also measures for how long a position has been without its stop at the exchange, and says so when that is longer than
the config allows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from app import times
from app.models.events import AccountSnapshot, Event
from app.models.intents import PlaceOco
from app.models.orders import Line, OrderState
from app.runtime.runtime import TradingRuntime
from app.trading.exchange_broker import ExchangeBroker
from app.trading.exchange_lines import StopPlace
from app.trading.order_book import OrderRecord


class WatchedDesk(Protocol):
    """What is looked at of an order desk."""

    def status(self) -> Any:
        """A NamedTuple."""


@dataclass
class OrderWatch:
    """Follows one session; `tell` hears of what an operator must know at once."""

    desk: WatchedDesk
    protection_gap_s: float
    tell: Callable[[str], None]
    longest_gap_s: float = 0.0
    _since_s: dict[Line, float] = field(default_factory=dict)  # without a stop at the exchange
    _told: set[Line] = field(default_factory=set)
    _checked_s: float | None = None
    _differences: tuple[str, ...] = ()

    def note(self, runtime: TradingRuntime, event: Event) -> None:
        """After each event."""
        broker = runtime.broker
        if not isinstance(broker, ExchangeBroker):
            return
        if isinstance(event, AccountSnapshot):
            self._checked_s = times.monotonic_s()
            found = tuple(broker.reconciliation.differences)
            if found != self._differences:
                self.tell(f"account and ledger differ, entries halt: {'; '.join(found)}" if found else
                          "account and ledger agree again")  # fmt: skip
            self._differences = found
        self.look(runtime)

    def look(self, runtime: TradingRuntime) -> None:
        """Every second, and after each event."""
        broker = runtime.broker
        places = broker.protections() if isinstance(broker, ExchangeBroker) else {}
        now_s = times.monotonic_s()
        bare = {line: place for line, place in places.items() if place is not StopPlace.EXCHANGE}
        for line in [one for one in self._since_s if one not in bare]:
            gap_s = now_s - self._since_s.pop(line)
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
            if line in self._told:
                self._told.discard(line)
                self.tell(f"{line}: protected again, or closed, after {gap_s:.0f} s")
        for line, place in bare.items():
            gap_s = now_s - self._since_s.setdefault(line, now_s)
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
            if gap_s > self.protection_gap_s and line not in self._told:
                self._told.add(line)
                self.tell(f"{line}: UNPROTECTED for {gap_s:.0f} s, its stop is not on the exchange: {place}")

    def status(self, runtime: TradingRuntime) -> dict[str, Any]:
        """For status.json; orders of which nobody knows what became of them come first."""
        broker, now_s = runtime.broker, times.monotonic_s()
        if not isinstance(broker, ExchangeBroker):
            return {}
        self.look(runtime)
        records = sorted(broker.book.open.values(), key=lambda record: not record.is_unknown)
        desk = self.desk.status()
        reconciliation = broker.reconciliation
        return {
            "open": [_order(record) for record in records],
            "stops": {
                str(line): {"place": str(place), "bare_s": round(now_s - self._since_s.get(line, now_s), 1)}
                for line, place in broker.protections().items()
            },
            "protection_gap_s": self.protection_gap_s,
            "longest_gap_s": round(self.longest_gap_s, 1),
            "stream": desk.link or "up",
            "unresolved": desk.unresolved,
            "oldest_unresolved_s": desk.oldest_unresolved_s,
            "reconciled_s": None if self._checked_s is None else round(now_s - self._checked_s, 1),
            "differences": list(reconciliation.differences),
            "not_trading": sorted(reconciliation.not_trading),
            "foreign_orders": reconciliation.foreign_orders,
            "dust": {symbol: dust._asdict() for symbol, dust in broker.ledger.dust.items()},
            "strange": dict(broker.strange),
        }


def is_covered(runtime: TradingRuntime) -> bool:
    """Whether every position rests at the exchange with its stop, and no entry at the market is under way."""
    broker = runtime.broker
    if not isinstance(broker, ExchangeBroker):
        return True
    entering = any(one.limit is None for one in runtime.account.pending.values())
    return not entering and all(place is StopPlace.EXCHANGE for place in broker.protections().values())


def _order(record: OrderRecord) -> dict[str, Any]:
    intent = record.intent
    kind = "protection" if isinstance(intent, PlaceOco) else "entry" if record.entry is not None else "close"
    return {
        "client_id": intent.client_id,
        "kind": kind,
        "symbol": record.line.symbol,
        "strategy": record.line.strategy,
        "quantity": intent.quantity,
        "filled": record.filled,
        "states": {leg: str(one.state) for leg, one in record.legs.items()},
        "unknown": record.is_unknown or any(one.state is OrderState.CANCEL_UNKNOWN for one in record.legs.values()),
        "cancelling": record.cancel is not None,
    }
