"""What an exchange says of a symbol's ticks, steps and least amounts, where it cannot be."""

import json

import pytest

from app.errors import UnavailableError
from app.exchange.adapter import CandleExchange
from tests.loopback import EXCHANGE_INFO, Loopback, Reply


@pytest.mark.parametrize(
    ("filter_", "key", "value", "name"),
    [
        ("PRICE_FILTER", "tickSize", "-0.01", "price tick"),
        ("PRICE_FILTER", "tickSize", "1e999", "price tick"),
        ("LOT_SIZE", "stepSize", "NaN", "quantity step"),
        ("LOT_SIZE", "minQty", "-1", "least quantity"),
    ],
)
async def test_limits_that_cannot_be_are_an_answer_to_be_asked_for_again(
    filter_: str, key: str, value: str, name: str
) -> None:
    info = json.loads(json.dumps(EXCHANGE_INFO))
    for one in info["symbols"][0]["filters"]:
        if one["filterType"] == filter_:
            one[key] = value
    async with Loopback(exchangeInfo=Reply(body=info)) as server:
        exchange = CandleExchange("binanceus", server.url)
        with pytest.raises(UnavailableError, match=rf"answered \S+ as the {name} of BTC/USDT"):
            await exchange.markets(["BTC/USDT"], "1m")
        assert await exchange.markets(["ETH/USDT"], "1m"), "what is not asked for is nobody's business"
        await exchange.close()
