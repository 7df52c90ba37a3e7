"""One connection of the websocket API: who signed in, what it is subscribed to, and its answers in Binance's words.

What is a signed request of REST, too, goes the same way through trading.py.
"""

from collections.abc import Mapping
from typing import Any

from app.testnet.order_faults import Answer, error_reply
from app.testnet.signing import Query, refusal, socket_query
from app.testnet.sockets import Connection
from app.testnet.spot_exchange import Reply
from app.testnet.trading import Call, Trading, too_many
from app.testnet.user_stream import Subscription
from app.testnet.wire import json_text

_METHODS = {
    "order.place": ("POST", "order"), "order.test": ("POST", "order/test"), "order.cancel": ("DELETE", "order"),
    "order.cancelReplace": ("POST", "order/cancelReplace"), "order.status": ("GET", "order"),
    "orderList.place.oco": ("POST", "orderList/oco"), "orderList.cancel": ("DELETE", "orderList"),
    "orderList.status": ("GET", "orderList"), "openOrderLists.status": ("GET", "openOrderList"),
    "openOrders.status": ("GET", "openOrders"), "openOrders.cancelAll": ("DELETE", "openOrders"),
    "allOrders": ("GET", "allOrders"), "myTrades": ("GET", "myTrades"), "account.status": ("GET", "account"),
    "account.commission": ("GET", "account/commission"), "account.rateLimits.orders": ("GET", "rateLimit/order"),
}  # fmt: skip
_RETIRED = ("userDataStream.start", "userDataStream.ping", "userDataStream.stop")
_OWN_WEIGHT = 2
_PLAIN = {"ping": 1, "time": 1}


class SocketSession:
    """The session of one connection."""

    def __init__(
        self, trading: Trading, connection: Connection, ip: str, connected_ms: int, *, shows_limits: bool
    ) -> None:
        self.connection = connection
        self.connected_ms = connected_ms
        self.heard_s = 0.0  # real time of the last pong
        self.subscriptions: list[Subscription] = []
        self._trading, self._ip, self._shows_limits = trading, ip, shows_limits
        self._key: str | None = None
        self._since_ms: int | None = None
        self._subscribed = 0

    async def answer(self, number: Any, method: Any, params: Mapping[str, str]) -> None:
        """Handle one request."""
        name = str(method).removeprefix("v3/")
        shows_limits = params.get("returnRateLimits", "true" if self._shows_limits else "false") != "false"
        if name in _METHODS:
            answer = await self._trading.answer(self._call(*_METHODS[name], params))
        elif over := self._trading.charge(_PLAIN.get(name, _OWN_WEIGHT)):
            answer = too_many(over)
        else:
            answer = Answer(self._own(name, params))
        self._send(number, answer, shows_limits=shows_limits)

    def refuse(self, number: Any, status: int, code: int, message: str) -> None:
        """Say no."""
        self._send(number, Answer(error_reply(code, message, status)), shows_limits=self._shows_limits)

    def end(self) -> None:
        """The connection is gone."""
        for one in list(self.subscriptions):
            self._unsubscribe(one)

    def terminate(self) -> None:
        """The exchange ends the subscriptions, and says so."""
        for one in list(self.subscriptions):
            self._trading.stream.say("eventStreamTerminated", one)
            self._unsubscribe(one)

    def say_shutdown(self) -> None:
        """The server is about to go; this concerns the connection and no subscription."""
        event = {"e": "serverShutdown", "E": self._trading.told_ms()}
        self.connection.send(json_text({"event": event}))

    def _call(self, method: str, path: str, params: Mapping[str, str]) -> Call:
        signed_in = "apiKey" not in params and self._key is not None
        key = self._key if signed_in else params.get("apiKey", "")
        return Call(method, path, socket_query(params), key, self._ip, signed_in=signed_in)

    def _own(self, name: str, params: Mapping[str, str]) -> Reply:
        match name:
            case "ping":
                return Reply(200, {})
            case "time":
                return Reply(200, {"serverTime": self._trading.told_ms()})
            case "session.logon":
                return self._log_on(params)
            case "session.status":
                return self._status()
            case "session.logout":
                for one in [one for one in self.subscriptions if one.by_logon]:
                    self._trading.stream.say("eventStreamTerminated", one)
                    self._unsubscribe(one)
                self._key = self._since_ms = None
                return self._status()
            case "session.subscriptions":
                return Reply(200, [{"subscriptionId": one.number} for one in self.subscriptions])
            case "userDataStream.subscribe":
                return self._subscribe_signed_in()
            case "userDataStream.subscribe.signature":
                return self._subscribe(socket_query(params), params.get("apiKey"))
            case "userDataStream.unsubscribe":
                return self._stop_listening(params.get("subscriptionId"))
            case _ if name in _RETIRED:
                return error_reply(-1020, "This operation is not supported.", 410)
            case _:
                return error_reply(-1020, f"Unknown method '{name}'.")

    def _log_on(self, params: Mapping[str, str]) -> Reply:
        key = self._trading.keys.find(params.get("apiKey"), self._ip)
        if isinstance(key, Reply):
            return key
        if key.public_key is None:
            return error_reply(-1020, "Only Ed25519 keys are supported for this feature.")
        if refused := refusal(key, socket_query(params), self._trading.told_ms(), None):
            return refused
        self._key, self._since_ms = key.key, self._trading.told_ms()
        return self._status()

    def _status(self) -> Reply:
        body = {
            "apiKey": self._key, "authorizedSince": self._since_ms, "connectedSince": self.connected_ms,
            "returnRateLimits": self._shows_limits, "serverTime": self._trading.told_ms(),
            "userDataStream": bool(self.subscriptions),
        }  # fmt: skip
        return Reply(200, body)

    def _subscribe_signed_in(self) -> Reply:
        key = self._trading.keys.find(self._key, self._ip)
        if self._key is None or isinstance(key, Reply):
            return error_reply(-2015)
        return self._listening(key.account, by_logon=True)

    def _subscribe(self, query: Query, name: str | None) -> Reply:
        key = self._trading.keys.find(name, self._ip)
        if isinstance(key, Reply):
            return key
        if refused := refusal(key, query, self._trading.told_ms(), "may_read"):
            return refused
        return self._listening(key.account)

    def _listening(self, account: str, *, by_logon: bool = False) -> Reply:
        if any(one.account == account for one in self.subscriptions):
            return error_reply(-2035, "User Data Stream subscription already active.")
        made = Subscription(self._subscribed, account, self.connection.send, by_logon)
        self._subscribed += 1
        self.subscriptions.append(made)
        self._trading.stream.subscriptions.append(made)
        return Reply(200, {"subscriptionId": made.number})

    def _stop_listening(self, number: str | None) -> Reply:
        chosen = [one for one in self.subscriptions if number in (None, str(one.number))]
        if not chosen:
            return error_reply(-2036, "User Data Stream subscription not active.")
        for one in chosen:
            self._trading.stream.say("eventStreamTerminated", one)
            self._unsubscribe(one)
        return Reply(200, {})

    def _unsubscribe(self, one: Subscription) -> None:
        self.subscriptions.remove(one)
        self._trading.stream.subscriptions.remove(one)

    def _send(self, number: Any, answer: Answer, *, shows_limits: bool) -> None:
        reply = answer.reply
        what = "result" if reply.status == 200 else "error"
        frame = {"id": number, "status": reply.status, what: reply.body}
        if shows_limits:
            frame["rateLimits"] = self._trading.rate_limits(answer)
        text = json_text(frame) if answer.page is None else answer.page
        if answer.is_half:
            text = text[: len(text) // 2]
        if text and (answer.is_half or not answer.is_cut):
            for _ in range(answer.times):
                self.connection.send(text)
        if answer.is_cut:
            self.connection.end()
