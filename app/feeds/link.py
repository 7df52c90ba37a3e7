"""The exchange's websocket: every frame of the session's candles as it comes, over one link that is dialled again.

The rule: one subscription for all symbols, frames copied at once with their closed flag; a link that says nothing is
dead; it is redialled without limit, after waits with full jitter. It keeps no candle and decides nothing. ccxt.pro is
imported when the link is opened, and nothing of it gets out of here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Protocol

from app.errors import ConfigError
from app.exchange.adapter import BINANCE, exchange_urls
from app.exchange.binance_fixes import binance_class
from app.exchange.retries import jittered_s
from app.models.market import Candle
from app.times import TIME_MAX_MS, timeframe_ms

_KEEP_ALIVE_S = 10.0
_DIAL_S = 10.0  # ccxt gives a handshake this long
_HANG_UP_S = 0.5
_QUIET_SILENCES = 6  # so many silences with pongs alone: the subscription may be lost, dial again
_BASE_S, _LONGEST_S = 0.25, 30.0


class Frame(NamedTuple):
    """One frame: the candle as it stands, whether the exchange calls it closed, and the frame's own time."""

    candle: Candle
    closed: bool
    event_time_ms: int


class Link(Protocol):
    """Whatever frames come from."""

    async def run(self, on_frame: Callable[[Frame], None], on_link: Callable[[bool], None]) -> None:
        """For ever; `on_link` hears True with the first frame of a connection and False when it is gone."""


def read_frame(symbol: str, timeframe: str, message: Mapping[str, Any]) -> Frame | None:
    """A kline message; None if it is of another timeframe or no candle at all."""
    try:
        kline = message["k"]
        numbers = [float(kline[name]) for name in "ohlcv"]
        open_time_ms, event_time_ms = int(kline["t"]), int(message["E"])
        closed = kline["x"] is True
        interval = kline["i"]
    except (KeyError, TypeError, ValueError):
        return None
    opened, high, low, close, volume = numbers
    is_sane = all(map(isfinite, numbers)) and 0 < low <= min(opened, close) and high >= max(opened, close)
    on_grid = 0 <= open_time_ms < TIME_MAX_MS and open_time_ms % timeframe_ms(timeframe) == 0
    if interval != timeframe or not is_sane or volume < 0 or not on_grid:
        return None
    return Frame(Candle(symbol, timeframe, open_time_ms, *numbers), closed, event_time_ms)


class LiveStream:
    """The klines of `symbols` from a Binance; `markets` as `HistoricalDataProvider.market_rows` gives them."""

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str],
        timeframe: str,
        markets: Mapping[str, Any],
        *,
        url: str | None = None,
        silence_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if exchange not in BINANCE:
            raise ConfigError(f"live candles come from {' and '.join(BINANCE)} only, not from {exchange}")
        self._exchange, self._markets, self._timeframe = exchange, markets, timeframe
        self._wanted = [[symbol, timeframe] for symbol in symbols]
        self._urls = exchange_urls(url)
        self._silence_s, self._sleep = silence_s, sleep
        self._on_frame: Callable[[Frame], None] = lambda _: None
        self._on_link: Callable[[bool], None] = lambda _: None
        self._frames = 0  # of this connection
        self.unreadable = 0

    async def run(self, on_frame: Callable[[Frame], None], on_link: Callable[[bool], None]) -> None:
        """As Link says; ends only by being cancelled, and leaves no socket and no task."""
        self._on_frame, self._on_link = on_frame, on_link
        client = self._opened()
        failures = 0
        try:
            while True:
                self._frames = 0
                retry_after_s = await self._listen(client)
                failures = 1 if self._frames else failures + 1
                if self._frames:
                    self._on_link(False)
                await _hang_up(client)
                await self._sleep(max(retry_after_s, jittered_s(failures, _BASE_S, _LONGEST_S)))
        finally:
            await _close(client)

    async def _listen(self, client: Any) -> float:
        """Until the link is gone or says nothing; how long the exchange asks to wait before the next dial."""
        import aiohttp
        import ccxt

        quiet, waited_s = 0, 0.0
        sign: list[int | None] = []
        client.is_gone = False
        while not client.is_gone:  # else ccxt would dial by itself, and nobody would know
            frames = self._frames
            try:
                async with asyncio.timeout(self._silence_s):
                    await client.watch_ohlcv_for_symbols(self._wanted)
                quiet, sign = 0, client.sign_of_life()
            except TimeoutError:
                waited_s += self._silence_s
                quiet += self._frames == frames
                if client.is_dialling():
                    if waited_s > _DIAL_S + self._silence_s:
                        return 0.0
                    continue
                before, sign = sign, client.sign_of_life()
                if sign in (before, [None]) or quiet >= _QUIET_SILENCES:
                    return 0.0
            except (ccxt.BaseError, OSError, aiohttp.ClientError):
                # ccxt passes on what sending raised: the link was cut between the handshake and the subscription.
                break
        return float(client.retry_after_s)

    def _opened(self) -> Any:
        import ccxt.pro

        keep_alive_s = min(_KEEP_ALIVE_S, self._silence_s / 3)
        made = _stream_class(binance_class(getattr(ccxt.pro, self._exchange)))
        client = made(
            {
                "enableRateLimit": False,
                "newUpdates": True,
                "timeout_on_exit": 0,
                "urls": self._urls,
                "streaming": {"keepAlive": int(keep_alive_s * 1000)},
            }
        )
        client.timeout_on_exit = 0
        client.set_markets(dict(self._markets))
        client.on_kline = self._take
        return client

    def _take(self, symbol: str, message: Mapping[str, Any]) -> None:
        frame = read_frame(symbol, self._timeframe, message)
        if frame is None:
            self.unreadable += 1
            return
        self._frames += 1
        if self._frames == 1:
            self._on_link(True)
        self._on_frame(frame)


def _stream_class(base: Any) -> Any:
    """ccxt's class with what it hides: the closed flag, what a link last said, the exchange's own wait."""

    class Stream(base):  # type: ignore[misc]  # ccxt's classes have no types
        on_kline: Any = None
        retry_after_s = 0.0
        is_gone = False  # the link that was dialled last
        leaving: Any = None

        def is_spot_url(self, client: Any) -> bool:
            return True  # ccxt looks for `stream` in the address

        def ws_dial_delay(self, url: str) -> float:
            return 0.0  # ours is the one backoff

        def on_error(self, client: Any, error: Any) -> None:
            self.retry_after_s = getattr(client, "last_retry_after", None) or 0.0
            self.is_gone |= client in self.clients.values()
            super().on_error(client, error)

        def on_close(self, client: Any, error: Any) -> None:
            self.is_gone |= client in self.clients.values()
            super().on_close(client, error)

        def on_connected(self, client: Any, message: Any = None) -> None:
            super().on_connected(client, message)
            self.retry_after_s = 0.0
            if client not in self.clients.values():  # given up while it dialled
                self.leaving = asyncio.ensure_future(_hang_up_on(client))

        def handle_ohlcv(self, client: Any, message: Any) -> None:
            super().handle_ohlcv(client, message)
            market = message.get("k", {}).get("s")
            self.on_kline(self.safe_symbol(market, None, None, "spot"), message)

        def is_dialling(self) -> bool:
            return any(not client.isConnected for client in self.clients.values())

        def sign_of_life(self) -> list[int | None]:
            # Changes with whatever the link says, pongs included; None: not a word yet.
            return [getattr(client, "last_message_at", None) for client in self.clients.values()]

    return Stream


async def _hang_up(client: Any) -> None:
    links = list(client.clients.values())
    client.clients.clear()
    for link in links:
        await _hang_up_on(link)


async def _hang_up_on(link: Any) -> None:
    # A dead link never answers a close: it is cut after a moment.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_HANG_UP_S):
            await link.close()


async def _close(client: Any) -> None:
    await _hang_up(client)
    if client.leaving is not None:
        await client.leaving
    await client.close()
