"""One request, sent once: signed as the documents say, by either kind of key, and never repeated by anybody."""

import asyncio
import base64
import hashlib
import hmac
import logging
import traceback
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.exchange.keys import Keys
from app.exchange.signed_rest import CutError, NotSentError, SignedRest
from tests.signed_exchange import KEY, SECRET, Said, SignedExchange

PARAMS = {"symbol": "BTCUSDT", "quantity": "0.00001", "timestamp": "1767225600000", "recvWindow": "3000"}


@pytest.fixture
async def server() -> AsyncIterator[SignedExchange]:
    async with SignedExchange() as made:
        yield made


def rest(url: str, keys: Keys | None = None, answer_s: float = 10.0) -> SignedRest:
    return SignedRest("binanceus", url, keys or Keys(KEY, SECRET), answer_s)


def ed25519() -> tuple[Keys, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Keys(KEY, pem.decode().strip(), is_ed25519=True), private


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_hmac_over_what_is_sent(server: SignedExchange, method: str) -> None:
    client = rest(server.url)
    answer = await client.send(method, "order", {**PARAMS, "newClientOrderId": "t-1-1-e"})
    await client.close()
    assert (answer.status, answer.text) == (200, "{}")
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.headers["X-MBX-APIKEY"]) == (method, "order", KEY)
    sent = {name: value for name, value in asked.params.items() if name != "signature"}
    assert sent == {**PARAMS, "newClientOrderId": "t-1-1-e"}, "ccxt adds nothing, and its clock is not asked"
    text = "&".join(f"{name}={value}" for name, value in sent.items())
    assert asked.params["signature"] == hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


async def test_ed25519(server: SignedExchange) -> None:
    keys, private = ed25519()
    client = rest(server.url, keys)
    await client.send("POST", "order", {**PARAMS, "newClientOrderId": "t-1-1-e"})
    asked = server.asked[0]
    text = "&".join(f"{name}={value}" for name, value in asked.params.items() if name != "signature")
    private.public_key().verify(base64.b64decode(asked.params["signature"]), text.encode())
    signed = client.socket_params({"timestamp": "1767225600000", "recvWindow": "3000"})
    payload = f"apiKey={KEY}&recvWindow=3000&timestamp=1767225600000"
    private.public_key().verify(base64.b64decode(str(signed["signature"])), payload.encode())
    await client.close()


async def test_the_websocket_api_signs_in_the_order_of_the_names(server: SignedExchange) -> None:
    client = rest(server.url)
    signed = client.socket_params({"timestamp": "1767225600000", "recvWindow": "3000"})
    payload = f"apiKey={KEY}&recvWindow=3000&timestamp=1767225600000"
    assert signed["signature"] == hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    await client.close()


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
async def test_a_connection_that_ends_under_a_request_is_not_dialled_for_it_again(
    server: SignedExchange, method: str
) -> None:
    """aiohttp sends a GET or DELETE a second time where the connection was closed; not here."""
    client = rest(server.url)
    await client.public("time", {})  # so that there is a connection that is kept
    server.answers[f"{method} order"] = [Said(is_cut=True)]
    with pytest.raises(CutError, match="the connection broke off"):
        await client.send(method, "order", PARAMS)
    await asyncio.sleep(0)
    await client.close()
    assert len(server.of(method, "order")) == 1


async def test_aiohttp_alone_would_send_a_delete_twice(server: SignedExchange) -> None:
    """Why _once_only is there; when aiohttp mends it, it can go."""
    import aiohttp

    server.answers["DELETE order"] = [Said(is_cut=True)]
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.delete(f"{server.url}/api/v3/order")
    assert len(server.of("DELETE", "order")) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(server: SignedExchange, status: int) -> None:
    server.answers["POST order"] = [Said("", status, {"Location": f"{server.url}/api/v3/elsewhere"})]
    client = rest(server.url)
    assert (await client.send("POST", "order", PARAMS)).status == status
    await client.close()
    assert [one.path for one in server.asked] == ["order"]


async def test_half_an_answer_and_a_late_one_are_no_answers(server: SignedExchange) -> None:
    server.answers["POST order"] = [Said({"orderId": 1234567890}, is_cut=True), Said({}, after_s=5.0)]
    client = rest(server.url, answer_s=0.2)
    with pytest.raises(CutError, match="broke off"):
        await client.send("POST", "order", PARAMS)
    with pytest.raises(CutError, match=r"did not answer within 0\.2 s"):
        await client.send("POST", "order", PARAMS)
    await client.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
async def test_without_a_connection_nothing_was_sent(url: str) -> None:
    client = rest(url, answer_s=5.0)
    with pytest.raises(NotSentError, match="cannot be reached"):
        await client.send("POST", "order", PARAMS)
    await client.close()


@pytest.mark.parametrize("said", [Said(is_cut=True), Said({"x": "y" * 100}, is_cut=True), Said({}, after_s=5.0)])
async def test_no_error_and_no_log_has_the_key_or_the_signature(
    server: SignedExchange, said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers["POST order"] = server.answers["GET account"] = [said]
    client = rest(server.url, answer_s=0.2)
    texts = [repr(client), str(vars(client).keys())]
    for method, path in (("POST", "order"), ("GET", "account")):
        with pytest.raises(CutError) as caught:
            await client.send(method, path, PARAMS)
        error: BaseException | None = caught.value
        assert error is not None
        assert error.__cause__ is None
        assert error.__context__ is None
        texts += ["".join(traceback.format_exception(error)), repr(error), str(error.__dict__)]
    await client.close()
    signatures = [one.params["signature"] for one in server.asked]
    assert len(signatures) == 2
    for hidden in (KEY, SECRET, *signatures):
        assert hidden not in "".join(texts) + caplog.text
