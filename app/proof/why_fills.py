"""The fills of an answer of `why`, and what managed exits did: by which rule, at which price, from where to where.

The prices are those of the broker, the rules those that it went by; here they are put into words.
"""

from collections.abc import Iterator

from app.models.events import Execution
from app.models.exits import Exits
from app.models.market import Candle
from app.models.orders import GOES_ON, CloseOrder, EntryOrder, Position, Reason, Side
from app.proof.rebuild import Source
from app.proof.seen import Filled, Seen
from app.report.formats import exact
from app.times import iso_ms

_ENDED = (Reason.END_OF_DATA, Reason.SHUTDOWN)
_GONE = {
    "expired": "it expired, unfilled, with",
    "signal_exit": "the strategy cancelled it with",
    "kill_switch": "the kill switch cancelled it with",
    "operator": "an operator's close cancelled it after",
    "session_end": "the session ended before it was filled, after",
    "closed": "the position was closed before, in",
}


def order_words(order: EntryOrder | CloseOrder) -> str:
    """What is ordered, at which price and until when."""
    if isinstance(order, CloseOrder):
        return "close the position, at the market"
    what = f"{order.side.name} {exact(order.quantity)}"
    if order.limit is None or order.valid_until_ms is None:
        return f"{what}, at the market"
    return f"{what} at the limit {exact(order.limit)}, on candles that open before {iso_ms(order.valid_until_ms)}"


def waiting_words(order: EntryOrder) -> str:
    """An entry order that waits for its candle."""
    if order.limit is None:
        return f"{order.side.name} {exact(order.quantity)}, order {order.order_id}"
    rests = "rests" if order.rests else "arrives with this candle"
    return f"{order_words(order)}; it {rests}, order {order.order_id}"


def gone_words(seen: Seen) -> str:
    """How an order ended that was not filled."""
    if seen.gone is None:
        return "none: it was cancelled, or still waiting at the end"
    why, time_ms = seen.gone
    return f"none: {_GONE[why]} the slice that closes {iso_ms(time_ms)}"


def position_lines(position: Position) -> Iterator[tuple[str, str]]:
    """A position, with what its managed exits have left and moved."""
    levels = f"stop {exact(position.stop)}, target {exact(position.target)}"
    held = f"{position.side.name} {exact(position.quantity)} from {exact(position.entry_price)}, {levels}"
    yield "position", f"{held}, trade {position.trade_id}"
    if position.exits is not None:
        moved = "" if position.moved_by is None else f"; its stop was moved by {position.moved_by}"
        yield "entry", f"{exact(position.first_quantity)}, R {exact(position.risk)}{moved}"
    if position.legs:
        yield "legs left", legs_words(position)
    if position.time_exit_ms is not None:
        yield "time exit", f"on the first candle that closes at {iso_ms(position.time_exit_ms)} or later"


def legs_words(position: Position) -> str:
    """Legs that wait at their prices."""
    return ", ".join(f"{exact(leg.quantity)} at {exact(leg.price)}" for leg in position.legs)


def managed_lines(seen: Seen) -> Iterator[tuple[str, str]]:
    """After the exit check of a candle: where the stop is now and by which rule, and what waits."""
    one = seen.after
    if one is None or one.exits is None or seen.candle is None or seen.first_stop is None:
        return
    best = one.held.best
    gain = "" if best is None or not one.risk else f", {exact(one.side * (best - one.entry_price) / one.risk)} R"
    if one.stop != seen.first_stop:
        rule = _rule_words(one, one.exits)
        yield "stop moved", f"from {exact(seen.first_stop)} to {exact(one.stop)} by {rule}, for the next candle on"
    elif one.exits.break_even is not None or one.exits.trailing is not None:
        yield "stop stays", exact(one.stop)
    yield "best price", "none yet" if best is None else f"{exact(best)}{gain} (R is {exact(one.risk)})"
    if one.exits.partial:
        yield "legs left", legs_words(one) or "none"
    if seen.time_exit is not None and one.time_exit_ms is not None and one.exits.time is not None:
        yield (
            "time exit",
            f"{one.exits.time.candles:,} candles after the entry, {iso_ms(one.time_exit_ms)}, have passed: close order "
            f"{seen.time_exit.order_id}",
        )


def _rule_words(position: Position, exits: Exits) -> str:
    if position.moved_by is Reason.BREAK_EVEN and exits.break_even is not None:
        asked = exits.break_even
        return f"break_even (at_r {exact(asked.at_r)}, offset_pct {exact(asked.offset_pct)})"
    trailing = exits.trailing
    if trailing is None:
        return str(position.moved_by)
    names = ("distance_r", "distance_pct", "distance_atr")
    name, distance = next((name, value) for name in names if (value := getattr(trailing, name)) is not None)
    atr = "" if position.atr is None else f" of the signal's ATR {exact(position.atr)}"
    return f"trailing ({name} {exact(distance)}{atr}, from_r {exact(trailing.from_r)})"


def fill_lines(source: Source, filled: Filled) -> Iterator[tuple[str, str]]:
    """A fill: its rule, its price and what it cost."""
    fill = filled.fill
    action = "OPEN" if fill.opens else "CLOSE"
    yield f"{action} {fill.side.name}", f"{iso_ms(fill.time_ms)}, {fill.reason}, trade {fill.trade_id}"
    if filled.execution is not None:
        yield "by the exchange", execution_words(filled.execution)
    else:
        yield from _simulated(source, filled)
    yield "commission", f"of {exact(fill.price)} x {exact(fill.quantity)}: {exact(fill.commission)}"
    if fill.opens:
        return
    costs = "both commissions included"
    if fill.reason in GOES_ON:
        costs = f"of {exact(fill.quantity)} of the position, its share of both commissions included"
    yield "realized PnL", f"{exact(fill.realized_pnl)}, {costs}; balance {exact(fill.balance)}"


def _simulated(source: Source, filled: Filled) -> Iterator[tuple[str, str]]:
    before, rule = _limit_rule(filled) or _rule(filled, source.settings.trading_mode.fill == "close")
    yield "rule", rule
    yield "price", _price(source, filled, before)


def execution_words(one: Execution) -> str:
    """A fill as the exchange told it."""
    fee = f"fee {exact(one.fee)} {one.fee_asset}" if one.fee_asset else "no fee told"
    side = "maker" if one.is_maker else "taker"
    what = f"{exact(one.quantity)} at {exact(one.price)}, {fee}, {side}, trade {one.fill_id} of the exchange"
    return f"{what}; {one.why}" if one.why else what


def _price(source: Source, filled: Filled, before: str) -> str:
    fill, order = filled.fill, filled.order
    if fill.slippage == 0.0:
        return f"{exact(fill.price)}, without slippage"
    slippage_rate = exact(source.settings.trading_mode.slippage_rate)
    slipped = f"{before} x (1 {'+' if (fill.side is Side.LONG) == fill.opens else '-'} slippage {slippage_rate})"
    if order is not None and order.limit is not None:
        slipped = f"the better of {slipped} and the limit {exact(order.limit)}"
    return f"{slipped} = {exact(fill.price)}"


def _limit_rule(filled: Filled) -> tuple[str, str] | None:
    """Of a limit entry: filled as it arrived, or inside the candle."""
    fill, order, candle = filled.fill, filled.order, filled.candle
    if order is None or order.limit is None or candle is None:
        return None
    limit, candle_words = exact(order.limit), f"the candle {prices_words(candle)}"
    if fill.time_ms == candle.open_time_ms:
        return exact(candle.open), f"the market is through the limit {limit} where it arrives: {candle_words}"
    waited = "resting" if order.rests else "arriving"
    both = "; it lies beyond a leg or the target, too, which are not looked at in it" if fill.both_levels else ""
    return limit, f"the candle reaches the {waited} limit {limit}: {candle_words}{both}"


def _rule(filled: Filled, fill_at_close: bool) -> tuple[str, str]:
    """The price before slippage, and which rule of RULES.md made the fill."""
    fill, candle, out = filled.fill, filled.candle, filled.exit
    if out is not None and candle is not None:
        moved = f" (moved: {fill.reason})" if fill.reason in (Reason.BREAK_EVEN, Reason.TRAILING_STOP) else ""
        levels = f"stop {exact(fill.stop)}{moved}, target {exact(fill.target)}"
        leg = "" if out.leg is None else f", leg {exact(out.leg.quantity)} at {exact(out.leg.price)}"
        limit = "a leg or the target" if filled.had_legs else "the target"
        both = f"; {limit} was reached in the same candle, the stop wins" if out.both_levels else ""
        return exact(out.price), f"{out.rule}: {levels}{leg}; the candle {prices_words(candle)}{both}"
    if candle is None or fill.reason in _ENDED or fill_at_close:
        ended = fill.reason in _ENDED
        why = "closed at the last mark, where the session ended" if ended else "filled at once, at the mark"
        return "the mark", f"{why}: its time is up" if fill.reason is Reason.TIME_EXIT else why
    return exact(candle.open), f"a market order, at the open of the next traded candle ({iso_ms(candle.open_time_ms)})"


def prices_words(candle: Candle) -> str:
    """A candle's four prices."""
    values = (("open", candle.open), ("high", candle.high), ("low", candle.low), ("close", candle.close))
    return ", ".join(f"{name} {exact(value)}" for name, value in values)
