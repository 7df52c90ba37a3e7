"""Candles that the exchange tells differently later: a fault that no client can see in one answer.

The rule: only rows of REST change, of one symbol, timeframe and open time, from the nth answer that holds the row and
so many virtual seconds after its close; frames that were sent stay as they were. It counts answers, nothing else.
"""

from dataclasses import dataclass
from typing import Any

from app.testnet.faults import Fault
from app.testnet.forming import Kline
from app.testnet.kline_pages import Row
from app.testnet.spot import SpotMarket
from app.testnet.wire import kline_row
from app.times import timeframe_ms


@dataclass
class Revision:
    """Other values for one candle; those that are None stay, and if all are, the volume is another."""

    symbol: str
    timeframe: str
    at_ms: int
    from_answer: int
    after_s: float
    values: dict[str, float]
    answers: int = 0

    @classmethod
    def of(cls, fault: Fault) -> "Revision":
        """What a fault named `revised` asks for."""
        given: dict[str, Any] = dict(fault.values)
        names = ("open", "high", "low", "close", "volume")
        return cls(
            given["symbol"],
            given["timeframe"],
            given["at"],
            given["from_answer"],
            given["after_s"],
            {name: given[name] for name in names if given[name] is not None},
        )

    def applied(
        self, market: SpotMarket, symbol: str, timeframe: str, rows: tuple[Row, ...], now_ms: int
    ) -> tuple[Row, ...]:
        """The rows of an answer as they are after it; counts the answer if it holds the closed candle."""
        length_ms = timeframe_ms(self.timeframe)
        close_ms = self.at_ms + length_ms
        if (symbol, timeframe) != (self.symbol, self.timeframe) or now_ms < close_ms:
            return rows
        place = next((place for place, row in enumerate(rows) if row[0] == self.at_ms), None)
        if place is None:
            return rows
        self.answers += 1
        kline = market.kline(symbol, timeframe, self.at_ms, now_ms)
        if kline is None or self.answers < self.from_answer or now_ms < close_ms + self.after_s * 1_000:
            return rows
        revised = (self.at_ms, kline_row(self._revised(kline), length_ms))
        return (*rows[:place], revised, *rows[place + 1 :])

    def _revised(self, kline: Kline) -> Kline:
        numbers: dict[str, Any] = self.values or {"volume": round(kline.volume * 2.0 + 1.0, 8)}
        other = kline._replace(**numbers)
        # A candle stays a candle, whichever of its prices was given.
        return other._replace(
            high=max(other.high, other.open, other.close), low=min(other.low, other.open, other.close)
        )
