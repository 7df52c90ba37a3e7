"""The faults of the table: what each posts to the testnet for a step, so that it meets that step's request.

Times are real seconds; at the testnet's speed a request with the receive window of these sessions lives for three.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.orders_storm.steps import MINUTE_MS, SPEED, SYMBOL, Step

Specs = list[dict[str, Any]]
_MS = int(1000 * SPEED)  # of the exchange in a real second


@dataclass(frozen=True)
class StepFault:
    """`specs` of a step that is decided at a time; `orders` are settings of the session. `meets`: what the request
    met, told by the testnet's log; or it happens at a time, and the step's request comes then or a little later.

    `holds_clock`: the exchange's time stands while a killed session starts again. `is_for`: methods of steps.
    """

    name: str
    specs: Callable[[Step, int], Specs]
    meets: str = ""
    orders: dict[str, Any] | None = None
    holds_clock: bool = True
    is_for: tuple[str, ...] = ("POST", "DELETE")


def _request(name: str, fault: str, is_for: tuple[str, ...] = ("POST", "DELETE"), **values: Any) -> StepFault:
    return StepFault(name, lambda step, at_ms: [{"fault": fault, **step.target, **values}], meets=fault, is_for=is_for)


def _events(name: str, fault: str, **values: Any) -> StepFault:
    def specs(step: Step, at_ms: int) -> Specs:
        place = "s" if step.path == "orderList/oco" or step.path == "orderList" else step.match["leg"]
        after = {"move: place": 2, "move: cancel": 1}.get(step.name, 0)
        cut = [{"fault": "stream_cut", "at_ms": at_ms + 2 * _MS}] if fault == "events_lost" else []
        return [{"fault": fault, "leg": place, "after": after, **values}, *cut]

    return StepFault(name, specs)


def _at(name: str, *faults: tuple[str, float, dict[str, Any]], **about: Any) -> StepFault:
    """Faults of the exchange, each so many real seconds after the step was decided."""

    def specs(step: Step, at_ms: int) -> Specs:
        return [{"fault": fault, "at_ms": at_ms + int(after_s * _MS), **values} for fault, after_s, values in faults]

    return StepFault(name, specs, **about)


def _taken_away(step: Step, at_ms: int) -> Specs:
    leg = "e" if step.name == "cancel" else "s"
    return [{"fault": "expire_order", "leg": leg, "at_ms": at_ms}]


def _halted(step: Step, at_ms: int) -> Specs:
    halt, trade = ({"fault": "symbol_status", "symbol": SYMBOL, "status": status} for status in ("HALT", "TRADING"))
    if step.name == "protect":  # the entry is filled, and before the session hears of it the symbol is halted
        late = [{"fault": "late_after", "method": "POST", "path": "order", "leg": "e", "s": 1.0}]
        late += [{"fault": "events_late", "s": 1.0} for _ in range(2)]
        return [*late, {**halt, "at_ms": at_ms + 5_000}, {**trade, "at_ms": at_ms + 2 * MINUTE_MS}]
    return [
        {**halt, "at_ms": at_ms + (20 if step.name == "place" else 0)},
        {**trade, "at_ms": at_ms + 2 * MINUTE_MS},
    ]


def _wrong_balances(step: Step, at_ms: int) -> Specs:
    return [
        {"fault": "wrong_balance", "asset": "USDT", "by": -500.0, "after": 3},
        {"fault": "wrong_balance", "asset": "BTC", "by": -1.0, "after": 6},
    ]


_CUTS: tuple[tuple[str, float, dict[str, Any]], ...] = tuple(
    ("stream_cut", after_s, {}) for after_s in (-0.1, 0.02, 0.1, 0.3, 1.0)
)
_POST = ("POST",)
FAULTS = {
    fault.name: fault
    for fault in (
        StepFault("none", lambda step, at_ms: []),
        _request("lost before", "lost_before"),
        _request("lost after", "lost_after"),
        _request("late, within", "late_before", s=0.7),
        replace(_request("late, beyond", "late_before", s=4.5), holds_clock=False),
        _request("answer late", "late_after", s=1.0),
        _request("answer too late", "late_after", s=4.0),
        _request("doubled request", "doubled_request"),
        _request("doubled request, first answer", "doubled_request", answer="first"),
        _request("doubled answer", "doubled_answer"),
        _request("refused -2010", "refused", _POST, code=-2010),
        _request("refused -1013", "refused", _POST, code=-1013),
        _request("refused -2011", "refused", ("DELETE",), code=-2011),
        _request("refused -1008", "refused", code=-1008),
        _request("refused -1021", "refused", code=-1021),
        _request("5xx, executed", "unknown", code=-1000, status=502, body="html"),
        _request("5xx, not executed", "unknown", code=-1000, status=503, body="empty", executed=False),
        _request("-1006, executed", "unknown", code=-1006),
        _request("-1006, not executed", "unknown", code=-1006, executed=False),
        _request("-1007, executed", "unknown", code=-1007),
        _request("-1007, not executed", "unknown", code=-1007, executed=False),
        _request("cut answer", "cut_answer"),
        _events("events lost, stream cut", "events_lost"),
        _events("events late", "events_late", s=1.5),
        _events("events doubled", "events_doubled"),
        _events("events out of order", "events_permuted"),
        _at("stream silent", ("stream_silent", -0.1, {"s": 4.0})),
        _at("stream cut", *_CUTS),
        _at("stream terminated", ("stream_terminated", 0.0, {})),
        _at("server shutdown", ("server_shutdown", -0.2, {"s": 0.3})),
        StepFault("balance wrong once", _wrong_balances, orders={"reconcile_s": 1.0}),
        StepFault("taken away", _taken_away),
        StepFault("symbol halted", _halted),
    )
}  # fmt: skip
