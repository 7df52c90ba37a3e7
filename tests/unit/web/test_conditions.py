"""What is wrong with a session at one moment, by its status alone."""

from typing import Any

import pytest

from app.settings.alerts import AlertSettings
from app.web.conditions import Condition, Seen, conditions

LINK = {"connected": True}
CALM = Seen(
    {"link": LINK, "halted": False}, 0.5, 20.0, is_running=True, is_finished=False, free_mib=9e9, expectation={}
)
REAL = {"stops": {"A": {"place": "nowhere", "bare_s": 31.0}, "B": {"place": "on the exchange", "bare_s": 0.0}},
        "open": [{"client_id": "t-1-2-e", "symbol": "A", "unknown": True}], "differences": ["x"]}  # fmt: skip


def held(seen: Seen, **wanted: Any) -> dict[str, Condition]:
    return {one.key: one for one in conditions(seen, AlertSettings(**wanted))}


def test_a_calm_session_has_none() -> None:
    assert held(CALM) == {}


@pytest.mark.parametrize(
    ("changes", "key", "after_s", "lasted_s"),
    [
        ({"is_running": False, "age_s": 61.0}, "dead", 60, 61),
        ({"age_s": 61.0}, "dead", 60, 61),
        ({"free_mib": 499.0}, "disk", 0, 0),
        ({"expectation": {"outside": True, "why": "below"}}, "expectation", 0, 0),
        ({"status": {"halted": True, "halts": [{"why": "max_drawdown"}]}}, "halted", 0, 0),
        ({"status": {"link": {"connected": False}}}, "feed", 120, 0),
        ({"candle_age_s": 661.0}, "candle", 0, 0),
        ({"status": {"stale": ["A"]}}, "stale A", 300, 0),
        ({"status": {"real_orders": REAL}}, "unprotected A", 30, 31),
        ({"status": {"real_orders": REAL}}, "unknown t-1-2-e", 60, 0),
        ({"status": {"real_orders": REAL}}, "differs", 0, 0),
    ],
)
def test_each_has_its_threshold_and_can_be_turned_off(
    changes: dict[str, Any], key: str, after_s: float, lasted_s: float
) -> None:
    seen = CALM._replace(**changes)
    one = held(seen)[key]
    assert (one.after_s, one.lasted_s) == (after_s, lasted_s)
    off = {
        "heartbeat_s": None, "disk_free_mib": None, "halted": False, "feed_down_s": None, "candle_age_s": None,
        "stale_s": None, "unprotected_s": None, "unknown_order_s": None, "differs_s": None,
    }  # fmt: skip
    assert held(seen, **off).keys() <= {"expectation"}


@pytest.mark.parametrize("ended", ["finished", "stopped", "kept", "gave_up"])
def test_one_that_ended_in_good_order_is_not_dead(ended: str) -> None:
    gone = CALM._replace(is_running=False, age_s=9e9)
    assert held(gone._replace(status={**CALM.status, "ended": ended})) == {}
    assert held(gone._replace(is_finished=True)) == {}
    failed = held(gone._replace(status={**CALM.status, "ended": "failed", "why": "the disk is full"}))
    assert "the disk is full" in failed["dead"].words


def test_one_that_has_never_begun_is_not_dead() -> None:
    assert held(CALM._replace(status={}, age_s=None, is_running=False)) == {}
    assert held(CALM._replace(status={}, age_s=None)) == {}
