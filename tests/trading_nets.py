"""A testnet that trades, for a test, and who sends it signed requests over a real socket or listens to its stream.

The rule: every default is without a limit and without a fault, the clock as good as stands, and a test moves it.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp

from app.testnet.api_keys import TEST_ACCOUNT, TEST_KEY, TEST_SECRET
from app.testnet.server import Testnet
from tests.candle_columns import MINUTE_MS, START_MS
from tests.testnets import Reply, testnet

# In the middle of the candles, ten seconds into a minute.
NOON_MS = START_MS + 100 * MINUTE_MS + 10_000


def trading_net(**changes: Any) -> Testnet:
    """With the account `test` of 10,000 USDT."""
    return testnet(**{"start_ms": NOON_MS, "accounts": [TEST_ACCOUNT], **changes})


def pass_ms(net: Testnet, milliseconds: int) -> None:
    """The exchange's time goes on by so much at once."""
    net._clock.start_ms += milliseconds


def sign(text: str, secret: str = TEST_SECRET) -> str:
    """HMAC-SHA256, as a client does it."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


async def ask(
    net: Testnet, method: str, path: str, *, key: str | None = TEST_KEY, secret: str = TEST_SECRET, **params: Any
) -> Reply:
    """One signed request over a connection of its own; `timestamp` is the exchange's time if it is not given."""
    text = urlencode({"timestamp": net.now_ms(), **params})
    text += f"&signature={sign(text, secret)}"
    url = f"{net.url}/{path}" if path.startswith("sapi/") else f"{net.url}/api/v3/{path}"
    body = text if method == "POST" else None
    headers = {"Content-Type": "application/x-www-form-urlencoded", **({} if key is None else {"X-MBX-APIKEY": key})}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url if body else f"{url}?{text}", headers=headers, data=body) as response,
    ):
        return Reply(response.status, await response.text(), dict(response.headers))


async def buy(net: Testnet, name: str = "s-1-1-e", **params: Any) -> Reply:
    """A market order for some BTC."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1", "newOrderRespType": "FULL"}
    return await ask(net, "POST", "order", **{**order, "newClientOrderId": name, **params})


async def rest_limit(net: Testnet, name: str = "s-1-1-t", **params: Any) -> Reply:
    """A limit order far from the market: to buy, unless it is said otherwise."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "50"}
    return await ask(net, "POST", "order", **{**order, "newClientOrderId": name, **params})


class Socket:
    """A connection of the websocket API, as a test uses it."""

    def __init__(self, net: Testnet, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.net, self.socket = net, socket
        self.events: list[dict[str, Any]] = []
        self._number = 0

    async def ask(self, method: str, *, signed: bool = False, key: str = TEST_KEY, **params: Any) -> Any:
        """A request and its answer; events that come before it are kept."""
        self._number += 1
        if signed:
            params = {"apiKey": key, "timestamp": self.net.now_ms(), **params}
            texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
            params["signature"] = sign("&".join([f"{name}={text}" for name, text in sorted(texts.items())]))
        await self.socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            frame = await self.socket.receive_json(timeout=10)
            if frame.get("id") == self._number and "status" in frame:
                return frame
            self.events.append(frame)

    async def subscribe(self) -> int:
        """To the user data stream, by signature."""
        answer = await self.ask("userDataStream.subscribe.signature", signed=True)
        return int(answer["result"]["subscriptionId"])

    async def event(self, kind: str | None = None) -> dict[str, Any]:
        """The next event, of a kind."""
        while True:
            frame = self.events.pop(0) if self.events else await self.socket.receive_json(timeout=10)
            if "event" in frame and kind in (None, frame["event"]["e"]):
                return dict(frame["event"])

    async def quiet(self, seconds: float = 0.15) -> list[dict[str, Any]]:
        """What comes until it has been quiet for so long."""
        frames, self.events = self.events, []
        while True:
            try:
                frames.append(await self.socket.receive_json(timeout=seconds))
            except TimeoutError:
                return frames

    async def is_cut(self) -> bool:
        """Waits until the connection is gone."""
        async with asyncio.timeout(10):
            while True:
                message = await self.socket.receive()
                if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                    return True
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.events.append(json.loads(message.data))


@asynccontextmanager
async def socket_of(net: Testnet, query: str = "", *, autoping: bool = True) -> AsyncIterator[Socket]:
    """A connection to /ws-api/v3."""
    url = f"{net.url}/ws-api/v3{query}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=autoping) as socket:
        yield Socket(net, socket)
