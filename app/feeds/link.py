"""The exchange's websocket: every frame of the session's candles as it comes, over one link that is dialled again.

One subscription holds all symbols. A frame that cannot be read is counted, told once in a while and skipped; many in a
row end the link, as silence does. It is dialled again without limit, after waits with full jitter, never more often
than Binance allows. ccxt.pro is imported when the link is opened, and nothing of it gets out of here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Protocol

from app.errors import ConfigError
from app.exchange.binance_fixes import binance_class, refusal_of, retry_after_s
from app.exchange.dialling import DialPacer
from app.exchange.hosts import BINANCE, ccxt_name, exchange_urls
from app.exchange.repeated_lines import RepeatedLines
from app.exchange.retries import Tell, jittered_s, refusal_wait_s
from app.exchange.stream_client import close, hang_up, stream_class
from app.models.market import Candle
from app.times import TIME_MAX_MS, timeframe_ms

_KEEP_ALIVE_S = 10.0
_DIAL_S = 10.0  # ccxt gives a handshake this long
_QUIET_SILENCES = 6  # so many silences with pongs alone: the subscription may be lost, dial again
_BASE_S, _LONGEST_S = 0.25, 30.0
_DAMAGED_IN_A_ROW = 20  # so many frames that cannot be read, and none that can: the link itself is broken
_SAID_MOST_S = 300.0  # what a handshake's 503 may ask for; only bans last longer
_SHOWN = 60  # characters of a damaged frame


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
    """A kline message of this timeframe; None if it is no candle. A time that is no whole number is none."""
    try:
        kline = message["k"]
        numbers = [_number(kline[name]) for name in "ohlcv"]
        open_time_ms, event_time_ms, closed = kline["t"], message["E"], kline["x"]
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if type(open_time_ms) is not int or type(event_time_ms) is not int or type(closed) is not bool:
        return None
    opened, high, low, close, volume = numbers
    is_sane = all(map(isfinite, numbers)) and 0 < low <= min(opened, close) and high >= max(opened, close)
    on_grid = 0 <= open_time_ms < TIME_MAX_MS and open_time_ms % timeframe_ms(timeframe) == 0
    if kline.get("i") != timeframe or not is_sane or volume < 0 or not on_grid:
        return None
    return Frame(Candle(symbol, timeframe, open_time_ms, *numbers), closed, event_time_ms)


def _number(value: object) -> float:
    if type(value) not in (str, float, int):
        raise TypeError(f"{value!r} is no number")
    return float(value)  # type: ignore[arg-type]


class LiveStream:
    """The klines of `symbols` from a Binance; `markets` as `HistoricalDataProvider.market_rows` gives them.

    `tell` hears, seldom, of frames that cannot be read and of handshakes that are refused.
    """

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str],
        timeframe: str,
        markets: Mapping[str, Any],
        *,
        url: str | None = None,
        silence_s: float,
        tell: Tell | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if exchange not in BINANCE:
            raise ConfigError(f"live candles come from {', '.join(BINANCE)} only, not from {exchange}")
        self._exchange, self._markets, self._timeframe = exchange, markets, timeframe
        self._symbol_of = {markets[symbol]["id"]: symbol for symbol in symbols if symbol in markets}
        self._wanted = [[symbol, timeframe] for symbol in symbols]
        self._urls = exchange_urls(exchange, url)
        self._silence_s, self._sleep = silence_s, sleep
        self._lines = RepeatedLines(tell)
        self._on_frame: Callable[[Frame], None] = lambda _: None
        self._on_link: Callable[[bool], None] = lambda _: None
        self._frames = 0  # of this connection
        self._damaged_in_a_row = 0
        self._refusals = 0  # of handshakes, in a row
        self._pacer = DialPacer()
        self.unreadable = 0  # frames that no one could read
        self.foreign = 0  # frames of no symbol or timeframe of ours

    async def run(self, on_frame: Callable[[Frame], None], on_link: Callable[[bool], None]) -> None:
        """As Link says; ends only by being cancelled, and leaves no socket and no task."""
        self._on_frame, self._on_link = on_frame, on_link
        client = self._opened()
        failures = 0
        try:
            while True:
                self._frames = self._damaged_in_a_row = 0
                await self._sleep(self._pacer.until_dial_s())
                await self._listen(client)
                failures = 1 if self._frames else failures + 1
                if self._frames:
                    self._on_link(False)
                await hang_up(client)
                await self._sleep(max(self._refused_s(client), jittered_s(failures, _BASE_S, _LONGEST_S)))
        finally:
            await close(client)

    def _refused_s(self, client: Any) -> float:
        """How long the exchange wants no further handshake."""
        if client.refused is None:
            self._refusals = 0
            return 0.0
        url, status, retry_after = client.refused
        error = refusal_of(url, status, retry_after)
        if error is None:
            return min(retry_after_s(retry_after) or 0.0, _SAID_MOST_S)
        self._refusals += 1
        wait_s = refusal_wait_s(error, self._refusals)
        self._lines.say("handshake", f"stream: {error}; dialling again in {wait_s:.0f} s")
        return wait_s

    async def _listen(self, client: Any) -> None:
        """Until the link is gone or says nothing."""
        import aiohttp
        import ccxt

        quiet, waited_s = 0, 0.0
        sign: list[int | None] = []
        client.is_gone, client.refused = False, None
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
                        return
                    continue
                before, sign = sign, client.sign_of_life()
                if sign in (before, [None]) or quiet >= _QUIET_SILENCES:
                    return
            except (ccxt.BaseError, OSError, aiohttp.ClientError):
                # ccxt passes on what sending raised: the link was cut between the handshake and the subscription.
                return

    def _opened(self) -> Any:
        import ccxt.pro

        keep_alive_s = min(_KEEP_ALIVE_S, self._silence_s / 3)
        made = stream_class(binance_class(getattr(ccxt.pro, ccxt_name(self._exchange))))
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
        client.on_kline, client.on_damaged, client.on_refused = self._take, self._skip, self._refused
        return client

    def _take(self, message: Mapping[str, Any]) -> bool:
        """A kline message; whether it is a frame of ours."""
        kline = message.get("k")
        market, interval = (kline.get("s"), kline.get("i")) if isinstance(kline, dict) else (None, None)
        if not isinstance(market, str) or not isinstance(interval, str):
            raise ValueError("a kline of no symbol or interval")
        symbol = self._symbol_of.get(market)
        if symbol is None or interval != self._timeframe:
            self.foreign += 1
            return False
        frame = read_frame(symbol, self._timeframe, message)
        if frame is None or not _is_consistent(message, frame):
            raise ValueError("a kline that is no candle")
        self._damaged_in_a_row = 0
        self._frames += 1
        if self._frames == 1:
            self._on_link(True)
        self._on_frame(frame)
        return True

    def _skip(self, data: object, error: Exception) -> bool:
        """A frame that cannot be read; whether so many came in a row that the link is given up."""
        self.unreadable += 1
        self._damaged_in_a_row += 1
        shown = " ".join(repr(data[:_SHOWN] if isinstance(data, (str, bytes)) else data).split())[:_SHOWN]
        self._lines.say("frame", f"stream: a frame that cannot be read was skipped ({type(error).__name__}): {shown}")
        return self._damaged_in_a_row >= _DAMAGED_IN_A_ROW

    def _refused(self, reason: object) -> bool:
        """An error came as a frame; whether it is the answer to the subscription, so that nothing will follow."""
        if self._frames:
            raise ValueError("an error that nobody asked for")
        self._lines.say("subscription", f"stream: the exchange refuses the subscription: {str(reason)[:_SHOWN]}")
        return True


def _is_consistent(message: Mapping[str, Any], frame: Frame) -> bool:
    """Whether what the message says twice is the same."""
    kline, candle = message["k"], frame.candle
    last_ms = candle.close_time_ms - 1
    return bool(message.get("s", kline["s"]) == kline["s"] and kline.get("T", last_ms) == last_ms)
