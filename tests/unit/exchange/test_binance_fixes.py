"""What is put right in ccxt's Binance classes, held against the real class: each fix, and that it is still needed.

A test named `..._without_the_fix` fails when ccxt has mended it: then the fix can go.
"""

import time
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate
from typing import Any

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import times
from app.errors import RateLimitError, RefusedError, UnavailableError
from app.exchange.binance_fixes import binance_class, retry_after_s
from tests.loopback import Loopback, Reply

BUSY = Reply(400, {"code": -1004, "msg": "Server is busy, please wait and try again"})
ROWS = [[1761951660000, "1.10", "2", "1", "1", "7", 5], [1761951600000, "1", "2", "1", "1", "7", 5]]


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as made:
        yield made


async def ask(made_by: Any, server: Loopback, call: str = "fetch_ohlcv") -> Any:
    """One request of a new exchange object, closed again."""
    url = f"{server.url}/api/v3"
    exchange = made_by({"enableRateLimit": False, "urls": {"api": {"public": url, "private": url}}})
    exchange.timeout_on_exit = 0
    try:
        return await (exchange.load_markets() if call == "load_markets" else exchange.fetch_ohlcv("BTC/USDT", "1m"))
    finally:
        await exchange.close()


def fixed() -> Any:
    return binance_class(ccxt.binanceus)


# Weights.


class Charged:
    """What its limiter is asked for, call by call."""

    def __init__(self) -> None:
        self.costs: list[float] = []

    async def __call__(self, cost: float | None = None) -> None:
        self.costs.append(cost or 0.0)


async def charged(made_by: Any, server: Loopback) -> list[float]:
    url = f"{server.url}/api/v3"
    exchange = made_by({"urls": {"api": {"public": url, "private": url}}})
    exchange.timeout_on_exit = 0
    exchange.throttle = meter = Charged()
    try:
        await exchange.load_markets()
        await exchange.fetch_ohlcv("BTC/USDT", "1m", limit=1000)
    finally:
        await exchange.close()
    return meter.costs


async def test_weights_are_those_of_binance_us(server: Loopback) -> None:
    assert await charged(fixed(), server) == [10, 1]


async def test_weights_without_the_fix(server: Loopback) -> None:
    assert await charged(ccxt.binanceus, server) == [4, 0.4]


# Error codes away from api.binance.us.


async def test_a_busy_server_can_be_asked_again(server: Loopback) -> None:
    server.replies["klines"] = BUSY
    with pytest.raises(ccxt.OperationFailed):
        await ask(fixed(), server)


async def test_a_busy_server_without_the_fix(server: Loopback) -> None:
    server.replies["klines"] = BUSY
    with pytest.raises(ccxt.OperationRejected):
        await ask(ccxt.binanceus, server)


async def test_codes_of_the_spot_table_count(server: Loopback) -> None:
    server.replies["klines"] = Reply(400, {"code": -1121, "msg": "Invalid symbol."})
    with pytest.raises(ccxt.BadSymbol):
        await ask(fixed(), server)


# Answers that are no JSON.


@pytest.mark.parametrize("body", ['[[1,"2"', "", "<html>\n  <b>hello</b></html>", "null", '{"a": NaN,,}'])
async def test_what_is_no_json_is_no_answer(server: Loopback, body: str) -> None:
    server.replies["klines"] = Reply(body=body)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:\d+ answered what is no JSON") as error:
        await ask(fixed(), server)
    assert "\n" not in str(error.value)


async def test_broken_json_without_the_fix(server: Loopback) -> None:
    server.replies["klines"] = Reply(body='[[1,"2"')
    rows = await ask(ccxt.binanceus, server)
    assert rows[0] == [None] * 6, "a candle of nothing"


# Limits, bans and other refusals.


@pytest.mark.parametrize(("status", "words"), [(429, "limits the rate of requests"), (418, "has banned this address")])
@pytest.mark.parametrize(("header", "wait_s"), [({"Retry-After": "7"}, 7.0), ({"retry-after": "0.5"}, 0.5), ({}, None)])
async def test_a_limit_carries_its_wait(
    server: Loopback, status: int, words: str, header: dict[str, str], wait_s: float | None
) -> None:
    server.replies["klines"] = Reply(status, {"code": -1003, "msg": "Too much request weight used"}, header)
    with pytest.raises(RateLimitError, match=words) as error:
        await ask(fixed(), server)
    assert error.value.retry_after_s == wait_s


async def test_a_limit_may_carry_a_date(server: Loopback) -> None:
    date = formatdate(times.now_ms() / 1000 + 90, usegmt=True)
    server.replies["klines"] = Reply(429, "slow down", {"Retry-After": date})
    with pytest.raises(RateLimitError) as error:
        await ask(fixed(), server)
    assert error.value.retry_after_s == pytest.approx(90, abs=3)


async def test_a_limit_without_the_fix(server: Loopback) -> None:
    server.replies["klines"] = Reply(429, {"code": -1003, "msg": ""}, {"Retry-After": "7"})
    with pytest.raises(ccxt.DDoSProtection) as error:
        await ask(ccxt.binanceus, server)
    assert not hasattr(error.value, "retry_after_s")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "refuses this address: 403, forbidden"),
        (451, "451, not served in"),
        (404, r"/api/v3/klines does not exist"),
    ],
)
@pytest.mark.parametrize("body", ["<html>no</html>", {"code": 0, "msg": "Service unavailable from a location"}])
async def test_a_refusal_is_final(server: Loopback, status: int, words: str, body: object) -> None:
    server.replies["klines"] = Reply(status, body)
    with pytest.raises(RefusedError, match=words):
        await ask(fixed(), server)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_refusal_without_the_fix(server: Loopback, status: int) -> None:
    server.replies["klines"] = Reply(status, "<html>no</html>")
    with pytest.raises(ccxt.OperationFailed):  # so it would be asked again and again
        await ask(ccxt.binanceus, server)


# What comes with an answer.


async def test_the_servers_count_is_told_with_every_answer(server: Loopback) -> None:
    told: list[int] = []
    made: Any = fixed()

    class Told(made):  # type: ignore[misc]
        on_used_weight = staticmethod(told.append)

    server.replies["exchangeInfo"].headers = {"X-MBX-USED-WEIGHT-1M": "10"}
    server.replies["klines"] = Reply(400, {"code": -1121, "msg": ""}, {"x-mbx-used-weight-1m": "11"})
    with pytest.raises(ccxt.BadSymbol):
        await ask(Told, server)
    server.replies["klines"] = Reply(429, "", {"X-MBX-Used-Weight-1m": "1201"})
    with pytest.raises(RateLimitError):
        await ask(Told, server)
    assert told == [10, 11, 10, 1201]
    told.clear()
    server.replies["klines"] = Reply(body=[], headers={"X-MBX-USED-WEIGHT-1M": "soon"})
    await ask(Told, server)
    assert told == [10]


async def test_rows_come_as_they_were_sent(server: Loopback) -> None:
    server.replies["klines"] = Reply(body=ROWS)
    assert await ask(fixed(), server) == ROWS


async def test_rows_without_the_fix(server: Loopback) -> None:
    server.replies["klines"] = Reply(body=ROWS)
    assert [row[0] for row in await ask(ccxt.binanceus, server)] == [1761951600000, 1761951660000]


def test_one_class_for_one_base() -> None:
    assert binance_class(ccxt.binanceus) is binance_class(ccxt.binanceus)
    assert issubclass(binance_class(ccxt.binance), ccxt.binance)


# Retry-After.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("", None), ("soon", None), ("Mon, 99 Foo", None), ("3", 3.0), ("0", 0.0), ("1e3", 1e3),
     ("-5", None), ("inf", None), ("nan", None), ("1e9", None), ("259200", 259_200.0), ("259201", None),
     ("5, 3600", 3_600.0), ("5, inf", 5.0), ("Wed, 21 Oct 9999 07:28:00 GMT", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 99999999 07:28:00 GMT", None)],
)  # fmt: skip
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after_s(text) == seconds


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is not UTC."""
    with monkeypatch.context() as moved:
        moved.setenv("TZ", "XYZ+5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000", ""])
def test_retry_after_as_a_date_is_utc(zone: str, elsewhere: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now_ms", lambda: 1_445_412_420_000)  # a minute before
    assert retry_after_s(f"Wed, 21 Oct 2015 07:28:00 {zone}".strip()) == 60.0


@given(st.text() | st.from_regex(r"(\w{3}, )?[0-9]{1,3} \w{3} [0-9]{1,9} [0-9:]{1,9} ?[+-]?\w{0,9}", fullmatch=True))
def test_retry_after_may_be_anything(text: str) -> None:
    seconds = retry_after_s(text)
    assert seconds is None or seconds >= 0.0
