"""What managed exits did on the candle chart: where the legs of a trade left, and the way that its stop took.

A trade log has the stop of each of its rows and not the way between them: it is made again over the candles of the
trade, by the function that moved it. Where that does not lead to the stop of the last row (the signal brought exits of
its own, which no file has), the way is the one from row to row. A run without legs and moved stops costs nothing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec
import numpy as np

from app.candles.month_file import CandleColumns, concatenated
from app.models.exits import Exits, parse_exits
from app.models.orders import MAIN, HeldRange, Position, Reason, Side
from app.report.formats import at
from app.runs.candle_source import SymbolCandles
from app.runs.quotients import Bools, Floats
from app.runs.trade_read import TradeTable
from app.runs.trade_table import legs_among
from app.times import month_of
from app.trading.exit_rules import moved_stop
from app.trading.instruments import Instrument

Steps = list[tuple[int, float]]  # from this time on (ms) the stop is there
_Json = Mapping[str, Any]
_STEPS_MAX = 200  # of one trade
_STEPS_ALL = 60_000  # of a page
_LEVELS = (Reason.STOP_LOSS, Reason.TRAILING_STOP, Reason.BREAK_EVEN, Reason.TAKE_PROFIT)


class ManagedMarks(NamedTuple):
    """By trade, None where there is nothing: `[ms inside its candle, price, PnL]` of each leg; steps of the stop."""

    legs: list[list[tuple[int, float, float]] | None]
    stops: list[Steps | None]


def managed_marks(
    trades: TradeTable, candles: Mapping[str, SymbolCandles], settings: _Json, step_ms: int
) -> ManagedMarks | None:
    """Of the trades on these candles, whose length is `step_ms`; None for a run without legs and moved stops."""
    is_leg, exits = legs_among(trades.closes), _exits_of(settings)
    is_moved = trades.is_closed & (trades.exit.stop != trades.entry.stop)
    for strategy in exits:
        is_moved |= ~trades.is_closed & trades.entry.strategy.equal(strategy)
    if not (is_leg.any() or is_moved.any()):
        return None
    legs: list[list[tuple[int, float, float]] | None] = [None] * len(trades)
    stops: list[Steps | None] = [None] * len(trades)
    rows = _rows_by_trade(trades, is_leg)
    found = {symbol: _Window(own, step_ms) for symbol, own in candles.items()}
    for place, symbol in enumerate(trades.entry.symbol.names[code] for code in trades.entry.symbol.codes.tolist()):
        own = rows.get(int(trades.entry.trade_id[place]), ())
        if symbol not in found or not (own or is_moved[place]):
            continue
        if own:
            legs[place] = [_leg(trades, row, found[symbol]) for row in own]
        if is_moved[place]:
            strategy = trades.entry.strategy.names[trades.entry.strategy.codes[place]]
            way = _Way(trades, place, found[symbol], settings, exits.get(strategy))
            steps = way.steps()
            stops[place] = _from_rows(trades, place, own) if steps is None else steps
    return ManagedMarks(legs, _thinned(stops))


class _Window:
    """Traded candles of one symbol by time. Asked for times that rise, it reads each month once and forgets it."""

    def __init__(self, candles: SymbolCandles, step_ms: int) -> None:
        self.step_ms = step_ms
        self._candles = candles
        self._held: dict[str, CandleColumns] = {}

    def between(self, first_ms: int, end_ms: int) -> CandleColumns:
        """Those that open from `first_ms` on and before `end_ms`."""
        months = self._candles.months
        first = month_of(first_ms)
        wanted = months[bisect_left(months, first) : bisect_right(months, month_of(max(end_ms - 1, first_ms)))]
        self._held = {month: own for month, own in self._held.items() if month >= first}
        parts = []
        for month in wanted:
            if month not in self._held:
                self._held[month] = self._candles.read(month)
            own = self._held[month]
            parts.append(own.take(slice(*own.open_time_ms.searchsorted((first_ms, end_ms)).tolist())))
        whole = concatenated(parts)
        return whole.take(whole.volume > 0.0)


class _Way:
    """The stop of one trade, candle by candle."""

    def __init__(self, trades: TradeTable, place: int, window: _Window, settings: _Json, exits: Exits | None) -> None:
        entry, self._exits, self._window = trades.entry, exits, window
        self._entry_ms = int(entry.time_ms[place])
        self._last_stop = float(trades.exit.stop[place]) if trades.is_closed[place] else None
        self._exit_ms = int(trades.exit.time_ms[place]) if trades.is_closed[place] else 1 << 62
        trading = settings.get("trading_mode") or {}
        slippage, at_close = trading.get("slippage_rate") or 0.0, trading.get("fill") == "close"
        own = slice(place, place + 1)
        one = TradeTable(entry.only(own), trades.exit.only(own), trades.is_closed[own], trades.closes.only(slice(0, 0)))
        # A limit that was met saw its own candle's close; a level that was met inside a candle did not see that one.
        price = float(entry.price[place])
        self._is_met = bool(one.entries_inside(slippage, at_close=False)[0])
        if not slippage:  # then an entry at the market has the price of an open, or of a close
            market = window.between(self._entry_ms - window.step_ms, self._entry_ms + window.step_ms)
            self._is_met = not (price in market.open[-1:] or (at_close and price in market.close[:1]))
        reason = one.reasons[0]
        self._is_inside = reason in _LEVELS and bool(one.exits_inside(slippage, at_close=at_close)[0])
        symbol = entry.symbol.names[entry.symbol.codes[place]]
        limits = at(settings, "live.instruments") or {}
        self._instrument = Instrument(**(limits.get(symbol) or {}))
        side, stop, target = Side(int(entry.sign[place])), float(entry.stop[place]), float(entry.target[place])
        self._position = _position(side, price, stop, target)

    def steps(self) -> Steps | None:
        """None where the exits of the config do not lead to the last row's stop."""
        if self._exits is None:
            return None
        # What the log does not tell for certain is tried the other way as well: only one leads to the last stop.
        for is_met, is_inside in product((self._is_met, not self._is_met), (self._is_inside, not self._is_inside)):
            steps = self._over(is_met, is_inside, self._exits)
            last = steps[-1][1] if steps else self._position.stop
            if self._last_stop is None or abs(last - self._last_stop) <= 1e-9 * abs(last):
                return steps
        return None

    def _over(self, is_met: bool, is_inside: bool, exits: Exits) -> Steps:
        step_ms = self._window.step_ms
        begin_ms, end_ms = self._entry_ms - step_ms * is_met, self._exit_ms - step_ms * is_inside
        candles = self._window.between(begin_ms, max(begin_ms, end_ms))
        if not len(candles.open_time_ms):
            return []
        position, side = self._position, self._position.side
        prices: Floats = (candles.high if side > 0 else candles.low).copy()
        if is_met:
            prices[0] = candles.close[0]
        best = np.maximum.accumulate(side * prices)
        if exits.trailing is not None and exits.trailing.distance_atr is not None and self._last_stop is not None:
            # No file has the signal's ATR; this one leads to the last stop.
            distance = float(abs(side * best[-1] - self._last_stop))
            position = msgspec.structs.replace(position, atr=distance / exits.trailing.distance_atr)
        steps: Steps = []
        for number in np.flatnonzero(np.diff(best, prepend=-np.inf) > 0.0).tolist():
            moved = moved_stop(position, exits, float(prices[number]), self._instrument)
            if moved is not None:
                position = msgspec.structs.replace(position, stop=moved[0])
                steps.append((int(candles.open_time_ms[number]) + step_ms, moved[0]))
        return steps


def _exits_of(settings: _Json) -> dict[str, Exits]:
    live = settings.get("live") or {}
    found = {}
    for own in live.get("strategies") or [live.get("strategy") or {}]:
        if own.get("exits"):
            try:
                found[str(own.get("id", MAIN))] = parse_exits(own["exits"])
            except ValueError:
                continue  # a manifest that somebody has edited: the way is the one from row to row
    return found


def _position(side: Side, price: float, stop: float, target: float) -> Position:
    return Position(
        trade_id=0, symbol="", side=side, quantity=0.0, signed_quantity=0.0, entry_price=price, entry_commission=0.0,
        entry_time_ms=0, stop=stop, target=target, floor=0.0, ceiling=0.0, tag="", held=HeldRange(price, price),
        risk=abs(price - stop),
    )  # fmt: skip


def _rows_by_trade(trades: TradeTable, is_leg: Bools) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row in np.flatnonzero(is_leg).tolist():
        rows.setdefault(int(trades.closes.trade_id[row]), []).append(row)
    return rows


def _leg(trades: TradeTable, row: int, window: _Window) -> tuple[int, float, float]:
    time_ms, price = int(trades.closes.time_ms[row]), float(trades.closes.price[row])
    opened = window.between(time_ms, time_ms + window.step_ms).open
    is_at_open = bool(len(opened)) and opened[0] == price
    return time_ms - (not is_at_open), price, float(trades.closes.realized_pnl[row])


def _from_rows(trades: TradeTable, place: int, legs: Sequence[int]) -> Steps:
    def all_rows() -> Iterator[tuple[int, float]]:
        for row in legs:
            yield int(trades.closes.time_ms[row]), float(trades.closes.stop[row])
        if trades.is_closed[place]:
            yield int(trades.exit.time_ms[place]), float(trades.exit.stop[place])

    steps: Steps = []
    for time_ms, stop in all_rows():
        if stop != (steps[-1][1] if steps else trades.entry.stop[place]):
            steps.append((time_ms, stop))
    return steps


def _thinned(stops: list[Steps | None]) -> list[Steps | None]:
    moved = sum(steps is not None for steps in stops)
    most = max(2, min(_STEPS_MAX, _STEPS_ALL // max(moved, 1)))

    def few(steps: Steps) -> Steps:
        if len(steps) <= most:
            return steps
        return [steps[place] for place in np.linspace(0, len(steps) - 1, most).astype(np.int64).tolist()]

    return [None if steps is None else few(steps) for steps in stops]
