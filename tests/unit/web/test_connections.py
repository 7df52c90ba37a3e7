"""How many connections a page has: beyond the limit they are closed, and so are those that never ask."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from app.web import connections
from tests.operator_pages import served

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_those_beyond_the_limit_are_closed_and_the_page_is_there_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 5)
    async with served([tmp_path]) as page:
        held: list[Connection] = [await asyncio.open_connection("127.0.0.1", page.port) for _ in range(20)]
        ended = [reader for reader, _ in held[5:]]
        assert [await asyncio.wait_for(reader.read(), 60) for reader in ended] == [b""] * 15
        for _, writer in held:
            writer.close()
        while True:  # until the server has seen it
            try:
                assert await page.json("/sessions") != []
                return
            except OSError:
                await asyncio.sleep(0.01)


async def test_one_that_never_asks_or_never_ends_asking_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_FIRST_REQUEST_S", 0.2)
    async with served([tmp_path]) as page:
        (silent, first), (slow, second) = [await asyncio.open_connection("127.0.0.1", page.port) for _ in range(2)]
        second.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        for reader in (silent, slow):
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
        for writer in (first, second):
            writer.close()
        assert await page.json("/sessions") != []
