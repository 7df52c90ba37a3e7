"""The signal funnel: its stages add up, and equal runs give equal bytes."""

import json
from collections import Counter

from app.models.orders import Action, Bound, Refusal
from app.runtime.funnel import Funnel


def filled() -> Funnel:
    funnel = Funnel(Counter(), Counter())
    funnel.signals[Action.SHORT] += 3
    funnel.signals[Action.LONG] += 7
    funnel.signals[Action.EXIT] += 2
    funnel.ignored[Refusal.NOTHING_TO_EXIT] += 1
    funnel.ignored[Refusal.POSITION_OPEN] += 2
    funnel.refused_by_risk[Refusal.MIN_NOTIONAL] += 1
    funnel.refused_by_gate[Refusal.HALTED] += 1
    funnel.exits_ordered += 1
    funnel.sized_by[Bound.ROOM] += 4
    funnel.sized_by[Bound.RISK] += 2
    funnel.cancelled["session_end"] += 1
    funnel.cancelled["kill_switch"] += 2
    return funnel


def test_what_a_run_counted() -> None:
    assert filled().as_dict() == {
        "signals": {"LONG": 7, "SHORT": 3, "EXIT": 2},
        "ignored": {"position_open": 2, "nothing_to_exit": 1},
        "refused_by_risk": {"min_notional": 1},
        "refused_by_gate": {"halted": 1},
        "orders_submitted": 6,
        "sized_by": {"risk_per_trade": 2, "max_position_pct": 0, "max_exposure": 4},
        "exits_ordered": 1,
        "cancelled": {"kill_switch": 2, "session_end": 1},
        "unfilled_at_end": 1,
    }


def test_every_signal_is_counted_once() -> None:
    funnel = filled()
    assert funnel.signals_generated == 12
    accounted = (
        funnel.ignored.total()
        + funnel.refused_by_risk.total()
        + funnel.refused_by_gate.total()
        + funnel.orders_submitted
        + funnel.exits_ordered
    )
    assert accounted == funnel.signals_generated


def test_the_order_of_counting_does_not_show() -> None:
    other = Funnel(Counter(), Counter())
    other.ignored[Refusal.POSITION_OPEN] += 2
    other.ignored[Refusal.NOTHING_TO_EXIT] += 1
    assert json.dumps(filled().as_dict()["cancelled"]) == '{"kill_switch": 2, "session_end": 1}'
    assert json.dumps(other.as_dict()["ignored"]) == json.dumps(filled().as_dict()["ignored"])


def test_a_run_without_signals() -> None:
    empty = Funnel(Counter(), Counter()).as_dict()
    assert (empty["signals"], empty["orders_submitted"]) == ({"LONG": 0, "SHORT": 0, "EXIT": 0}, 0)
    assert empty["unfilled_at_end"] == 0
