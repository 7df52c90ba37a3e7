"""What became of a session's real orders, counted from its events: for results.json and the reports.

It follows events and intents, replayed ones included, and knows no clock but the exchange's times in them, so a tape
gives the same figures. A later epoch of a session counts anew.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.models.events import AccountSnapshot, Event, Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import NOT_THERE, Fill, Line, OrderState
from app.runs.quotients import quantiles, ratio
from app.runtime.runtime import TradingRuntime
from app.trading.exchange_broker import ExchangeBroker
from app.trading.exchange_lines import StopPlace
from app.trading.order_book import OrderRecord

_LATENCIES = ("decision_to_sent", "decision_to_filled")
_REASONS = 50  # of refusals are named, at most
_UNSURE = (OrderState.UNKNOWN, OrderState.CANCEL_UNKNOWN)


@dataclass
class _Open:
    """An order that is not over; `mark` is the symbol's at the moment it was decided."""

    kind: str
    decided_ms: int
    mark: float
    is_at_market: bool
    sent_ms: int | None = None
    has_filled: bool = False
    unsure_ms: int | None = None  # since when nobody knows what became of it
    is_refusal_told: bool = False


@dataclass
class OrderTally:
    """Counts one session's orders; times are the exchange's, in ms."""

    ended: dict[str, Counter[str]] = field(default_factory=dict)  # states by kind
    refused: Counter[str] = field(default_factory=Counter)
    never_arrived: int = 0
    fees: dict[str, float] = field(default_factory=dict)
    unknown: "array[int]" = field(default_factory=lambda: array("q"))  # for how long, each
    latencies: "dict[str, array[int]]" = field(default_factory=lambda: {name: array("q") for name in _LATENCIES})
    worse: dict[str, list[float]] = field(default_factory=dict)  # by kind: worse than the mark, and what was traded
    snapshots: int = 0
    longest_bare_ms: int = 0
    _open: dict[int, _Open] = field(default_factory=dict)
    _bare_ms: dict[Line, int] = field(default_factory=dict)

    def note(self, runtime: TradingRuntime, event: Event, intents: Sequence[Intent], fills: Sequence[Fill]) -> None:
        """After each event."""
        broker = runtime.broker
        if not isinstance(broker, ExchangeBroker):
            return
        if isinstance(event, Execution):
            self._hear(event, broker.book.find(event.order_id), fills)
        elif isinstance(event, AccountSnapshot):
            self.snapshots += 1
        for intent in intents:
            if not isinstance(intent, Cancel):
                heard_ms = event.time_ms if isinstance(event, Execution | AccountSnapshot) else 0
                mark = runtime.account.marks.get(intent.symbol, 0.0)
                self._ask(intent, max(intent.time_ms, heard_ms), mark)
        self._look(broker)

    def _ask(self, intent: PlaceOrder | PlaceOco, decided_ms: int, mark: float) -> None:
        if isinstance(intent, PlaceOco):
            self._open[intent.order_id] = _Open("protection", decided_ms, mark, is_at_market=False)
        else:
            kind = "entry" if intent.buys else "sale"
            self._open[intent.order_id] = _Open(kind, decided_ms, mark, is_at_market=intent.limit is None)

    def _hear(self, event: Execution, record: OrderRecord | None, fills: Sequence[Fill]) -> None:
        for _ in fills:
            self.fees[event.fee_asset] = self.fees.get(event.fee_asset, 0.0) + event.fee
        own = self._open.get(event.order_id)
        if own is None or record is None:
            return
        self._time(own, event, bool(fills))
        if event.state is OrderState.REFUSED and not own.is_refusal_told:
            own.is_refusal_told = True
            self._refuse(event)
        if record.is_over:
            self.ended.setdefault(own.kind, Counter())[self._end(record)] += 1
            del self._open[event.order_id]

    def _time(self, own: _Open, event: Execution, is_fill: bool) -> None:
        if event.state in _UNSURE:
            own.unsure_ms = own.unsure_ms or event.time_ms
        elif own.unsure_ms is not None and event.state not in (OrderState.SENT, OrderState.CANCEL_SENT):
            self.unknown.append(max(0, event.time_ms - own.unsure_ms))
            own.unsure_ms = None
        if event.state is OrderState.SENT and own.sent_ms is None:
            own.sent_ms = event.time_ms
            self.latencies["decision_to_sent"].append(event.time_ms - own.decided_ms)
        if not (is_fill and own.is_at_market):
            return
        if not own.has_filled:
            own.has_filled = True
            self.latencies["decision_to_filled"].append(event.time_ms - own.decided_ms)
        sign = 1.0 if own.kind == "entry" else -1.0
        sums = self.worse.setdefault(own.kind, [0.0, 0.0])
        sums[0] += sign * (event.price - own.mark) * event.quantity
        sums[1] += own.mark * event.quantity

    def _refuse(self, event: Execution) -> None:
        if event.code == NOT_THERE:
            self.never_arrived += 1
            return
        why = f"{event.code} {event.why}".strip()[:120]
        self.refused[why if why in self.refused or len(self.refused) < _REASONS else "other"] += 1

    def _end(self, record: OrderRecord) -> str:
        """Of an OCO, by the leg that was filled."""
        states = {leg.state for leg in record.legs.values()}
        if OrderState.FILLED in states:
            return str(OrderState.FILLED)
        return "partly_filled" if record.filled > 0.0 else str(record.state)

    def _look(self, broker: ExchangeBroker) -> None:
        """Which positions are without their stop at the exchange, and since when."""
        now_ms, places = broker.lines.now_ms, broker.protections()
        bare = {line for line, place in places.items() if place is not StopPlace.EXCHANGE}
        for line in [one for one in self._bare_ms if one not in bare]:
            self.longest_bare_ms = max(self.longest_bare_ms, now_ms - self._bare_ms.pop(line))
        for line in sorted(bare):
            began_ms = self._bare_ms.setdefault(line, now_ms)
            self.longest_bare_ms = max(self.longest_bare_ms, now_ms - began_ms)

    def as_dict(self, runtime: TradingRuntime) -> dict[str, Any]:
        """For results.json."""
        broker = runtime.broker
        if not isinstance(broker, ExchangeBroker):
            return {}
        unknown = np.array(self.unknown, float) / 1000.0
        return {
            "orders": {kind: dict(sorted(states.items())) for kind, states in sorted(self.ended.items())},
            "open": len(self._open),
            "refused": dict(self.refused),
            "never_arrived": self.never_arrived,
            "unknown": {
                "orders": len(self.unknown),
                "longest_s": float(unknown.max(initial=0.0)),
                "now": sum(own.unsure_ms is not None for own in self._open.values()),
            },
            "latency_ms": {name: quantiles(np.array(own, float), (0.5, 0.99)) for name, own in self.latencies.items()},
            "worse_than_mark": {
                kind: {"quote": worse, "bp": None if (part := ratio(worse, traded)) is None else 1e4 * part}
                for kind, (worse, traded) in sorted(self.worse.items())
            },
            "fees": dict(sorted(self.fees.items())),
            "dust": {symbol: dust._asdict() for symbol, dust in sorted(broker.ledger.dust.items())},
            "unprotected_longest_s": self.longest_bare_ms / 1000.0,
            "stops": {str(line): str(place) for line, place in broker.protections().items()},
            "reconciliations": self.snapshots,
            "differences": list(broker.reconciliation.differences),
            "strange": dict(broker.strange),
        }
