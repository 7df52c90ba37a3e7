"""What an exchange has told of each of our orders: a memory of this process, so that nothing is said twice.

It forgets what has long been over. The broker's books, which the tape rebuilds, are not here.
"""

from collections.abc import Collection, Iterator

from app import times
from app.exchange.order_reports import OrderReport
from app.models.intents import ClientId, PlaceOco, PlaceOrder, read_client_id
from app.models.orders import OVER, OrderState

_PROGRESS = {OrderState.ACCEPTED: 0, OrderState.PARTLY_FILLED: 1}
_REMEMBERED = 10_000
_REST = 1e-9  # of a quantity: sums of doubles


class KnownOrder:
    """One order: its newest `state` (None: the exchange has told none), and the trades that were heard of it.

    `is_dead`: it was refused, or proved never to have arrived; should it be heard of after all, that is said.
    """

    __slots__ = (
        "awaits_answer", "client_id", "exchange_id", "filled", "id", "is_cancelled", "is_dead", "refusal", "state",
        "symbol", "traded", "was_accepted",
    )  # fmt: skip

    def __init__(self, client_id: str, own_id: ClientId, symbol: str) -> None:
        self.client_id, self.id, self.symbol = client_id, own_id, symbol
        self.exchange_id: int | None = None
        self.state: OrderState | None = None
        self.filled = 0.0  # as reports tell it
        self.traded: dict[int, float] = {}  # quantities by trade id
        self.is_cancelled = False  # somebody asked for it
        self.is_dead = False
        self.was_accepted = False  # a process before had heard so
        self.awaits_answer = False  # to the request that places it: a refusal has its code there
        self.refusal: OrderReport | None = None  # heard of before that answer

    @property
    def is_over(self) -> bool:
        """Nothing more can happen to it."""
        return self.is_dead or self.state in OVER

    @property
    def is_open(self) -> bool:
        """The exchange has told that it rests, and no end of it."""
        return self.state is not None and not self.is_over

    @property
    def is_heard(self) -> bool:
        """It exists at the exchange, or did."""
        return self.state is not None or bool(self.traded)

    @property
    def traded_quantity(self) -> float:
        """What its trades come to."""
        return sum(self.traded.values())

    @property
    def lacks_trades(self) -> bool:
        """Reports tell more than the trades do."""
        return self.filled * (1.0 - _REST) > self.traded_quantity

    def note(self, report: OrderReport) -> bool:
        """A report of it; whether that is news."""
        self.exchange_id = report.exchange_id
        before, filled_before = self.state, self.filled
        self.filled = max(filled_before, report.filled)
        if self.is_dead:
            self.is_dead = report.state is OrderState.REFUSED  # else it was not
            before = None
        if before is None:
            is_news = not self.is_dead
        elif before in OVER:
            is_news = report.state in OVER and (report.state is not before or report.filled > filled_before)
        else:
            is_further = _PROGRESS.get(report.state, 2) > _PROGRESS.get(before, 0)
            is_news = is_further or report.filled > filled_before
        if is_news:
            self.state = report.state
        return is_news


class KnownOrders:
    """All orders of our tag, by their client ids; whose an exchange's number is."""

    def __init__(self, tag: str) -> None:
        self.foreign = 0  # orders of somebody else that were heard of
        self._tag = tag
        self._orders: dict[str, KnownOrder] = {}
        self._client_ids: dict[tuple[str, int], str] = {}  # by symbol and the exchange's number
        self._lacking: dict[str, tuple[KnownOrder, float, float]] = {}  # with what is filled, and since when it is

    def own_id(self, client_id: str) -> ClientId | None:
        """What a client id says, if it is of this session."""
        own_id = read_client_id(client_id)
        return own_id if own_id is not None and own_id.tag == self._tag else None

    def known(self, client_id: str, symbol: str) -> KnownOrder | None:
        """An order of ours, remembered from here on; None for one of somebody else."""
        order = self._orders.get(client_id)
        if order is None:
            own_id = self.own_id(client_id)
            if own_id is None:
                return None
            order = self._orders[client_id] = KnownOrder(client_id, own_id, symbol)
            if len(self._orders) > _REMEMBERED:
                self._forget()
        return order

    def take_up(self, intent: PlaceOrder | PlaceOco, accepted: Collection[str]) -> None:
        """Orders that a process before sent, and what it had heard of them."""
        ids = (intent.target_id, intent.stop_id) if isinstance(intent, PlaceOco) else (intent.client_id,)
        for client_id in ids:
            order = self.known(client_id, intent.symbol)
            if order is not None and client_id in accepted:
                order.was_accepted = True

    def open(self) -> list[KnownOrder]:
        """Those that rest, as far as is known."""
        return [order for order in self._orders.values() if order.is_open]

    def doubtful(self) -> list[KnownOrder]:
        """Those that are not known to be over: open, or not heard of yet."""
        return [order for order in self._orders.values() if not order.is_over]

    def lacking(self) -> list[KnownOrder]:
        """Those of which trades are missing."""
        return [order for order, _, _ in self._lacking.values()]

    def lacking_since(self) -> list[float]:
        """When more was last told of each of them."""
        return [since_s for _, _, since_s in self._lacking.values()]

    def learn(self, symbol: str, exchange_id: int, client_id: str) -> bool:
        """Whose an exchange's number is; whether it is an order of somebody else that was not heard of before."""
        is_foreign = (symbol, exchange_id) not in self._client_ids and self.own_id(client_id) is None
        self.foreign += is_foreign
        self._client_ids[symbol, exchange_id] = client_id
        if len(self._client_ids) > 4 * _REMEMBERED:
            del self._client_ids[next(iter(self._client_ids))]
        return is_foreign

    def client_id_of(self, symbol: str, exchange_id: int) -> str | None:
        """The client id of an exchange's number, as far as it is known."""
        return self._client_ids.get((symbol, exchange_id))

    def weigh(self, order: KnownOrder) -> None:
        """Something was heard of it: does it lack trades now?"""
        before = self._lacking.pop(order.client_id, None)
        if order.lacks_trades:
            is_same = before is not None and before[1] == order.filled
            since_s = before[2] if before is not None and is_same else times.monotonic_s()
            self._lacking[order.client_id] = order, order.filled, since_s

    def _forget(self) -> None:
        for client_id in list(self._oldest_over()):
            del self._orders[client_id]

    def _oldest_over(self) -> Iterator[str]:
        half = list(self._orders.items())[: _REMEMBERED // 2]
        return (client_id for client_id, order in half if order.is_over and client_id not in self._lacking)
