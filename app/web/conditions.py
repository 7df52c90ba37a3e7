"""What is wrong with a session at one moment, from what it wrote: each condition by its name, kind and words.

A pure reading: when a condition has lasted long enough to be told is decided in app/web/alerts.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.settings.alerts import AlertSettings
from app.times import timeframe_ms

DONE = ("finished", "stopped", "kept", "gave_up")


class Condition(NamedTuple):
    """`after_s`: for how long it must have lasted. `lasted_s`: for how long it has, as the session itself knows."""

    key: str
    words: str
    after_s: float
    lasted_s: float = 0.0


class Seen(NamedTuple):
    """A look at a session. `age_s` is that of its status, `candle_age_s` for how long there was no newer candle."""

    status: Mapping[str, Any]
    age_s: float | None
    candle_age_s: float | None
    is_running: bool
    is_finished: bool
    free_mib: float
    expectation: Mapping[str, Any]


def conditions(seen: Seen, wanted: AlertSettings) -> Iterator[Condition]:
    """All that hold now."""
    status = seen.status
    ended = status.get("ended")
    if wanted.heartbeat_s is not None and not seen.is_finished and ended not in DONE:
        age_s = seen.age_s or 0.0
        if not seen.is_running and status:
            why = f": {status['why']}" if ended == "failed" else ""
            yield Condition("dead", f"the session is not running any more{why}; the same command continues it",
                            wanted.heartbeat_s, age_s)  # fmt: skip
        elif seen.is_running and age_s > 5.0:
            yield Condition("dead", "no sign of life: the process hangs, is suspended, or its disk is full",
                            wanted.heartbeat_s, age_s)  # fmt: skip
    if wanted.disk_free_mib is not None and seen.free_mib < wanted.disk_free_mib:
        yield Condition("disk", f"{seen.free_mib:,.0f} MiB are free where the run lies", 0.0)
    if seen.expectation.get("outside"):
        yield Condition("expectation", str(seen.expectation.get("why", "equity has left its expected band")), 0.0)
    if wanted.halted and status.get("halted"):
        yield Condition("halted", f"HALTED: {status['halts'][-1]['why'] if status.get('halts') else ''}", 0.0)
    if seen.is_running:
        yield from _running(seen, wanted)


def _running(seen: Seen, wanted: AlertSettings) -> Iterator[Condition]:
    status = seen.status
    link, real = status.get("link"), status.get("real_orders") or {}
    if wanted.feed_down_s is not None and link and not link["connected"]:
        yield Condition("feed", "the feed is down; it is dialled again and again", wanted.feed_down_s)
    # Between two candles lies a timeframe: what is late is what comes after that.
    late_s = (seen.candle_age_s or 0.0) - timeframe_ms(status.get("timeframe", "1m")) / 1000.0
    if wanted.candle_age_s is not None and late_s > wanted.candle_age_s:
        yield Condition("candle", f"the next candle is {late_s:,.0f} s late", 0.0)
    if wanted.stale_s is not None:
        for symbol in status.get("stale", ()):
            yield Condition(f"stale {symbol}", f"{symbol} is stale: no candle of its own", wanted.stale_s)
    if wanted.unprotected_s is not None:
        for line, stop in real.get("stops", {}).items():
            if stop["place"] != "on the exchange":
                words = f"{line}: UNPROTECTED, its stop is not on the exchange ({stop['place']})"
                yield Condition(f"unprotected {line}", words, wanted.unprotected_s, stop["bare_s"])
    if wanted.unknown_order_s is not None:
        for order in real.get("open", ()):
            if order["unknown"]:
                words = f"nobody knows what became of order {order['client_id']} on {order['symbol']}"
                yield Condition(f"unknown {order['client_id']}", words, wanted.unknown_order_s)
    if wanted.differs_s is not None and real.get("differences"):
        yield Condition("differs", f"account and ledger differ: {'; '.join(real['differences'])}", wanted.differs_s)
