"""The testnet's REST as the real exchange library sees it: markets, candles, pages, errors, time."""

import asyncio
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.candles.market_data import Market, merge_markets
from app.candles.month_file import CandleColumns
from app.testnet.generator import GeneratorSource
from app.testnet.market import CacheSource
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.integration.ccxt_clients import rest_client
from tests.testnets import BTC, END_MS, ETH, SERIES, testnet


def rows_of(columns: CandleColumns) -> list[list[float]]:
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


async def test_markets() -> None:
    async with testnet() as net, rest_client(net) as client:
        markets = await client.load_markets()
        assert sorted(markets) == [BTC, ETH]
        market = markets[BTC]
        assert (market["id"], market["active"], market["spot"]) == ("BTCUSDT", True, True)
        assert market["precision"]["amount"] == 1e-8
        assert "LIMIT" in market["info"]["orderTypes"]
        assert [one.path for one in net.log.requests] == ["exchangeInfo"]
        assert net.log.total_weight == 10
        assert await client.fetch_time() in range(END_MS, END_MS + 10)


async def test_market_data_of_the_cache(tmp_path: Path) -> None:
    cache = CandleCache(tmp_path)
    cache.merge(BTC, "1m", make_candles(minutes(3)))
    merge_markets(tmp_path, "binanceus", {BTC: Market(1e-5, 0.0001, 10.0, 0.01)})
    async with testnet(source=CacheSource(cache)) as net, rest_client(net) as client:
        market = (await client.load_markets())[BTC]
        assert market["precision"]["amount"] == 1e-5 and market["precision"]["price"] == 0.01
        assert market["limits"]["cost"]["min"] == 10.0 and market["limits"]["amount"]["min"] == 0.0001


async def test_candles_to_the_bit() -> None:
    async with testnet() as net, rest_client(net) as client:
        assert await client.fetch_ohlcv(BTC, "1m", since=START_MS, limit=1000) == rows_of(SERIES[BTC, "1m"])
        latest = await client.fetch_ohlcv(BTC, "1m")
        assert latest == rows_of(SERIES[BTC, "1m"])
        until = await client.fetch_ohlcv(BTC, "1m", limit=2, params={"until": START_MS + 5 * MINUTE_MS})
        assert [row[0] for row in until] == [START_MS + 4 * MINUTE_MS, START_MS + 5 * MINUTE_MS]
        hours = await client.fetch_ohlcv(BTC, "1h", since=0)
        assert [row[0] for row in hours] == [START_MS + hour * 60 * MINUTE_MS for hour in range(4)]
        assert await client.fetch_ohlcv(BTC, "1m", since=END_MS) == []


async def test_pages_of_made_up_candles_with_a_forming_one_at_the_end() -> None:
    source = GeneratorSource(5, [BTC])
    end_ms = START_MS + 2_500 * MINUTE_MS + 30_000
    async with testnet(source=source, start_ms=end_ms) as net, rest_client(net) as client:
        rows: list[list[float]] = []
        since = START_MS
        while page := await client.fetch_ohlcv(BTC, "1m", since=since, limit=1000):
            rows += page
            since = page[-1][0] + MINUTE_MS
        truth = rows_of(source.candles(BTC, "1m", START_MS, end_ms))
        assert len(rows) == 2_501
        assert rows[:-1] == truth[:-1]
        assert rows[-1][0] == truth[-1][0] and 0 < rows[-1][5] < truth[-1][5]
        assert net.log.count("klines") == 4


async def test_errors_as_the_library_raises_them() -> None:
    import ccxt

    async with testnet(weight_limit=30) as net, rest_client(net) as client:
        await client.load_markets()
        with pytest.raises(ccxt.ExchangeError, match="-1120"):
            await client.fetch_ohlcv(BTC, "7m")
        with pytest.raises(ccxt.BaseError, match="-1121"):
            await client.public_get_klines({"symbol": "NOPE", "interval": "1m"})
        for _ in range(18):
            await client.fetch_ohlcv(BTC, "1m", limit=1)
        assert client.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "30"
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            await client.fetch_ohlcv(BTC, "1m", limit=1)
        assert 50 <= int(client.last_response_headers["Retry-After"]) <= 60


async def test_a_new_page_costs_little_even_while_many_ask() -> None:
    source = GeneratorSource(5, [BTC])
    async with testnet(source=source, start_ms=START_MS + 40_000 * MINUTE_MS) as net, rest_client(net) as client:
        await client.load_markets()
        starts = [START_MS + page * 1_000 * MINUTE_MS for page in range(20)]
        pages = await asyncio.gather(*(client.fetch_ohlcv(BTC, "1m", since=start, limit=1000) for start in starts))
        assert [page[0][0] for page in pages] == starts
        assert {len(page) for page in pages} == {1000}
