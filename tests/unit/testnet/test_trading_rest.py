"""Signed requests over HTTP, byte for byte: where parameters may be, what is signed, and answers that break off."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import aiohttp
import yarl

from app.testnet.api_keys import TEST_KEY
from app.testnet.server import Testnet
from tests.trading_nets import NOON_MS, rest_limit, sign, trading_net

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1", "timestamp": str(NOON_MS)}


async def send(net: Testnet, query: str, body: str = "") -> tuple[int, Any]:
    url = yarl.URL(f"{net.url}/api/v3/order?{query}" if query else f"{net.url}/api/v3/order", encoded=True)
    headers = {"X-MBX-APIKEY": TEST_KEY, "Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def raw(net: Testnet, text: str) -> bytes:
    """All bytes of the answer to an order, until the connection ends."""
    host, port = net.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = f"{text}&signature={sign(text)}"
    head = f"POST /api/v3/order HTTP/1.1\r\nHost: x\r\nX-MBX-APIKEY: {TEST_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write((head + body).encode())
    try:
        async with asyncio.timeout(2):
            found = b""
            while part := await reader.read(1 << 16):
                found += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return found


async def test_parameters_in_the_query_in_the_body_or_in_both() -> None:
    text = urlencode(ORDER)
    first, second = urlencode(list(ORDER.items())[:3]), urlencode(list(ORDER.items())[3:])
    async with trading_net() as net:
        for query, body in (
            (f"{text}&signature={sign(text)}", ""),
            ("", f"{text}&signature={sign(text)}"),
            (first, f"{second}&signature={sign(first + second)}"),
        ):
            assert (await send(net, query, body))[0] == 200
        status, answer = await send(net, first, f"{second}&signature={sign(f'{first}&{second}')}")
        assert (status, answer["code"]) == (400, -1022), "query and body are joined without a separator"


async def test_what_is_signed_is_percent_encoded_as_it_came() -> None:
    text = urlencode(ORDER).replace("BTCUSDT", "%42TCUSDT")
    async with trading_net() as net:
        assert (await send(net, f"{text}&signature={sign(text)}"))[0] == 200
        plain = text.replace("%42", "B")
        assert (await send(net, f"{text}&signature={sign(plain)}"))[1]["code"] == -1022


async def test_an_answer_that_breaks_off_half_way() -> None:
    async with trading_net(faults=[{"fault": "cut_answer"}]) as net:
        found = await raw(net, urlencode(ORDER))
        head, _, body = found.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert b"200 OK" in head and 0 < len(body) < length


async def test_an_answer_that_comes_twice() -> None:
    async with trading_net(faults=[{"fault": "doubled_answer"}]) as net:
        found = await raw(net, urlencode(ORDER))
        assert found.count(b"HTTP/1.1 200") == 2
        first, second = (part.partition(b"\r\n\r\n")[2] for part in found.split(b"HTTP/1.1")[1:])
        assert first == second != b""


async def test_a_client_gets_the_first_of_two_answers() -> None:
    async with trading_net(faults=[{"fault": "doubled_answer"}]) as net:
        assert (await rest_limit(net)).json["clientOrderId"] == "s-1-1-t"
        assert (await rest_limit(net, "s-1-2-t")).json["clientOrderId"] == "s-1-2-t"
