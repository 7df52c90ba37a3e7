"""A fee in quote currency, whatever it was paid in; a price that cannot be had holds up no fill."""

import asyncio

from app.errors import UnavailableError
from app.exchange.fee_prices import FeePrices
from app.exchange.order_reports import TradeReport
from tests.virtual_loop import run_virtual


def _trade(fee: float, asset: str) -> TradeReport:
    return TradeReport("BTC/USDT", 1, 1, "x", True, 2.0, 100.0, fee, asset, 1)


class _Market:
    """`price` answers what the test wrote; None: nothing, and it takes its time."""

    def __init__(self, answer: float | None = 600.0) -> None:
        self.answer, self.asked = answer, list[str]()

    async def price(self, pair: str) -> float:
        self.asked.append(pair)
        if self.answer is None:
            raise UnavailableError("not there")
        if self.answer < 0.0:
            await asyncio.Event().wait()
        return self.answer


def test_in_the_quote_in_the_base_and_in_a_third_asset() -> None:
    async def main() -> None:
        market = _Market()
        fees = FeePrices(market.price, 60.0, 15.0)
        assert await fees.commission(_trade(0.2, "USDT")) == (0.2, "")
        assert await fees.commission(_trade(0.002, "BTC")) == (0.2, "")
        assert await fees.commission(_trade(0.0, "BNB")) == (0.0, "")
        assert market.asked == []
        assert await fees.commission(_trade(0.0005, "BNB")) == (0.3, "")
        assert await fees.commission(_trade(0.001, "BNB")) == (0.6, "")
        assert market.asked == ["BNB/USDT"]
        await asyncio.sleep(61.0)
        market.answer = 700.0
        assert await fees.commission(_trade(0.001, "BNB")) == (0.7000000000000001, "")

    run_virtual(main())


def test_without_a_price_the_fill_goes_on_and_says_so() -> None:
    async def main() -> None:
        market = _Market(None)
        fees = FeePrices(market.price, 60.0, 15.0)
        commission, why = await fees.commission(_trade(0.001, "BNB"))
        assert (commission, why) == (0.0, "a fee of 0.001 BNB counts as nothing: no price of BNB/USDT")
        market.answer = 600.0
        assert (await fees.commission(_trade(0.001, "BNB")))[0] == 0.0  # not asked again at once
        await asyncio.sleep(61.0)
        assert (await fees.commission(_trade(0.001, "BNB")))[0] == 0.6
        await asyncio.sleep(61.0)
        market.answer = -1.0
        began_s = asyncio.get_running_loop().time()
        assert (await fees.commission(_trade(0.001, "BNB")))[0] == 0.6  # the last one that was had
        assert asyncio.get_running_loop().time() - began_s == 15.0

    run_virtual(main())
