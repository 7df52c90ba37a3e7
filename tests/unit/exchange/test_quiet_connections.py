"""An answer that comes twice is never the answer to the next request, whenever its second copy comes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from app.exchange.adapter import CandleExchange
from app.exchange.keys import Keys
from app.exchange.signed_rest import SignedRest
from tests.signed_exchange import KEY, SECRET

PARAMS = {"timestamp": "1767225600000"}


class TwiceServer:
    """Answers each request with its number; the first answer comes a second time when `again` is set, or at once."""

    def __init__(self) -> None:
        self.url, self.count = "", 0
        self.again, self.is_sent = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await _line(reader)).strip():
            while (await _line(reader)).strip():
                pass
            self.count += 1
            body = json.dumps({"serverTime": 1_767_225_600_000 + self.count}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            is_first = self.count == 1
            writer.write(head + body)
            if is_first:
                await self.again.wait()
                writer.write(head + body)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                self.is_sent.set()
        writer.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionError):
        return await reader.readline()
    return b""


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[TwiceServer]:
    made = TwiceServer()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield made


@pytest.mark.parametrize("is_read", [False, True], ids=["in the kernel", "read already"])
async def test_a_signed_request_hears_its_own_answer(is_read: bool) -> None:
    async with serving() as server:
        client = SignedRest("binanceus", server.url, Keys(KEY, SECRET), 60.0)
        first = await client.send("GET", "order", PARAMS)
        server.again.set()
        await server.is_sent.wait()
        if is_read:
            for _ in range(20):
                await asyncio.sleep(0)
        second = await client.send("GET", "order", PARAMS)
        await client.close()
        assert [json.loads(one.text)["serverTime"] % 1_000 for one in (first, second)] == [1, 2]


async def test_at_once_behind_the_first_one_it_is_not_the_next_either() -> None:
    async with serving() as server:
        server.again.set()
        client = SignedRest("binanceus", server.url, Keys(KEY, SECRET), 60.0)
        answers = [await client.send("GET", "order", PARAMS) for _ in range(3)]
        await client.close()
        assert [json.loads(one.text)["serverTime"] % 1_000 for one in answers] == [1, 2, 3]


async def test_candles_and_the_clock_hear_their_own_answer_too() -> None:
    async with serving() as server:
        exchange = CandleExchange("binanceus", server.url)
        first = await exchange.server_time_ms()
        server.again.set()
        await server.is_sent.wait()
        second = await exchange.server_time_ms()
        await exchange.close()
        assert (first, second) == (1_767_225_600_001, 1_767_225_600_002)


async def test_a_quiet_connection_is_used_again() -> None:
    async with serving() as server:
        server.again.set()
        server.count = 1
        client = SignedRest("binanceus", server.url, Keys(KEY, SECRET), 60.0)
        made = client._opened().connector
        for _ in range(5):
            await client.send("GET", "order", PARAMS)
        assert sum(len(one) for one in made._conns.values()) == 1
        assert server.count == 6
        await client.close()
