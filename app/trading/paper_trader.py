"""PaperTrader: the one simulator, a broker that answers in the process.

Keeps the fill rules of RULES.md to the letter, pessimistic wherever a candle cannot tell. It alone writes to
the account; every fill is handed to `on_fill` in the order in which it was made. It reads no clock and knows
no future: a fill uses the candle at hand or the last mark, and never a candle that opened before its order was decided.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from app.models.market import Candle, Slice
from app.models.orders import CloseOrder, EntryOrder, Fill, HeldRange, Order, Position, Reason, Side
from app.times import iso_ms
from app.trading.account import Account


@dataclass(frozen=True, slots=True)
class FillRules:
    """Costs and fill choices of trading_mode.yaml; rates are fractions (0.001 = 0.1 %).

    `target_first` gives the optimistic answer where stop and target lie inside one candle. No setting turns it on: it
    is there to show how wide the range of a result is.
    """

    commission_rate: float = 0.001
    maker_commission_rate: float | None = None
    slippage_rate: float = 0.0005
    fill_at_close: bool = False
    target_on_touch: bool = False
    target_first: bool = False


class ExitRule(StrEnum):
    """The exit check of RULES.md; the first that holds decides."""

    OPEN_AT_STOP = "the open is at or beyond the stop"
    OPEN_PAST_TARGET = "the open is beyond the target"
    STOP_TOUCHED = "the candle reaches the stop"
    TARGET_REACHED = "the candle goes beyond the target"


class Exit(msgspec.Struct, frozen=True):
    """How a candle takes a position out: the price is before slippage, which a target does not have."""

    rule: ExitRule
    price: float
    time_ms: int
    reason: Reason
    is_limit: bool
    both_levels: bool


class PaperTrader:
    """Implements the Broker protocol over an Account (trading/execution.py)."""

    def __init__(self, account: Account, rules: FillRules, on_fill: Callable[[Fill], None]) -> None:
        self._account = account
        self._on_fill = on_fill
        self._slippage_rate = rules.slippage_rate
        self._commission_rate = rules.commission_rate
        maker = rules.maker_commission_rate
        self._target_commission_rate = rules.commission_rate if maker is None else maker
        self._fill_at_close = rules.fill_at_close
        self._target_on_touch = rules.target_on_touch
        self._target_first = rules.target_first
        self.last_trade_id = 0

    async def on_slice(self, slice_: Slice) -> None:
        """Step 1 of a slice: fills at the open, exits inside, marks at the close, symbol by symbol."""
        self._account.time_ms = slice_.close_time_ms
        for candle in slice_.candles:
            self.update_positions(candle)

    def update_positions(self, candle: Candle) -> None:
        """Everything one candle does to its symbol; nobody traded in a candle of volume 0, so it only marks.

        One that came late meets only what was ordered, and what was opened, before its own open.
        """
        account = self._account
        symbol, open_time_ms = candle.symbol, candle.open_time_ms
        if candle.volume > 0.0:
            if account.closing and symbol in account.closing:
                order = account.closing[symbol]
                if order.signal_time_ms <= open_time_ms:
                    self._close(
                        account.positions[symbol], candle.open, open_time_ms, order.reason, order=order, candle=candle
                    )
            if account.pending and symbol in account.pending and account.pending[symbol].signal_time_ms <= open_time_ms:
                self._open(account.pending.pop(symbol), candle.open, open_time_ms, candle)
            position = account.positions.get(symbol)
            if position is not None and position.entry_time_ms <= open_time_ms:
                self._hold(position, candle)
        account.marks[symbol] = candle.close

    def _hold(self, position: Position, candle: Candle) -> None:
        held = position.held
        if candle.low <= position.floor or candle.high >= position.ceiling:
            out = self.exit_of(position, candle)
            if out is not None:
                if out.rule is ExitRule.STOP_TOUCHED and not out.both_levels:
                    held.target_touched |= candle.low <= position.floor and candle.high >= position.ceiling
                self._close(
                    position, out.price, out.time_ms, out.reason,
                    is_limit=out.is_limit, both_levels=out.both_levels, candle=candle,
                )  # fmt: skip
                return
            held.target_touched = True  # a stop that is touched closes: it was the target, not passed
        if candle.low < held.lowest:  # noqa: PLR1730 - min() costs more, and most candles set no new extreme
            held.lowest = candle.low
        if candle.high > held.highest:  # noqa: PLR1730
            held.highest = candle.high

    async def submit(self, order: Order) -> None:
        """`next_open`: wait for the symbol's next traded candle. `close`: fill now, at the mark."""
        account = self._account
        if not self._fill_at_close:
            if isinstance(order, EntryOrder):
                account.pending[order.symbol] = order
            else:
                account.closing[order.symbol] = order
        elif isinstance(order, EntryOrder):
            self._open(order, account.marks[order.symbol], account.time_ms)
        else:
            position = account.positions[order.symbol]
            self._close(position, account.marks[order.symbol], account.time_ms, order.reason, order=order)

    async def cancel_entry(self, symbol: str) -> bool:
        """Cancel the symbol's pending entry; False if there is none."""
        return self._account.pending.pop(symbol, None) is not None

    async def close_all_positions(self, reason: Reason) -> int:
        """Flatten: pending entries cancelled (their number is returned), positions closed in opening order.

        Each is a market order at its symbol's last mark, stamped with the close of the last slice handled; a
        position that has a close order pending keeps that order's reason.
        """
        account = self._account
        unfilled = len(account.pending)
        account.pending.clear()
        for position in list(account.positions.values()):
            order = account.closing.get(position.symbol)
            why = reason if order is None else order.reason
            self._close(position, account.marks[position.symbol], account.time_ms, why, order=order)
        return unfilled

    def apply_trade_result(self, realized_pnl: float) -> None:
        """The only change of the balance: on CLOSE, by the realised PnL."""
        self._account.balance += realized_pnl

    def _open(self, order: EntryOrder, price: float, time_ms: int, candle: Candle | None = None) -> None:
        account = self._account
        _refuse_the_past(candle, order.signal_time_ms)
        fill_price = price * (1.0 + order.side * self._slippage_rate)
        commission = self._commission_rate * fill_price * order.quantity
        self.last_trade_id += 1
        account.positions[order.symbol] = Position(
            trade_id=self.last_trade_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            signed_quantity=order.side * order.quantity,
            entry_price=fill_price,
            entry_commission=commission,
            entry_time_ms=time_ms,
            stop=order.stop,
            target=order.target,
            floor=min(order.stop, order.target),
            ceiling=max(order.stop, order.target),
            tag=order.tag,
            held=HeldRange(fill_price, fill_price),
        )
        self._on_fill(
            Fill(
                time_ms=time_ms,
                symbol=order.symbol,
                opens=True,
                side=order.side,
                price=fill_price,
                quantity=order.quantity,
                commission=commission,
                slippage=abs(fill_price - price) * order.quantity,
                balance=account.balance,
                equity=account.equity(),
                realized_pnl=0.0,
                reason=Reason.SIGNAL,
                trade_id=self.last_trade_id,
                stop=order.stop,
                target=order.target,
                order_id=order.order_id,
                sized_by=order.sized_by,
                both_levels=False,
                tag=order.tag,
                candle_volume=None if candle is None else candle.volume,
            )
        )

    def exit_of(self, position: Position, candle: Candle) -> Exit | None:
        """The first of the four exit rules that holds on a traded candle; the stop comes before the target, always."""
        stop, target = position.stop, position.target
        if position.side is Side.LONG:
            open_at_stop, touches_stop = candle.open <= stop, candle.low <= stop
            open_past_target = self._is_past(candle.open - target)
            reaches_target = self._is_past(candle.high - target)
        else:
            open_at_stop, touches_stop = candle.open >= stop, candle.high >= stop
            open_past_target = self._is_past(target - candle.open)
            reaches_target = self._is_past(target - candle.low)
        open_ms, close_ms = candle.open_time_ms, candle.close_time_ms
        if open_at_stop:
            return Exit(ExitRule.OPEN_AT_STOP, candle.open, open_ms, Reason.STOP_LOSS, False, False)
        if open_past_target:
            return Exit(ExitRule.OPEN_PAST_TARGET, candle.open, open_ms, Reason.TAKE_PROFIT, True, False)
        if touches_stop and not (reaches_target and self._target_first):
            return Exit(ExitRule.STOP_TOUCHED, stop, close_ms, Reason.STOP_LOSS, False, reaches_target)
        if reaches_target:
            return Exit(ExitRule.TARGET_REACHED, target, close_ms, Reason.TAKE_PROFIT, True, touches_stop)
        return None

    def _is_past(self, distance: float) -> bool:
        return distance >= 0.0 if self._target_on_touch else distance > 0.0

    def _close(
        self,
        position: Position,
        price: float,
        time_ms: int,
        reason: Reason,
        *,
        is_limit: bool = False,
        order: CloseOrder | None = None,
        both_levels: bool = False,
        candle: Candle | None = None,
    ) -> None:
        _refuse_the_past(candle, position.entry_time_ms if order is None else order.signal_time_ms)
        # A target is a limit order: no slippage, and the maker's rate where one is configured.
        account = self._account
        symbol, side, quantity = position.symbol, position.side, position.quantity
        fill_price = price if is_limit else price * (1.0 - side * self._slippage_rate)
        commission_rate = self._target_commission_rate if is_limit else self._commission_rate
        commission = commission_rate * fill_price * quantity
        realized_pnl = position.unrealised(fill_price) - commission
        held, entry_price = position.held, position.entry_price
        fell = quantity * (entry_price - min(held.lowest, fill_price))
        rose = quantity * (max(held.highest, fill_price) - entry_price)
        del account.positions[symbol]
        account.closing.pop(symbol, None)
        self.apply_trade_result(realized_pnl)
        self._on_fill(
            Fill(
                time_ms=time_ms,
                symbol=symbol,
                opens=False,
                side=side,
                price=fill_price,
                quantity=quantity,
                commission=commission,
                slippage=abs(fill_price - price) * quantity,
                balance=account.balance,
                equity=account.equity(),
                realized_pnl=realized_pnl,
                reason=reason,
                trade_id=position.trade_id,
                stop=position.stop,
                target=position.target,
                order_id=None if order is None else order.order_id,
                sized_by=None,
                both_levels=both_levels,
                tag=position.tag if order is None or not order.tag else order.tag,
                candle_volume=None if candle is None else candle.volume,
                mae=fell if side > 0 else rose,
                mfe=rose if side > 0 else fell,
                target_touched=held.target_touched,
            )
        )


def _refuse_the_past(candle: Candle | None, decided_ms: int) -> None:
    # RULES.md, Live: no order fills on a candle that opened before the slice it was decided with had closed.
    if candle is not None and candle.open_time_ms < decided_ms:
        opened, decided = iso_ms(candle.open_time_ms), iso_ms(decided_ms)
        raise RuntimeError(f"{candle.symbol}: a candle that opened {opened} cannot fill what was decided {decided}")
