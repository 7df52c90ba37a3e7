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
from app.runs.quotients import Bools
from app.runs.trade_read import TradeTable
from app.runs.trade_table import among, legs_among
from app.times import month_bounds_ms
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
    rows, numbers = _rows_by_trade(trades, is_leg), trades.entry.trade_id.tolist()
    ways = _Ways(trades, candles, settings, exits, step_ms)
    managed = is_moved | among(trades.entry.trade_id, trades.closes.trade_id[is_leg])
    for place in np.flatnonzero(managed).tolist():
        window = ways.window(place)
        if window is None:
            continue
        own = rows.get(numbers[place], ())
        if own:
            legs[place] = [_leg(trades, row, window) for row in own]
        if is_moved[place]:
            steps = ways.steps(place, window)
            stops[place] = _from_rows(trades, place, own) if steps is None else steps
    return ManagedMarks(legs, _thinned(stops))


class _Window:
    """Traded candles of one symbol by time. Asked for times that rise, it reads each month once and forgets it."""

    def __init__(self, candles: SymbolCandles, instrument: Instrument, step_ms: int) -> None:
        self.instrument, self.step_ms = instrument, step_ms
        self._candles = candles
        self._begins_ms = [month_bounds_ms(month)[0] for month in candles.months]
        self._held: dict[int, CandleColumns] = {}

    def between(self, first_ms: int, end_ms: int) -> CandleColumns:
        """Those that open from `first_ms` on and before `end_ms`."""
        first = max(bisect_right(self._begins_ms, first_ms) - 1, 0)
        last = bisect_left(self._begins_ms, end_ms)
        if self._held and next(iter(self._held)) < first - 1:
            self._held = {month: own for month, own in self._held.items() if month >= first - 1}
        parts = []
        for month in range(first, last):
            if month not in self._held:
                read = self._candles.read(self._candles.months[month])
                self._held[month] = read.take(read.volume > 0.0)
            own = self._held[month]
            parts.append(own.take(slice(*own.open_time_ms.searchsorted((first_ms, end_ms)).tolist())))
        return concatenated(parts)


class _Trade(NamedTuple):
    """What the way of a stop begins with and, for a trade that was closed, where it ends."""

    position: Position
    exits: Exits
    entry_ms: int
    exit_ms: int
    last_stop: float | None


class _Ways:
    """The stops of trades, candle by candle; all that can be asked of all trades at once is asked once."""

    def __init__(
        self,
        trades: TradeTable,
        candles: Mapping[str, SymbolCandles],
        settings: _Json,
        exits: Mapping[str, Exits],
        step_ms: int,
    ) -> None:
        trading, limits = settings.get("trading_mode") or {}, at(settings, "live.instruments") or {}
        self._has_slippage = bool(trading.get("slippage_rate"))
        self._at_close = trading.get("fill") == "close"
        slippage = trading.get("slippage_rate") or 0.0
        entry, out = trades.entry, trades.exit
        # A limit that was met saw its own candle's close; a level that was met inside a candle did not see that one.
        met = trades.entries_inside(slippage, at_close=False)
        at_level = trades.exits_inside(slippage, at_close=self._at_close) & _is_level(trades)
        self._met, self._at_level = met.tolist(), at_level.tolist()
        self._closed = trades.is_closed.tolist()
        self._columns = [
            column.tolist()
            for column in (entry.time_ms, entry.sign, entry.price, entry.stop, entry.target, out.time_ms, out.stop)
        ]
        self._exits = [exits.get(entry.strategy.names[code]) for code in entry.strategy.codes.tolist()]
        windows: list[_Window | None] = [
            _Window(candles[name], Instrument(**(limits.get(name) or {})), step_ms) if name in candles else None
            for name in entry.symbol.names
        ]
        self._windows: list[_Window | None] = [windows[code] for code in entry.symbol.codes.tolist()]

    def window(self, place: int) -> _Window | None:
        """The candles of the trade's symbol; None where there are none."""
        return self._windows[place]

    def steps(self, place: int, window: _Window) -> Steps | None:
        """None where the exits of the config do not lead to the last row's stop."""
        exits = self._exits[place]
        if exits is None:
            return None
        entry_ms, sign, price, stop, target, exit_ms, last_stop = (column[place] for column in self._columns)
        is_met, at_level = self._met[place], self._at_level[place]
        if not self._has_slippage:  # then an entry at the market has the price of an open, or of a close
            market = window.between(entry_ms - window.step_ms, entry_ms + window.step_ms)
            is_met = not (price in market.open[-1:] or (self._at_close and price in market.close[:1]))
        position = _position(Side(int(sign)), price, stop, target)
        closed = self._closed[place]
        trade = _Trade(position, exits, entry_ms, exit_ms if closed else 1 << 62, last_stop if closed else None)
        # What the log does not tell for certain is tried the other way as well: only one leads to the last stop.
        for one, other in product((is_met, not is_met), (at_level, not at_level)):
            steps = _over(trade, window, is_met=one, at_level=other)
            last = steps[-1][1] if steps else stop
            if trade.last_stop is None or abs(last - trade.last_stop) <= 1e-9 * abs(last):
                return steps
        return None


def _over(trade: _Trade, window: _Window, *, is_met: bool, at_level: bool) -> Steps:
    step_ms, exits, position, side = window.step_ms, trade.exits, trade.position, trade.position.side
    begin_ms, end_ms = trade.entry_ms - step_ms * is_met, trade.exit_ms - step_ms * at_level
    candles = window.between(begin_ms, max(begin_ms, end_ms))
    if not len(candles.open_time_ms):
        return []
    prices = candles.high if side > 0 else candles.low
    if is_met:
        prices = np.concatenate((candles.close[:1], prices[1:]))
    best = np.maximum.accumulate(side * prices)
    if exits.trailing is not None and exits.trailing.distance_atr is not None and trade.last_stop is not None:
        # No file has the signal's ATR; this one leads to the last stop.
        distance = float(abs(side * best[-1] - trade.last_stop))
        position = msgspec.structs.replace(position, atr=distance / exits.trailing.distance_atr)
    steps: Steps = []
    better = [0, *(np.flatnonzero(best[1:] > best[:-1]) + 1).tolist()]
    for time_ms, price in zip(candles.open_time_ms[better].tolist(), prices[better].tolist(), strict=True):
        moved = moved_stop(position, exits, price, window.instrument)
        if moved is not None:
            position = msgspec.structs.replace(position, stop=moved[0])
            steps.append((time_ms + step_ms, moved[0]))
    return steps


def _is_level(trades: TradeTable) -> Bools:
    reason = trades.exit.reason
    found: Bools = np.isin(reason.codes, [place for place, name in enumerate(reason.names) if name in _LEVELS])
    return found


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
