"""The testnet's own pages about trading: what others do to an account, and everything that ever happened in it.

Like all own pages they count, weigh and meet nothing, and their requests are signed by nobody.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError
from app.testnet.trading import Trading
from app.testnet.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from aiohttp import web

_ASKED = (
    'orders: write one of {"place": {"symbol": ..}}, {"list": {..}}, {"cancel": {..}}, '
    '{"adjust": {"asset": "USDT", "amount": -5}}, {"lock": {..}}, {"status": {"symbol": "BTCUSDT", "status": "HALT"}}, '
    '{"expire": "client order id"}, each with "account" where there is more than one'
)
_REQUESTS = {"place": ("POST", "order"), "list": ("POST", "orderList/oco"), "cancel": ("DELETE", "order")}


class TradingPages:
    """Handlers of POST /testnet/orders and GET /testnet/ledger."""

    def __init__(self, trading: Trading, clock: VirtualClock) -> None:
        self._trading, self._clock = trading, clock

    async def orders(self, request: "web.Request") -> "web.StreamResponse":
        """One act of somebody else; 400 if it makes no sense, else what the exchange answers."""
        try:
            return _json(*self._act(json.loads(await request.text())))
        except (ValueError, ConfigError, KeyError) as error:
            return _json({"error": str(error) if isinstance(error, ConfigError) else _ASKED}, 400)

    async def ledger(self, request: "web.Request") -> "web.StreamResponse":
        """Orders, lists, trades and balances of an account as they are, and every event there was, before any fault,
        with its real time."""
        try:
            return _json(self.ledger_of(request.query.get("account")))
        except ConfigError as error:
            return _json({"error": str(error)}, 400)

    def ledger_of(self, account: str | None = None) -> dict[str, Any]:
        """The content of that page."""
        name = self._account(account)
        self._trading.advance()
        times = {"now_ms": self._clock.now_ms(), "real_s": self._clock.real_s(), "speed": self._clock.speed}
        events = [one for one in self._trading.stream.history if one["account"] == name]
        return {"account": name, **times, **self._trading.engine.ledger(name), "events": events}

    def _act(self, asked: Any) -> tuple[Any, int]:
        if not isinstance(asked, dict) or len(asked.keys() - {"account"}) != 1:
            raise ConfigError(_ASKED)
        account = self._account(asked.pop("account", None))
        ((what, value),) = asked.items()
        if what in _REQUESTS and isinstance(value, dict):
            params = {name: str(one) for name, one in value.items()}
            reply = self._trading.own_request(account, *_REQUESTS[what], params)
            return reply.body, reply.status
        acts: Mapping[str, Callable[[], bool]] = {
            "adjust": lambda: self._moved(self._trading.engine.adjust, account, value),
            "lock": lambda: self._moved(self._trading.engine.lock, account, value),
            "status": lambda: self._status_set(value),
            "expire": lambda: self._trading.engine.expire(account, str(value), self._clock.now_ms()),
        }
        if what not in acts:
            raise ConfigError(_ASKED)
        self._trading.advance()
        done = acts[what]()
        self._trading.publish()
        return {"done": done}, 200

    def _moved(self, move: Callable[[str, str, float, int], None], account: str, value: Any) -> bool:
        if not isinstance(value, dict) or not isinstance(value.get("amount"), int | float):
            raise ConfigError(_ASKED)
        move(account, str(value["asset"]), float(value["amount"]), self._clock.now_ms())
        return True

    def _status_set(self, value: Any) -> bool:
        if not isinstance(value, dict):
            raise ConfigError(_ASKED)
        self._trading.engine.set_status(str(value["symbol"]), str(value["status"]))
        return True

    def _account(self, name: str | None) -> str:
        known = self._trading.accounts
        if name is None and len(known) == 1:
            return known[0]
        if name not in known:
            raise ConfigError(f"account {name!r}: known are {', '.join(known)}")
        return str(name)


def _json(content: Any, status: int = 200) -> "web.StreamResponse":
    from aiohttp import web

    return web.json_response(content, status=status)
