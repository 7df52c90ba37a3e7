"""Managed exits of the independent reference: legs at the fill, stops that move (RULES.md, 'Managed exits')."""

from .books import Leg, Position
from .rounding import round_to_multiple, round_to_tick


def legs_of(position: Position, step: float, tick: float | None) -> tuple[list[Leg], list[str]]:
    """The legs of a position that was just filled, and why each of the others was dropped.

    Decision: a leg that is zero and past the target is dropped once, as `zero`.
    """
    legs: list[Leg] = []
    dropped: list[str] = []
    entry = position.entry
    for at_r, fraction in entry.exits.partial:
        # "its price rounded to the tick away from the entry and its fraction ... rounded down to the step"
        price = round_to_tick(position.price + entry.side * at_r * position.r, tick, up=entry.side > 0)
        quantity = round_to_multiple(fraction * entry.quantity, step, up=False)
        if quantity <= 0:
            dropped.append("zero")
        elif entry.side * price >= entry.side * entry.target:
            dropped.append("past_target")
        else:
            legs.append(Leg(price, quantity))
    return legs, dropped


def move_stop(position: Position, tick: float | None) -> None:
    """ "A stop only ever moves towards the profit, rounded to the price tick away from the market".

    The nearer to the market of both wins, break_even on a tie. Decision: they are compared after the rounding.
    """
    side = position.entry.side
    candidates = [("break_even", break_even(position)), ("trailing_stop", trailing(position))]
    for reason, price in candidates:
        if price is None:
            continue
        rounded = round_to_tick(price, tick, up=side < 0)
        if side * rounded > side * position.stop:
            position.stop, position.stop_reason = rounded, reason


def break_even(position: Position) -> float | None:
    """ "once best - entry >= at_r * R: stop = max(stop, entry * (1 + offset_pct))"."""
    exits = position.entry.exits
    if exits.break_even_at_r is None or position.best is None:
        return None
    if position.gain(position.best) < exits.break_even_at_r * position.r:
        return None
    return position.price * (1 + position.entry.side * exits.break_even_offset_pct)


def trailing(position: Position) -> float | None:
    """ "once best - entry >= from_r * R: stop = max(stop, best - distance)"."""
    entry, best = position.entry, position.best
    exits, side = entry.exits, entry.side
    if exits.trailing is None or best is None or position.gain(best) < exits.trailing_from_r * position.r:
        return None
    kind, value = exits.trailing
    if kind == "distance_pct":
        return best * (1 - side * value)
    if kind == "distance_r":
        return best - side * value * position.r
    assert entry.atr is not None  # refused at the signal
    return best - side * value * entry.atr
