"""Which alerts a session's looks lead to: what lasts is told once when it has lasted long enough, and once when over.

A state machine without a clock, a file or a network: the same looks give the same alerts, and its memory is what a
restart needs so that nothing is told twice and nothing is forgotten.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from app.settings.alerts import AlertSettings
from app.times import DAY_MS, iso_ms
from app.web.conditions import Condition, Seen, conditions

_OVER = {
    "dead": "is alive again", "disk": "has room on its disk again", "halted": "is no longer halted",
    "feed": "has its feed again", "candle": "has candles again", "differs": "agrees with the account again",
    "expectation": "is inside its expected band again",
}  # fmt: skip
_AGES = {"dead", "candle"}
_TOGETHER = ("restart", "epoch", "slow")


class Alert(msgspec.Struct, frozen=True):
    """What is to be told: `number` counts up within a session's folder, `kind` is the condition's first word."""

    number: int
    kind: str
    text: str


class Lasting(msgspec.Struct):
    """A condition that holds: since when, by the watch's own clock, and when it was told last."""

    words: str
    since_s: float
    told_s: float | None = None


class Held(msgspec.Struct):
    """Moments of one kind: when one was told last, and those since, to be told as one."""

    told_s: float
    count: int = 0
    words: str = ""


class AlertMemory(msgspec.Struct):
    """All that is known of a session; `lasting` by the condition's key. `None` before the first look."""

    last: int = 0
    lasting: dict[str, Lasting] = msgspec.field(default_factory=dict)
    owner: str | None = None  # the process
    epoch: int | None = None
    ended: str | None = None
    slow: int | None = None
    day: int | None = None
    day_equity: float | None = None
    fills: int | None = None
    candle_ms: int | None = None  # the newest slice, and since when there is no newer one, by the watch's clock
    candle_s: float | None = None
    halts: int | None = None  # how many there were
    held: dict[str, Held] = msgspec.field(default_factory=dict)  # by kind


class Alerts:
    """Decides for one session."""

    def __init__(self, wanted: AlertSettings, memory: AlertMemory) -> None:
        self.memory = memory
        self._wanted = wanted

    def look(self, seen: Seen, owner: str | None, now_s: float, *, is_awake: bool = True) -> list[Alert]:
        """What is to be told of this look. `now_s` rises; after a restart of the watch it may begin anew.

        Not `is_awake`: the watch itself slept until just now, so ages say nothing, neither that one is dead nor that
        it is alive again.
        """
        if not seen.status and self.memory.owner is not None:
            seen = seen._replace(status={"ended": self.memory.ended})  # the folder is gone, or cannot be read
        seen = seen._replace(candle_age_s=self._candle_age_s(seen, owner, now_s, is_awake=is_awake))
        held = list(conditions(seen, self._wanted))
        told = [*self._together(self._changes(seen.status, owner), now_s), *self._lasting(held, now_s, is_awake)]
        return [self._alert(kind, text) for kind, text in told]

    def fills(self, rows: Sequence[dict[str, str]], count: int) -> list[Alert]:
        """Those of a log's rows (the last `count`-th is the last of all) that were not told."""
        before = self.memory.fills  # a restart writes the log anew, with the same rows
        self.memory.fills = max(count, before or 0)
        if before is None or not self._wanted.fills:
            return []
        new = rows[len(rows) - min(len(rows), max(0, count - before)) :]
        return [self._alert("fill", _fill_words(row)) for row in new]

    def _alert(self, kind: str, text: str) -> Alert:
        self.memory.last += 1
        return Alert(self.memory.last, kind, text)

    def _candle_age_s(self, seen: Seen, owner: str | None, now_s: float, *, is_awake: bool) -> float:
        memory, last_ms = self.memory, seen.status.get("last_slice_ms")
        is_same = last_ms == memory.candle_ms and owner == memory.owner and is_awake
        memory.candle_s = min(now_s, memory.candle_s) if is_same and memory.candle_s is not None else now_s
        memory.candle_ms = last_ms
        return now_s - memory.candle_s

    def _together(self, told: Iterator[tuple[str, str]], now_s: float) -> Iterator[tuple[str, str]]:
        """The first of a kind at once, what follows soon as one with its count."""
        held, wait_s = self.memory.held, self._wanted.together_s
        for kind, words in told:
            if kind not in _TOGETHER:
                yield kind, words
            elif kind in held:
                held[kind].count += 1
                held[kind].words = words
            else:
                held[kind] = Held(now_s)
                yield kind, words
        for kind in [kind for kind, one in held.items() if not 0.0 <= now_s - one.told_s < wait_s]:
            one = held.pop(kind)
            if one.count:
                held[kind] = Held(now_s)
                yield kind, one.words if one.count == 1 else f"{one.count} times: {one.words}"

    def _changes(self, status: Any, owner: str | None) -> Iterator[tuple[str, str]]:
        memory, wanted = self.memory, self._wanted
        if owner is not None:
            if wanted.restarts and memory.owner not in (None, owner):
                yield "restart", "the session was started again and goes on"
            memory.owner, memory.ended = owner, None
        epoch = status.get("epoch")
        if epoch is not None:
            if wanted.restarts and memory.epoch not in (None, epoch):
                yield "epoch", f"epoch {epoch} has begun: other settings or other code"
            memory.epoch = epoch
        ended = status.get("ended")
        if ended is not None and ended != memory.ended and owner is None:
            if wanted.ended and ended != "failed":
                yield "ended", f"the session has ended: {ended}"
            memory.ended = ended
        slow = (status.get("handling") or {}).get("slow")
        if slow is not None:
            if wanted.slow_strategy and memory.slow is not None and slow > memory.slow:
                yield "slow", "handling an event took longer than a candle lasts"
            memory.slow = slow
        yield from self._halts(status)
        yield from self._day(status)

    def _halts(self, status: Any) -> Iterator[tuple[str, str]]:
        """Those that no look has seen last: over already, or one upon the other."""
        halts, lasting = status.get("halts"), self.memory.lasting.get("halted")
        if halts is None:
            return
        known, self.memory.halts = self.memory.halts, len(halts)
        new = [] if known is None else halts[known:]
        if status.get("halted") and lasting is None:
            new = new[:-1]  # the last one lasts
        if self._wanted.halted:
            for halt in new:
                yield "halted", f"HALTED: {halt['why']}"

    def _day(self, status: Any) -> Iterator[tuple[str, str]]:
        memory, last_ms, equity = self.memory, status.get("last_slice_ms"), status.get("equity")
        if last_ms is None or equity is None:
            return
        day = (last_ms - 1) // DAY_MS  # a slice that closes at midnight belongs to the day before
        if memory.day is not None and day > memory.day and memory.day_equity:
            if self._wanted.daily:
                change, date = equity - memory.day_equity, iso_ms(memory.day * DAY_MS)[:10]
                percent, held = 100.0 * change / memory.day_equity, len(status.get("positions", ()))
                yield "daily", f"{date}: equity {equity:,.2f} ({change:+,.2f}, {percent:+.2f} %), {held} positions open"
            memory.day_equity = equity
        memory.day_equity = equity if memory.day is None else memory.day_equity
        memory.day = day

    def _lasting(self, held: list[Condition], now_s: float, is_awake: bool) -> Iterator[tuple[str, str]]:
        lasting = self.memory.lasting
        unjudged: set[str] = set() if is_awake else _AGES
        for one in [one for one in held if one.key not in unjudged]:
            before = lasting.setdefault(one.key, Lasting(one.words, now_s))
            before.since_s = min(before.since_s, now_s)  # a watch that began anew counts from its own beginning
            before.words = one.words
            lasted_s = max(now_s - before.since_s, one.lasted_s)
            is_due = before.told_s is None
            if before.told_s is not None and self._wanted.repeat_s is not None:
                is_due = not 0.0 <= now_s - before.told_s < self._wanted.repeat_s
            if lasted_s >= one.after_s and is_due:
                again = "" if before.told_s is None else "still: "
                before.told_s = now_s
                yield one.key.partition(" ")[0], again + one.words
        for key in [key for key in lasting if key not in {one.key for one in held} | unjudged]:
            gone = lasting.pop(key)
            if gone.told_s is not None:
                kind, _, whose = key.partition(" ")
                over = _OVER.get(kind) or f"{whose}: is no longer {kind}"
                yield kind, f"the session {over}" if kind in _OVER else over


def _fill_words(row: dict[str, str]) -> str:
    return f"{row['symbol']} {row['side']} {row['action']}: {row['quantity']} at {row['price']} ({row['reason']})"
