"""How many connections a page has: strangers are let go after a while, and make room for the operator before that."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app import times
from app.web import connections
from tests.operator_pages import TOKEN, Served, served

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def held(page: Served, count: int, sent: bytes = b"") -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections, over each of which something was sent."""
    opened: list[Connection] = [await asyncio.open_connection("127.0.0.1", page.port) for _ in range(count)]
    for _, writer in opened:
        writer.write(sent)
    try:
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


async def ended(reader: asyncio.StreamReader) -> None:
    """Waits for the end of what the server says."""
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 60)


def question(page: Served, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{page.port}", *headers, "", ""]).encode()


async def test_at_the_limit_the_oldest_stranger_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 5)
    async with served([tmp_path]) as page, held(page, 20) as readers:
        assert await page.json("/sessions") != [], "while strangers hold all that there are"
        for reader in readers[:15]:
            await ended(reader)


async def test_nobody_makes_room_for_a_stranger_if_all_have_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 5)
    async with served([tmp_path]) as page:
        ask = question(page, "/sessions", f"Authorization: Bearer {TOKEN}")
        async with held(page, 5, ask) as readers:
            for reader in readers:
                assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            async with held(page, 1, ask) as [late]:
                with contextlib.suppress(ConnectionResetError):
                    assert await asyncio.wait_for(late.read(), 60) == b""
            assert not any(reader.at_eof() for reader in readers)


@pytest.mark.parametrize("path", ["", "/login", "/assets/charts.js"])
async def test_a_stranger_is_let_go_whatever_he_does_and_the_operator_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(connections, "_STRANGER_S", 0.5)
    async with served([tmp_path]) as page:
        mine = question(page, "/events", f"Authorization: Bearer {TOKEN}")
        # Says nothing; or asks, does not read the answers, and never ends its last question.
        other = question(page, path) * 60 + b"GET / HTTP/1.1\r\nX-A: " if path else b""
        async with held(page, 1, mine) as [operator]:
            assert (await operator.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            async with held(page, 3, other) as strangers:
                for reader in strangers:
                    await ended(reader)
            assert not operator.at_eof()


async def test_a_flood_of_strangers_is_taken_at_a_steady_pace_and_the_operator_is_not_held_up(tmp_path: Path) -> None:
    async with served([tmp_path]) as page, held(page, 20, question(page, "/sessions") * 10) as strangers:
        began_s, answers = times.monotonic_s(), [asyncio.create_task(answered(reader, 10)) for reader in strangers]
        for _ in range(5):
            assert await page.json("/sessions") != []
        assert not all(one.done() for one in answers), "the operator's answers came before those of the flood"
        await asyncio.gather(*answers)
        assert times.monotonic_s() - began_s > 0.9, "200 requests, of which fifty may come at once"


async def answered(reader: asyncio.StreamReader, count: int) -> None:
    for _ in range(count):
        assert (await asyncio.wait_for(reader.readuntil(b"no token, or not this one; open /login\n"), 60)).startswith(
            b"HTTP/1.1 401"
        )


async def test_too_many_open_files_are_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_FAULT_S", 0.01)
    loop = asyncio.get_running_loop()
    accept, faults = loop.sock_accept, [OSError(errno.EMFILE, "too many"), ConnectionAbortedError()]

    async def failing(sock: socket.socket) -> tuple[socket.socket, object]:
        if faults:
            raise faults.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with served([tmp_path]) as page:
        assert await page.json("/sessions") != []
    assert faults == []


async def test_a_pace_lets_some_through_at_once_and_then_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))

    monkeypatch.setattr(times, "monotonic_s", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = connections.Pace()
    for _ in range(49):
        await pace.turn()
    assert slept == []
    for _ in range(4):
        await pace.turn()
    assert slept[-3:] == [0.01, 0.02, 0.03]
    now[0] += 0.1
    slept.clear()
    await pace.turn()
    assert slept == []
