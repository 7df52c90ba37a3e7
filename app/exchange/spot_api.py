"""A spot account at a Binance, as SpotApi asks for it: intents sent once each, questions, and the user data stream.

What an answer means is decided in answers.py, what goes out in order_requests.py; this puts them together. Nothing here
decides what is done about an outcome.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from app import times
from app.errors import ConfigError, UnavailableError
from app.exchange.account_requests import AccountRequests, Changed, CodedRefusalError
from app.exchange.answers import NO_SUCH_ORDER, Verdict
from app.exchange.exchange_rules import TRADING, ExchangeRules, SymbolRules, read_rules, read_symbol
from app.exchange.hosts import BINANCE, socket_api_url
from app.exchange.key_rights import KeyRights, key_rights
from app.exchange.keys import Keys, account_mark
from app.exchange.limiter import WEIGHT_A_SECOND, RateLimiter
from app.exchange.open_orders import OpenOrders
from app.exchange.order_filters import problem_of
from app.exchange.order_reading import UNREADABLE, OrderReader
from app.exchange.order_reports import Accepted, Heard, OrderReport, Outcome, Refused, TradeReport, Unknown
from app.exchange.order_requests import OrderStyle, Request, request_of
from app.exchange.retries import Tell
from app.exchange.user_stream import UserStream
from app.models.intents import ENTRY, Cancel, Intent, PlaceOco, PlaceOrder, read_client_id

_TRADES_A_PAGE = 1000
Read = TypeVar("Read")
_JUDGED = ("immediately", "insufficient", "filter failure")  # in refusals that only an open market gives
_PRICE_S = 60.0  # so long a price that was heard serves filters


class BinanceSpotApi:
    """The account of `keys` at `exchange`, or at a testnet's `url`.

    `markets` are ccxt's plain data of the symbols, as `HistoricalDataProvider.market_rows` gives them. `limiter` is the
    one of everything that this process asks of the exchange; `last_price` knows a symbol's newest price, for filters.
    """

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str],
        markets: Mapping[str, Any],
        keys: Keys,
        *,
        url: str | None = None,
        recv_window_ms: int = 3000,
        answer_s: float = 15.0,
        self_trade_prevention: str = "EXPIRE_MAKER",
        stop_limit_gap: float = 0.01,
        limiter: RateLimiter | None = None,
        last_price: Callable[[str], float | None] | None = None,
        silence_s: float = 30.0,
        tell: Tell | None = None,
    ) -> None:
        if exchange not in BINANCE:
            raise ConfigError(f"real orders go to {', '.join(BINANCE)} only, not to {exchange}")
        self.recv_window_ms = recv_window_ms
        self._symbols = list(symbols)
        self._rules = ExchangeRules({symbol: read_symbol(markets[symbol]["info"]) for symbol in symbols})
        self._style = OrderStyle(self_trade_prevention, stop_limit_gap, exchange == "binanceus" and url is None)
        self._check_self_trade_modes()
        self._symbol_of = {rules.name: symbol for symbol, rules in self._rules.symbols.items()}
        self._reader = OrderReader(self._symbol_of)
        self._open = OpenOrders()
        self._requests = AccountRequests(
            exchange, url, keys, limiter or RateLimiter(WEIGHT_A_SECOND),
            recv_window_ms=recv_window_ms, answer_s=answer_s,
        )  # fmt: skip
        self._last_price = last_price
        self._prices: dict[str, tuple[float, float]] = {}  # and when it was heard
        self._balances: dict[str, float] = {}
        self._stream = UserStream(self._requests, socket_api_url(exchange, url), silence_s=silence_s, tell=tell)

    async def send(self, intent: Intent) -> Outcome:
        """Place or cancel, once; see SpotApi."""
        rules = self._rules.symbols.get(intent.symbol)
        if rules is None:
            return Refused(0, f"not sent: {intent.symbol} is no symbol of this session")
        if isinstance(intent, Cancel):
            return self._cancelled(intent, await self._requests.change(request_of(intent, rules, self._style)))
        request = request_of(intent, rules, self._style)
        refused = self._refused(intent, rules, request)
        if refused is not None:
            return refused
        return self._placed(intent, request, await self._requests.change(request))

    async def order(self, symbol: str, client_id: str) -> OrderReport | None:
        """One order by our id; None where the exchange knows none."""
        return await self._order(symbol, {"origClientOrderId": client_id}, client_id)

    async def order_by_exchange_id(self, symbol: str, exchange_id: int) -> OrderReport | None:
        """One order by the exchange's number."""
        order = await self._order(symbol, {"orderId": str(exchange_id)}, "")
        if order is not None and order.exchange_id != exchange_id:
            raise UnavailableError(f"{self._requests.host} answered about another order than {exchange_id}")
        return order

    async def open_orders(self) -> Sequence[OrderReport]:
        """Every open order of the account, legs of lists among them."""
        orders = self._read(self._reader.open_orders, await self._requests.ask("openOrders"))
        self._open.replace(orders, self._reader.algo)
        return orders

    async def trades(
        self, symbol: str, from_trade_id: int | None, since_ms: int | None = None
    ) -> Sequence[TradeReport]:
        """Trades of a symbol in the order of their ids, a page."""
        params = {"symbol": self._name(symbol), "limit": str(_TRADES_A_PAGE)}
        if from_trade_id is not None:
            params["fromId"] = str(from_trade_id)
        elif since_ms is not None:
            params["startTime"] = str(since_ms)
        rows = await self._requests.ask("myTrades", params)
        trades = self._read(lambda content: [self._reader.trade(row) for row in content], rows)
        if any(trade.symbol != symbol for trade in trades):
            raise UnavailableError(f"{self._requests.host} answered with trades of another symbol than {symbol}")
        return sorted(trades, key=lambda trade: trade.trade_id)

    async def balances(self) -> dict[str, float]:
        """Free and locked together, by asset; what the account has nothing of is left out."""
        self._balances = self._read(_balances, await self._requests.account())
        return dict(self._balances)

    async def price(self, symbol: str) -> float:
        """The last price, also of a symbol that is not the session's."""
        content = await self._requests.ask_public("ticker/price", {"symbol": self._name(symbol)})
        price = self._read(lambda row: float(row["price"]), content)
        if not 0.0 < price < float("inf"):
            raise UnavailableError(f"{self._requests.host} answered {price} as the price of {symbol}")
        self._heard_price(symbol, price)
        return price

    async def server_time_ms(self) -> int:
        """The exchange's clock, asked now."""
        return await self._requests.measure()

    async def not_trading(self) -> Sequence[str]:
        """The session's symbols whose status is not TRADING; learns their filters and the limits anew."""
        names = ",".join(f'"{rules.name}"' for rules in self._rules.symbols.values())
        info = await self._requests.ask_public("exchangeInfo", {"symbols": f"[{names}]"})
        rules = read_rules(info, self._symbol_of)
        self._rules = rules._replace(symbols={**self._rules.symbols, **rules.symbols})
        self._requests.counts.limits = rules.order_limits
        if rules.weight_a_minute is not None:
            self._requests.limiter.note_limit(rules.weight_a_minute)
        gone = [symbol for symbol in self._symbols if symbol not in rules.symbols]
        return [*gone, *(symbol for symbol, one in rules.symbols.items() if one.status != TRADING)]

    async def account_mark(self) -> str:
        """What tells this account at this exchange from others, and tells nobody which it is; for a lock."""
        account = await self._requests.ask("account", {"omitZeroBalances": "true"})
        number = account.get("uid") if isinstance(account, dict) else None
        return self._requests.mark if number is None else account_mark(f"{self._requests.host} {number}")

    async def key_rights(self) -> KeyRights:
        """What the key may do; see key_rights.py."""
        return await key_rights(self._requests)

    async def listen(self, on_heard: Callable[[Heard], None], on_link: Callable[[bool, str], None]) -> None:
        """The user data stream, for ever."""

        def take(event: Mapping[str, Any]) -> None:
            for one in self._reader.heard(event):
                self._note(one)
                on_heard(one)

        await self._stream.run(take, on_link)

    async def close(self) -> None:
        """Closes its connections."""
        await self._requests.rest.close()

    # Answers.

    def _placed(self, intent: PlaceOrder | PlaceOco, request: Request, changed: Changed) -> Outcome:
        if changed.answer.verdict is not Verdict.DONE:
            # What is known of the symbol may be old: an order that was judged was not refused for a closed market.
            is_judged = any(word in changed.answer.why.lower() for word in _JUDGED)
            is_closed = self._rules.symbols[intent.symbol].status != TRADING
            return _not_done(changed, is_passing=is_closed and not is_judged)
        buys = not isinstance(intent, PlaceOco) and intent.buys
        try:
            orders, trades = self._reader.placed(
                changed.answer.content, request.client_ids, buys=buys, quantity=intent.quantity
            )
        except UNREADABLE:
            return Unknown("an answer that cannot be read", changed.sent_ms)
        for trade in trades:
            self._note(trade)
        for order in orders:
            self._note(order)
        return Accepted(orders, trades, changed.sent_ms)

    def _cancelled(self, intent: Cancel, changed: Changed) -> Outcome:
        if changed.answer.verdict is not Verdict.DONE:
            return _not_done(changed)
        try:
            orders = self._reader.answered(changed.answer.content)
            # A list's legs have its id but for the last letter.
            ours = intent.client_id[:-1] if intent.is_list else intent.client_id
            if not any(one.client_id.startswith(ours) for one in orders):
                raise ValueError("an answer about another order")
        except UNREADABLE:
            return Unknown("an answer that cannot be read", changed.sent_ms)
        for one in orders:
            self._note(one)
        return Accepted(orders, (), changed.sent_ms)

    async def _order(self, symbol: str, params: dict[str, str], asked_id: str) -> OrderReport | None:
        try:
            row = await self._requests.ask("order", {"symbol": self._name(symbol), **params})
        except CodedRefusalError as error:
            if error.code == NO_SUCH_ORDER:
                return None
            raise
        order = self._read(lambda content: self._reader.order(content, asked_id), row)
        self._note(order)
        return order

    def _read(self, reader: Callable[[Any], Read], content: Any) -> Read:
        with contextlib.suppress(*UNREADABLE):
            return reader(content)
        raise UnavailableError(f"{self._requests.host} answered what cannot be read")

    def _note(self, one: Heard) -> None:
        """What filters want to know of what was heard."""
        if isinstance(one, TradeReport):
            self._heard_price(one.symbol, one.price)
        else:
            self._open.note(one, is_algo=one.exchange_id in self._reader.algo)

    # What is known before an order is sent.

    def _refused(self, intent: PlaceOrder | PlaceOco, rules: SymbolRules, request: Request) -> Refused | None:
        """What would be refused, without asking.

        Status, number of open orders and last price may have changed since they were told. They hold back an entry;
        what protects or closes a position is sent all the same, and the exchange decides.
        """
        known, now_s = read_client_id(intent.client_id), times.monotonic_s()
        is_entry = known is not None and known.leg == ENTRY
        if is_entry and rules.status != TRADING:
            return Refused(0, f"not sent: {intent.symbol} is not trading ({rules.status})", is_passing=True)
        problem = problem_of(
            intent, rules, self._rules.filters, self._style,
            self._price_of(intent.symbol) if is_entry or isinstance(intent, PlaceOco) else None,
            self._open.counts(intent.symbol, self._balances.get(rules.base, 0.0)) if is_entry else None,
        )  # fmt: skip
        if problem is not None:
            return Refused(0, f"not sent: {problem}")
        now_ms = self._requests.clock.at_least_ms(now_s) if self._requests.clock.knows else 0
        problem = self._requests.counts.problem(request.orders, now_ms, is_entry=is_entry)
        return Refused(0, f"not sent: {problem}", is_passing=True) if problem else None

    def _price_of(self, symbol: str) -> float | None:
        if self._last_price is not None and (price := self._last_price(symbol)) is not None:
            return price
        price, heard_s = self._prices.get(symbol, (0.0, float("-inf")))
        return price if times.monotonic_s() - heard_s <= _PRICE_S else None

    def _heard_price(self, symbol: str, price: float) -> None:
        if symbol in self._rules.symbols:
            self._prices[symbol] = price, times.monotonic_s()

    def _name(self, symbol: str) -> str:
        rules = self._rules.symbols.get(symbol)
        return symbol.replace("/", "") if rules is None else rules.name

    def _check_self_trade_modes(self) -> None:
        mode = self._style.self_trade_prevention
        for symbol, rules in self._rules.symbols.items():
            if rules.self_trade_modes and mode not in rules.self_trade_modes:
                known = ", ".join(rules.self_trade_modes)
                raise ConfigError(f"self-trade prevention {mode} is not offered for {symbol}; it has {known}")


def _not_done(changed: Changed, *, is_passing: bool = False) -> Refused | Unknown:
    answer, sent_ms = changed
    if answer.verdict is Verdict.UNKNOWN:
        return Unknown(answer.why, sent_ms)
    if answer.is_duplicate:
        return Unknown(f"an order of this id is open already: {answer.why}", sent_ms)
    return Refused(answer.code, answer.why, sent_ms, is_passing=is_passing or answer.verdict is not Verdict.REFUSED)


def _balances(account: Any) -> dict[str, float]:
    found = {row["asset"]: float(row["free"]) + float(row["locked"]) for row in account["balances"]}
    if not all(0.0 <= amount < float("inf") for amount in found.values()):
        raise ValueError("a balance that is no amount")
    return {asset: amount for asset, amount in found.items() if amount > 0.0}
