"""What an exchange says of orders: reports, trades and the outcome of a request, whatever carried them.

`SpotApi` is all that the order desk needs of an exchange. Nothing here decides what is done about it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from app.models.intents import Intent
from app.models.orders import OrderState


class OrderReport(msgspec.Struct, frozen=True):
    """One order as the exchange has it; times in ms of its clock. `why`: its words for an end that nobody asked for."""

    symbol: str
    client_id: str  # the order's own, also where a cancellation has another
    exchange_id: int
    state: OrderState
    buys: bool
    quantity: float
    filled: float
    time_ms: int
    list_client_id: str = ""
    why: str = ""


class TradeReport(msgspec.Struct, frozen=True):
    """One trade. `client_id` is empty where only the order's `exchange_id` was told; `fee` is in `fee_asset`."""

    symbol: str
    trade_id: int
    exchange_id: int
    client_id: str
    buys: bool
    quantity: float
    price: float
    fee: float
    fee_asset: str
    time_ms: int
    is_maker: bool = False


class Accepted(msgspec.Struct, frozen=True):
    """The exchange has it: what it said of the orders, and of trades that came with the answer."""

    orders: tuple[OrderReport, ...] = ()
    trades: tuple[TradeReport, ...] = ()
    sent_ms: int = 0  # the request's signed time stamp, by the exchange's clock


class Refused(msgspec.Struct, frozen=True):
    """A definite no. `is_passing`: maintenance or a limit, so the same may be accepted later."""

    code: int
    why: str
    sent_ms: int = 0
    is_passing: bool = False


class Unknown(msgspec.Struct, frozen=True):
    """Nobody knows whether it arrived."""

    why: str
    sent_ms: int = 0


Outcome = Accepted | Refused | Unknown
Heard = OrderReport | TradeReport


class SpotApi(Protocol):
    """One account at one exchange. Questions raise UnavailableError, RateLimitError or RefusedError (app/errors.py);
    requests that change something never raise for what the exchange or the way to it did: they answer an Outcome.
    """

    recv_window_ms: int

    async def send(self, intent: Intent) -> Outcome:
        """Place or cancel, once; no automatic repetition."""

    async def order(self, symbol: str, client_id: str) -> OrderReport | None:
        """One order by our id; None where the exchange knows none."""

    async def order_by_exchange_id(self, symbol: str, exchange_id: int) -> OrderReport | None:
        """One order by the exchange's number."""

    async def open_orders(self) -> Sequence[OrderReport]:
        """Every open order of the account, legs of lists among them."""

    async def trades(
        self, symbol: str, from_trade_id: int | None, since_ms: int | None = None
    ) -> Sequence[TradeReport]:
        """Trades of a symbol in the order of their ids, at most a page: from a trade id on, or from a time on."""

    async def balances(self) -> dict[str, float]:
        """Free and locked together, by asset."""

    async def price(self, symbol: str) -> float:
        """The last price, to value a fee that is paid in a third asset."""

    async def server_time_ms(self) -> int:
        """The exchange's clock, asked now."""

    async def not_trading(self) -> Sequence[str]:
        """The session's symbols whose status is not TRADING."""

    async def listen(self, on_heard: Callable[[Heard], None], on_link: Callable[[bool, str], None]) -> None:
        """The user data stream, for ever; dialled again when it is gone. `on_link` hears True once it is subscribed,
        and False with the reason when it is gone.
        """

    async def close(self) -> None:
        """Closes its connections."""
