"""Why a candle led to what it did, as sections of lines: candle, indicators, conditions, signal, sizing, gate, fills.

Every number is one that a stage of the runtime computed or held at that moment; here they are put into words, in the
order in which the runtime asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.models.market import Slice
from app.models.orders import Action, Bound, Refusal, Side, Signal
from app.proof.rebuild import Source
from app.proof.seen import Seen
from app.proof.why_fills import (
    fill_lines,
    gone_words,
    managed_lines,
    order_words,
    position_lines,
    prices_words,
    waiting_words,
)
from app.report.formats import exact
from app.session.building import instruments, risk_config
from app.times import iso_ms
from app.trading.instruments import Instrument
from app.trading.risk import RiskConfig, Sizing

Lines = list[tuple[str, str]]
_BEFORE_RISK = (Refusal.POSITION_OPEN, Refusal.ORDER_PENDING)
_TOLD = {
    Refusal.POSITION_OPEN: "the strategy has a position on the symbol already",
    Refusal.ORDER_PENDING: "the strategy has an entry order on the symbol that has not filled yet",
    Refusal.NOTHING_TO_EXIT: "there is neither a position nor an entry order",
    Refusal.EXIT_PENDING: "a close order is waiting already",
    Refusal.NO_MARK: "the symbol has had no candle in the run yet",
    Refusal.LIMIT_PRICE: "the limit is not above zero once it is rounded to the tick",
    Refusal.STOP_DISTANCE: "the stop distance is not above zero, or the ATR that an exit is told in is not ready",
    Refusal.TARGET_SIDE: "the target is not beyond the price",
    Refusal.NO_QUANTITY: "nothing is left after rounding down, or there is no room",
    Refusal.MIN_QUANTITY: "it is less than the instrument's minimum quantity",
    Refusal.MIN_NOTIONAL: "it is worth less than the instrument's minimum",
    Refusal.HALTED: "the kill switch has tripped",
    Refusal.MAX_OPEN_POSITIONS: "there are as many positions and pending entries as allowed",
    Refusal.COOLDOWN: "the cooldown after a trade is not over",
    Refusal.STOP_GUARD: "there were as many losing stops as the guard allows",
    Refusal.LOSING_STREAK: "there were as many losing trades in a row as allowed",
    Refusal.LATE: "it came too late to enter on",
    Refusal.STALE: "the symbol had no candle for too long",
    Refusal.SHORT_ON_SPOT: "real orders on spot cannot go short",
    Refusal.MAX_ORDER_NOTIONAL: "it would cost more than orders.max_order_notional allows",
    Refusal.MAX_DAILY_ORDERS: "there were as many entries today as orders.max_daily_orders allows",
    Refusal.ORDER_UNKNOWN: "nobody knows yet what became of an earlier order on the symbol",
    Refusal.NOT_TRADING: "the exchange does not trade the symbol now",
    Refusal.ACCOUNT_UNCHECKED: "the account has not been held against the ledger yet",
    Refusal.ACCOUNT_DIFFERS: "the account differs from the ledger",
}


@dataclass(frozen=True)
class Section:
    """A heading and its lines, each a label and a value."""

    title: str
    lines: Sequence[tuple[str, str]]


def sections(source: Source, seen: Seen) -> list[Section]:
    """The whole answer; a section without a line is left out."""
    told = [
        Section("Candle", list(_candle(seen))),
        Section("Before it", list(_before(seen))),
        Section("Fills in it", [line for filled in seen.fills for line in fill_lines(source, filled)]),
        Section("Managed exits", list(managed_lines(seen))),
        Section("Indicators", [(name, exact(value)) for name, value in seen.indicators.items()]),
        Section("Conditions", list(_conditions(seen))),
        Section("What the strategy saw", list(_view(seen))),
        Section("Signal", list(_signal(seen))),
    ]
    if seen.sizing is not None and (seen.decision is None or seen.decision.outcome not in _BEFORE_RISK):
        own = seen.signal if seen.signal is not None else Signal(Action.FLAT)
        rules = instruments(source.settings).get(seen.symbol, Instrument())
        spec = next(spec for spec in source.settings.strategies if spec.id == seen.line.strategy)
        told.append(Section("Sizing", list(_sizing(seen.sizing, own, rules, risk_config(source.settings, spec)))))
    if seen.decision is not None and seen.decision.action is not Action.EXIT:
        reached = seen.sizing is not None and seen.sizing.refusal is None and seen.decision.outcome not in _BEFORE_RISK
        told.append(Section("Gate" if reached else "Gate (not reached)", list(_gate(source, seen))))
    told.append(Section("Outcome", list(_outcome(source, seen))))
    return [section for section in told if section.lines]


def _candle(seen: Seen) -> Iterator[tuple[str, str]]:
    event = seen.event
    if isinstance(event, Slice):
        yield "slice", f"closes {iso_ms(event.close_time_ms)}{', warm-up' if event.warmup else ''}"
    candle = seen.candle
    if candle is None:
        yield "candle", f"none: the slice went without {seen.symbol}, so nothing was asked or filled for it"
        return
    yield "candle", f"{candle.symbol} {candle.timeframe}, opens {iso_ms(candle.open_time_ms)}"
    for name in ("open", "high", "low", "close", "volume"):
        yield name, exact(getattr(candle, name))
    if seen.is_late:
        yield "late", "it was handled too late for an entry"
    if seen.is_stale:
        yield "stale", "its symbol had no candle for too long"
    if candle.volume == 0.0:
        yield "volume 0", "nobody traded: it fills nothing, triggers nothing and only sets the mark"


def _before(seen: Seen) -> Iterator[tuple[str, str]]:
    if seen.before is not None:
        yield from position_lines(seen.before)
    if seen.pending is not None:
        yield "entry order", waiting_words(seen.pending)
    if seen.closing is not None:
        yield "close order", f"{seen.closing.reason}, order {seen.closing.order_id}"


def _conditions(seen: Seen) -> Iterator[tuple[str, str]]:
    for one in seen.conditions:
        held = "yes" if one.held else "NO"
        yield one.name, f"{held.ljust(5)}{exact(one.value)}, must be {one.limit}"


def _view(seen: Seen) -> Iterator[tuple[str, str]]:
    """For a strategy that does not explain itself."""
    if seen.conditions or seen.asked is None:
        return
    yield "explanation", "the strategy gives none: it may have a method explain(candle, view)"
    yield "equity", exact(seen.equity)
    for candle in seen.lookback:
        yield f"candle {iso_ms(candle.open_time_ms)}", prices_words(candle)


def _signal(seen: Seen) -> Iterator[tuple[str, str]]:
    signal = seen.signal
    if signal is None or seen.asked is None:
        if seen.candle is not None:
            yield "signal", "none: the strategy was not asked, no candle of its timeframe closes here"
        return
    if signal.action is Action.FLAT:
        yield "signal", "none (FLAT)"
        return
    levels = {"limit": signal.limit, "atr": signal.atr, "stop": signal.stop, "target": signal.target}
    brought = [f"{name} {exact(value)}" for name, value in levels.items() if value is not None]
    if signal.limit is not None:
        brought.append(f"valid_candles {signal.valid_candles}")
    if signal.exits is not None:
        brought.append("exits of its own")
    factor = [] if signal.size_factor == 1.0 else [f"size factor {exact(signal.size_factor)}"]
    tag = [f"tag {signal.tag!r}"] if signal.tag else []
    yield "signal", " ".join((signal.action.value, ", ".join([*brought, *factor, *tag]))).strip()
    if isinstance(seen.event, Slice) and seen.event.warmup:
        yield "warm-up", "the answer is dropped: warm-up candles update indicators and nothing else"


def _sizing(sizing: Sizing, signal: Signal, rules: Instrument, risk: RiskConfig) -> Iterator[tuple[str, str]]:
    """As far as it was computed: what is None was not reached."""
    if sizing.reference is None or sizing.distance is None:
        return
    reference, sign = exact(sizing.reference), "-" if sizing.side is Side.LONG else "+"
    other = "+" if sign == "-" else "-"
    if signal.limit is None:
        yield "reference", f"{reference}, the mark"
    else:
        tick = "" if rules.price_tick is None else f" {exact(signal.limit)}, away from the market to the tick"
        yield "reference", f"{reference}, the limit{tick}{'' if not tick else ' ' + exact(rules.price_tick)}"
    if signal.stop is not None:
        yield (
            "stop distance",
            f"from {reference} to the signal's own stop {exact(signal.stop)} = {exact(sizing.distance)}",
        )
    else:
        atr = f"atr_stop_multiplier {exact(risk.atr_stop_multiplier)} x ATR {exact(signal.atr)}"
        yield "stop distance", f"{atr} = {exact(sizing.distance)}"
    if sizing.stop is None or sizing.target is None:
        return
    tick = "" if rules.price_tick is None else f", rounded away to the tick {exact(rules.price_tick)}"
    distance = exact(sizing.distance)
    stop = "the signal's own" if signal.stop is not None else f"{reference} {sign} {distance}"
    target = "the signal's own"
    if signal.target is None:
        target = f"{reference} {other} reward_risk_ratio {exact(risk.reward_risk_ratio)} x {distance}"
    yield "stop", f"{stop}{tick} = {exact(sizing.stop)}"
    yield "target", f"{target}{tick} = {exact(sizing.target)}"
    if sizing.equity is None:
        return
    equity, room = exact(sizing.equity), exact(sizing.room)
    yield "equity", equity
    yield "room", f"max_exposure {exact(risk.max_exposure)} x {equity} - exposure {exact(sizing.exposure)} = {room}"
    own = exact(sizing.own_equity)
    if sizing.allocation != 1.0:
        yield "own equity", f"E = allocation {exact(sizing.allocation)} x {equity} = {own}"
    bounds = {
        Bound.RISK: f"{own} x {exact(risk.risk_per_trade)} / {distance} = {exact(sizing.by_risk)}",
        Bound.POSITION: f"{own} x {exact(risk.max_position_pct)} / {reference} = {exact(sizing.by_position)}",
        Bound.ROOM: f"{room} / {reference} = {exact(sizing.by_room)}",
    }
    for bound, text in bounds.items():
        yield f"by {bound}", f"{text}{'  <- the least' if bound is sizing.sized_by else ''}"
    factor = "" if sizing.size_factor == 1.0 else f" x size factor {exact(sizing.size_factor)}"
    down = f"{exact(sizing.limit)}{factor}, down to the step {exact(rules.quantity_step)}"
    yield "quantity", f"{down} = {exact(sizing.quantity)} (minimum {exact(rules.min_quantity)})"
    if sizing.notional is not None:
        worth = f"{exact(sizing.quantity)} x {reference} = {exact(sizing.notional)}"
        yield "notional", f"{worth} (minimum {exact(rules.min_notional)})"


def _gate(source: Source, seen: Seen) -> Iterator[tuple[str, str]]:
    safety = source.settings.trading_mode.safety
    yield "kill switch", "TRIPPED" if seen.halted else "not tripped"
    yield "open and pending", f"{seen.taken}, must be below max_open_positions {safety.max_open_positions}"
    drawdown, daily_loss = seen.losses
    yield "drawdown", f"{drawdown:.4%} of the peak {exact(seen.peak)}, {_limit(safety.max_drawdown)}"
    yield "loss of the day", f"{daily_loss:.4%}, {_limit(safety.max_daily_loss)}"
    late = [what for what, holds in (("late", seen.is_late), ("stale", seen.is_stale)) if holds]
    yield "feed", " and ".join(late) or "in time"
    for protection, until_ms in seen.pauses:
        refuses = seen.decided_ms < until_ms
        until = f"REFUSES until {iso_ms(until_ms)}" if refuses else "lets it pass"
        yield f"{protection.kind} ({protection.scope})", until


def _outcome(source: Source, seen: Seen) -> Iterator[tuple[str, str]]:
    decision = seen.decision
    if decision is None:
        if seen.signal is not None and seen.signal.action is Action.FLAT:
            yield from _what_did_not_hold(seen)
        return
    if decision.outcome in set(Refusal):
        told = _TOLD[Refusal(decision.outcome)]
        until = [until_ms for one, until_ms in seen.pauses if one.kind.value == decision.outcome]
        until = [until_ms for until_ms in until if decision.time_ms < until_ms]
        yield "no order", f"{decision.outcome}: {told}{f', until {iso_ms(until[0])}' if until else ''}"
        return
    order = decision.order
    if order is None:
        yield decision.outcome, "the entry order that was waiting is cancelled"
        return
    yield f"order {order.order_id}", order_words(order)
    if seen.later is not None:
        yield from fill_lines(source, seen.later)
    elif all(filled.fill.order_id != order.order_id for filled in seen.fills):
        yield "fill", gone_words(seen)


def _what_did_not_hold(seen: Seen) -> Iterator[tuple[str, str]]:
    """By side, for conditions that are named `LONG: ...` and `SHORT: ...`; all others count for both."""
    failed = [one.name for one in seen.conditions if not one.held]
    common = [name for name in failed if not name.startswith(("LONG: ", "SHORT: "))]
    for side in (Action.LONG, Action.SHORT):
        own = [name.removeprefix(f"{side}: ") for name in failed if name.startswith(f"{side}: ")]
        if own or common:
            yield f"no {side}", f"did not hold: {', '.join([*common, *own])}"


def _limit(limit: float | None) -> str:
    return "no limit" if limit is None else f"trips at {limit:.2%}"
