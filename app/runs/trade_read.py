"""The trades of a trade log by column, each OPEN joined with its CLOSE, as far as the log can be read.

A log that was cut, or that an older version wrote, gives the trades before the cut and the columns that it has, and
says what is missing; nothing is made up. A trade still open has no exit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.errors import DataError
from app.models.orders import Reason
from app.runs.fill_columns import Fills
from app.runs.quotients import Bools, Floats, Ints
from app.runs.trade_table import entries_of, fills_until_fault, legs_among, no_fills, with_legs


@dataclass(frozen=True)
class TradeTable:
    """A row a trade, in the order of the entries. Prices and money in quote currency, `pnl` net of both commissions.

    `exit` is the last CLOSE with the money of the trade's `legs`. It holds what it may where `is_closed` is False:
    everything that is read off here is NaN then, as is what the log does not have. MAE and MFE are currency, 0 or more.
    `closes` are all CLOSE rows as the log has them, in its order; among them the legs of trades that are still open.
    """

    entry: Fills
    exit: Fills
    is_closed: Bools
    closes: Fills

    def __len__(self) -> int:
        return len(self.entry.price)

    @property
    def symbols(self) -> list[str]:
        """In the order in which they were traded first."""
        return [self.entry.symbol.names[code] for code in dict.fromkeys(self.entry.symbol.codes.tolist())]

    @property
    def exit_price(self) -> Floats:
        """After slippage."""
        return self._of_exit(self.exit.price)

    @property
    def pnl(self) -> Floats:
        """Net."""
        return self._of_exit(self.exit.realized_pnl)

    @property
    def mae(self) -> Floats:
        """How far it went against the trade."""
        return self._of_exit(self.exit.mae)

    @property
    def mfe(self) -> Floats:
        """How far it went for the trade."""
        return self._of_exit(self.exit.mfe)

    @property
    def reasons(self) -> list[str]:
        """Why each was left; empty while it is open."""
        codes = np.where(self.is_closed, self.exit.reason.codes, -1).tolist()
        return [self.exit.reason.names[code] if code >= 0 else "" for code in codes]

    @property
    def risk(self) -> Floats:
        """R's unit; NaN without a stop on the losing side of the entry."""
        return self.entry.initial_risk

    def exits_inside(self, slippage_rate: float, *, at_close: bool) -> Bools:
        """Whether an exit is stamped with the close of its own candle, not with the open of it (RULES, Fills).

        So are a stop or a target that was met at its level, a stop met inside the candle that filled a limit entry, a
        flatten, and with `fill: close` every market order.
        """
        price, stop, reason = self.exit.price, self.exit.stop, self.exit.reason
        inside = np.full(len(self), at_close)
        at_target = reason.equal(Reason.TAKE_PROFIT)
        at_stop = reason.equal(Reason.STOP_LOSS) | reason.equal(Reason.TRAILING_STOP) | reason.equal(Reason.BREAK_EVEN)
        at_stop &= np.isfinite(stop)
        inside[at_target] = (price == self.entry.target)[at_target]
        level = stop * (1.0 - self.entry.sign * slippage_rate)
        inside[at_stop] = (np.abs(price - level) <= 1e-9 * price)[at_stop]
        inside |= (
            at_stop & self.entries_inside(slippage_rate, at_close=False) & (self.exit.time_ms == self.entry.time_ms)
        )
        for flattened in ("end_of_data", "shutdown", "error"):
            inside |= reason.equal(flattened)
        return inside & self.is_closed

    def entries_inside(self, slippage_rate: float, *, at_close: bool) -> Bools:
        """Whether an entry is stamped with the close of its own candle: with `fill: close`, or a limit that was met.

        A limit that was met has no slippage, every other entry has, unless the run knows none: then it is not told.
        """
        met: Bools = (self.entry.slippage == 0.0) & (slippage_rate > 0.0)
        return met | at_close

    def _of_exit(self, column: Floats) -> Floats:
        return np.where(self.is_closed, column, np.nan)


class TradeLogContent(NamedTuple):
    """The trades, how many fills were read, and what was wrong with the log."""

    trades: TradeTable
    fills: int = 0
    problems: Sequence[str] = ()


def read_trades(path: Path) -> TradeLogContent:
    """All that a trade log gives; never raises for what is in it."""
    try:
        fills, problem = fills_until_fault(path)
    except OSError as error:
        said = f"The trade log {path.name} cannot be read: {error.strerror or error}."
        return TradeLogContent(trade_table(no_fills()), problems=[said])
    except DataError as error:
        said = f"The trade log {path.name} {error}; it cannot be shown."
        return TradeLogContent(trade_table(no_fills()), problems=[said])
    unopened = _first_unopened(fills)
    if unopened is not None:
        problem = f"line {unopened + 2} closes a trade that it does not open"
        fills = fills.only(np.arange(unopened))
    count = len(fills.price)
    problems = []
    if problem is not None:
        problems = [f"The trade log {path.name} is not whole: {problem}. The {count:,} fills before it are shown."]
    return TradeLogContent(trade_table(fills), count, problems)


def trade_table(fills: Fills) -> TradeTable:
    """Fills of which each CLOSE comes after its OPEN."""
    is_leg, entries = legs_among(fills), entries_of(fills)
    lasts = np.flatnonzero(~fills.opens & ~is_leg)
    exits = np.full(len(entries.price), -1, np.int64)
    exits[_places(entries.trade_id, fills.trade_id[lasts])] = np.arange(len(lasts))
    closes = last = fills.only(~fills.opens)
    if is_leg.any():
        last = with_legs(fills.only(lasts), fills.only(is_leg))
    exit_ = last.only(np.maximum(exits, 0)) if len(lasts) else entries
    return TradeTable(entries, exit_, exits >= 0, closes)


def _places(opened: Ints, closed: Ints) -> Ints:
    # By trade ids: which of the opens belongs to each close; one past the end, or another trade's, where none does.
    order = np.argsort(opened, kind="stable")
    places = np.searchsorted(opened[order], closed)
    found: Ints = np.append(order, len(opened))[places]
    return found


def _first_unopened(fills: Fills) -> int | None:
    opens, closes = np.flatnonzero(fills.opens), np.flatnonzero(~fills.opens)
    places = np.append(opens, len(fills.price))[_places(fills.trade_id[opens], fills.trade_id[closes])]
    ids = np.append(fills.trade_id, -1)
    wrong = closes[(places > closes) | (ids[places] != fills.trade_id[closes])]
    return int(wrong[0]) if len(wrong) else None
