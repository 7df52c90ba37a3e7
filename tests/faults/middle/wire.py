"""Bytes of HTTP and of websocket frames, right or wrong: what a man in the middle reads and writes.

Nothing here decides; a wrong frame is one that the caller asked for.
"""

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_REASONS = {101: "Switching Protocols", 200: "OK"}


def frame(opcode: int, payload: bytes, *, last: bool = True, reserved: int = 0, mask: bytes | None = None) -> bytes:
    """One websocket frame."""
    first = (0x80 if last else 0) | reserved << 4 | opcode
    masked = 0x80 if mask is not None else 0
    size = len(payload)
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 1 << 16:
        head = bytes((first, masked | 126)) + struct.pack(">H", size)
    else:
        head = bytes((first, masked | 127)) + struct.pack(">Q", size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def text_frame(text: str) -> bytes:
    """A whole text message."""
    return frame(TEXT, text.encode())


def close_frame(code: int | None, reason: str = "") -> bytes:
    """A close, with a code or without one."""
    return frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason.encode())


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and payload of a server's frame; the testnet sends whole messages."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
    return first & 0x0F, await reader.readexactly(size)


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """Up to the empty line; IncompleteReadError at the end of the connection."""
    return await reader.readuntil(b"\r\n\r\n")


def without_extensions(head: bytes) -> bytes:
    """A handshake that offers no compression: frames stay readable on the way."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.lower().startswith(b"sec-websocket-extensions"))


@dataclass(frozen=True)
class Answer:
    """An answer of REST, or to a handshake, and how it is sent; waits in seconds of the exchange."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # these bytes instead of all that
    length: int | None = None  # Content-Length, where it is not the body's
    cut: int | None = None  # so many bytes of the body, then the end
    delay_s: float = 0.0
    byte_s: float = 0.0  # between two bytes of the body
    reset: bool = False  # no byte at all: the connection is cut

    def but(self, **changes: Any) -> "Answer":
        """The same with other values."""
        return replace(self, **changes)

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def with_json(self, content: object) -> "Answer":
        """This content as the body."""
        return replace(self, body=json.dumps(content).encode())

    def head(self) -> bytes:
        """Status line and headers."""
        length = len(self.body) if self.length is None else self.length
        headers = {"Content-Type": "application/json", "Content-Length": str(length), **self.headers}
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Whatever')}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def refusal(status: int, retry_after: str | None = None, body: bytes = b"{}") -> Answer:
    """An answer that refuses."""
    return Answer(status, body, {} if retry_after is None else {"Retry-After": retry_after})
