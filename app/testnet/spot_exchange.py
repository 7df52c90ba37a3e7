"""The testnet's trading: accounts, orders and order lists of a spot exchange, matched against its market.

It is pure: it is told the time with each call, draws nothing but from its seed, and opens no socket. The wire around it
(signatures, limits of requests, faults, sockets) is somebody else's.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from app.testnet.spot import SpotMarket

Fees = Literal["received", "bnb", "quote"]
Matching = Literal["rules", "book"]


class Reply(NamedTuple):
    """An answer: HTTP status and what its body says, `{"code": -2010, "msg": "..."}` for an error."""

    status: int
    body: Any


class SpotExchange:
    """The engine. Accounts are told apart by name; a path is what follows `/api/v3/`, like `order` or `orderList/oco`
    (and the whole of `sapi/v1/account/apiRestrictions`).
    """

    def __init__(
        self,
        market: SpotMarket,
        *,
        fees: Fees = "received",
        matching: Matching = "rules",
        seed: int = 0,
        slippage_rate: float = 0.0005,
        commission_rate: float = 0.001,
        maker_commission_rate: float | None = None,
        limit_fill: Literal["through", "touch"] = "through",
    ) -> None:
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    def advance(self, now_ms: int) -> None:
        """Match what can be matched up to now; `request` does it first itself."""
        raise NotImplementedError

    def take_events(self) -> list[tuple[str, dict[str, Any]]]:
        """(account, payload of the user stream's event) since the last call, in order."""
        raise NotImplementedError

    def next_ms(self, now_ms: int) -> int | None:
        """When `advance` could next do something; None while no order is open."""
        raise NotImplementedError

    def adjust(self, account: str, asset: str, amount: float, now_ms: int) -> None:
        """A deposit, or a withdrawal where it is below zero; a `balanceUpdate` event says it."""
        raise NotImplementedError

    def set_status(self, symbol: str, status: str) -> None:
        """TRADING, HALT, BREAK, CANCEL_ONLY or END_OF_DAY, of a symbol by its name on the wire."""
        raise NotImplementedError

    def status(self, symbol: str) -> str:
        """A symbol's status."""
        raise NotImplementedError

    def expire(self, account: str, client_order_id: str, now_ms: int, reason: str = "EXCHANGE_CANCELED") -> bool:
        """The exchange takes an open order away; False if there is none of this id."""
        raise NotImplementedError

    def order_counts(self, account: str, now_ms: int) -> dict[str, int]:
        """Unfilled orders by interval: `{"10S": 3, "1D": 17}`, for the X-MBX-ORDER-COUNT headers."""
        raise NotImplementedError

    def ledger(self, account: str) -> dict[str, Any]:
        """For tests: `orders`, `order_lists`, `trades` and `balances` as they are, every one ever, with its times."""
        raise NotImplementedError
