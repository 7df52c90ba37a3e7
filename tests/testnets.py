"""A testnet for a test: a few hours of minutes of two symbols, and what a plain client gets from it over a real socket.

The rule: every default is fast, without a limit and without a fault; no test logic.
"""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from app.candles.month_file import CandleColumns
from app.testnet.market import FileSource
from app.testnet.server import Testnet
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes

BTC, ETH = "BTC/USDT", "ETH/USDT"
CANDLES = 240
END_MS = START_MS + CANDLES * MINUTE_MS
SERIES: dict[tuple[str, str], CandleColumns] = {
    (BTC, "1m"): make_candles(minutes(CANDLES)),
    (ETH, "1m"): make_candles(minutes(CANDLES)),
}


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


def testnet(**changes: Any) -> Testnet:
    """At the end of its candles, its clock as good as standing."""
    options: dict[str, Any] = {"start_ms": END_MS, "speed": 1e-6, "weight_limit": None, **changes}
    return Testnet(options.pop("source", None) or FileSource(SERIES), **options)


testnet.__test__ = False  # type: ignore[attr-defined]


async def get(net: Testnet, path: str, **query: Any) -> Reply:
    """GET below /api/v3, over a connection of its own."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{net.url}/api/v3/{path}", params={key: str(value) for key, value in query.items()}) as response,
    ):
        return Reply(response.status, await response.text(), dict(response.headers))


async def klines(net: Testnet, **query: Any) -> Reply:
    """Minutes of BTC/USDT."""
    return await get(net, "klines", **{"symbol": "BTCUSDT", "interval": "1m", **query})
