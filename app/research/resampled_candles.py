"""Monte Carlo on the candles themselves: made-up histories from blocks of the real one, run through the one runtime.

A slot holds what all symbols did at one time, and is drawn whole, so that symbols which moved together still do. A
candle keeps its shape against the close before it, and its volume; gaps are drawn like candles. The blocks are those of
the stationary bootstrap (Politis and Romano 1994).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.candles.month_file import CandleColumns
from app.errors import DataError
from app.research.bootstrap import Draws, block_length, stationary_indices
from app.runs.quotients import Bools, Floats, Ints

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class SymbolMoves:
    """One symbol, one entry a slot: prices as multiples of the close before them; volume; whether it has a candle.

    `first_price` is the open of its first candle: what that candle's own multiples refer to.
    """

    first_price: float
    present: Bools
    shape: Mapping[str, Floats]
    volume: Floats

    def candles(self, slots: Ints, times_ms: Ints) -> CandleColumns:
        """The candles of these slots, one after the other, at these times."""
        here = self.present[slots]
        drawn = slots[here]
        close = np.multiply.accumulate(np.concatenate(([self.first_price], self.shape["close"][drawn])))
        before = close[:-1]
        # Each price is one multiplication of the same number, which keeps their order: low <= open, close <= high.
        opened, high, low = (before * self.shape[name][drawn] for name in PRICES[:-1])
        return CandleColumns(times_ms[here], opened, high, low, close[1:], self.volume[drawn])


@dataclass(frozen=True)
class CandleMoves:
    """A history as moves: `times_ms` are the open times of the slots, ascending, those of any of the symbols."""

    times_ms: Ints
    symbols: Mapping[str, SymbolMoves]
    mean_block: float

    def history(self, draws: Draws) -> dict[str, CandleColumns]:
        """A made-up history of the same length and times."""
        count = len(self.times_ms)
        slots = stationary_indices(draws, count, count, self.mean_block)
        return {symbol: moves.candles(slots, self.times_ms) for symbol, moves in self.symbols.items()}


def moves_of(series: Mapping[str, CandleColumns], mean_block: float | None = None) -> CandleMoves:
    """The moves of a history. Without `mean_block`: the automatic one of returns and of their sizes, the longest.

    The sizes, because calm and wild times last longer than any direction does. DataError for a price that is not above
    zero or for fewer than two candles.
    """
    for symbol, columns in series.items():
        if len(columns.open_time_ms) < 2:
            raise DataError(f"{symbol} has {len(columns.open_time_ms)} candles: there is nothing to draw from")
        lowest = int(np.argmin(columns.low))
        if columns.low[lowest] <= 0.0:
            raise DataError(f"{symbol} has a price of {columns.low[lowest]}: its returns are not defined")
    times_ms = np.unique(np.concatenate([columns.open_time_ms for columns in series.values()]))
    symbols = {symbol: _moves(columns, times_ms) for symbol, columns in series.items()}
    if mean_block is None:
        returns = [np.log(moves.shape["close"][moves.present]) for moves in symbols.values()]
        mean_block = block_length([*returns, *map(np.abs, returns)])
    return CandleMoves(times_ms, symbols, mean_block)


def _moves(columns: CandleColumns, times_ms: Ints) -> SymbolMoves:
    places = np.searchsorted(times_ms, columns.open_time_ms)
    first = float(columns.open[0])
    before = np.concatenate(([first], columns.close[:-1]))

    def spread(values: Floats, nothing: float) -> Floats:
        wide = np.full(len(times_ms), nothing)
        wide[places] = values
        return wide

    present = np.zeros(len(times_ms), np.bool_)
    present[places] = True
    shape = {name: spread(getattr(columns, name) / before, 1.0) for name in PRICES}
    return SymbolMoves(first, present, shape, spread(columns.volume, 0.0))
