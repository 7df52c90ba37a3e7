"""The man in the middle himself: sockets of his own between one session and the testnet.

He passes everything on until the session has reached what its kind waits for; then he does the damage to what passes,
until there was enough of it; then he passes everything on again. What was asked of him is written down.
"""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from app.testnet.server import Testnet
from tests.faults.middle import wire
from tests.faults.middle.duration import LOOK_S, Damage
from tests.faults.middle.kinds import Asked, Kind, Message
from tests.faults.middle.wire import Answer

FIRST_SYMBOL = "BTCUSDT"  # the one that loses its closed frames
CLOSED_BEFORE = 3  # closed frames of that symbol until the damage begins


@dataclass(frozen=True)
class Request:
    """What was asked, when (seconds since the start), and whether it got a damaged answer."""

    at_s: float
    path: str
    status: int
    damaged: bool


class SocketLink:
    """One websocket connection: the session's side and the testnet's."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.kept: list[Message] = []
        self.hung = False
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """As Link says."""
        if not self.hung and not self._writer.is_closing():
            self._writer.write(data)
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()

    async def sleep(self, seconds: float) -> None:
        """As Link says."""
        await asyncio.sleep(seconds)

    def reset(self) -> None:
        """As Link says."""
        _reset(self._writer)

    def finish(self) -> None:
        """As Link says."""
        self._writer.close()

    def hang(self) -> None:
        """As Link says."""
        self.hung = True


class Middle:
    """`async with`; `listening` is the socket that the session takes for the exchange."""

    def __init__(self, net: Testnet, kind: Kind, listening: socket.socket) -> None:
        self.kind = kind
        self.damage = Damage(kind, net)
        self.requests: list[Request] = []
        self.handshakes: list[Request] = []
        self.problems: list[str] = []  # of the man himself
        self._net, self._listening = net, listening
        self._zero_s = time.monotonic()
        self._closed_seen: set[int] = set()
        self._links: list[SocketLink] = []
        self._withheld: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        self._server = await asyncio.start_server(self._connected, sock=self._listening, limit=1 << 20)
        if self.kind.at_start:
            self.damage.begin()
        for work in (self.damage.watch(), self._release()):
            self._keep(asyncio.ensure_future(work))
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def _keep(self, task: "asyncio.Future[None]") -> None:
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._keep(task)
        try:
            while True:
                head = await wire.read_head(reader)
                if b"upgrade: websocket" in head.lower():
                    await self._upgrade(head, reader, writer)
                    return
                if not await self._rest(head, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # cancelled at the end of all: asyncio's server would report it
        except Exception as error:
            self.problems.append(f"{type(error).__name__}: {error}")
        finally:
            writer.close()

    # REST.

    async def _rest(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can be used again."""
        target = head.split(b" ", 2)[1].decode()
        asked = Asked(urlsplit(target).path.rpartition("/")[2], dict(parse_qsl(urlsplit(target).query)))
        answer = await self._upstream(target)
        damaged = self.damage.is_on and self.kind.answer is not None and asked.path in self.kind.paths
        if damaged and self.kind.answer is not None:
            answer = self.kind.answer(answer, asked)
        self._note(self.requests, asked.path, answer, damaged)
        try:
            return await self._send(answer, writer)
        finally:
            if damaged:
                self.damage.count()

    async def _upstream(self, target: str) -> Answer:
        assert self._client is not None
        async with self._client.get(self._net.url + target) as response:
            used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
            return Answer(response.status, await response.read(), {"X-MBX-USED-WEIGHT-1M": used})

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(answer.delay_s)
        if answer.reset:
            _reset(writer)
            return False
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            return False
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        writer.write(answer.head())
        if answer.byte_s:
            for place in range(len(body)):
                writer.write(body[place : place + 1])
                await asyncio.sleep(answer.byte_s)
        writer.write(body)
        await writer.drain()
        return answer.cut is None and answer.length is None

    # Websockets.

    async def _upgrade(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(self._net.url)
        upstream, upstream_writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        try:
            upstream_writer.write(wire.without_extensions(head))
            answer = Answer(101, raw=await wire.read_head(upstream))
            damaged = self.damage.is_on and self.kind.handshake is not None
            if damaged and self.kind.handshake is not None:
                answer = self.kind.handshake(answer)
            self._note(self.handshakes, "ws", answer, damaged)
            stays_open = await self._send_handshake(answer, writer)
            if damaged:
                self.damage.count()
            if stays_open:
                await self._relay(reader, writer, upstream, upstream_writer)
        finally:
            upstream_writer.close()

    async def _send_handshake(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        if answer.raw is None:
            await self._send(answer, writer)
            return False
        await self._send(answer.but(cut=None), writer)
        return answer.status == 101 and not answer.reset and answer.cut is None

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
    ) -> None:
        link = SocketLink(writer)
        self._links.append(link)
        up = asyncio.ensure_future(_pass_on(reader, upstream_writer, link))
        down = asyncio.ensure_future(self._down(upstream, link))
        try:
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if down.done() and link.hung:
                await up
            for done in (up, down):
                if done.done() and done.exception() is not None:
                    error = done.exception()
                    if not isinstance(error, (ConnectionError, asyncio.IncompleteReadError)):
                        self.problems.append(f"{type(error).__name__}: {error}")
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._links.remove(link)

    async def _down(self, upstream: asyncio.StreamReader, link: SocketLink) -> None:
        while True:
            opcode, payload = await wire.read_frame(upstream)
            plain = wire.frame(opcode, payload)
            if opcode == wire.PONG and self.damage.is_on and not self.kind.pongs:
                continue
            if opcode != wire.TEXT or b'"e":"kline"' not in payload:
                await link.send(plain)
            else:
                await self._kline(Message(payload), plain, link)

    async def _kline(self, message: Message, plain: bytes, link: SocketLink) -> None:
        if self.damage.is_on:
            if self.kind.message is not None:
                await self.kind.message(message, link)
                self.damage.count()
            elif self._held_back(message):
                if self.kind.stream.startswith("withhold"):
                    self._withheld.append(plain)
            else:
                await link.send(plain)
            return
        await link.send(plain)
        if self.damage.began_ms is None and message.is_closed and message.symbol == FIRST_SYMBOL:
            self._closed_seen.add(message.data["k"]["t"])
            if len(self._closed_seen) >= CLOSED_BEFORE:
                self.damage.begin()
                if self.kind.handshake is not None:
                    for other in self._links:
                        other.reset()

    def _held_back(self, message: Message) -> bool:
        if self.kind.stream in ("silence", "withhold all"):
            return True
        return bool(self.kind.stream) and message.is_closed and message.symbol == FIRST_SYMBOL

    async def _release(self) -> None:
        """What was withheld comes when the damage is over, by the link that there is then."""
        await self.damage.ended.wait()
        while self._withheld:
            if self._links:
                await self._links[-1].send(self._withheld.pop(0))
            else:
                await asyncio.sleep(LOOK_S)

    def _note(self, where: list[Request], path: str, answer: Answer, damaged: bool) -> None:
        at_s = time.monotonic() - self._zero_s
        where.append(Request(at_s, path, 0 if answer.reset else answer.status, damaged))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: SocketLink) -> None:
    while data := await reader.read(1 << 16):
        if not link.hung:
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    own = writer.get_extra_info("socket")
    if own is not None:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
