"""What is heard of orders, whatever carried it, as `Execution` events: ours only, in one order, each with its evidence.

A state is said once. A fill is said as often as the exchange tells it by itself: its id names it, and the broker counts
it once. The trade history adds what was not said yet.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from app import times
from app.errors import UnavailableError
from app.exchange.fee_prices import FeePrices
from app.exchange.known_orders import KnownOrder, KnownOrders
from app.exchange.order_reports import Heard, OrderReport, SpotApi, TradeReport
from app.exchange.questions import Questions
from app.exchange.repeated_lines import RepeatedLines
from app.models.events import AccountSnapshot, Execution
from app.models.intents import ClientId
from app.models.orders import OrderState

Said = Execution | AccountSnapshot
FROM_HISTORY = "in the trade history"


class ExchangeTime:
    """What time it is at the exchange, for what we say ourselves: as it was heard last, and the seconds since."""

    def __init__(self) -> None:
        self._told_ms, self._told_s = 0, 0.0

    def note(self, time_ms: int) -> None:
        """The exchange told a time, or a candle's close; it never goes back."""
        if time_ms > self.now_ms():
            self._told_ms, self._told_s = time_ms, times.monotonic_s()

    def now_ms(self) -> int:
        """About now."""
        return self._told_ms + int((times.monotonic_s() - self._told_s) * 1000.0) if self._told_ms else 0


class Executions:
    """`put` takes every event; nobody else says anything."""

    def __init__(
        self, api: SpotApi, orders: KnownOrders, questions: Questions, fees: FeePrices, lines: RepeatedLines,
        put: Callable[[Said], None],
    ) -> None:  # fmt: skip
        self.orders, self.time = orders, ExchangeTime()
        self.news = 0  # states and trades that were not known before
        self.unconfirmed: dict[tuple[str, int], TradeReport] = {}  # not in the trade history yet
        self._api, self._questions, self._fees, self._lines, self._put = api, questions, fees, lines, put
        self._changed = asyncio.Event()

    def say(
        self, own_id: ClientId, state: OrderState, why: str, *, code: int = 0, filled: float | None = None,
        is_passing: bool = False,
    ) -> None:  # fmt: skip
        """What we know of an order ourselves."""
        time_ms = self.time.now_ms()
        self._put(
            Execution(
                own_id.order_id, state, time_ms, why=why, leg=own_id.leg, code=code, filled=filled,
                is_passing=is_passing,
            )
        )  # fmt: skip
        self.stir()

    def say_account(self, snapshot: AccountSnapshot) -> None:
        """After all that was said before."""
        self._put(snapshot)

    async def hear(self, heard: Sequence[Heard], source: str) -> None:
        """Reports and trades; `source` says where from. Trades come before states: what fills comes before the end."""
        for report in heard:
            if isinstance(report, OrderReport):
                self._learn(report.symbol, report.exchange_id, report.client_id)
        trades = [await self._read(trade) for trade in heard if isinstance(trade, TradeReport)]
        for trade, client_id, commission, note in trades:
            self._hear_trade(trade, client_id, commission, f"{source}; {note}" if note else source)
        for report in heard:
            if isinstance(report, OrderReport):
                self._hear_report(report, source)
        self.stir()

    def stir(self) -> None:
        """Whoever waits for something to be true looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, is_true: Callable[[], bool], most_s: float | None) -> bool:
        """Waits until something that was heard makes it true, `most_s` at most; whether it is."""
        try:
            async with asyncio.timeout(most_s):
                while not is_true():
                    await self._changed.wait()
        except TimeoutError:
            pass
        return is_true()

    def is_history_behind(self, time_ms: int, late_ms: int) -> bool:
        """Whether trades of before `time_ms` were heard of that the history lacks, and may show yet."""
        late_s = late_ms / 1000.0
        is_young = any(time_ms - late_ms < trade.time_ms < time_ms for trade in self.unconfirmed.values())
        return is_young or any(since_s > times.monotonic_s() - late_s for since_s in self.orders.lacking_since())

    async def server_ms(self) -> int:
        """The exchange's time, asked now."""
        server_ms = await self._questions.ask("the exchange's time", self._api.server_time_ms)
        self.time.note(server_ms)
        return server_ms

    async def find(self, order: KnownOrder) -> OrderReport | None:
        """Asks the exchange for an order: by our id, and by its own number where that is known."""
        symbol, client_id, number = order.symbol, order.client_id, order.exchange_id

        async def by_id() -> OrderReport | None:
            found = await self._api.order(symbol, client_id)
            if found is not None and number not in (None, found.exchange_id):
                raise UnavailableError(f"asked for {client_id}, the exchange answered about another order")
            return found

        report = await self._questions.ask("an order by its id", by_id)
        if report is None and number is not None:
            report = await self._by_number(symbol, number)
        # A cancelled order may be shown with the id of its cancellation.
        return None if report is None else msgspec.structs.replace(report, client_id=client_id)

    def _by_number(self, symbol: str, number: int) -> Awaitable[OrderReport | None]:
        return self._questions.ask(
            "an order by its number", lambda: self._api.order_by_exchange_id(symbol, number)
        )  # fmt: skip

    async def _read(self, trade: TradeReport) -> tuple[TradeReport, str, float, str]:
        """Whose it is, and its fee in quote currency."""
        client_id = trade.client_id or self.orders.client_id_of(trade.symbol, trade.exchange_id)
        if client_id is None:
            report = await self._by_number(trade.symbol, trade.exchange_id)
            client_id = "" if report is None else report.client_id
        self._learn(trade.symbol, trade.exchange_id, client_id)
        is_ours = self.orders.own_id(client_id) is not None
        return trade, client_id, *(await self._fees.commission(trade) if is_ours else (0.0, ""))

    def _hear_trade(self, trade: TradeReport, client_id: str, commission: float, why: str) -> None:
        order = self.orders.known(client_id, trade.symbol)
        if order is None:
            return
        self.time.note(trade.time_ms)
        order.exchange_id, order.is_dead = trade.exchange_id, False
        key, is_news = (trade.symbol, trade.trade_id), trade.trade_id not in order.traded
        if is_news:
            self.news += 1
            self.unconfirmed[key] = trade
        if why.startswith(FROM_HISTORY):
            self.unconfirmed.pop(key, None)
            if not is_news:
                return
        order.traded[trade.trade_id] = trade.quantity
        self.orders.weigh(order)
        self._put(
            Execution(
                order.id.order_id, OrderState.PARTLY_FILLED, trade.time_ms, str(trade.trade_id), trade.quantity,
                trade.price, commission, why=why, leg=order.id.leg, fee=trade.fee, fee_asset=trade.fee_asset,
                is_maker=trade.is_maker,
            )
        )  # fmt: skip

    def _hear_report(self, report: OrderReport, source: str) -> None:
        order = self.orders.known(report.client_id, report.symbol)
        if order is None:
            return
        self.time.note(report.time_ms)
        if report.state is OrderState.REFUSED and order.awaits_answer:
            order.exchange_id, order.refusal = report.exchange_id, report
            return
        is_news = order.note(report)
        self.orders.weigh(order)
        if not is_news:
            return
        self.news += 1
        told = f"{report.state} ({report.filled!r} of {report.quantity!r})"
        why = f"{source}: {told}; {report.why}" if report.why else f"{source}: {told}"
        self._put(
            Execution(
                order.id.order_id, report.state, report.time_ms, filled=report.filled, why=why, leg=order.id.leg
            )
        )  # fmt: skip

    def _learn(self, symbol: str, exchange_id: int, client_id: str) -> None:
        if self.orders.learn(symbol, exchange_id, client_id):
            self._lines.say("foreign", f"orders: somebody else trades {symbol} on this account; it is left alone")
