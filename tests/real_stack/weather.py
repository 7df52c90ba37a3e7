"""Seeded weather over a session of real orders: which fault meets which request, event, moment and minute.

The rule: `gap_s` keeps faults apart, so that one is over before the next begins; 0 lets them come together. When the
session ends the sky clears, so that what can be finished is finished.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from app.models.events import Close, Event, Halt, Kill, Resume
from app.testnet.spot import wire_name
from tests.exchange_books import SYMBOLS
from tests.real_stack import fates
from tests.real_stack.fates import Call, EventFate, Fate
from tests.real_stack.session import RealSession

BEGIN_S = 20.0  # a session begins in good weather
UNHEARD_S = 45.0  # a connection that says nothing is given up after so long
MANY = ("GET", "an answer", "an event comes")  # moments that there are many of


class Weather:
    """`often`: of a request to place or cancel, how likely it meets a fault; of questions a fifth of it."""

    def __init__(self, seed: int, *, often: float = 0.1, gap_s: float = 0.0, kills: float = 0.0) -> None:
        self.random = Random(f"weather {seed}")
        self._often, self._gap_s, self._kills = often, gap_s, kills
        self._free_s = BEGIN_S  # no fault before
        self.faults: list[tuple[float, float, str]] = []  # began, ended, what
        self._session: RealSession | None = None

    def over(self, session: RealSession) -> "asyncio.Future[None]":
        """Begins: hooks, and what happens by itself."""
        self._session = session
        exchange = session.exchange
        exchange.fate, exchange.event_fate = self.fate, self.event_fate
        session.chance = self.chance
        return asyncio.ensure_future(self._pass())

    @property
    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def _is_clear(self) -> bool:
        session = self._session
        assert session is not None
        return self._now_s < self._free_s or session.books.runtime.ending is not None

    def _begin(self, name: str, lasts_s: float = 0.0) -> None:
        self.faults.append((self._now_s, self._now_s + lasts_s, name))
        if self._gap_s:
            self._free_s = self._now_s + lasts_s + self._gap_s

    def fate(self, call: Call) -> Fate:
        """Of one request."""
        random = self.random
        if self._is_clear or random.random() > (self._often if call.is_change else self._often / 5.0):
            travel_s = random.choice((0.01, 0.03, 0.2))
            return Fate(travel_s=travel_s, back_s=random.choice((0.01, 0.03, 0.2)))
        fate = random.choice(CHANGES if call.is_change else QUESTIONS)(random)
        self._begin(f"{call.method} {call.path}: {fate.name}", fate.travel_s + fate.inside_s + fate.back_s)
        return fate

    def event_fate(self, batch: Sequence[Any]) -> EventFate:
        """Of one batch of events."""
        random = self.random
        delay_s = random.choice((0.005, 0.02, 0.1))
        if self._is_clear or random.random() > self._often:
            return EventFate(delay_s=delay_s)
        kind = random.choice(("doubled", "permuted", "late"))
        self._begin(f"events {kind}")
        if kind == "doubled":
            return EventFate("events doubled", delay_s, copies=2)
        if kind == "late":
            return EventFate("events late", random.choice((1.0, 6.0)))
        order = list(range(len(batch)))
        random.shuffle(order)
        return EventFate("events permuted", delay_s, order=tuple(order))

    def chance(self, moment: str) -> bool:
        """Whether the process is killed there."""
        often = self._kills if moment.startswith(MANY) else self._kills * 6.0
        if not self._kills or self._is_clear or self.random.random() > often:
            return False
        self._begin(f"kill: {moment}")
        return True

    def command(self, number: int) -> Event | None:
        """Of an operator."""
        session = self._session
        if session is None or self.random.random() > 0.03:
            return None
        if session.books.safety.halted:
            return Resume("a test")
        if self.random.random() < 0.5:
            return Close("a test", self.random.choice(SYMBOLS))
        return self.random.choice((Kill, Halt))("a test")

    async def _pass(self) -> None:
        """Weather that comes by itself, now and then."""
        random, session = self.random, self._session
        assert session is not None
        while True:
            await asyncio.sleep(random.uniform(10.0, 120.0))
            if not self._is_clear:
                await random.choice(PHASES)(self, session)


# Fates of requests.

Draw = Callable[[Random], Fate]
CHANGES: Sequence[Draw] = (
    lambda _: fates.LOST_BEFORE,
    lambda _: fates.VANISHED,
    lambda _: fates.LOST_AFTER,
    lambda _: fates.UNANSWERED,
    lambda _: fates.CUT,
    lambda _: fates.HTML,
    lambda random: fates.late_before(random.choice((1.0, 2.5, 5.0, 14.0))),
    lambda random: fates.late_inside(random.choice((1.0, 5.0, 9.5))),
    lambda random: fates.cut_while_inside(random.choice((1.0, 5.0, 9.5))),
    lambda random: fates.late_after(random.choice((1.0, 4.0, 14.0, 20.0))),
    lambda random: fates.unknown(random.choice((-1000, -1001, -1006, -1007, 0)), 503, executed=random.random() < 0.5),
    lambda random: fates.unknown(random.choice((-1006, -1007)), 200, executed=random.random() < 0.5),
    lambda _: fates.refused(-1008, "Server is currently overloaded with other requests.", 503),
    lambda _: fates.refused(-1016, "This service is no longer available.", 503),
    lambda _: fates.refused(-1013, "Market is closed."),
    lambda _: fates.refused(-2010, "Account has insufficient balance for requested action."),
    lambda _: fates.refused(-1003, "Too much request weight used.", 429, **{"retry-after": "5"}),
    lambda _: fates.refused(-1015, "Too many new orders.", 429, **{"retry-after": "5"}),
    lambda _: fates.refused(-1021, "Timestamp for this request is outside of the recvWindow."),
)
QUESTIONS: Sequence[Draw] = (
    lambda _: fates.LOST_BEFORE,
    lambda _: fates.VANISHED,
    lambda _: fates.CUT,
    lambda _: fates.HTML,
    lambda random: fates.late_after(random.choice((1.0, 4.0, 20.0))),
    lambda _: fates.unknown(-1007, 504, executed=False),
    lambda _: fates.refused(-1008, "Server is currently overloaded with other requests.", 503),
    lambda _: fates.refused(-1003, "Too much request weight used.", 429, **{"retry-after": "5"}),
    lambda _: fates.refused(-1021, "Timestamp for this request is outside of the recvWindow."),
)


# What comes by itself and lasts.


async def _silent(weather: Weather, session: RealSession) -> None:
    lasts_s = weather.random.choice((10.0, 60.0, 200.0))
    weather._begin("stream silent", lasts_s)
    session.exchange.is_silent = True
    session.exchange.met["stream silent"] += 1
    await asyncio.sleep(lasts_s)
    session.exchange.is_silent = False


async def _cut(weather: Weather, session: RealSession) -> None:
    lasts_s, how = weather.random.choice((0.0, 5.0, 60.0)), weather.random.choice(("cut", "hung"))
    weather._begin(f"stream {how}", lasts_s if how == "cut" else max(lasts_s, UNHEARD_S))
    session.exchange.met[f"stream {how}"] += 1
    session.exchange.takes_dials = False
    session.exchange.cut_stream(how)
    await asyncio.sleep(lasts_s)
    session.exchange.takes_dials = True


async def _word(weather: Weather, session: RealSession) -> None:
    name = weather.random.choice(("eventStreamTerminated", "serverShutdown", "garbage"))
    weather._begin(f"stream: {name}")
    session.exchange.met[f"stream: {name}"] += 1
    garbage = '{"subscriptionId":0,"event":{"e":"executionReport","s":1}}'
    session.exchange.say(garbage if name == "garbage" else f'{{"event":{{"e":"{name}","E":1}}}}')


async def _lag(weather: Weather, session: RealSession) -> None:
    lasts_s = weather.random.choice((20.0, 120.0))
    weather._begin("queries lag", lasts_s)
    session.exchange.lag_s = weather.random.choice((0.5, 3.0))
    await asyncio.sleep(lasts_s)
    session.exchange.lag_s = 0.0


async def _balance(weather: Weather, session: RealSession) -> None:
    weather._begin("balance wrong once")
    session.exchange.false_balance = weather.random.choice((("X", -15_000.0), ("AAA", -1.0), ("AAA", 3.0)))
    session.desk.ask_snapshot()


async def _taken_away(weather: Weather, session: RealSession) -> None:
    weather._begin("taken away")
    exchange = session.exchange
    own = [one for one in exchange.own_orders().values() if one.startswith("seed1")]
    for client_id in weather.random.sample(own, min(2, len(own))):
        if exchange.engine.expire("me", client_id, exchange.now_ms):
            exchange.met["taken away"] += 1
    exchange.advance()


async def _halted(weather: Weather, session: RealSession) -> None:
    lasts_s, name = weather.random.choice((8.0, 90.0)), wire_name(weather.random.choice(SYMBOLS))
    status = weather.random.choice(("HALT", "BREAK", "CANCEL_ONLY"))
    weather._begin(f"{status}", lasts_s)
    session.exchange.met[status] += 1
    session.exchange.engine.set_status(name, status)
    await asyncio.sleep(lasts_s)
    session.exchange.engine.set_status(name, "TRADING")
    session.exchange.advance()


async def _suspended(weather: Weather, session: RealSession) -> None:
    weather._begin("clock jump of two minutes", 1.0)
    session.exchange.met["clock jump of two minutes"] += 1
    session.exchange.jump(120_000)


async def _set_back(weather: Weather, session: RealSession) -> None:
    weather._begin("the exchange's clock two minutes behind", 30.0)
    session.exchange.met["the exchange's clock two minutes behind"] += 1
    session.exchange.skew_ms = -120_000
    await asyncio.sleep(30.0)
    session.exchange.skew_ms = 0


async def _somebody(weather: Weather, session: RealSession) -> None:
    weather._begin("somebody else")
    exchange, name = session.exchange, wire_name(weather.random.choice(SYMBOLS))
    exchange.met["somebody else trades"] += 1
    exchange.own("POST", "order", symbol=name, side="BUY", type="MARKET", quantity="0.5")
    exchange.own(
        "POST", "order", symbol=name, side="BUY", type="LIMIT", quantity="0.5", price="20.00", timeInForce="GTC"
    )


PHASES = (
    _silent, _silent, _cut, _cut, _word, _lag, _lag, _balance, _taken_away, _taken_away, _halted, _suspended,
    _set_back, _somebody,
)  # fmt: skip
