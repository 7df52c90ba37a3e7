"""What a candle does to a position: the exit check of RULES.md, and the stop that managed exits leave behind.

Pure functions of a position, its candle and the choices of a config; the broker acts on what they answer. Where a
candle cannot tell what came first, the worse for the trader came first.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from app.models.exits import Exits, Leg
from app.models.market import Candle
from app.models.orders import Position, Reason, Side
from app.trading.instruments import Instrument


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

    def is_past(self, distance: float) -> bool:
        """Whether a price that went so far beyond a limit order fills it."""
        return distance >= 0.0 if self.target_on_touch else distance > 0.0


class ExitRule(StrEnum):
    """The exit check of RULES.md; the first that holds decides, but what a leg leaves is checked on."""

    OPEN_AT_STOP = "the open is at or beyond the stop"
    OPEN_PAST_LEG = "the open is beyond a leg"
    OPEN_PAST_TARGET = "the open is beyond the target"
    STOP_TOUCHED = "the candle reaches the stop"
    LEG_REACHED = "the candle goes beyond a leg"
    TARGET_REACHED = "the candle goes beyond the target"
    STOP_AFTER_LIMIT = "the candle that filled the limit reaches the stop"


class Exit(msgspec.Struct, frozen=True):
    """How a candle takes a position out, or a leg of it: the price is before slippage, which a limit does not have."""

    rule: ExitRule
    price: float
    time_ms: int
    reason: Reason
    is_limit: bool
    both_levels: bool
    leg: Leg | None = None


def exits_of(position: Position, candle: Candle, rules: FillRules) -> list[Exit]:
    """What leaves on a traded candle, in order: legs, then all that is left; the stop comes before a limit, always."""
    stop, target, legs = position.stop, position.target, position.legs
    if position.side is Side.LONG:
        side, near, far = 1.0, candle.low, candle.high
    else:
        side, near, far = -1.0, candle.high, candle.low
    open_ms, close_ms, opened = candle.open_time_ms, candle.close_time_ms, candle.open
    stopped = position.moved_by or Reason.STOP_LOSS
    if side * (opened - stop) <= 0.0:
        return [Exit(ExitRule.OPEN_AT_STOP, opened, open_ms, stopped, False, False)]
    exits: list[Exit] = []
    reached: list[Leg] = []
    if legs:
        exits = [
            Exit(ExitRule.OPEN_PAST_LEG, opened, open_ms, Reason.PARTIAL_TARGET, True, False, leg)
            for leg in legs
            if rules.is_past(side * (opened - leg.price))
        ]
        reached = [leg for leg in legs[len(exits) :] if rules.is_past(side * (far - leg.price))]
    if rules.is_past(side * (opened - target)):
        return [*exits, Exit(ExitRule.OPEN_PAST_TARGET, opened, open_ms, Reason.TAKE_PROFIT, True, False)]
    touches_stop = side * (near - stop) <= 0.0
    reaches_target = rules.is_past(side * (far - target))
    is_ambiguous = touches_stop and (reaches_target or bool(reached) or bool(exits))
    if touches_stop and not ((reaches_target or reached) and rules.target_first):
        return [*exits, Exit(ExitRule.STOP_TOUCHED, stop, close_ms, stopped, False, is_ambiguous)]
    for leg in reached:
        exits.append(Exit(ExitRule.LEG_REACHED, leg.price, close_ms, Reason.PARTIAL_TARGET, True, False, leg))
    if reaches_target:
        exits.append(Exit(ExitRule.TARGET_REACHED, target, close_ms, Reason.TAKE_PROFIT, True, is_ambiguous))
    elif touches_stop:
        exits.append(Exit(ExitRule.STOP_TOUCHED, stop, close_ms, stopped, False, is_ambiguous))
    return exits


def exits_after_limit(position: Position, candle: Candle, rules: FillRules) -> list[Exit]:
    """On the candle inside which a limit entry was filled: what came before the fill is not known, so only the stop.

    With `target_first` legs and target are taken for what came after it, before the stop.
    """
    stop, side, close_ms, exits = position.stop, position.side, candle.close_time_ms, []
    if rules.target_first:
        far = candle.high if side is Side.LONG else candle.low
        for leg in position.legs:
            if rules.is_past(side * (far - leg.price)):
                exits.append(Exit(ExitRule.LEG_REACHED, leg.price, close_ms, Reason.PARTIAL_TARGET, True, False, leg))
        if rules.is_past(side * (far - position.target)):
            target = position.target
            return [*exits, Exit(ExitRule.TARGET_REACHED, target, close_ms, Reason.TAKE_PROFIT, True, False)]
    near = candle.low if side is Side.LONG else candle.high
    if side * (near - stop) <= 0.0:
        price = candle.open if side * (candle.open - stop) < 0.0 else stop
        exits.append(Exit(ExitRule.STOP_AFTER_LIMIT, price, close_ms, Reason.STOP_LOSS, False, False))
    return exits


def reaches_a_limit(position: Position, candle: Candle, rules: FillRules) -> bool:
    """Whether a candle lies beyond a leg or the target."""
    far = candle.high if position.side is Side.LONG else candle.low
    nearest = position.legs[0].price if position.legs else position.target
    return rules.is_past(position.side * (far - nearest))


def moved_stop(position: Position, exits: Exits, best: float, instrument: Instrument) -> tuple[float, Reason] | None:
    """Where break-even and trailing put the stop once the best price is `best`; None where it stays."""
    side, entry, risk = position.side, position.entry_price, position.risk
    gain = side * (best - entry)
    stop, moved_by = position.stop, None
    asked, trailing = exits.break_even, exits.trailing
    if asked is not None and gain >= asked.at_r * risk:
        level = instrument.round_price(entry * (1.0 + side * asked.offset_pct), up=side < 0)
        if side * (level - stop) > 0.0:
            stop, moved_by = level, Reason.BREAK_EVEN
    if trailing is not None and gain >= trailing.from_r * risk:
        if trailing.distance_pct is not None:
            level = best * (1.0 - side * trailing.distance_pct)
        elif trailing.distance_r is not None:
            level = best - side * trailing.distance_r * risk
        else:
            level = best - side * (trailing.distance_atr or 0.0) * (position.atr or 0.0)
        level = instrument.round_price(level, up=side < 0)
        if side * (level - stop) > 0.0:
            stop, moved_by = level, Reason.TRAILING_STOP
    return None if moved_by is None else (stop, moved_by)


def legs_of(
    exits: Exits, side: Side, entry: float, risk: float, target: float, quantity: float, instrument: Instrument
) -> tuple[Leg, ...]:
    """The legs of an entry; without those that are nothing after rounding, and those at or past the target."""
    legs = []
    for asked in exits.partial:
        price = instrument.round_price(entry + side * asked.at_r * risk, up=side > 0)
        part = instrument.round_quantity(asked.fraction * quantity)
        if part > 0.0 and side * (target - price) > 0.0:
            legs.append(Leg(price, part))
    return tuple(legs)
