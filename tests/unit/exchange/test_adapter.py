"""The ccxt adapter against a real server: what an exchange is asked, and its faults as our own errors.

ccxt is the real one; only the server is made up. `test_every_fault_...` is the table of what is worth another try.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.candles.market_data import Market
from app.errors import BlockedError, ConfigError, ExchangeError, RateLimitError, RefusedError, UnavailableError
from app.exchange import adapter as module
from app.exchange.adapter import CandleExchange
from tests.loopback import EXCHANGE_INFO, LIMITS, Loopback, Reply

BTC = ["BTC/USDT"]
START_MS = 1_761_951_600_000
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as made:
        yield made


@pytest.fixture
async def exchange(server: Loopback) -> AsyncIterator[CandleExchange]:
    made = CandleExchange("binanceus", server.url)
    yield made
    await made.close()


async def candles(exchange: CandleExchange) -> object:
    return await exchange.candles("BTC/USDT", "1m", START_MS, START_MS + 120_000, 1000)


# What it asks, and how answers are read.


async def test_candles_are_asked_for_with_both_bounds(exchange: CandleExchange, server: Loopback) -> None:
    await exchange.markets(BTC, "1m")
    await candles(exchange)
    await exchange.candles("BTC/USDT", "1m", None, START_MS, 1)
    await exchange.candles("BTC/USDT", "1m", 0, None, 2)
    plain = {"symbol": "BTCUSDT", "interval": "1m"}
    assert [path for path, _ in server.asked] == ["api/v3/exchangeInfo", *["api/v3/klines"] * 3]
    assert [query for _, query in server.asked[1:]] == [
        {**plain, "startTime": str(START_MS), "endTime": str(START_MS + 119_999), "limit": "1000"},
        {**plain, "endTime": str(START_MS - 1), "limit": "1"},
        {**plain, "startTime": "0", "limit": "2"},
    ]


async def test_rows_come_as_they_were_sent(exchange: CandleExchange, server: Loopback) -> None:
    rows = [[START_MS + 60_000, "1.10", "2", "1", "1", "7", 5], [START_MS, "1", "2", "1", "1", "7", 5], "no row", None]
    server.replies["klines"] = Reply(body=rows)
    assert await candles(exchange) == rows


async def test_markets_are_what_the_exchange_accepts(exchange: CandleExchange) -> None:
    assert await exchange.markets(["BTC/USDT", "ETH/USDT"], "1m") == {
        "BTC/USDT": Market(quantity_step=1e-05, min_quantity=2e-05, min_notional=10.0, price_tick=0.01),
        "ETH/USDT": Market(quantity_step=1e-08),  # without filters: eight decimals
    }


async def test_the_limit_a_minute_is_the_one_the_exchange_names(exchange: CandleExchange, server: Loopback) -> None:
    assert exchange.weight_a_minute() is None
    await exchange.markets(BTC, "1m")
    assert exchange.weight_a_minute() == 1200
    for limits in (None, [], [{**LIMITS[1], "intervalNum": 5}], [{**LIMITS[1], "limit": "many"}], ["no limit"]):
        server.replies["exchangeInfo"] = Reply(body={**EXCHANGE_INFO, "rateLimits": limits})
        await exchange.markets(BTC, "1m")
        assert exchange.weight_a_minute() is None


async def test_the_servers_count_of_weight_is_passed_on(exchange: CandleExchange, server: Loopback) -> None:
    server.replies["klines"] = Reply(body=[], headers={"X-MBX-USED-WEIGHT-1M": "77"})
    await candles(exchange)  # nobody listens yet
    told: list[int] = []
    exchange.on_weight = told.append
    await candles(exchange)
    assert told == [77]


async def test_what_requests_cost() -> None:
    for name, weights in (("binanceus", [10, 1, 1]), ("kraken", [1, 1, 1])):
        made = CandleExchange(name)
        assert [made.weight(what) for what in ("markets", "candles", "time")] == weights
        await made.close()


async def test_who_paces_and_how_many_candles_an_answer_holds() -> None:
    seen = {}
    for name in ("binanceus", "binance", "kraken"):
        made = CandleExchange(name)
        seen[name] = (made.own_limits, made.page_candles, made.host)
        await made.close()
    assert seen["binanceus"] == (False, 1000, "binanceus")
    assert seen["binance"] == (False, 1000, "binance")
    assert seen["kraken"][0]


async def test_the_servers_time(exchange: CandleExchange, server: Loopback) -> None:
    server.replies["time"] = Reply(body={"serverTime": START_MS})
    assert await exchange.server_time_ms() == START_MS
    odd: tuple[object, ...] = (
        "soon", 0, -5, -START_MS, 10**14, START_MS // 1000, START_MS * 1000, float("nan"), 1e400, None, [0], {}, True,
    )  # fmt: skip
    for answer in ({}, [1], *({"serverTime": one} for one in odd)):
        server.replies["time"] = Reply(body=answer)
        with pytest.raises(UnavailableError):
            await exchange.server_time_ms()


# What an operator can get wrong.


@pytest.mark.parametrize(("name", "near"), [("binanceuk", "binanceus"), ("Binance", "binance"), ("krakn", "kraken")])
async def test_an_unknown_exchange_names_near_ones(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown exchange '{name}'; near ones are .*{near}"):
        CandleExchange(name)
    with pytest.raises(ConfigError, match=r"unknown exchange '%%%'$"):
        CandleExchange("%%%")


@pytest.mark.parametrize("symbol", ["BTC/USD", "btc/usdt", "BTC-USDT", "BTCUSDT"])
async def test_an_unknown_symbol_names_near_ones(exchange: CandleExchange, symbol: str) -> None:
    with pytest.raises(ConfigError, match=rf"binanceus has no symbol '{symbol}'; near ones are BTC/USDT"):
        await exchange.markets([symbol], "1m")


async def test_a_timeframe_that_the_exchange_lacks_names_those_it_has(exchange: CandleExchange) -> None:
    exchange._ccxt.timeframes = {"1m": "1m", "1h": "1h", "1M": "1M"}  # ccxt's own table, of another exchange
    with pytest.raises(ConfigError, match=r"binanceus has no 4h candles; it has 1m, 1h$"):
        await exchange.markets(BTC, "4h")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "ws://x", ""])
async def test_a_url_is_a_web_address(url: str) -> None:
    with pytest.raises(ConfigError, match=r"write it as http://127\.0\.0\.1:8080"):
        CandleExchange("binanceus", url)


async def test_another_host_is_for_a_binance_only() -> None:
    with pytest.raises(ConfigError, match="works for binanceus, binance, binance_demo only, not for kraken"):
        CandleExchange("kraken", "http://127.0.0.1:1")


async def test_a_url_may_end_in_a_slash(server: Loopback) -> None:
    made = CandleExchange("binanceus", f"{server.url}/")
    await made.markets(BTC, "1m")
    await made.close()
    assert server.asked[0][0] == "api/v3/exchangeInfo"


# Faults.


def error(code: int, status: int = 400) -> Reply:
    return Reply(status, {"code": code, "msg": "as it says"})


FAULTS: dict[str, tuple[Reply, type[ExchangeError]]] = {
    "rate limited": (error(-1003, 429), RateLimitError),
    "banned": (error(-1003, 418), RateLimitError),
    "too many requests, by its code": (error(-1003), RateLimitError),
    "forbidden": (Reply(403, "<html>"), BlockedError),
    "another country": (error(0, 451), BlockedError),
    "no such path": (Reply(404, "<html>"), BlockedError),
    "invalid symbol": (error(-1121), RefusedError),
    "invalid interval": (error(-1120), RefusedError),
    "an unknown refusal": (error(-9999), RefusedError),
    "busy": (error(-1004), UnavailableError),
    "unknown error": (error(-1000, 500), UnavailableError),
    "internal error without words": (Reply(500, ""), UnavailableError),
    "bad gateway": (Reply(502, "<html>502</html>"), UnavailableError),
    "overloaded": (error(-1008, 503), UnavailableError),
    "gateway timeout": (error(-1007, 504), UnavailableError),
    "a page": (Reply(200, "<html>\nmaintenance</html>"), UnavailableError),
    "broken JSON": (Reply(200, '[[1,"2"'), UnavailableError),
    "nothing": (Reply(200, ""), UnavailableError),
    "cut in the body": (Reply(200, [[1, "2"]] * 9, is_cut=True), UnavailableError),
    "reset": (Reply(is_cut=True), UnavailableError),
    "not the text that it says": (Reply(200, b"[[1, \xff\xfe"), UnavailableError),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_of_an_exchange_is_one_of_ours(exchange: CandleExchange, server: Loopback, name: str) -> None:
    await exchange.markets(BTC, "1m")
    server.replies["klines"], kind = FAULTS[name]
    with pytest.raises(kind) as caught:
        await candles(exchange)
    assert caught.type is kind
    text = str(caught.value)
    assert "127.0.0.1" in text, "whom it was asked"
    assert "\n" not in text
    assert len(text) < 400
    if isinstance(caught.value, UnavailableError):
        assert caught.value.tries is None, "as often as the policy has it"


@pytest.mark.parametrize("name", FAULTS)
async def test_markets_and_time_meet_the_same_faults(exchange: CandleExchange, server: Loopback, name: str) -> None:
    server.replies["exchangeInfo"] = server.replies["time"] = FAULTS[name][0]
    with pytest.raises(FAULTS[name][1]):
        await exchange.markets(BTC, "1m")
    with pytest.raises(FAULTS[name][1]):
        await exchange.server_time_ms()


@pytest.mark.parametrize("info", [{"symbols": []}, {}, [], {"symbols": [{"symbol": "BTCUSDT"}]}, {"symbols": 5}, "x"])
async def test_markets_that_cannot_be_read_are_no_answer(
    exchange: CandleExchange, server: Loopback, info: object
) -> None:
    server.replies["exchangeInfo"] = Reply(body=info if info != "x" else '"text"')
    with pytest.raises(UnavailableError):
        await exchange.markets(BTC, "1m")


@pytest.mark.parametrize("stumble", [KeyError("x"), IndexError(), TypeError(), ValueError(), AttributeError()])
async def test_what_ccxt_stumbles_over_is_no_answer(exchange: CandleExchange, stumble: Exception) -> None:
    # Other exchanges' parsers do, on answers that are JSON of another shape; for a Binance none was found.
    with (
        pytest.raises(UnavailableError, match=rf"answered what cannot be read \({type(stumble).__name__}\)"),
        exchange._translated(),
    ):
        raise stumble


@pytest.mark.parametrize(("header", "wait_s"), [({"Retry-After": "7"}, 7.0), ({}, None)])
async def test_a_limit_carries_its_wait(
    exchange: CandleExchange, server: Loopback, header: dict[str, str], wait_s: float | None
) -> None:
    server.replies["klines"] = Reply(429, "", header)
    with pytest.raises(RateLimitError, match=r"127\.0\.0\.1:\d+ limits the rate of requests \(429\)") as caught:
        await candles(exchange)
    assert caught.value.retry_after_s == wait_s


async def test_no_answer_in_time(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_MS", 100)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the client has had enough
        writer.close()

    deaf = await asyncio.start_server(silent, "127.0.0.1", 0)
    made = CandleExchange("binanceus", f"http://127.0.0.1:{deaf.sockets[0].getsockname()[1]}")
    with pytest.raises(UnavailableError, match="did not answer within"):
        await made.markets(BTC, "1m")
    await made.close()
    deaf.close()
    await deaf.wait_closed()


async def test_nobody_listens() -> None:
    async with Loopback() as gone:
        url = gone.url
    made = CandleExchange("binanceus", url)
    with pytest.raises(UnavailableError, match=r"http://127\.0\.0\.1:\d+ cannot be reached") as caught:
        await made.markets(BTC, "1m")
    await made.close()
    assert caught.value.tries == 4


async def test_a_host_that_nobody_knows() -> None:
    made = CandleExchange("binanceus", "http://no-such-host.invalid")
    with pytest.raises(UnavailableError, match="no network, or no host of that name") as caught:
        await made.markets(BTC, "1m")
    await made.close()
    assert caught.value.tries == 3


# The end.


async def test_closing_leaves_no_task_and_no_socket(server: Loopback) -> None:
    before = asyncio.all_tasks()
    made = CandleExchange("binanceus", server.url)
    await made.markets(BTC, "1m")
    await asyncio.gather(*(candles(made) for _ in range(5)))
    hanging = asyncio.create_task(candles(made))
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert server.connections > 0
    await made.close()
    async with asyncio.timeout(60):
        while server.connections:
            await asyncio.sleep(0.01)
    assert {task for task in asyncio.all_tasks() - before if "_handle" not in repr(task)} == set()


async def test_one_that_was_never_asked_closes_too() -> None:
    made = CandleExchange("binanceus")
    await made.close()


def test_ccxt_is_not_imported_before_an_exchange_is_opened() -> None:
    script = (
        "import sys, json, app.exchange.adapter; "
        "print(json.dumps([m for m in ('ccxt', 'aiohttp') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


async def test_a_stream_gets_the_markets_it_needs_as_plain_data(exchange: CandleExchange) -> None:
    await exchange.markets(BTC, "1m")
    rows = exchange.market_rows(["BTC/USDT"])
    assert list(rows) == ["BTC/USDT"]
    assert rows["BTC/USDT"]["lowercaseId"] == "btcusdt"
