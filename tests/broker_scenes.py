"""A session over the exchange broker, played by hand: the test says what the strategy wants and what the exchange says.

At each event a second runtime goes on from the memory that was kept before it, and must do the same.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec

from app.models.events import AccountSnapshot, Event, Execution, SeenTrade
from app.models.intents import CLOSE, ENTRY, LIST, STOP, TARGET, Cancel, Intent, PlaceOco, PlaceOrder
from app.models.market import Candle, Slice
from app.models.orders import FLAT, MAIN, NOT_THERE, Decision, Fill, Line, OrderState, Position, Signal
from app.runtime.digest import FIRST, digest_of
from app.runtime.funnel import Funnel
from app.runtime.host import HostedStrategy, StrategyHost
from app.runtime.runtime import TradingRuntime
from app.session.state import RuntimeState, restore_runtime, runtime_state
from app.strategies.base import Strategy, View
from app.trading.account import Account, SliceRows, lines_of
from app.trading.exchange_broker import BrokerMemory, ExchangeBroker
from app.trading.exchange_lines import OrderLimits, StopPlace
from app.trading.execution import ExecutionEngine
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.risk import RiskConfig, RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor
from tests.candle_columns import MINUTE_MS, START_MS

A, B = "AAA/X", "BBB/X"
LINE_A, LINE_B = Line(MAIN, A), Line(MAIN, B)
BALANCE = 10_000.0
S = OrderState
Result = TypeVar("Result")


class Told(Strategy):
    """Answers what the test has laid down for the symbol's next candle."""

    lookback: ClassVar[int] = 0

    def __init__(self, answers: dict[Line, Signal]) -> None:
        self.answers = answers

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        return self.answers.pop(view.line, FLAT)


class Books:
    """A runtime over an exchange broker, and all that it said."""

    def __init__(
        self,
        instrument: Instrument,
        limits: OrderLimits,
        answers: dict[Line, Signal],
        ids: Sequence[str],
        flattens: bool,
    ) -> None:
        self.fills, self.decisions = list[Fill](), list[Decision]()
        self.account = Account(BALANCE, lines_of(dict.fromkeys(ids, (A, B)), (A, B)))
        grid = dict.fromkeys((A, B), instrument)
        self.ledger = Ledger(self.account, self.fills.append, MINUTE_MS, grid)
        self.broker = ExchangeBroker(self.ledger, limits, tag="test")
        rows = SliceRows()
        self.safety = SafetyMonitor(self.account, SafetyLimits(), rows)
        hosted = [HostedStrategy(one, lambda: Told(answers), "1m", (A, B)) for one in ids]
        config = RiskConfig(risk_per_trade=0.01, max_position_pct=0.5, max_exposure=2.0)
        self.runtime = TradingRuntime(
            account=self.account,
            broker=self.broker,
            safety=self.safety,
            host=StrategyHost((A, B), "1m", hosted, self.account),
            risks={one: RiskEngine(config, grid) for one in ids},
            execution=ExecutionEngine(self.broker, self.account, MINUTE_MS),
            funnel=Funnel(self.ledger.cancelled, self.ledger.dropped),
            rows=rows,
            decisions=self.decisions,
            flatten_on_stop=flattens,
        )

    async def handle(self, event: Event) -> tuple[Intent, ...]:
        """The event's intents."""
        await self.runtime.handle((event,))
        return self.broker.take_intents()

    def digest(self, intents: Sequence[Intent]) -> str:
        """Of all that it is and said."""
        return digest_of(FIRST, self.runtime, (), (), intents)


class Scene:
    """`new` are the intents since it was asked last; risk 1 % of 10,000, so 10 at a stop 10 away."""

    def __init__(
        self,
        *,
        instrument: Instrument = Instrument(quantity_step=0.001, price_tick=0.01),  # noqa: B008 - it is frozen
        limits: OrderLimits = OrderLimits(None, None),  # noqa: B008
        ids: Sequence[str] = (MAIN,),
        flattens: bool = True,
    ) -> None:
        self.answers: dict[Line, Signal] = {}
        self._make: Callable[[], Books] = lambda: Books(instrument, limits, dict(self.answers), ids, flattens)
        self.books = Books(instrument, limits, self.answers, ids, flattens)
        self.time_ms = START_MS
        self._sent: list[Intent] = []
        self._fill_id = 0
        self._close = {A: 100.0, B: 100.0}
        self.snapshot()
        self.candle()

    # What happens.

    def handle(self, event: Event) -> list[Intent]:
        """Its intents; the same of a runtime that knows only what was kept before."""
        twin, known = self._twin(), len(self.books.fills)
        intents = run(self.books.handle(event))
        again = run(twin.handle(event))
        assert (again, twin.fills) == (intents, self.books.fills[known:]), "who goes on from the memory does the same"
        assert _memory(twin.broker) == _memory(self.books.broker)
        assert twin.digest(again) == self.books.digest(intents)
        self._sent += intents
        return list(intents)

    def _twin(self) -> Books:
        twin, books = self._make(), self.books
        state = msgspec.json.decode(msgspec.json.encode(runtime_state(books.runtime)), type=RuntimeState)
        restore_runtime(state, twin.runtime)
        twin.broker.recall(_memory(books.broker))
        twin.runtime.ending, twin.runtime.ended = books.runtime.ending, books.runtime.ended
        rows, own = twin.runtime.rows, books.runtime.rows
        rows.slices, rows.equities, rows.balances = list(own.slices), list(own.equities), list(own.balances)
        return twin

    def candle(
        self, close: float | None = None, *, low: float | None = None, high: float | None = None,
        opened: float | None = None, symbol: str = A, volume: float = 1.0,
    ) -> list[Intent]:  # fmt: skip
        """A minute passes; of the other symbol there is no candle."""
        before = self._close[symbol]
        close = self._close[symbol] = before if close is None else close
        opened = before if opened is None else opened
        low = min(opened, close) if low is None else low
        high = max(opened, close) if high is None else high
        slot_ms = self.time_ms // MINUTE_MS * MINUTE_MS
        self.time_ms = slot_ms + MINUTE_MS
        return self.handle(
            Slice(self.time_ms, (Candle(symbol, "1m", slot_ms, opened, high, low, close, volume),), False)
        )

    def want(self, signal: Signal, line: Line = LINE_A, close: float | None = None) -> list[Intent]:
        """The strategy's answer for the next candle, and the candle."""
        self.answers[line] = signal
        return self.candle(close, symbol=line.symbol)

    def later(self, ms: int) -> None:
        self.time_ms += ms

    def tell(
        self, intent: PlaceOrder | PlaceOco, state: S, leg: str = "", *, quantity: float = 0.0, price: float = 0.0,
        commission: float = 0.0, filled: float | None = None, fill_id: str = "", code: int = 0, why: str = "",
        fee: float = 0.0, fee_asset: str = "", **more: Any,
    ) -> list[Intent]:  # fmt: skip
        """One message of the exchange about an order."""
        leg = leg or (LIST if isinstance(intent, PlaceOco) else ENTRY if intent.buys else CLOSE)
        return self.handle(
            Execution(
                intent.order_id, state, self.time_ms, fill_id, quantity, price, commission, filled, why, leg, fee,
                fee_asset, code=code, **more,
            )
        )  # fmt: skip

    def accept(self, intent: PlaceOrder | PlaceOco) -> list[Intent]:
        """It rests."""
        return self.tell(intent, S.ACCEPTED)

    def part(
        self, intent: PlaceOrder | PlaceOco, quantity: float, price: float, leg: str = "", **more: Any
    ) -> list[Intent]:
        """A fill, each with an id of its own."""
        self._fill_id += 1
        more.setdefault("fill_id", str(self._fill_id))
        return self.tell(intent, S.PARTLY_FILLED, leg, quantity=quantity, price=price, **more)

    def fill(
        self, intent: PlaceOrder | PlaceOco, price: float, leg: str = "", quantity: float | None = None, **more: Any
    ) -> list[Intent]:
        """All of it at once, then its end, and the end of an OCO's other leg."""
        quantity = intent.quantity if quantity is None else quantity
        found = self.part(intent, quantity, price, leg, **more)
        found += self.tell(intent, S.FILLED, leg, filled=intent.quantity)
        if isinstance(intent, PlaceOco):
            found += self.tell(intent, S.EXPIRED, STOP if leg == TARGET else TARGET, filled=0.0)
        return found

    def gone(self, intent: PlaceOrder | PlaceOco, state: S = S.CANCELLED, filled: float = 0.0) -> list[Intent]:
        """It has ended; of an OCO `filled` is its target's."""
        if not isinstance(intent, PlaceOco):
            return self.tell(intent, state, filled=filled)
        found = self.tell(intent, state, TARGET, filled=filled)
        return found + self.tell(intent, state, STOP, filled=0.0)

    def refuse(self, intent: PlaceOrder | PlaceOco, code: int, why: str = "", **more: Any) -> list[Intent]:
        """A definite no."""
        return self.tell(intent, S.REFUSED, code=code, why=why, **more)

    def never_arrived(self, intent: PlaceOrder | PlaceOco) -> list[Intent]:
        """Proved."""
        return self.refuse(intent, NOT_THERE, "never arrived")

    def snapshot(self, **more: Any) -> list[Intent]:
        """The account as the exchange has it: by default just what the ledger expects."""
        broker = self.books.broker
        since_ms = broker.reconciliation.checked_ms
        fills = [one for one in broker.reconciliation._fills if since_ms <= one.time_ms < self.time_ms + 1]
        told: dict[str, Any] = {
            "since_ms": since_ms,
            "balances": {asset: least for asset, (least, _) in broker.reconciliation.expected().items()},
            "trades": tuple(SeenTrade(one.fill_id, one.order_id, one.leg, 1.0, 1.0) for one in fills),
            "open_orders": tuple(_resting(broker)),
        }
        self.later(1)
        return self.handle(AccountSnapshot(self.time_ms, **(told | more)))

    # What is so.

    @property
    def new(self) -> list[Intent]:
        """What was sent since this was asked last."""
        sent, self._sent = self._sent, []
        return sent

    def position(self, line: Line = LINE_A) -> Position:
        """The line's."""
        return self.books.account.positions[line]

    @property
    def reasons(self) -> list[str]:
        return [fill.reason.value for fill in self.books.fills if not fill.opens]

    def stop_place(self, line: Line = LINE_A) -> StopPlace:
        """Where the line's stop is."""
        return self.books.broker.protections()[line]

    @property
    def halted(self) -> bool:
        """Entries, and only entries."""
        assert not self.books.safety.killed
        return self.books.safety.halted

    def ended(self) -> bool:
        return self.books.runtime.ended

    # What often happens.

    def entered(self, signal: Signal, line: Line = LINE_A, price: float = 100.0, **more: Any) -> list[PlaceOco]:
        """An entry at the market, filled at once: the OCOs that are sent for it."""
        order = entry_of(self.want(signal, line))
        self.accept(order)
        self.later(100)
        found = ocos(self.fill(order, price, **more))
        self.new.clear()
        return found

    def protected(self, signal: Signal, line: Line = LINE_A, **more: Any) -> list[PlaceOco]:
        """The same, and the OCOs rest."""
        found = self.entered(signal, line, **more)
        for one in found:
            self.accept(one)
        return found


def _resting(broker: ExchangeBroker) -> list[str]:
    own = [record.intent for record in broker.book.open.values() if record.rests]
    return [one.stop_id if isinstance(one, PlaceOco) else one.client_id for one in own]


def _memory(broker: ExchangeBroker) -> BrokerMemory:
    return msgspec.json.decode(msgspec.json.encode(broker.memory()), type=BrokerMemory)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Nothing here ever waits."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    raise AssertionError("it waits")


def ocos(intents: Sequence[Intent]) -> list[PlaceOco]:
    """Those among intents; nothing else is there."""
    found = [one for one in intents if isinstance(one, PlaceOco)]
    assert len(found) == len(intents), intents
    return found


def entry_of(intents: Sequence[Intent]) -> PlaceOrder:
    """The one intent, which buys."""
    (one,) = intents
    assert isinstance(one, PlaceOrder) and one.buys, one
    return one


def sale_of(intents: Sequence[Intent]) -> PlaceOrder:
    """The one intent, which sells at the market."""
    (one,) = intents
    assert isinstance(one, PlaceOrder) and not one.buys and one.limit is None, one
    return one


def cancels(intents: Sequence[Intent]) -> list[int]:
    """The numbers of the orders that the intents cancel; nothing else is there."""
    found = [one.order_id for one in intents if isinstance(one, Cancel)]
    assert len(found) == len(intents), intents
    return found
