"""The websocket API at /ws-api/v3: requests and their answers on one connection, and on it the user data stream.

A request is answered when it is ready, not in turn. A connection lasts 24 hours of the exchange's time; the server
pings every 20 real seconds and cuts off who has not answered for a minute.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.testnet.fault_desk import FaultDesk
from app.testnet.faults import Fault
from app.testnet.request_log import Request, RequestLog
from app.testnet.socket_session import SocketSession
from app.testnet.sockets import Connection
from app.testnet.trading import Trading
from app.testnet.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from aiohttp import web

PING_S, PONG_MAX_S = 20.0, 60.0
LIFE_MS = 24 * 3_600_000
_LOOK_S = 0.02


class SocketApi:
    """All connections of the websocket API of a testnet."""

    def __init__(self, trading: Trading, clock: VirtualClock, desk: FaultDesk, log: RequestLog) -> None:
        self._trading, self._clock, self._desk, self._log = trading, clock, desk, log
        self.sessions: list[SocketSession] = []
        self._answering: set[asyncio.Task[None]] = set()

    async def handle(self, request: "web.Request") -> "web.StreamResponse":
        """One connection from its handshake to its end."""
        from aiohttp import web

        refused = self._desk.refuses_handshake()
        status, fault = (503, "refuse_handshakes") if refused else (101, None)
        path = request.path.removeprefix("/")
        now_ms = self._clock.now_ms()
        self._log.add_handshake(Request(self._clock.real_s(), now_ms, path, dict(request.query), status, 0, fault))
        if refused or request.transport is None:
            return web.Response(status=503, text="Service Unavailable")
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=1 << 16)
        await socket.prepare(request)
        connection = Connection(socket, request.transport, self._desk, wrapped=False)
        shows_limits = request.query.get("returnRateLimits") != "false"
        session = SocketSession(self._trading, connection, request.remote or "", now_ms, shows_limits=shows_limits)
        self.sessions.append(session)
        others = [asyncio.ensure_future(connection.write()), asyncio.ensure_future(self._keep(socket, session))]
        try:
            await self._listen(socket, session)
        finally:
            self.sessions.remove(session)
            session.end()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        return socket

    async def close(self) -> None:
        """Cut every connection; requests that are held are answered to nobody."""
        self.cut_all()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def cut_all(self) -> None:
        """Cut every connection."""
        for session in list(self.sessions):
            session.connection.abort()

    def happen(self, fault: Fault) -> None:
        """What a fault does to the streams at its time."""
        if fault.name == "drop_sockets":
            self.cut_all()
        elif fault.name == "stream_cut":
            for session in list(self.sessions):
                if session.subscriptions:
                    session.connection.abort()
        elif fault.name == "stream_terminated":
            for session in list(self.sessions):
                session.terminate()
        elif fault.name == "server_shutdown":
            for session in list(self.sessions):
                session.say_shutdown()
            asyncio.get_running_loop().call_later(fault.values["s"], self.cut_all)

    async def _listen(self, socket: "web.WebSocketResponse", session: SocketSession) -> None:
        from aiohttp import WSMsgType

        session.heard_s = self._clock.real_s()
        async for message in socket:
            if message.type is WSMsgType.PING:
                session.connection.send(bytes(message.data))
            elif message.type is WSMsgType.PONG:
                session.heard_s = self._clock.real_s()
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                # A task of its own: a request that is held holds up no other, and outlives the connection.
                task = asyncio.ensure_future(self._answer(session, message.data))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)

    async def _answer(self, session: SocketSession, text: str | bytes) -> None:
        number, asked = _read(text)
        if asked is None:
            session.refuse(number, 400, -1135, "Invalid JSON Request")
            return
        await session.answer(number, asked.get("method"), _texts(asked.get("params") or {}))

    async def _keep(self, socket: "web.WebSocketResponse", session: SocketSession) -> None:
        """Pings, and ends the connection when its time has come."""
        pinged_s = self._clock.real_s()
        while True:
            await asyncio.sleep(_LOOK_S)
            real_s = self._clock.real_s()
            if self._clock.now_ms() - session.connected_ms >= LIFE_MS or real_s - session.heard_s > PONG_MAX_S:
                session.connection.abort()
                return
            if real_s - pinged_s >= PING_S and not self._desk.is_silent():
                pinged_s = real_s
                await socket.ping(str(self._clock.now_ms()).encode())


def _read(text: str | bytes) -> tuple[Any, Mapping[str, Any] | None]:
    """The id as it came, and the request with its numbers as the texts that were signed."""
    try:
        plain, asked = json.loads(text), json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return None, None
    if not isinstance(asked, dict) or not isinstance(asked.get("params") or {}, dict):
        return None, None
    return plain.get("id"), asked


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        for name, value in params.items()
    }
