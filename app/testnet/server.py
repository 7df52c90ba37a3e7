"""The testnet as a whole: REST, websockets and its own pages on one port of 127.0.0.1, with one clock.

It listens on the loopback only, and after `stop()` no task, socket or handler of it is left.
"""

import asyncio
import contextlib
import errno
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError
from app.testnet.api_keys import Account, parse_accounts
from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import Fault, parse_faults
from app.testnet.kline_pages import KlinePages
from app.testnet.kline_streams import KlineStreams
from app.testnet.market import MarketSource
from app.testnet.order_storm import OrderStorm
from app.testnet.own_pages import OwnPages
from app.testnet.request_log import RequestLog
from app.testnet.rest import RestApi
from app.testnet.socket_api import SocketApi
from app.testnet.sockets import Sockets
from app.testnet.spot import SpotMarket
from app.testnet.storm import Storm
from app.testnet.trading import Trading
from app.testnet.trading_pages import TradingPages
from app.testnet.trading_rest import TradingRest
from app.testnet.virtual_clock import VirtualClock
from app.testnet.weights import SIGNED_WEIGHTS, WeightLimit

if TYPE_CHECKING:
    from aiohttp import web

_HOST = "127.0.0.1"
_SHUTDOWN_S = 3.0

Faults = str | Sequence[Mapping[str, Any] | Fault] | None


class Testnet:
    """A local exchange over `source`, its clock at `start_ms` (ms UTC) and `speed` times real time from `start()` on.

    `faults`: None, `storm:SEED`, `orders-storm:SEED`, both with a comma, or a list as in a script; `weight_limit` per
    minute, None for none; `port` 0 takes a free one. With `accounts` it trades, its engine with the options `trading`.
    ConfigError for a fault or speed that makes no sense, or a port that is taken.
    """

    __test__ = False  # pytest takes every class of this name for a test

    def __init__(
        self,
        source: MarketSource,
        *,
        start_ms: int,
        speed: float = 1.0,
        faults: Faults = None,
        weight_limit: int | None = 1200,
        port: int = 0,
        accounts: Sequence[Mapping[str, Any] | Account] = (),
        trading: Mapping[str, Any] | None = None,
    ) -> None:
        storm, orders_storm, scripted = _read(faults)
        self._clock = VirtualClock(start_ms, speed)
        self.market = SpotMarket(source)
        self.log = RequestLog()
        self._weights = WeightLimit(weight_limit)
        pages = KlinePages(self.market)
        self.faults = FaultDesk(self.market, pages, self._clock, scripted, storm, orders_storm)
        self._streams = KlineStreams(self.market, self._clock, lambda: self.faults.skew_ms)
        self._sockets = Sockets(self._streams, self._clock, self.faults, self.log, self._happen)
        self._stopping = asyncio.Event()
        self.trading: Trading | None = None
        self._socket_api: SocketApi | None = None
        if accounts:
            self.trading = Trading(
                self.market, self._clock, self.faults, self._weights, self.log, self._stopping,
                parse_accounts(accounts), trading or {},
            )  # fmt: skip
            self._socket_api = SocketApi(self.trading, self._clock, self.faults, self.log)
        self._rest = RestApi(
            self.market, pages, self._clock, self.faults, self._weights, self.log, self._stopping, self.trading
        )
        self._own_pages = OwnPages(self._clock, self.faults, self._weights, self.log, self._sockets)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:P`."""
        return f"http://{_HOST}:{self._port}"

    def now_ms(self) -> int:
        """The exchange's time, as it is and not as a skew tells it."""
        return self._clock.now_ms()

    async def start(self) -> None:
        """Listen, and let time pass."""
        from aiohttp import web

        self._runner = web.AppRunner(
            self._application(), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, _HOST, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise ConfigError(f"port {self._port} of {_HOST} cannot be taken: it is in use or reserved") from None
            raise
        self._port = self._runner.addresses[0][1]
        self._clock.start()
        self._pump = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Cut every connection and leave nothing behind; a bug that ended the frames before is raised."""
        self._stopping.set()
        self._sockets.abort_all()
        if self.trading is not None and self._socket_api is not None:
            self.trading.stream.close()
            await self._socket_api.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._pump is not None:
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, or for a bug that ended the frames."""
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait([waiting, *([self._pump] if self._pump else [])], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def __aenter__(self) -> "Testnet":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _run(self) -> None:
        """Lets time pass, until cancelled; a bug in one part ends all."""
        parts = [asyncio.ensure_future(self._sockets.run())]
        if self.trading is not None:
            parts.append(asyncio.ensure_future(self.trading.run()))
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()

    def _happen(self, fault: Fault) -> None:
        if self.trading is not None and self._socket_api is not None:
            self.trading.happen(fault)
            self._socket_api.happen(fault)

    def _application(self) -> "web.Application":
        from aiohttp import web

        application = web.Application()
        routes = application.router
        if self.trading is not None and self._socket_api is not None:
            self._add_trading(routes, self.trading, self._socket_api)
        routes.add_get("/api/v3/{path:.*}", self._rest.handle)
        for path in ("/ws", "/ws/{tail:.*}", "/stream", "/stream/{tail:.*}"):
            routes.add_get(path, self._sockets.handle)
        routes.add_post("/testnet/faults", self._own_pages.faults)
        routes.add_post("/testnet/clock", self._own_pages.clock)
        routes.add_get("/testnet/log", self._own_pages.log)
        routes.add_get("/testnet/state", self._own_pages.state)
        return application

    def _add_trading(self, routes: "web.UrlDispatcher", trading: Trading, socket_api: SocketApi) -> None:
        rest, pages = TradingRest(trading), TradingPages(trading, self._clock)
        for method, path in SIGNED_WEIGHTS:
            routes.add_route(method, f"/{path}" if path.startswith("sapi/") else f"/api/v3/{path}", rest.handle)
        for method in ("POST", "PUT", "DELETE"):
            routes.add_route(method, "/api/v3/userDataStream", rest.retired)
        routes.add_get("/ws-api/v3", socket_api.handle)
        routes.add_post("/testnet/orders", pages.orders)
        routes.add_get("/testnet/ledger", pages.ledger)


def _read(faults: Faults) -> tuple[Storm | None, OrderStorm | None, tuple[Fault, ...]]:
    if faults is None or faults == "none":
        return None, None, ()
    if not isinstance(faults, str):
        return None, None, parse_faults(faults)
    seeds: dict[str, int] = {}
    for text in faults.split(","):
        kind, _, seed = text.partition(":")
        if kind not in ("storm", "orders-storm") or not seed.isdecimal() or kind in seeds:
            raise ConfigError(f"faults {faults!r}: write none, storm:SEED and orders-storm:SEED, or a list")
        seeds[kind] = int(seed)
    storm, orders_storm = seeds.get("storm"), seeds.get("orders-storm")
    return (
        None if storm is None else Storm(storm),
        None if orders_storm is None else OrderStorm(orders_storm),
        (),
    )
