"""An exchange behind the seam that executes for certain and tells of it late, in parts, twice and out of order.

It takes intents and says Executions. What it fills it knows at once; what it says of it comes when the test says so.
Seeded; nothing else decides.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import floor
from random import Random

from app.models.events import AccountSnapshot, Execution, SeenTrade
from app.models.intents import CLOSE, ENTRY, STOP, TARGET, Cancel, Intent, PlaceOco, PlaceOrder
from app.models.market import Candle
from app.models.orders import NOT_THERE, OrderState

FEE_RATE = 0.001
DIGITS, SCALE = 4, 10_000  # of quantities: fills lie on the step, as an exchange's do


@dataclass
class Resting:
    """An OCO or a limit order at the exchange, with what is unfilled."""

    intent: PlaceOrder | PlaceOco
    rest: float
    has_stop: bool = True


@dataclass
class SlowExchange:
    """`held` and `cash` are the truth; `outbox` is what it will say."""

    random: Random
    base_fees: bool = False  # charged in what is bought, as Binance does
    held: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    cash: float = 0.0
    outbox: list[Execution] = field(default_factory=list)
    resting: dict[int, Resting] = field(default_factory=dict)
    trades: list[tuple[str, SeenTrade, int]] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def take(self, intent: Intent, price: float, time_ms: int) -> None:
        """A request arrives."""
        if isinstance(intent, Cancel):
            self._cancel(intent, time_ms)
        elif isinstance(intent, PlaceOco):
            self._take_oco(intent, price, time_ms)
        else:
            self._take_order(intent, price, time_ms)

    def go_on(self, candle: Candle) -> None:
        """Prices move: stops trigger, targets and limits fill, wholly or in part; the exchange takes orders away."""
        random, low, high, close, time_ms = self.random, candle.low, candle.high, candle.close, candle.close_time_ms
        own = [(number, one) for number, one in self.resting.items() if one.intent.symbol == candle.symbol]
        for order_id, one in own:
            intent, told = one.intent, list[Execution]()
            if isinstance(intent, PlaceOrder):
                if intent.limit is not None and low < intent.limit and random.random() < 0.7:
                    told = self._part(one, ENTRY, intent.limit, time_ms, random.random() < 0.6)
            elif one.has_stop and low <= intent.stop:
                told = [self._told(order_id, TARGET, OrderState.EXPIRED, time_ms, filled=intent.quantity - one.rest)]
                told += self._part(one, STOP, min(intent.stop, close), time_ms, True)
            elif high > intent.target:
                is_whole = random.random() < 0.6
                told = self._part(one, TARGET, intent.target, time_ms, is_whole)
                if one.has_stop and (is_whole or told):  # inference: the first activation ends the other leg
                    told.insert(
                        random.randint(0, 1), self._told(order_id, STOP, OrderState.EXPIRED, time_ms, filled=0.0)
                    )
                    one.has_stop = False
            elif random.random() < 0.02:
                self.met["taken away"] += 1
                done = intent.quantity - one.rest
                told = [self._told(order_id, TARGET, OrderState.EXPIRED, time_ms, filled=done)]
                if one.has_stop:
                    told.append(self._told(order_id, STOP, OrderState.EXPIRED, time_ms, filled=0.0))
                one.rest = 0.0
            if one.rest <= 0.0:
                self.resting.pop(order_id, None)
            self._tell(told)

    def locked(self, symbol: str) -> float:
        """The quantity that resting sales hold."""
        return sum(one.rest for one in self.resting.values() if one.intent.symbol == symbol and self._sells(one))

    def covered(self, symbol: str) -> float:
        """The quantity that rests with a stop."""
        own = [one for one in self.resting.values() if one.intent.symbol == symbol and self._sells(one)]
        return sum(one.rest for one in own if one.has_stop)

    def snapshot(self, starting_balance: float, time_ms: int) -> AccountSnapshot:
        """The truth as an event."""
        balances = {symbol.split("/")[0]: quantity for symbol, quantity in self.held.items()}
        ids = [one.intent for one in self.resting.values()]
        open_orders = [one.target_id if isinstance(one, PlaceOco) else one.client_id for one in ids]
        trades = tuple(trade for _, trade, at_ms in self.trades if at_ms < time_ms)
        return AccountSnapshot(time_ms, 0, balances | {"X": starting_balance + self.cash}, tuple(open_orders), trades)

    def _sells(self, one: Resting) -> bool:
        return isinstance(one.intent, PlaceOco)

    def _take_order(self, intent: PlaceOrder, price: float, time_ms: int) -> None:
        random, leg = self.random, ENTRY if intent.buys else CLOSE
        order_id, kind = intent.order_id, random.random()
        if kind < 0.05:  # never arrived, and that was proved
            told = [self._told(order_id, leg, OrderState.UNKNOWN, time_ms)]
            told.append(self._told(order_id, leg, OrderState.REFUSED, time_ms, filled=0.0, code=NOT_THERE))
            return self._tell(told, in_order=True)
        is_short_of = not intent.buys and self.held[intent.symbol] - self.locked(intent.symbol) < intent.quantity - 1e-9
        if is_short_of or kind < 0.12:
            self.met["refused for want of funds" if is_short_of else "refused"] += 1
            return self._tell([self._told(order_id, leg, OrderState.REFUSED, time_ms, filled=0.0, code=-2010)])
        told = [self._told(order_id, leg, OrderState.ACCEPTED, time_ms)]
        if random.random() < 0.1:
            told.append(self._told(order_id, leg, OrderState.UNKNOWN, time_ms))
        one = Resting(intent, intent.quantity)
        if intent.limit is not None and price > intent.limit:
            self.resting[order_id] = one
            return self._tell(told)
        for share in random.choice(((), (0.5,), (0.25, 0.5))):
            told += self._some(one, leg, price, time_ms, _steps(intent.quantity * share))
        if kind < 0.2:  # a thin market: the rest of it expires
            told.append(self._told(order_id, leg, OrderState.EXPIRED, time_ms, filled=intent.quantity - one.rest))
        else:
            told += self._part(one, leg, price, time_ms, True)
        return self._tell(told)

    def _take_oco(self, intent: PlaceOco, price: float, time_ms: int) -> None:
        random, order_id, kind = self.random, intent.order_id, self.random.random()
        code, why = 0, ""
        if kind < 0.05:
            code, why = NOT_THERE, "never arrived"
        elif self.held[intent.symbol] - self.locked(intent.symbol) < intent.quantity - 1e-9:
            code, why = -2010, "Account has insufficient balance for requested action."
            self.met["an OCO without funds"] += 1
        elif price <= intent.stop:
            code, why = -2010, "Stop price would trigger immediately."
        elif price >= intent.target:
            code, why = -2010, "Order would immediately match and take."
        elif kind < 0.1:
            code, why = -1008, "Server is currently overloaded with other requests."
        if code:
            self.met[why] += 1
            legs = (TARGET, STOP)
            return self._tell(
                [
                    Execution(
                        order_id,
                        OrderState.REFUSED,
                        time_ms,
                        filled=0.0,
                        why=why,
                        leg=leg,
                        code=code,
                        is_passing=code == -1008,
                    )
                    for leg in legs
                ]
            )
        self.resting[order_id] = Resting(intent, intent.quantity)
        told = [self._told(order_id, leg, OrderState.ACCEPTED, time_ms) for leg in (TARGET, STOP)]
        if random.random() < 0.1:
            told.insert(0, self._told(order_id, random.choice((TARGET, STOP)), OrderState.UNKNOWN, time_ms))
        return self._tell(told)

    def _cancel(self, intent: Cancel, time_ms: int) -> None:
        """Too late for what is filled; otherwise for certain."""
        one = self.resting.pop(intent.order_id, None)
        if one is None:
            return
        done = intent.order_id, OrderState.CANCELLED, one.intent.quantity - one.rest
        if isinstance(one.intent, PlaceOrder):
            self._tell([self._told(done[0], ENTRY, done[1], time_ms, filled=done[2])])
            return
        told = [self._told(done[0], TARGET, done[1], time_ms, filled=done[2])]
        if one.has_stop:
            told.append(self._told(done[0], STOP, done[1], time_ms, filled=0.0))
        self._tell(told)

    def _part(self, one: Resting, leg: str, price: float, time_ms: int, is_whole: bool) -> list[Execution]:
        if not is_whole:
            return self._some(one, leg, price, time_ms, _steps(one.rest * 0.5))
        told = self._some(one, leg, price, time_ms, one.rest)
        done = one.intent.quantity if isinstance(one.intent, PlaceOrder) else self._filled(one.intent.order_id, leg)
        state = OrderState.FILLED if abs(done - one.intent.quantity) < 1e-9 else OrderState.EXPIRED
        return [*told, self._told(one.intent.order_id, leg, state, time_ms, filled=done)]

    def _filled(self, order_id: int, leg: str) -> float:
        own = [trade for _, trade, _ in self.trades if trade.order_id == order_id and trade.leg == leg]
        return round(sum(trade.quantity for trade in own), DIGITS)

    def _some(self, one: Resting, leg: str, price: float, time_ms: int, quantity: float) -> list[Execution]:
        if quantity <= 0.0:
            return []
        intent = one.intent
        one.rest = round(one.rest - quantity, DIGITS)
        buys = isinstance(intent, PlaceOrder) and intent.buys
        name, (base, quote) = str(len(self.trades) + 1), intent.symbol.split("/")
        is_base = buys and self.base_fees
        fee = FEE_RATE * quantity * (1.0 if is_base else price)
        self.held[intent.symbol] += quantity - (fee if is_base else 0.0) if buys else -quantity
        self.cash += (-quantity * price if buys else quantity * price) - (0.0 if is_base else fee)
        self.trades.append((intent.symbol, SeenTrade(name, intent.order_id, leg, quantity, price), time_ms))
        state = OrderState.PARTLY_FILLED
        commission = fee * price if is_base else fee
        return [
            Execution(
                intent.order_id, state, time_ms, name, quantity, price, commission, leg=leg, fee=fee,
                fee_asset=base if is_base else quote,
            )
        ]  # fmt: skip

    def _told(
        self, order_id: int, leg: str, state: OrderState, time_ms: int, *, filled: float | None = None, code: int = 0,
        why: str = "", is_passing: bool = False,
    ) -> Execution:  # fmt: skip
        return Execution(order_id, state, time_ms, filled=filled, leg=leg, code=code, why=why, is_passing=is_passing)

    def _tell(self, told: list[Execution], *, in_order: bool = False) -> None:
        if self.random.random() < 0.4 and not in_order:
            self.random.shuffle(told)
        for one in told:
            for _ in range(2 if self.random.random() < 0.2 else 1):
                is_last = in_order or self.random.random() < 0.7
                self.outbox.insert(len(self.outbox) if is_last else self.random.randint(0, len(self.outbox)), one)


def _steps(quantity: float) -> float:
    whole: int = floor(quantity * SCALE + 1e-9)
    return round(float(whole) / SCALE, DIGITS)
