"""What a fee comes to in quote currency: in the quote itself, in the base at the trade's price, or in a third asset.

A third asset's price is asked for once a minute at most. A fill is more urgent than the price of its fee: where there
is none in time, the fee counts as nothing and the fill says so; the fee itself is told in its own asset in any case.
"""

import asyncio
from collections.abc import Awaitable, Callable

from app import times
from app.errors import ExchangeError
from app.exchange.order_reports import TradeReport


class FeePrices:
    """`price` as SpotApi has it."""

    def __init__(self, price: Callable[[str], Awaitable[float]], fresh_s: float, patience_s: float) -> None:
        self._price, self._fresh_s, self._patience_s = price, fresh_s, patience_s
        self._known: dict[str, tuple[float | None, float]] = {}  # by symbol: the price, and when it was asked for

    async def commission(self, trade: TradeReport) -> tuple[float, str]:
        """In quote currency; and where that could not be told, why."""
        base, _, quote = trade.symbol.partition("/")
        if trade.fee == 0.0 or trade.fee_asset == quote:
            return trade.fee, ""
        if trade.fee_asset == base:
            return trade.fee * trade.price, ""
        pair = f"{trade.fee_asset}/{quote}"
        price = await self._of(pair)
        if price is None:
            return 0.0, f"a fee of {trade.fee!r} {trade.fee_asset} counts as nothing: no price of {pair}"
        return trade.fee * price, ""

    async def _of(self, pair: str) -> float | None:
        """The price, an old one where no new one can be had."""
        price, asked_s = self._known.get(pair, (None, float("-inf")))
        if times.monotonic_s() - asked_s < self._fresh_s:
            return price
        try:
            async with asyncio.timeout(self._patience_s):
                price = await self._price(pair)
        except (TimeoutError, ExchangeError):
            pass  # asked again in a minute
        self._known[pair] = price, times.monotonic_s()
        return price
