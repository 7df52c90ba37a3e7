"""PaperTrader: the one simulator, a broker that answers in the process.

Keeps the fill rules of RULES.md to the letter, pessimistic wherever a candle cannot tell (exit_rules.py). It reads no
clock and knows no future: a fill uses the candle at hand or the last mark, and never a candle that opened before its
order was decided.
"""

from app.models.events import AccountSnapshot, Execution
from app.models.exits import Exits
from app.models.intents import Intent
from app.models.market import Candle, Slice
from app.models.orders import CloseOrder, EntryOrder, Line, Order, Position, Reason, Refusal, Side
from app.trading.exit_rules import Exit, ExitRule, FillRules, exits_after_limit, exits_of
from app.trading.ledger import Ledger
from app.trading.risk import RiskOutput


class PaperTrader:
    """Implements the Broker protocol over a Ledger (trading/execution.py)."""

    def __init__(self, ledger: Ledger, rules: FillRules) -> None:
        self.ledger = ledger
        self._account = ledger.account
        self._rules = rules
        self._slippage_rate = rules.slippage_rate
        self._commission_rate = rules.commission_rate
        maker = rules.maker_commission_rate
        self._maker_commission_rate = rules.commission_rate if maker is None else maker

    async def on_slice(self, slice_: Slice) -> None:
        """Step 1 of a slice: fills at the open, exits inside, marks at the close, symbol by symbol."""
        self._account.time_ms = slice_.close_time_ms
        for candle in slice_.candles:
            self.update_positions(candle)

    def update_positions(self, candle: Candle) -> None:
        """Everything one candle does to its lines; nobody traded in a candle of volume 0, so it only marks.

        One that came late meets only what was ordered, and what was opened, before its own open.
        """
        account = self._account
        symbol, positions, is_traded = candle.symbol, account.positions, candle.volume > 0.0
        for line in account.lines[symbol]:
            if account.pending or account.closing:
                self._fill_orders(line, candle, is_traded)
            position = positions.get(line)
            if position is not None and is_traded and position.entry_time_ms <= candle.open_time_ms:
                self._hold(position, candle)
        account.marks[symbol] = candle.close

    def _fill_orders(self, line: Line, candle: Candle, is_traded: bool) -> None:
        """A line's close order before anything else, then its entry."""
        account, open_time_ms = self._account, candle.open_time_ms
        close, entry = account.closing.get(line), account.pending.get(line)
        if close is not None and is_traded and close.signal_time_ms <= open_time_ms:
            self._close_at_market(account.positions[line], candle.open, open_time_ms, close, candle)
        if entry is None or entry.signal_time_ms > open_time_ms:
            return
        if entry.limit is not None:
            self._try_limit(entry, entry.limit, candle)
        elif is_traded:
            del account.pending[line]
            self._open_at_market(entry, candle.open, open_time_ms, candle)

    def _try_limit(self, order: EntryOrder, limit: float, candle: Candle) -> None:
        """Expired, filled as it arrives at a market that is through it, filled inside the candle, or resting on."""
        if order.valid_until_ms is not None and candle.open_time_ms >= order.valid_until_ms:
            self.ledger.cancel_entry(order.line, "expired")
            return
        side, opened = order.side, candle.open
        near = candle.low if side > 0 else candle.high
        if candle.volume > 0.0 and not order.rests and side * (limit - opened) >= 0.0:
            slipped = opened * (1.0 + side * self._slippage_rate)
            del self._account.pending[order.line]
            fill_price = min(slipped, limit) if side > 0 else max(slipped, limit)
            commission = self._commission_rate * fill_price * order.quantity
            self.ledger.open(order, opened, fill_price, commission, candle.open_time_ms, candle)
        elif candle.volume > 0.0 and self._rules.is_past(side * (limit - near)):
            del self._account.pending[order.line]
            commission = self._maker_commission_rate * limit * order.quantity
            position = self.ledger.open(
                order, limit, limit, commission, candle.close_time_ms, candle, inside=self._rules
            )
            self._after_limit(position, order, candle)
        elif not order.rests:
            self._account.pending[order.line] = order.resting()

    def _after_limit(self, position: Position, order: EntryOrder, candle: Candle) -> None:
        for out in exits_after_limit(position, candle, self._rules):
            left = self._take(position, out, candle, decided_ms=order.signal_time_ms)
            if left is None:
                return
            position = left
        held = position.held
        held.lowest = min(held.lowest, candle.low if position.side > 0 else candle.close)
        held.highest = max(held.highest, candle.close if position.side > 0 else candle.high)
        if position.exits is not None:
            self._manage(position, position.exits, candle, candle.close)

    def _hold(self, position: Position, candle: Candle) -> None:
        held = position.held
        if candle.low <= position.floor or candle.high >= position.ceiling:
            exits = exits_of(position, candle, self._rules)
            is_long, target = position.side is Side.LONG, position.target
            is_touched = candle.high >= target if is_long else candle.low <= target
            for out in exits:
                if out.rule is ExitRule.STOP_TOUCHED and not out.both_levels:
                    held.target_touched |= is_touched
                left = self._take(position, out, candle)
                if left is None:
                    return
                position = left
            held.target_touched |= is_touched
        if candle.low < held.lowest:  # noqa: PLR1730 - min() costs more, and most candles set no new extreme
            held.lowest = candle.low
        if candle.high > held.highest:  # noqa: PLR1730
            held.highest = candle.high
        if position.exits is not None:
            self._manage(position, position.exits, candle, candle.high if position.side > 0 else candle.low)

    def _manage(self, position: Position, exits: Exits, candle: Candle, extreme: float) -> None:
        """The stop from the next candle on, and the time that is up."""
        position = self.ledger.manage(position, exits, extreme)
        if position.time_exit_ms is None or candle.close_time_ms < position.time_exit_ms:
            return
        account = self._account
        if position.line in account.closing:
            return
        order = CloseOrder(
            account.next_order_id(), position.symbol, Reason.TIME_EXIT, account.time_ms, "", position.strategy
        )
        if self._rules.fill_at_close:
            self._close_at_market(position, candle.close, account.time_ms, order)
        else:
            account.closing[position.line] = order

    async def submit(self, order: Order) -> None:
        """`next_open`, or a limit: wait for the symbol's next traded candle. `close`: fill now, at the mark."""
        account = self._account
        if isinstance(order, EntryOrder):
            if order.limit is not None or not self._rules.fill_at_close:
                account.pending[order.line] = order
            else:
                self._open_at_market(order, account.marks[order.symbol], account.time_ms)
        elif self._rules.fill_at_close:
            self._close_at_market(account.positions[order.line], account.marks[order.symbol], account.time_ms, order)
        else:
            account.closing[order.line] = order

    async def on_execution(self, execution: Execution) -> str | None:
        """It answers at once, so nothing is ever heard of an order later."""
        return None

    async def on_snapshot(self, snapshot: AccountSnapshot) -> None:
        """Its account is the ledger's own."""

    def refusal(self, order: RiskOutput) -> Refusal | None:
        """It accepts all that the gate lets through."""
        return None

    @property
    def is_settled(self) -> bool:
        """Nothing is ever under way."""
        return True

    def take_intents(self) -> tuple[Intent, ...]:
        """It asks nobody."""
        return ()

    async def cancel_entry(self, line: Line, why: str) -> bool:
        """Cancel the line's pending entry, for a reason that is counted; False if there is none."""
        return self.ledger.cancel_entry(line, why)

    async def close_all_positions(self, reason: Reason) -> None:
        """Flatten: pending entries cancelled, positions closed in opening order.

        Each is a market order at its symbol's last mark, stamped with the close of the last slice handled; a
        position that has a close order pending keeps that order's reason.
        """
        account = self._account
        for line in list(account.pending):
            self.ledger.cancel_entry(line, "session_end")
        for line, position in list(account.positions.items()):
            order = account.closing.get(line)
            self._close_at_market(position, account.marks[position.symbol], account.time_ms, order, reason=reason)

    async def leave(self) -> bool:
        """What is open goes on with the next epoch, and nothing fills until then."""
        return True

    def _open_at_market(self, order: EntryOrder, price: float, time_ms: int, candle: Candle | None = None) -> None:
        fill_price = price * (1.0 + order.side * self._slippage_rate)
        commission = self._commission_rate * fill_price * order.quantity
        self.ledger.open(order, price, fill_price, commission, time_ms, candle)

    def _close_at_market(
        self, position: Position, price: float, time_ms: int, order: CloseOrder | None, candle: Candle | None = None, *,
        reason: Reason = Reason.END_OF_DATA,
    ) -> None:  # fmt: skip
        fill_price = price * (1.0 - position.side * self._slippage_rate)
        commission = self._commission_rate * fill_price * position.quantity
        why = reason if order is None else order.reason
        self.ledger.close(position, price, fill_price, commission, time_ms, why, order=order, candle=candle)

    def _take(self, position: Position, out: Exit, candle: Candle, *, decided_ms: int | None = None) -> Position | None:
        # A leg and a target are limit orders: no slippage, and the maker's rate where one is configured.
        fill_price = out.price if out.is_limit else out.price * (1.0 - position.side * self._slippage_rate)
        rate = self._maker_commission_rate if out.is_limit else self._commission_rate
        quantity = position.quantity if out.leg is None else out.leg.quantity
        return self.ledger.close(
            position, out.price, fill_price, rate * fill_price * quantity, out.time_ms, out.reason,
            quantity=None if out.leg is None else quantity, both_levels=out.both_levels, candle=candle,
            decided_ms=decided_ms,
        )  # fmt: skip
