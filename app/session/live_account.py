"""The account that a live session trades: its key is checked, it is locked for this process, and it has enough.

What does not fit is refused with the numbers before anything is traded; nothing here sends an order.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from app import times
from app.errors import ConfigError, UnavailableError
from app.exchange.history import HistoricalDataProvider
from app.exchange.keys import read_keys
from app.exchange.order_desk import OrderDesk
from app.exchange.order_times import OrderTimes
from app.exchange.retries import Tell
from app.exchange.spot_api import BinanceSpotApi
from app.session.account_lock import account_lock
from app.session.order_watch import OrderWatch
from app.session.view import SessionView
from app.settings.profile import OrderSettings, Settings
from app.settings.strategies import StrategySpec
from app.trading.exchange_broker import ExchangeBroker

_TRIES, _WAIT_S = 5, 0.5  # of a question at the start
Answer = TypeVar("Answer")


@dataclass
class LiveAccount:
    """One account at one exchange, until the end of the block that opened it."""

    api: BinanceSpotApi
    orders: OrderSettings
    tell: Tell
    mark: str  # tells it from others, and nobody which it is
    is_testnet: bool

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, settings: Settings, provider: HistoricalDataProvider, url: str | None, tell: Tell
    ) -> "AsyncIterator[LiveAccount]":
        """ConfigError for a key that is refused, OutputError where another process trades the account."""
        live, orders = settings.live, settings.trading_mode.orders or OrderSettings()
        keys = read_keys()
        await provider.server_time_ms(live.symbols, live.timeframe)
        api = BinanceSpotApi(
            live.exchange,
            live.symbols,
            provider.market_rows(live.symbols),
            keys,
            url=url,
            recv_window_ms=orders.recv_window_ms,
            answer_s=orders.answer_s,
            self_trade_prevention=orders.self_trade_prevention,
            limiter=provider.limiter,
            silence_s=max(30.0, live.feed.silence_s),
            tell=tell,
        )
        try:
            rights = await _asked(api.key_rights)
            for warning in rights.warnings:
                tell(f"API key: {warning}")
            rights.refuse_problems()
            mark = await _asked(api.account_mark)
            with account_lock(mark):
                yield cls(api, orders, tell, mark, url is not None)
        finally:
            await api.close()

    async def begin(self, settings: Settings) -> None:
        """Before a session's first start: says what is going to be done; ConfigError for an account that is too small.

        What the account holds besides is somebody else's: it is said, and never touched.
        """
        live, mode = settings.live, settings.trading_mode
        balances = await _asked(self.api.balances)
        quote = live.symbols[0].rpartition("/")[2]
        held = balances.get(quote, 0.0)
        for line in self._plan(settings, held, quote):
            self.tell(line)
        if held < mode.starting_balance:
            raise ConfigError(
                f"the account holds {held:,.8g} {quote}, and starting_balance is {mode.starting_balance:,.8g}: set it "
                "to what this session may trade with, at most what is there"
            )
        await self._refuse_too_small(settings, quote)
        others = {asset: amount for asset, amount in balances.items() if asset != quote}
        bases = [symbol.partition("/")[0] for symbol in live.symbols]
        own = ", ".join(f"{others[asset]:.8g} {asset}" for asset in bases if asset in others)
        if own:
            self.tell(f"the account has {own} of its own, which this session does not touch")

    def desk(self, view: SessionView) -> OrderDesk:
        """What sends the orders of this session, with all that an earlier start left open; the view looks at it."""
        plan, broker = view.plan, view.recorded.runtime.broker
        if not isinstance(broker, ExchangeBroker) or plan.orders is None:
            raise TypeError("the orders of this session are not real")
        symbols, since_ms = plan.settings.live.symbols, plan.period.start_ms
        waits = OrderTimes(answer_s=self.orders.answer_s, reconcile_s=self.orders.reconcile_s)
        desk = OrderDesk(self.api, plan.orders.tag, symbols, since_ms=since_ms, times=waits, tell=self.tell)
        left = broker.open_intents()
        if left:
            self.tell(f"{len(left)} orders are open or not known of since the last start: the exchange is asked")
        desk.take_up(left, view.recorded.never_sent(), broker.accepted_ids())
        view.orders = OrderWatch(desk, self.orders.protection_gap_s, self.tell)
        return desk

    def _plan(self, settings: Settings, held: float, quote: str) -> Iterator[str]:
        live, orders = settings.live, self.orders
        names = ", ".join(f"{spec.label} on {', '.join(spec.symbols)}" for spec in settings.strategies)
        kind = "play money" if live.exchange == "binance_demo" else "a testnet" if self.is_testnet else "real money"
        yield f"real orders at {live.exchange} ({kind}), spot: {names}, {live.timeframe}"
        notional, daily = orders.max_order_notional, orders.max_daily_orders
        yield (
            f"the account holds {held:,.8g} {quote}, this session trades with "
            f"{settings.trading_mode.starting_balance:,.8g}; an entry costs "
            f"{'whatever risk allows' if notional is None else f'at most {notional:,.8g}'}, "
            f"{'any number' if daily is None else f'at most {daily}'} a day"
        )
        most = max(self._most(settings, spec) for spec in settings.strategies)
        if notional is not None and most > notional:
            yield (
                f"entries may be sized up to {most:,.8g} {quote}: those above orders.max_order_notional are refused, "
                "not made smaller; a smaller starting_balance or max_position_pct makes them fit"
            )
        kept = "stay, protected" if settings.trading_mode.on_stop == "keep" else "are closed"
        yield (
            f"stop and target rest at the exchange; a position that has been without its stop there for "
            f"{orders.protection_gap_s:g} s is said; when the session is stopped, its positions {kept}"
        )

    def _most(self, settings: Settings, spec: StrategySpec) -> float:
        """What risk and gate allow an entry of the strategy to cost, at the start."""
        mode = settings.trading_mode
        own = spec.allocation * spec.risk.max_position_pct
        return mode.starting_balance * min(own, mode.safety.max_exposure)

    async def _refuse_too_small(self, settings: Settings, quote: str) -> None:
        """Where an entry can never be as large as the exchange's smallest order."""
        least = await self._smallest(settings)
        for spec in settings.strategies:
            most = self._most(settings, spec)
            if self.orders.max_order_notional is not None:
                most = min(most, self.orders.max_order_notional)
            for symbol in spec.symbols:
                if most < least[symbol]:
                    raise ConfigError(
                        f"{spec.label}: an entry in {symbol} may cost {most:,.8g} {quote} at most (starting_balance, "
                        f"max_position_pct, safety.max_exposure, orders.max_order_notional), and the smallest order "
                        f"of the exchange is {least[symbol]:,.8g}"
                    )

    async def _smallest(self, settings: Settings) -> Mapping[str, float]:
        least: dict[str, float] = {}
        for symbol in settings.live.symbols:
            instrument = settings.live.instruments.get(symbol)
            least[symbol] = 0.0 if instrument is None else instrument.min_notional
            if instrument is not None and instrument.min_quantity > 0.0:
                price = await _asked(partial(self.api.price, symbol))
                least[symbol] = max(least[symbol], instrument.min_quantity * price)
        return least

    def new_tag(self) -> str:
        """What a session's client ids begin with: another for each account and each start of a session."""
        digest = hashlib.blake2b(f"{self.mark} {times.now_ms()}".encode(), digest_size=5).digest()
        return base64.b32encode(digest).decode().lower()


async def _asked(question: Callable[[], Awaitable[Answer]]) -> Answer:
    """A few tries, as a session begins with the answer."""
    for tries in range(_TRIES - 1):
        try:
            return await question()
        except UnavailableError:
            await asyncio.sleep(_WAIT_S * 2.0**tries)
    return await question()
