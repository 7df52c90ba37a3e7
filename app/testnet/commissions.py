"""What a trade costs: in the asset received, in BNB at a discount, or in the quote asset.

The last is no choice of Binance's: it is there because paper trading books commissions so, to the bit.
"""

from decimal import Decimal
from typing import Literal

from app.testnet.amounts import EXACT, ZERO, eight_digits, exact, times
from app.testnet.exchange_variants import Variants
from app.testnet.spot_orders import OrderGroup
from app.testnet.traded_candles import TradedCandles
from app.testnet.trading_account import TradingAccount

Fees = Literal["received", "bnb", "quote"]

BNB = "BNB"
DISCOUNT = Decimal("0.75")  # of the standard rate is left when BNB pays
# A commission that is a product of doubles may be above the exact one by some of the last digits.
_SPARE = Decimal("1e-14")


class Commissions:
    """Rates are fractions; `bnb_price` is used where the market has no candles of BNB in the quote asset."""

    def __init__(
        self, fees: Fees, taker_rate: float, maker_rate: float | None, bnb_price: float,
        candles: TradedCandles, symbols: tuple[str, ...], variants: Variants,
    ) -> None:  # fmt: skip
        self.fees, self.taker_rate = fees, taker_rate
        self.maker_rate = taker_rate if maker_rate is None else maker_rate
        self._bnb_price, self._candles, self._symbols = bnb_price, candles, symbols
        self._is_rounded = variants.commission == "rounded"

    @property
    def reserve_rate(self) -> Decimal:
        """What an order to buy must have beside its worth, for the fee."""
        if self.fees != "quote":
            return ZERO
        return times(exact(max(self.taker_rate, self.maker_rate)), 1 + _SPARE)

    def of(
        self,
        account: TradingAccount,
        group: OrderGroup,
        price: Decimal,
        quantity: Decimal,
        *,
        is_maker: bool,
        now_ms: int,
    ) -> tuple[str, Decimal]:
        """The asset and the amount of one fill's commission."""
        rate = self.maker_rate if is_maker else self.taker_rate
        if self.fees == "quote":
            return group.quote, exact(rate * float(price) * float(quantity))
        worth = times(price, quantity)
        if self.fees == "bnb":
            in_bnb = EXACT.divide(times(times(worth, exact(rate)), DISCOUNT), exact(self._price_of_bnb(group, now_ms)))
            fee = eight_digits(in_bnb, rounded=self._is_rounded)
            is_enough = account.free(BNB) >= fee
            if is_enough and BNB not in (group.base, group.quote):
                return BNB, fee
        asset, received = (group.base, quantity) if group.side == "BUY" else (group.quote, worth)
        return asset, eight_digits(times(received, exact(rate)), rounded=self._is_rounded)

    def _price_of_bnb(self, group: OrderGroup, now_ms: int) -> float:
        symbol = f"{BNB}/{group.quote}"
        price = self._candles.price_now(symbol, now_ms) if symbol in self._symbols else None
        return self._bnb_price if price is None else price
