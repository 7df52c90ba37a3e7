"""The ledger: what a fill does to the account. A broker fills orders, and nothing else writes to the account.

Every change comes as a fill, in the order in which it was made, to `on_fill`. `balance` moves by `apply_trade_result`
and nowhere else.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from app.models.exits import Exits, Leg
from app.models.market import Candle
from app.models.orders import CloseOrder, EntryOrder, Fill, HeldRange, Line, Position, Reason
from app.times import iso_ms
from app.trading.account import Account
from app.trading.exit_rules import FillRules, legs_of, moved_stop, reaches_a_limit
from app.trading.instruments import Instrument

_NO_LIMITS = Instrument()


class Dust(NamedTuple):
    """A quantity below what can be sold, and what it cost in quote currency."""

    quantity: float
    cost: float


class Ledger:
    """Writes to one account; `last_trade_id` counts trades from 1.

    `cancelled` counts entries that did not fill, by reason, `dropped` the legs that became none. `dust` is what is
    held of a symbol and too little to be sold: no position, and counted at what it cost.
    """

    def __init__(
        self, account: Account, on_fill: Callable[[Fill], None], timeframe_ms: int,
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:  # fmt: skip
        self.account = account
        self.last_trade_id = 0
        self.cancelled: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.dust: dict[str, Dust] = {}
        self._on_fill = on_fill
        self.timeframe_ms = timeframe_ms
        self.instruments = dict(instruments or {})

    def instrument(self, symbol: str) -> Instrument:
        """What the exchange accepts for the symbol."""
        return self.instruments.get(symbol, _NO_LIMITS)

    def cancel_entry(self, line: Line, why: str) -> bool:
        """The line's pending entry is none any more; False if there was none."""
        if self.account.pending.pop(line, None) is None:
            return False
        self.cancelled[why] += 1
        return True

    def apply_trade_result(self, realized_pnl: float) -> None:
        """The only change of the balance: on CLOSE, by the realised PnL."""
        self.account.balance += realized_pnl

    def open(
        self, order: EntryOrder, price: float, fill_price: float, commission: float, time_ms: int,
        candle: Candle | None = None, *, quantity: float | None = None, held: float | None = None,
        entered_ms: int | None = None, inside: FillRules | None = None,
    ) -> Position:  # fmt: skip
        """An entry, or the first `quantity` of it, was filled at `fill_price`, which was `price` before slippage.

        `held` is what of it is in the account, where a part was kept as the fee; from `entered_ms` on a time exit
        counts, where that is not the time of the fill. `inside` the candle, at a limit, by these rules: if it reaches
        a leg or the target, too, nobody knows whether that was before.
        """
        account, side, quantity = self.account, order.side, quantity or order.quantity
        held = quantity if held is None else held
        _refuse_the_past(candle, order.signal_time_ms)
        self.last_trade_id += 1
        exits, risk = order.exits, abs(fill_price - order.stop)
        legs: tuple[Leg, ...] = ()
        if exits is not None:
            legs = legs_of(exits, side, fill_price, risk, order.target, held, self.instrument(order.symbol))
            self.dropped["legs"] += len(exits.partial) - len(legs)
        nearest = legs[0].price if legs else order.target
        time_exit = None if exits is None else exits.time
        position = account.positions[order.line] = Position(
            trade_id=self.last_trade_id, symbol=order.symbol, side=side, quantity=held,
            signed_quantity=side * held, entry_price=fill_price, entry_commission=commission,
            entry_time_ms=time_ms, stop=order.stop, target=order.target, floor=min(order.stop, nearest),
            ceiling=max(order.stop, nearest), tag=order.tag, held=HeldRange(fill_price, fill_price),
            strategy=order.strategy, exits=exits, legs=legs, first_quantity=held, first_commission=commission,
            risk=risk, atr=order.atr,
            time_exit_ms=None if time_exit is None else (entered_ms or time_ms) + time_exit.candles * self.timeframe_ms,
        )  # fmt: skip
        is_ambiguous = inside is not None and candle is not None and reaches_a_limit(position, candle, inside)
        self._tell_entry(position, order, price, fill_price, quantity, commission, time_ms, candle, is_ambiguous)
        return position

    def _tell_entry(
        self, position: Position, order: EntryOrder, price: float, fill_price: float, quantity: float,
        commission: float, time_ms: int, candle: Candle | None = None, is_ambiguous: bool = False,
    ) -> None:  # fmt: skip
        self._on_fill(
            Fill(
                time_ms=time_ms, symbol=order.symbol, opens=True, side=order.side, price=fill_price, quantity=quantity,
                commission=commission, slippage=abs(fill_price - price) * quantity, balance=self.account.balance,
                equity=self.account.equity(), realized_pnl=0.0, reason=Reason.SIGNAL, trade_id=position.trade_id,
                stop=order.stop, target=order.target, order_id=order.order_id, sized_by=order.sized_by,
                both_levels=is_ambiguous, tag=order.tag, candle_volume=None if candle is None else candle.volume,
                strategy=order.strategy,
            )
        )  # fmt: skip

    def add(
        self, position: Position, order: EntryOrder, quantity: float, price: float, commission: float, time_ms: int, *,
        held: float | None = None,
    ) -> Position:  # fmt: skip
        """A further part of an entry was filled: the entry price is the mean of its parts. `held` as in `open`."""
        held = quantity if held is None else held
        instrument = self.instrument(position.symbol)
        whole = instrument.without_error(position.quantity + held)
        entry_price = (position.entry_price * position.quantity + price * held) / (position.quantity + held)
        first, risk = instrument.without_error(position.first_quantity + held), abs(entry_price - order.stop)
        exits, target = position.exits, order.target
        legs = exits and legs_of(exits, position.side, entry_price, risk, target, first, instrument)
        changed = self._replace(
            position, quantity=whole, signed_quantity=position.side * whole, entry_price=entry_price,
            entry_commission=position.entry_commission + commission, first_quantity=first,
            first_commission=position.first_commission + commission, risk=risk,
            legs=legs if legs and position.quantity == position.first_quantity else position.legs,
        )  # fmt: skip
        self._tell_entry(changed, order, price, price, quantity, commission, time_ms)
        return changed

    def move_stop(self, position: Position, stop: float, moved_by: Reason) -> Position:
        """Managed exits have moved the stop."""
        return self._replace(position, stop=stop, moved_by=moved_by)

    def close(
        self, position: Position, price: float, fill_price: float, commission: float, time_ms: int, reason: Reason, *,
        order: CloseOrder | None = None, quantity: float | None = None, both_levels: bool = False,
        candle: Candle | None = None, decided_ms: int | None = None, dust: float = 0.0,
    ) -> Position | None:  # fmt: skip
        """All that is left was closed, or `quantity` of it; what is left then. `dust` of all that is left stays.

        `decided_ms`: when the entry was decided on, where the candle that closes is the one that filled it.
        """
        if decided_ms is None:
            decided_ms = position.entry_time_ms if order is None else order.signal_time_ms
        _refuse_the_past(candle, decided_ms)
        account, side, left = self.account, position.side, None
        if quantity is None:
            quantity, entry_commission = position.quantity, position.entry_commission
            line = position.line
            if dust:
                quantity = self.instrument(position.symbol).without_error(quantity - dust)
                self._keep_dust(position.symbol, dust, dust * position.entry_price)
            del account.positions[line]
            if account.closing:
                account.closing.pop(line, None)
        else:
            entry_commission = position.first_commission * quantity / position.first_quantity
            left = self._without(position, quantity, entry_commission, is_leg=reason is Reason.PARTIAL_TARGET)
        realized_pnl = side * quantity * (fill_price - position.entry_price) - entry_commission - commission
        held, entry_price = position.held, position.entry_price
        fell = quantity * (entry_price - min(held.lowest, fill_price))
        rose = quantity * (max(held.highest, fill_price) - entry_price)
        self.apply_trade_result(realized_pnl)
        self._on_fill(
            Fill(
                time_ms=time_ms, symbol=position.symbol, opens=False, side=side, price=fill_price, quantity=quantity,
                commission=commission, slippage=abs(fill_price - price) * quantity, balance=account.balance,
                equity=account.equity(), realized_pnl=realized_pnl, reason=reason, trade_id=position.trade_id,
                stop=position.stop, target=position.target, order_id=None if order is None else order.order_id,
                sized_by=None, both_levels=both_levels,
                tag=position.tag if order is None or not order.tag else order.tag,
                candle_volume=None if candle is None else candle.volume, mae=fell if side > 0 else rose,
                mfe=rose if side > 0 else fell, target_touched=held.target_touched, strategy=position.strategy,
            )
        )  # fmt: skip
        return left

    def write_off(self, position: Position) -> None:
        """What is left of a position is too little to be sold: it is dust, with what the entry cost for it."""
        cost = position.quantity * position.entry_price + position.entry_commission
        self._keep_dust(position.symbol, position.quantity, cost)
        del self.account.positions[position.line]
        self.account.closing.pop(position.line, None)

    def _keep_dust(self, symbol: str, quantity: float, cost: float) -> None:
        known = self.dust.get(symbol, Dust(0.0, 0.0))
        self.dust[symbol] = Dust(known.quantity + quantity, known.cost + cost)

    def manage(self, position: Position, exits: Exits, extreme: float) -> Position:
        """Managed exits, after the exit check of a candle whose best price, as far as it is known to belong to the
        time after the entry, is `extreme`: the stop from the next candle on.
        """
        held = position.held
        if held.best is None or position.side * (extreme - held.best) > 0.0:
            held.best = extreme
        moved = moved_stop(position, exits, held.best, self.instrument(position.symbol))
        return position if moved is None else self.move_stop(position, *moved)

    def _without(self, position: Position, quantity: float, entry_commission: float, *, is_leg: bool) -> Position:
        rest = self.instrument(position.symbol).without_error(position.quantity - quantity)
        return self._replace(
            position, quantity=rest, signed_quantity=position.side * rest,
            entry_commission=position.entry_commission - entry_commission,
            legs=self._legs_after(position, quantity) if is_leg else position.legs,
        )  # fmt: skip

    def _legs_after(self, position: Position, quantity: float) -> tuple[Leg, ...]:
        # An exchange may have filled several as one: those that are too small for an order of their own.
        instrument = self.instrument(position.symbol)
        for place, leg in enumerate(position.legs):
            left = instrument.round_quantity(leg.quantity - quantity)
            if left > 0.0:
                return (Leg(leg.price, left), *position.legs[place + 1 :])
            quantity = instrument.without_error(quantity - leg.quantity)
        return ()

    def _replace(self, position: Position, **changes: object) -> Position:
        changed = msgspec.structs.replace(position, **changes)
        nearest = changed.legs[0].price if changed.legs else changed.target
        floor, ceiling = (changed.stop, nearest) if changed.side > 0 else (nearest, changed.stop)
        changed = self.account.positions[position.line] = msgspec.structs.replace(changed, floor=floor, ceiling=ceiling)
        return changed


def _refuse_the_past(candle: Candle | None, decided_ms: int) -> None:
    # RULES.md, Live: no order fills on a candle that opened before the slice it was decided with had closed.
    if candle is not None and candle.open_time_ms < decided_ms:
        opened, decided = iso_ms(candle.open_time_ms), iso_ms(decided_ms)
        raise RuntimeError(f"{candle.symbol}: a candle that opened {opened} cannot fill what was decided {decided}")
