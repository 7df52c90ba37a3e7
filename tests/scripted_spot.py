"""A spot exchange on a virtual clock: it knows the truth of each order, and a test says what becomes of each message.

The rule: a request that arrives after its receive window does nothing, unless a test takes that rule away.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from app.errors import UnavailableError
from app.exchange.order_reports import Accepted, Heard, OrderReport, Outcome, Refused, TradeReport, Unknown
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import OrderState

BEGIN_MS = 1_700_000_000_000
OPEN = (OrderState.ACCEPTED, OrderState.PARTLY_FILLED)


@dataclass(frozen=True)
class Way:
    """What becomes of one request: when it arrives and when its answer does (None: never), or another answer."""

    arrives_s: float | None = 0.05
    answers_s: float | None = 0.1
    instead: Outcome | None = None
    executes: bool = False  # although the answer refuses it
    is_bare: bool = False  # the answer has no reports


@dataclass
class ScriptedSpot:
    """`ways` are taken by the requests in turn; a request without one goes well."""

    price_now: float = 100.0
    recv_window_ms: int = 3_000
    ways: deque[Way] = field(default_factory=deque)
    latency_s: float = 0.05
    answer_s: float = 15.0
    page: int = 1000
    fee: tuple[float, str] = (0.001, "BTC")
    has_window: bool = True
    shown_late_s: float = 0.0  # an order by its id, and trades
    stream_s: float | None = 0.02  # how long a message is under way; None: the stream is silent
    stream_copies: int = 1
    stream_backwards: bool = False
    is_stream_up: bool = True
    outages: Sequence[tuple[float, float]] = ()
    server_skew_ms: int = 0
    hides_cancelled: bool = False
    held: dict[str, float] = field(default_factory=lambda: {"USDT": 10_000.0, "BTC": 0.0})
    prices: dict[str, float] = field(default_factory=dict)
    halted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.orders: dict[str, OrderReport] = {}
        self.made_s: dict[str, float] = {}
        self.lists: dict[str, tuple[str, str]] = {}
        self.history: list[tuple[float, TradeReport]] = []
        self.sent: list[tuple[float, Intent]] = []
        self.asked: list[str] = []
        self.on_balances: Callable[[], None] = lambda: None
        self._on_heard: Callable[[Heard], None] | None = None
        self._changed = asyncio.Event()

    # The truth.

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def now_ms(self) -> int:
        return BEGIN_MS + int(self.now_s * 1000)

    def rest(self, client_id: str, quantity: float, *, buys: bool, list_id: str = "", symbol: str = "BTC/USDT") -> None:
        """A new order, nothing of it filled."""
        report = OrderReport(
            symbol, client_id, len(self.orders) + 1, OrderState.ACCEPTED, buys, quantity, 0.0, self.now_ms, list_id
        )
        self.made_s[client_id] = self.now_s
        self._become(report)

    def fill(self, client_id: str, quantity: float, price: float | None = None, *, ends: bool = False) -> None:
        """A trade of a resting order."""
        order = self.orders[client_id]
        filled = order.filled + quantity
        state = OrderState.FILLED if filled >= order.quantity else OrderState.PARTLY_FILLED
        fee, asset = self.fee
        trade = TradeReport(
            order.symbol, 1000 + len(self.history), order.exchange_id, "", order.buys, quantity,
            self.price_now if price is None else price, fee, asset, self.now_ms,
        )  # fmt: skip
        self.history.append((self.now_s, trade))
        sign = 1.0 if order.buys else -1.0
        self.held["BTC"] += sign * quantity
        self.held["USDT"] -= sign * quantity * trade.price
        told = msgspec.structs.replace(order, filled=filled, state=OrderState.EXPIRED if ends else state)
        self._become(told, msgspec.structs.replace(trade, client_id=client_id))
        for leg in self.lists.get(order.list_client_id, ()):
            if leg != client_id:
                self.end(leg, OrderState.EXPIRED)

    def end(self, client_id: str, state: OrderState = OrderState.CANCELLED) -> None:
        """It is over, if it was open."""
        if self.orders[client_id].state in OPEN:
            self._become(msgspec.structs.replace(self.orders[client_id], state=state))

    def rejected(self, client_id: str) -> None:
        """The stream tells that an order was refused; the exchange has none."""
        report = OrderReport(
            "BTC/USDT", client_id, 999, OrderState.REFUSED, True, 1.0, 0.0, self.now_ms, why="NO_MONEY"
        )  # fmt: skip
        if self._on_heard is not None:
            self._on_heard(report)

    def cut(self, *, up_again_s: float | None = 1.0) -> None:
        """The stream is gone, and comes back; what it would have told meanwhile is lost."""
        self.is_stream_up = False
        self._changed.set()
        if up_again_s is not None:
            asyncio.get_running_loop().call_later(up_again_s, self.join)

    def join(self) -> None:
        """The stream is back."""
        self.is_stream_up = True
        self._changed.set()

    def _become(self, report: OrderReport, *trades: TradeReport) -> None:
        report = msgspec.structs.replace(report, time_ms=self.now_ms)
        self.orders[report.client_id] = report
        told: list[Heard] = [*trades, report]
        if self.stream_backwards:
            told.reverse()
        for one in told * self.stream_copies:
            if self.stream_s is not None and self._on_heard is not None and self.is_stream_up:
                asyncio.get_running_loop().call_later(self.stream_s, self._tell, self._on_heard, one)

    def _tell(self, on_heard: Callable[[Heard], None], one: Heard) -> None:
        if self._on_heard is on_heard and self.is_stream_up:
            on_heard(one)

    # Requests.

    async def send(self, intent: Intent) -> Outcome:
        self.sent.append((self.now_s, intent))
        way, sent_ms = self.ways.popleft() if self.ways else Way(), self.now_ms
        arrived = asyncio.get_running_loop().create_future()
        if way.arrives_s is not None and (way.executes or not isinstance(way.instead, Refused)):
            asyncio.get_running_loop().call_later(way.arrives_s, self._arrive, intent, sent_ms, arrived)
        if way.answers_s is None:
            await asyncio.sleep(self.answer_s)
            return Unknown("no answer within 15 s", sent_ms)
        await asyncio.sleep(way.answers_s)
        if way.instead is not None:
            return msgspec.structs.replace(way.instead, sent_ms=sent_ms)
        answer: Outcome = await arrived
        if way.is_bare and isinstance(answer, Accepted):
            answer = Accepted()
        return msgspec.structs.replace(answer, sent_ms=sent_ms)

    def _arrive(self, intent: Intent, sent_ms: int, arrived: "asyncio.Future[Outcome]") -> None:
        if self.has_window and self.now_ms - sent_ms > self.recv_window_ms:
            answer: Outcome = Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
        else:
            answer = self._cancel(intent) if isinstance(intent, Cancel) else self._place(intent)
        if not arrived.done():
            arrived.set_result(answer)

    def _place(self, intent: PlaceOrder | PlaceOco) -> Outcome:
        legs: tuple[str, ...] = (intent.client_id,)
        before = len(self.history)
        if isinstance(intent, PlaceOco):
            legs = intent.target_id, intent.stop_id
            self.lists[intent.client_id] = intent.target_id, intent.stop_id
            for leg in legs:
                self.rest(leg, intent.quantity, buys=False, list_id=intent.client_id)
        else:
            self.rest(intent.client_id, intent.quantity, buys=intent.buys, symbol=intent.symbol)
            if intent.limit is None:
                self.fill(intent.client_id, intent.quantity)
        return Accepted(tuple(self.orders[leg] for leg in legs), tuple(trade for _, trade in self.history[before:]))

    def _cancel(self, intent: Cancel) -> Outcome:
        legs = self.lists.get(intent.client_id, (intent.client_id,))
        if not any(leg in self.orders and self.orders[leg].state in OPEN for leg in legs):
            return Refused(-2011, "Unknown order sent.")
        for leg in legs:
            self.end(leg)
        return Accepted(tuple(self.orders[leg] for leg in legs))

    # Questions.

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        await asyncio.sleep(self.latency_s)
        if any(begin <= self.now_s < end for begin, end in self.outages):
            raise UnavailableError("the exchange is not there")

    async def order(self, symbol: str, client_id: str) -> OrderReport | None:
        await self._ask(f"order {client_id}")
        report = self.orders.get(client_id)
        if report is None or self.now_s - self.made_s[client_id] < self.shown_late_s:
            return None
        return None if self.hides_cancelled and report.state is OrderState.CANCELLED else report

    async def order_by_exchange_id(self, symbol: str, exchange_id: int) -> OrderReport | None:
        await self._ask(f"number {exchange_id}")
        found = next((one for one in self.orders.values() if one.exchange_id == exchange_id), None)
        if found is not None and self.hides_cancelled and found.state is OrderState.CANCELLED:
            return msgspec.structs.replace(found, client_id="of_the_cancellation")
        return found

    async def open_orders(self) -> Sequence[OrderReport]:
        await self._ask("open orders")
        return [one for one in self.orders.values() if one.state in OPEN]

    async def trades(
        self, symbol: str, from_trade_id: int | None, since_ms: int | None = None
    ) -> Sequence[TradeReport]:
        await self._ask(f"trades {symbol} {from_trade_id or ''}".strip())
        shown = [one for at_s, one in self.history if one.symbol == symbol and self.now_s - at_s >= self.shown_late_s]
        if from_trade_id is not None:
            return [one for one in shown if one.trade_id >= from_trade_id][: self.page]
        return [one for one in shown if one.time_ms >= (since_ms or 0)][: self.page]

    async def balances(self) -> dict[str, float]:
        await self._ask("balances")
        self.on_balances()
        return dict(self.held)

    async def price(self, symbol: str) -> float:
        await self._ask(f"price {symbol}")
        if symbol not in self.prices:
            raise UnavailableError(f"no price of {symbol}")
        return self.prices[symbol]

    async def server_time_ms(self) -> int:
        await self._ask("time")
        return self.now_ms + self.server_skew_ms

    async def not_trading(self) -> Sequence[str]:
        await self._ask("not trading")
        return self.halted

    async def listen(self, on_heard: Callable[[Heard], None], on_link: Callable[[bool, str], None]) -> None:
        while True:
            await self._until_stream(is_up=True)
            await asyncio.sleep(self.latency_s)
            self._on_heard = on_heard
            on_link(True, "")
            await self._until_stream(is_up=False)
            self._on_heard = None
            on_link(False, "cut")

    async def _until_stream(self, *, is_up: bool) -> None:
        while self.is_stream_up != is_up:
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Nothing is open."""
