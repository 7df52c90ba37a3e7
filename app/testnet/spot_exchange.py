"""The testnet's trading: accounts, orders and order lists of a spot exchange, matched against its market.

It is pure: it is told the time with each call, draws nothing but from its seed, and opens no socket. The wire around it
(signatures, limits of requests, faults, sockets) is somebody else's.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from app.errors import ConfigError
from app.testnet import order_payloads as payloads
from app.testnet.account_queries import AccountQueries
from app.testnet.amounts import ZERO, exact, plus, text_of
from app.testnet.book_matching import Book, BookMatching
from app.testnet.commissions import Commissions, Fees
from app.testnet.exchange_variants import Variants
from app.testnet.matching import Matching
from app.testnet.order_engine import Event, OrderEngine
from app.testnet.order_params import KNOWN, check_known
from app.testnet.order_parts import OrderParts
from app.testnet.order_requests import OrderRequests
from app.testnet.rules_matching import RulesMatching
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.spot_orders import OrderGroup
from app.testnet.symbol_rules import ExchangeRules, SymbolRules
from app.testnet.symbols import Symbols
from app.testnet.traded_candles import TradedCandles
from app.testnet.trading_account import TradingAccount, opened_balances
from app.testnet.trading_errors import Refused

MatchedBy = Literal["rules", "book"]
# Asked by everybody, without an account.
PUBLIC = ("ticker/price", "avgPrice", "executionRules")
_DEFAULT_WINDOW_MS = "5000"
_MICROSECONDS = 10**14  # a timestamp above is in microseconds
_FIRST_UID = 354_937_868


class Reply(NamedTuple):
    """An answer: HTTP status and what its body says, `{"code": -2010, "msg": "..."}` for an error."""

    status: int
    body: Any


class SpotExchange:
    """The engine. Accounts are told apart by name; a path is what follows `/api/v3/`, like `order` or `orderList/oco`
    (and the whole of `sapi/v1/account/apiRestrictions`).

    `parts`: an order fills in up to so many trades, those of a resting one `parts_spread_ms` apart. `bnb_price` serves
    where there are no candles of BNB. ConfigError for rules of a symbol that the market does not have.
    """

    def __init__(
        self,
        market: SpotMarket,
        *,
        fees: Fees = "received",
        matching: MatchedBy = "rules",
        seed: int = 0,
        slippage_rate: float = 0.0005,
        commission_rate: float = 0.001,
        maker_commission_rate: float | None = None,
        limit_fill: Literal["through", "touch"] = "through",
        variants: Variants | None = None,
        rules: ExchangeRules | None = None,
        parts: int = 1,
        parts_spread_ms: int = 1_000,
        bnb_price: float = 600.0,
        book: Book | None = None,
    ) -> None:
        self.variants, self.rules = variants or Variants(), rules or ExchangeRules()
        candles = TradedCandles(market)
        self._matching: Matching
        if matching == "book":
            self._matching = BookMatching(candles, book or Book(), seed, self._tick, self._step)
        else:
            self._matching = RulesMatching(
                candles, slippage_rate=slippage_rate, limit_fill=limit_fill, variants=self.variants
            )
        self.symbols = Symbols(market, candles, self._matching, self.rules.symbols)
        commissions = Commissions(
            fees, commission_rate, maker_commission_rate, bnb_price, candles, market.symbols, self.variants
        )
        split = OrderParts(seed, parts, parts_spread_ms, lambda name: self.symbols.rules(name).quantity_step)
        self._engine = OrderEngine(
            self._matching, commissions, split, self.variants, self.symbols.pair, self.symbols.in_range
        )
        self._queries = AccountQueries(self.symbols, commissions, finds_cancelled=self.variants.finds_cancelled)
        self._requests = OrderRequests(
            self._engine, self._queries, self.symbols, self.rules, self.variants, self._generate
        )
        self._accounts: dict[str, TradingAccount] = {}
        self._generated = 0

    def add_account(
        self,
        name: str,
        balances: Mapping[str, float],
        *,
        may_trade: bool = True,
        may_withdraw: bool = False,
        ip_restricted: bool = True,
    ) -> None:
        """An account that holds so much of each asset."""
        self._accounts[name] = TradingAccount(
            name, _FIRST_UID + len(self._accounts), opened_balances(balances), may_trade, may_withdraw, ip_restricted,
            self.rules.order_limits,
        )  # fmt: skip

    def request(
        self,
        account: str,
        method: str,
        path: str,
        params: Mapping[str, str],
        now_ms: int,
        arrives_ms: int | None = None,
    ) -> Reply:
        """Answer one request that was let through at `now_ms`. With `arrives_ms`, the later time at which it reaches
        the matching, `timestamp` and `recvWindow` are checked again (-1021) and it is handled at that time.
        """
        at_ms = now_ms if arrives_ms is None else max(now_ms, arrives_ms)
        self.advance(at_ms)
        if (method, path) not in KNOWN:
            return Reply(404, {"code": -1000, "msg": f"There is no {method} {path}."})
        try:
            if arrives_ms is not None:
                _check_window(params, at_ms)
            check_known(method, path, params)
            if path in PUBLIC:
                return Reply(200, self._queries.public(path, params, at_ms))
            if method == "GET":
                return Reply(200, self._queries.answer(self._account(account), path, params, at_ms))
            return Reply(*self._change(self._account(account), method, path, params, at_ms))
        except Refused as refusal:
            return Reply(refusal.status, refusal.body)

    def advance(self, now_ms: int) -> None:
        """Match what can be matched up to now; `request` does it first itself."""
        while (first := self._first_due()) is not None and first[0] <= now_ms:
            due_ms, account, group = first
            if self.symbols.rules(group.symbol).status == "TRADING":
                self._engine.check(account, group, due_ms)
            else:
                self._engine.skip_check(group, due_ms)

    def take_events(self) -> list[Event]:
        """(account, payload of the user stream's event) since the last call, in order."""
        events, self._engine.events = self._engine.events, []
        return events

    def next_ms(self, now_ms: int) -> int | None:
        """When `advance` could next do something; None while no order is open."""
        first = self._first_due()
        return None if first is None else max(first[0], now_ms)

    def adjust(self, account: str, asset: str, amount: float, now_ms: int) -> None:
        """A deposit, or a withdrawal where it is below zero; a `balanceUpdate` event says it. ConfigError for more
        than there is.
        """
        self.advance(now_ms)
        held, change = self._account(account), exact(float(amount))
        if held.free(asset) + change < 0:
            raise ConfigError(f"{account} has {held.free(asset)} {asset} free; {-amount} cannot leave it")
        held.move(asset, free=change)
        held.adjustments.append((now_ms, asset, change))
        self._engine.tell(held, payloads.balance_update(asset, change, now_ms), now_ms)

    def lock(self, account: str, asset: str, amount: float, now_ms: int) -> None:
        """Another system of the exchange locks so much, or unlocks it where it is below zero; an `externalLockUpdate`
        event says it. ConfigError for more than there is.
        """
        self.advance(now_ms)
        held, change = self._account(account), exact(float(amount))
        locked = held.external_locks.get(asset, ZERO)
        if plus(locked, change) < 0 or change > held.free(asset):
            raise ConfigError(f"{account} has {held.free(asset)} {asset} free; {amount} of it cannot be locked")
        held.external_locks[asset] = plus(locked, change)
        held.move(asset, free=change.copy_negate(), locked=change)
        self._engine.tell(held, payloads.external_lock_update(asset, change, now_ms), now_ms)

    def set_status(self, symbol: str, status: str) -> None:
        """TRADING, HALT, BREAK, CANCEL_ONLY or END_OF_DAY, of a symbol by its name on the wire; ConfigError for
        another.
        """
        self.symbols.change(symbol, status=status)

    def status(self, symbol: str) -> str:
        """A symbol's status."""
        return self.symbols.rules(symbol).status

    def set_rules(self, symbol: str, **changes: Any) -> None:
        """Other filters from now on, by the fields of SymbolRules."""
        self.symbols.change(symbol, **changes)

    def symbol_rules(self, symbol: str) -> SymbolRules:
        """What exchangeInfo shows of a symbol, by its name on the wire."""
        return self.symbols.rules(symbol)

    def expire(self, account: str, client_order_id: str, now_ms: int, reason: str = "EXCHANGE_CANCELED") -> bool:
        """The exchange takes an open order away, and with it its list; False if there is none of this id."""
        self.advance(now_ms)
        held = self._account(account)
        for group in held.open_groups():
            if any(order.client_order_id == client_order_id for order in group.open_orders):
                self._engine.expire(held, group, now_ms, reason)
                return True
        return False

    def order_counts(self, account: str, now_ms: int) -> dict[str, int]:
        """Unfilled orders by interval: `{"10S": 3, "1D": 17}`, for the X-MBX-ORDER-COUNT headers."""
        return self._account(account).counts(now_ms)

    def ledger(self, account: str) -> dict[str, Any]:
        """For tests: `orders`, `order_lists`, `trades` (as the endpoints show them), `balances` and `adjustments`,
        every one ever, with its times; amounts are texts and exact.
        """
        held = self._account(account)
        return {
            "orders": [payloads.queried(one, held.groups[one.order_id]) for one in held.orders.values()],
            "order_lists": [payloads.listed(one) for one in held.lists.values()],
            "trades": [payloads.traded(one) for one in held.trades],
            "balances": {
                name: {"free": text_of(one.free), "locked": text_of(one.locked)}
                for name, one in sorted(held.balances.items())
            },
            "adjustments": [
                {"time": time_ms, "asset": asset, "amount": str(amount)} for time_ms, asset, amount in held.adjustments
            ],
        }

    def _change(
        self, account: TradingAccount, method: str, path: str, params: Mapping[str, str], now_ms: int
    ) -> tuple[int, Any]:
        if not account.may_trade:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        requests = self._requests
        handler = {
            ("POST", "order"): requests.place, ("POST", "order/test"): requests.test,
            ("POST", "order/cancelReplace"): requests.cancel_replace, ("POST", "orderList/oco"): requests.place_oco,
            ("DELETE", "order"): requests.cancel, ("DELETE", "openOrders"): requests.cancel_all,
            ("DELETE", "orderList"): requests.cancel_list,
        }[method, path]  # fmt: skip
        return handler(account, params, now_ms)

    def _first_due(self) -> tuple[int, TradingAccount, OrderGroup] | None:
        """What is to be looked at next: the earliest, and of those at one time the oldest."""
        due = [
            (group.due_ms, group.orders[0].order_id, account, group)
            for account in self._accounts.values()
            for group in account.resting
            if group.due_ms is not None
        ]
        if not due:
            return None
        due_ms, _, account, group = min(due, key=lambda one: one[:2])
        return due_ms, account, group

    def _account(self, name: str) -> TradingAccount:
        if name not in self._accounts:
            raise ConfigError(f"the testnet has no account {name!r}")
        return self._accounts[name]

    def _generate(self) -> str:
        """A client id as the exchange makes them: 22 letters and digits."""
        self._generated += 1
        return f"x{self._generated:021d}"

    def _tick(self, symbol: str) -> Decimal:
        return self.symbols.rules(wire_name(symbol)).price_tick

    def _step(self, symbol: str) -> Decimal:
        return self.symbols.rules(wire_name(symbol)).quantity_step


def _check_window(params: Mapping[str, str], at_ms: int) -> None:
    """The second look at the time, just before the matching."""
    if "timestamp" not in params:
        return
    stamp_ms = Decimal(params["timestamp"])
    age_ms = at_ms - (stamp_ms / 1_000 if stamp_ms > _MICROSECONDS else stamp_ms)
    if age_ms > Decimal(params.get("recvWindow", _DEFAULT_WINDOW_MS)):
        raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
