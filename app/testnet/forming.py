"""A candle that has not closed yet: what it shows of itself at an instant.

The rule: a pure function of the final candle and the time, the same for REST and websocket. Within a candle its volume
and its high only grow, its low only falls, and at the end it is the final candle. Nothing is drawn.
"""

from typing import NamedTuple

from app.candles.month_file import CandleColumns


class Kline(NamedTuple):
    """One candle's numbers, final or not; time in ms UTC, volume in base units."""

    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


def forming_kline(final: Kline, length_ms: int, now_ms: int) -> Kline:
    """`final` as it is at `now_ms`, which lies inside it: the price goes from the open to the nearer extreme, to the
    other one and to the close, a third of the time each; volume comes evenly."""
    part = min(max((now_ms - final.open_time_ms) / length_ms, 0.0), 1.0)
    up_first = final.high - final.open <= final.open - final.low
    turns = (final.high, final.low) if up_first else (final.low, final.high)
    corners = (final.open, *turns, final.close)
    leg = min(int(part * 3), 2)
    rest = part * 3 - leg
    places = _places(final)
    price = round(corners[leg] + (corners[leg + 1] - corners[leg]) * rest, places)
    # Rounding may step over an end that has more decimals than are printed.
    price = min(max(price, final.low), final.high)
    seen = (*corners[: leg + 1], price)
    volume = min(round(final.volume * part, 8), final.volume)
    return Kline(final.open_time_ms, final.open, max(seen), min(seen), price, volume)


def rows_of(columns: CandleColumns) -> list[Kline]:
    """Columns as candles."""
    return [Kline(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _places(kline: Kline) -> int:
    """The decimals that the candle's own prices have, at most 8."""
    return min(8, max(_decimals(price) for price in kline[1:5]))


def _decimals(price: float) -> int:
    text = repr(price)
    return 8 if "e" in text else len(text.rpartition(".")[2])
