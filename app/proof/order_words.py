"""The life of an order in words: sections of lines, and the same facts as plain values for programs.

Nothing is computed here; an event of the tape is a line, and what it did to the ledger the line below it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from app.models.events import AccountSnapshot, Command, Event, Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.market import Slice
from app.models.orders import CloseOrder, Fill, Position
from app.proof.order_life import Happening, OrderLife, is_not_there, never_arrived, unresolved_s
from app.proof.why import Section
from app.proof.why_fills import execution_words
from app.report.formats import exact
from app.times import iso_ms

FORMAT = 1
_LEGS = {"e": "entry", "c": "sale", "t": "target", "s": "stop", "l": "list"}


def life_sections(life: OrderLife, decided: Sequence[Section]) -> list[Section]:
    """The whole life; `decided`: how its entry was decided on, where it is one."""
    told = [
        Section("Order", list(_order(life))),
        *decided,
        Section(
            "Life (event of the tape, exchange's time)",
            [line for one in life.happenings for line in _lines(life, one)],
        ),
        Section("Outcome", list(_outcome(life))),
    ]  # fmt: skip
    return [section for section in told if section.lines]


def _order(life: OrderLife) -> Iterator[tuple[str, str]]:
    yield "what", f"{life.kind}: {intent_words(life.placed)}"
    if life.line is not None:
        yield "line", f"strategy {life.line.strategy} on {life.line.symbol}, epoch {life.epoch.number}"
    if life.protected is not None:
        yield "of", _position_words(life.protected)
    yield "because of", _cause_words(life)


def _cause_words(life: OrderLife) -> str:
    record, event = life.record, life.cause
    if life.decision is not None:
        tag = f", tag {life.decision.tag!r}" if life.decision.tag else ""
        return f"the signal {life.decision.action} of the slice that closes {iso_ms(life.decision.time_ms)}{tag}"
    told = _event_words(event, life.order_id)
    close = None if record is None else record.close
    return f"{close.reason}, after {told}" if isinstance(close, CloseOrder) else f"after {told}"


def _event_words(event: Event | None, order_id: int) -> str:
    if isinstance(event, Execution):
        whose = "this order" if event.order_id == order_id else f"order {event.order_id}"
        code, why = f" {event.code}" if event.code else "", f": {event.why}" if event.why else ""
        return f"{whose} ({_LEGS.get(event.leg, event.leg)}) was {event.state}{code}{why}"
    if isinstance(event, Slice):
        return f"the slice that closes {iso_ms(event.close_time_ms)}"
    if isinstance(event, Command):
        return f"an operator's {type(event).__name__.lower()} ({event.why})"
    if isinstance(event, AccountSnapshot):
        return f"the account was looked at, {iso_ms(event.time_ms)}"
    return "nothing that is on the tape" if event is None else f"a {type(event).__name__} event"


def _lines(life: OrderLife, one: Happening) -> Iterator[tuple[str, str]]:
    label = f"{one.seq}  {iso_ms(one.time_ms)[11:-1]}"
    event = one.event
    if isinstance(event, Execution) and event.order_id == life.order_id:
        again = event.quantity > 0.0 and not one.fills
        yield label, f"{_said(event)}{' (told before: it counts once)' if again else ''}"
        for fill in one.fills:
            yield "", f"-> {_fill_words(fill)}; {_left_words(one)}"
        label = ""
    for intent in one.intents:
        synced = "intent on the tape, synced before it is sent: " if intent.order_id == life.order_id else "then: "
        after = f" (after {_event_words(event, life.order_id)})" if label and isinstance(intent, Cancel) else ""
        yield label, f"{synced}{intent_words(intent)}{after}"
        label = ""


def _said(event: Execution) -> str:
    leg = _LEGS.get(event.leg, event.leg)
    if event.quantity > 0.0:
        return f"{leg} {event.state.upper()}: {execution_words(event)}"
    filled = "" if event.filled is None else f", {exact(event.filled)} filled"
    code = "" if not event.code or is_not_there(event) else f" {event.code}"
    passing = ", which says nothing against the order" if event.is_passing else ""
    why = f": {event.why}" if event.why else ""
    return f"{leg} {event.state.upper()}{code}{filled}{passing}{why}"


def _fill_words(fill: Fill) -> str:
    action = "OPEN" if fill.opens else "CLOSE"
    pnl = "" if fill.opens else f", realized PnL {exact(fill.realized_pnl)}"
    return f"ledger: {action} {fill.reason} of trade {fill.trade_id}, commission {exact(fill.commission)}{pnl}"


def _left_words(one: Happening) -> str:
    position = "no position is left" if one.position is None else f"the position holds {exact(one.position.quantity)}"
    return position if one.dust is None else f"{position}; dust {exact(one.dust.quantity)}"


def _position_words(position: Position) -> str:
    held = f"{exact(position.quantity)} from {exact(position.entry_price)}"
    return f"trade {position.trade_id}: {held}, stop {exact(position.stop)}, target {exact(position.target)}"


def intent_words(intent: Intent) -> str:
    """What is asked of the exchange, with the client ids that it is asked under."""
    if isinstance(intent, PlaceOco):
        legs = f"target {exact(intent.target)} ({intent.target_id}), stop {exact(intent.stop)} ({intent.stop_id})"
        return f"OCO {intent.client_id}, sell {exact(intent.quantity)} {intent.symbol}: {legs}"
    if isinstance(intent, PlaceOrder):
        price = "at the market" if intent.limit is None else f"at the limit {exact(intent.limit)}"
        side = "buy" if intent.buys else "sell"
        return f"{side} {exact(intent.quantity)} {intent.symbol} {price} ({intent.client_id})"
    return f"cancel {'the OCO ' if intent.is_list else ''}{intent.client_id}"


def _outcome(life: OrderLife) -> Iterator[tuple[str, str]]:
    record = life.record
    if record is None:
        yield "state", "the broker does not know it any more"
        return
    states = ", ".join(f"{_LEGS[leg]} {one.state}" for leg, one in record.legs.items())
    yield "state", f"{states}{'' if life.is_over else ', and not over'}"
    yield "filled", f"{exact(record.filled)} of {exact(record.intent.quantity)}"
    proof = never_arrived(life)
    if proof is not None:
        yield "never arrived", proof
    unknown_s = unresolved_s(life)
    if unknown_s is not None:
        yield "unknown for", f"{unknown_s:.1f} s"
    elif record.is_unknown:
        yield "unknown", "nobody knows yet what became of it"
    if record.cancel_why:
        yield "cancelled for", record.cancel_why


def life_json(life: OrderLife, told: Sequence[Section]) -> dict[str, Any]:
    """The same for programs: each section's lines, and the events of the tape as they are."""
    record = life.record
    return {
        "format": FORMAT,
        "run": str(life.folder),
        "order": life.order_id,
        "kind": life.kind,
        "strategy": None if life.line is None else life.line.strategy,
        "symbol": life.placed.symbol,
        "trade": None if record is None else record.trade_id,
        "intent": msgspec.to_builtins(life.placed),
        "cause": msgspec.to_builtins(life.cause),
        "decision": msgspec.to_builtins(life.decision),
        "life": [_happening_json(life, one) for one in life.happenings],
        "states": {} if record is None else {leg: str(one.state) for leg, one in record.legs.items()},
        "filled": None if record is None else record.filled,
        "over": life.is_over,
        "never_arrived": never_arrived(life),
        "unknown_s": unresolved_s(life),
        "sections": {section.title: [list(line) for line in section.lines] for section in told},
    }


def _happening_json(life: OrderLife, one: Happening) -> dict[str, Any]:
    own = isinstance(one.event, Execution) and one.event.order_id == life.order_id
    return {
        "seq": one.seq,
        "time": iso_ms(one.time_ms),
        "execution": msgspec.to_builtins(one.event) if own else None,
        "intents": msgspec.to_builtins(one.intents),
        "fills": msgspec.to_builtins(one.fills),
        "position": None if one.position is None else one.position.quantity,
        "dust": None if one.dust is None else one.dust.quantity,
    }
