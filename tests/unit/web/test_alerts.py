"""What is told of a session's looks: once when it has lasted, once when it is over; after a restart nothing twice."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.settings.alerts import AlertSettings
from app.times import DAY_MS
from app.web.alerts import AlertMemory, Alerts
from app.web.conditions import Seen

CALM = Seen({"link": {"connected": True}}, 0.5, 20.0, is_running=True, is_finished=False, free_mib=9e9, expectation={})
DOWN = CALM._replace(status={"link": {"connected": False}})


def alerts(memory: AlertMemory | None = None, **wanted: Any) -> Alerts:
    return Alerts(AlertSettings(**wanted), memory or AlertMemory())


def texts(made: Alerts, seen: Seen, now_s: float, owner: str | None = "1") -> list[str]:
    return [one.text for one in made.look(seen, owner, now_s)]


def test_what_lasts_is_told_once_and_once_when_it_is_over() -> None:
    made = alerts(feed_down_s=10)
    down = "the feed is down; it is dialled again and again"
    assert [texts(made, DOWN, now_s) for now_s in (0, 5, 9.9, 10, 11, 500)] == [[], [], [], [down], [], []]
    assert texts(made, CALM, 501) == ["the session has its feed again"]
    assert texts(made, CALM, 502) == []
    assert [texts(made, DOWN, now_s) for now_s in (600, 605)] == [[], []]
    assert texts(made, CALM, 606) == [], "what was not told is not over either"


def test_it_is_told_again_only_if_that_is_wanted() -> None:
    made = alerts(feed_down_s=0, repeat_s=60)
    found = [len(texts(made, DOWN, now_s)) for now_s in (0, 30, 60, 90, 120)]
    assert found == [1, 0, 1, 0, 1]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 39), st.integers(0, 5))
def test_a_restart_of_the_watch_changes_nothing(downs: list[bool], cut: int, after_s: int) -> None:
    def told(restarts: bool) -> list[str]:
        made, found = alerts(feed_down_s=after_s), []
        for now_s, is_down in enumerate(downs):
            if restarts and now_s == cut:
                memory = msgspec.json.decode(msgspec.json.encode(made.memory), type=AlertMemory)
                made = alerts(memory, feed_down_s=after_s)
            found += texts(made, DOWN if is_down else CALM, float(now_s))
        return found

    whole = told(restarts=False)
    assert told(restarts=True) == whole
    begins = [text for text in whole if "down" in text]
    assert 0 <= len(begins) - (len(whole) - len(begins)) <= 1, "each beginning has one end"


def test_restarts_epochs_ends_and_slow_strategies() -> None:
    made = alerts()
    assert texts(made, CALM._replace(status={"epoch": 1, "handling": {"slow": 0}}), 0) == []
    assert texts(made, CALM._replace(status={"epoch": 1, "handling": {"slow": 2}}), 1) == [
        "handling an event took longer than a candle lasts"
    ]
    assert texts(made, CALM._replace(status={"epoch": 2}), 2, owner="2") == [
        "the session was started again and goes on", "epoch 2 has begun: other settings or other code",
    ]  # fmt: skip
    ended = CALM._replace(status={"ended": "finished", "epoch": 2}, is_running=False, is_finished=True)
    assert texts(made, ended, 3, owner=None) == ["the session has ended: finished"]
    assert texts(made, ended, 4, owner=None) == []


def test_numbers_rise_and_kinds_are_the_conditions() -> None:
    made = alerts(feed_down_s=0)
    found = [*made.look(DOWN, "1", 0), *made.look(CALM, "1", 1)]
    assert [(one.number, one.kind) for one in found] == [(1, "feed"), (2, "feed")]


def test_the_day_is_summed_up_once_it_is_over() -> None:
    made, days = alerts(daily=True), 20_000

    def look(day: int, equity: float) -> list[str]:
        status = {"last_slice_ms": (days + day) * DAY_MS + 60_000, "equity": equity, "positions": [1, 2]}
        return texts(made, CALM._replace(status=status), 0)

    assert look(0, 100.0) == []
    assert look(0, 105.0) == []
    assert look(1, 110.0) == ["2024-10-04: equity 110.00 (+10.00, +10.00 %), 2 positions open"]
    assert look(1, 50.0) == []


def test_fills_are_told_from_where_the_watch_began() -> None:
    made = alerts(fills=True)

    def rows(*prices: int) -> list[dict[str, str]]:
        common = {"symbol": "A", "side": "LONG", "action": "OPEN", "quantity": "1", "reason": "signal"}
        return [{**common, "price": str(price)} for price in prices]

    assert made.fills(rows(1, 2), 2) == []
    assert [one.text for one in made.fills(rows(3), 3)] == ["A LONG OPEN: 1 at 3 (signal)"]
    again = Alerts(AlertSettings(fills=True), made.memory)
    assert [one.text for one in again.fills(rows(1, 2, 3, 4), 4)] == ["A LONG OPEN: 1 at 4 (signal)"]
    assert alerts().fills(rows(1), 1) == []


def test_a_watch_that_slept_judges_no_age() -> None:
    made, hangs = alerts(heartbeat_s=5), CALM._replace(age_s=60.0)
    assert len(texts(made, hangs, 0)) == 1
    assert made.look(CALM, "1", 30, is_awake=False) == [], "nor does it call one alive that it has called dead"
    assert texts(made, hangs, 46) == []
    assert texts(made, CALM, 47) == ["the session is alive again"]


def test_a_candle_is_late_after_it_was_due_whatever_the_link_says() -> None:
    made, hour = alerts(), {"timeframe": "1h", "last_slice_ms": 3_600_000, "link": {"connected": True}}
    seen = CALM._replace(status=hour)
    assert [texts(made, seen, now_s) for now_s in (0, 3_500, 4_200)] == [[], [], []]
    assert texts(made, seen, 4_201) == ["the next candle is 601 s late"]
    assert texts(made, CALM._replace(status={**hour, "last_slice_ms": 7_200_000}), 4_202) == [
        "the session has candles again"
    ]
    assert texts(made, CALM._replace(status={**hour, "last_slice_ms": 7_200_000}), 9_000, owner="2") == [
        "the session was started again and goes on"
    ], "one that was started again has its time"


def test_halts_that_no_look_has_seen_are_told_and_a_kill_upon_a_halt() -> None:
    made = alerts()

    def look(halted: bool, *whys: str) -> list[str]:
        halts = [{"why": why} for why in whys]
        return texts(made, CALM._replace(status={"halted": halted, "halts": halts}), 0)

    assert look(False) == []
    assert look(False, "a") == ["HALTED: a"]
    assert look(True, "a", "b") == ["HALTED: b"]
    assert look(True, "a", "b", "c") == ["HALTED: c"]
    assert look(True, "a", "b", "c") == []
    assert look(False, "a", "b", "c") == ["the session is no longer halted"]
    assert alerts().look(CALM._replace(status={"halted": False, "halts": [{"why": "old"}]}), "1", 0) == []


def test_moments_of_a_kind_that_follow_soon_come_as_one() -> None:
    made, found = alerts(together_s=300), {}
    for now_s in range(0, 601, 20):
        for text in texts(made, CALM, now_s, owner=str(now_s)):
            found[now_s] = text
    again = "the session was started again and goes on"
    assert found == {20: again, 320: f"15 times: {again}"}
    memory = msgspec.json.decode(msgspec.json.encode(made.memory), type=AlertMemory)
    assert texts(alerts(memory), CALM, 620, owner="600") == [f"14 times: {again}"], "none is lost over a restart"


def test_a_folder_that_went_away_is_a_dead_session() -> None:
    made, gone = alerts(), CALM._replace(status={}, age_s=None, is_running=False)
    assert texts(made, gone, 0, owner=None) == [], "one that has never begun"
    texts(made, CALM, 1)
    assert [len(texts(made, gone, now_s, owner=None)) for now_s in (2, 61, 62, 63)] == [0, 0, 1, 0]


def test_a_log_that_a_restart_writes_anew_tells_no_fill_twice() -> None:
    made, row = alerts(fills=True), {"symbol": "A", "side": "L", "action": "OPEN", "quantity": "1", "reason": "s"}
    rows = [{**row, "price": str(price)} for price in range(4)]
    assert made.fills(rows[:3], 3) == []
    assert made.fills(rows[:1], 1) == []
    assert [one.text for one in made.fills(rows[1:], 4)] == ["A L OPEN: 1 at 3 (s)"]
