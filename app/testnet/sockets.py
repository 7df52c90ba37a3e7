"""Websocket connections: subscriptions in Binance's words, a queue and a writer for each, faults as clients feel them.

Nobody waits for a slow client: who falls too far behind is cut off. While silence lasts nothing is sent, no pong and no
reply either.
"""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import Fault
from app.testnet.kline_streams import KlineStreams
from app.testnet.request_log import Request, RequestLog
from app.testnet.virtual_clock import VirtualClock
from app.testnet.wire import json_text

if TYPE_CHECKING:
    from aiohttp import web

# Text that waits for one client: seconds of every symbol there is, and nothing beside the memory of the process.
_WAITING_BYTES_MAX = 1 << 20
# A fault that was ordered for the sockets is seen this soon.
_FAULTS_LOOK_S = 0.02


class Connection:
    """One client: what it listens to, and what waits to be sent to it."""

    def __init__(
        self, socket: "web.WebSocketResponse", transport: asyncio.BaseTransport, desk: FaultDesk, *, wrapped: bool
    ) -> None:
        self.streams: list[str] = []
        self._socket, self._transport, self._desk, self._wrapped = socket, transport, desk, wrapped
        self._waiting: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._waiting_bytes = 0

    def push(self, stream: str, frame: str) -> None:
        """One frame; a client that is too far behind is cut off."""
        self.send(f'{{"stream":"{stream}","data":{frame}}}' if self._wrapped else frame)

    def send(self, message: str | bytes) -> None:
        """Text, or as bytes the body of a pong; lost while there is silence."""
        if self._desk.is_silent():
            return
        self._waiting.put_nowait(message)
        self._waiting_bytes += len(message)
        if self._waiting_bytes > _WAITING_BYTES_MAX:
            self.abort()

    def abort(self) -> None:
        """Cut the connection, without a word."""
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    def end(self) -> None:
        """Cut the connection as soon as what waits has been sent."""
        self._waiting.put_nowait(None)

    async def write(self) -> None:
        """Sends what waits, for as long as the connection lasts."""
        while not self._socket.closed:
            message = await self._waiting.get()
            if message is None:
                if isinstance(self._transport, asyncio.WriteTransport):
                    self._transport.close()
                return
            self._waiting_bytes -= len(message)
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.pong(message)


class Sockets:
    """All connections of a testnet."""

    def __init__(
        self,
        streams: KlineStreams,
        clock: VirtualClock,
        desk: FaultDesk,
        log: RequestLog,
        on_fault: Callable[[Fault], None],
    ) -> None:
        self._streams, self._clock, self._desk, self._log = streams, clock, desk, log
        self._on_fault = on_fault  # hears of what happens at a time
        self.connections: list[Connection] = []

    async def handle(self, request: "web.Request") -> "web.StreamResponse":
        """One connection from its handshake to its end."""
        from aiohttp import web

        refused = self._desk.refuses_handshake()
        status, fault = (503, "refuse_handshakes") if refused else (101, None)
        path, query = request.path.removeprefix("/"), dict(request.query)
        real_s, now_ms = self._clock.real_s(), self._clock.now_ms()
        self._log.add_handshake(Request(real_s, now_ms, path, query, status, 0, fault))
        if refused or request.transport is None:
            return web.Response(status=503, text="Service Unavailable")
        # Pings are answered here: aiohttp would answer them in silence, too.
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=1 << 16)
        await socket.prepare(request)
        is_stream = request.path == "/stream" or request.path.startswith("/stream/")
        connection = Connection(socket, request.transport, self._desk, wrapped=is_stream)
        self.connections.append(connection)
        writer = asyncio.ensure_future(connection.write())
        try:
            self._subscribe(connection, _names_in_url(request, is_stream))
            await self._listen(socket, connection)
        finally:
            self.connections.remove(connection)
            for name in connection.streams:
                self._streams.unsubscribe(name, connection.push)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    async def run(self) -> None:
        """Sends frames and lets faults happen as time passes, until cancelled."""
        while True:
            for fault in self._desk.for_sockets():
                if fault.name == "drop_sockets":
                    self.abort_all()
                self._on_fault(fault)
            wait_s = self._streams.emit_due()
            await asyncio.sleep(min(wait_s, _FAULTS_LOOK_S))

    def abort_all(self) -> None:
        """Cut every connection."""
        for connection in list(self.connections):
            connection.abort()

    async def _listen(self, socket: "web.WebSocketResponse", connection: Connection) -> None:
        from aiohttp import WSMsgType

        async for message in socket:
            if message.type is WSMsgType.PING:
                connection.send(bytes(message.data))
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                connection.send(self._reply(connection, message.data))

    def _reply(self, connection: Connection, text: str | bytes) -> str:
        try:
            asked = json.loads(text)
        except ValueError as error:
            return _error(3, f"Invalid JSON: {error}", None)
        if not isinstance(asked, dict):
            return _error(2, "Invalid request: request must be an object", None)
        number = asked.get("id")
        if isinstance(number, bool) or not isinstance(number, int | str | None):
            return _error(2, "Invalid request: request ID must be an unsigned integer or a string", None)
        names = asked.get("params", [])
        match asked.get("method"):
            case "LIST_SUBSCRIPTIONS":
                return json_text({"result": connection.streams, "id": number})
            case "SUBSCRIBE" | "UNSUBSCRIBE" if not _are_streams(names):
                return _error(2, "Invalid request: params must be names of streams like btcusdt@kline_1m", number)
            case "SUBSCRIBE":
                self._subscribe(connection, names)
            case "UNSUBSCRIBE":
                for name in names:
                    if name in connection.streams:
                        connection.streams.remove(name)
                        self._streams.unsubscribe(name, connection.push)
            case method:
                known = "expected one of SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS"
                return _error(2, f"Invalid request: unknown variant {json_text(method)}, {known}", number)
        return json_text({"result": None, "id": number})

    def _subscribe(self, connection: Connection, names: list[str]) -> None:
        for name in names:
            if name not in connection.streams:
                connection.streams.append(name)
                self._streams.subscribe(name, connection.push)


def _names_in_url(request: "web.Request", is_stream: bool) -> list[str]:
    """Streams that the address names: `/ws/a@kline_1m/b@kline_1m`, `/stream?streams=a@kline_1m/b@kline_1m`."""
    text = request.query.get("streams", "") if is_stream else request.match_info.get("tail", "")
    return [name for name in text.split("/") if "@" in name]


def _are_streams(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) and "@" in name for name in names)


def _error(code: int, message: str, number: int | str | None) -> str:
    return json_text({"error": {"code": code, "msg": message}, "id": number})
