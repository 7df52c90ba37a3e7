"""The exchange broker over an exchange that answers late, twice, in parts and out of order, kills included.

The books are right, a tape with its executions replays to the same, and whenever all has been heard every position
rests on the exchange with its stop. The default run takes some hundred seeds; ONETAPE_FULL=1 takes ten thousand.
"""

import asyncio
import math
import os
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest

from app.models.events import Close, EndOfData, Event, GiveUp, Halt, Kill, Resume, Stop
from app.models.intents import PlaceOco
from app.models.market import Candle, Slice
from app.models.orders import GOES_ON, Action
from app.session.state import restore_runtime, runtime_state
from app.trading.exchange_broker import BrokerMemory
from app.trading.exchange_lines import StopPlace
from tests.candle_columns import MINUTE_MS, START_MS
from tests.exchange_books import BALANCE, IDS, SYMBOLS, Books, Tossing
from tests.slow_exchange import SlowExchange

SEEDS = range(10_000 if os.environ.get("ONETAPE_FULL") else 300)
SLICES = 40


def check_quiet(books: Books, exchange: SlowExchange) -> None:
    """What holds when everything that the exchange did was heard, and all that was asked for was done."""
    for symbol in SYMBOLS:
        held = sum(one.quantity for line, one in books.account.positions.items() if line.symbol == symbol)
        dust = books.ledger.dust.get(symbol)
        assert math.isclose(held + (dust.quantity if dust else 0.0), exchange.held[symbol], abs_tol=1e-9), symbol
    for symbol in SYMBOLS:
        own = [one for line, one in books.account.positions.items() if line.symbol == symbol]
        if all(line not in books.account.closing for line in books.account.positions):
            stops = {one.intent.stop for one in exchange.resting.values() if isinstance(one.intent, PlaceOco)}
            wanted = {one.stop for one in books.account.positions.values()}
            assert own == [] or stops <= wanted, "a stop rests where it was before it was moved"
    for line, where in books.broker.protections().items():
        waits = line in books.broker.lines.refusals
        assert waits or where is StopPlace.EXCHANGE or line in books.account.closing, (line, where)


def candles(random: Random, number: int, closes: dict[str, float]) -> Slice:
    open_ms = START_MS + number * MINUTE_MS
    made = []
    for symbol in SYMBOLS:
        opened = closes[symbol]
        close = closes[symbol] = max(1.0, opened * (1.0 + random.gauss(0.0, 0.006)))
        high, low = max(opened, close) * 1.002, min(opened, close) * 0.998
        made.append(Candle(symbol, "1m", open_ms, opened, high, low, close, 1.0))
    return Slice(open_ms + MINUTE_MS, tuple(made), False)


@dataclass
class Play:
    """A session: slices, answers, commands and kills in seeded order, to its end."""

    seed: int
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.exchange = SlowExchange(Random(self.seed + 1), base_fees=self.seed % 2 == 1)
        self.books, self.tape = self.new_books(), list[Event]()
        self.prices = dict.fromkeys(SYMBOLS, 100.0)
        self.time_ms = START_MS

    def new_books(self) -> Books:
        return Books(lambda: Tossing(self.seed))

    async def handle(self, event: Event) -> None:
        self.tape.append(event)
        for intent in await self.books.handle(event):
            self.exchange.take(intent, self.prices[intent.symbol], self.time_ms)
        self.books.check()

    async def hear(self, most: int) -> None:
        for _ in range(self.random.randint(0, most)):
            if self.exchange.outbox and not self.books.runtime.ended:
                await self.handle(self.exchange.outbox.pop(0))

    async def hear_all(self) -> None:
        while self.exchange.outbox and not self.books.runtime.ended:
            await self.handle(self.exchange.outbox.pop(0))

    async def restart(self) -> None:
        """kill -9: a new process knows the tape, or the state that was kept after the last event."""
        if self.random.random() < 0.5:
            again = self.new_books()
            for event in self.tape:
                await again.handle(event)
            assert again.digest == self.books.digest, "the tape with its executions replays to the same"
        else:
            again = self.new_books()
            state = msgspec.json.encode(runtime_state(self.books.runtime))
            memory = msgspec.json.encode(self.books.broker.memory())
            restore_runtime(msgspec.json.decode(state, type=type(runtime_state(self.books.runtime))), again.runtime)
            again.broker.recall(msgspec.json.decode(memory, type=BrokerMemory))
            again.fills, again.digest = self.books.fills, self.books.digest
            again.ledger._on_fill = again.fills.append
        self.books = again
        self.met["kills"] += 1

    async def run(self) -> "Play":
        random, exchange = self.random, self.exchange
        for number in range(SLICES):
            self.time_ms = START_MS + (number + 1) * MINUTE_MS
            slice_ = candles(random, number, self.prices)
            await self.handle(slice_)
            for candle in slice_.candles:
                exchange.go_on(candle)
            await self.hear(4)
            if random.random() < 0.3:
                await self.hear_all()
                await self.handle(exchange.snapshot(BALANCE, self.time_ms + 1))
                assert not self.books.broker.reconciliation.differences
                await self.hear_all()
                check_quiet(self.books, exchange)
            if random.random() < 0.04:
                halted = self.books.safety.halted
                await self.handle(Resume("a test") if halted else random.choice((Kill, Halt))("a test"))
            if random.random() < 0.05:
                await self.handle(Close("a test", random.choice(SYMBOLS), random.choice((None, *IDS))))
            if random.random() < 0.05:
                await self.restart()
        await self.handle(random.choice((EndOfData(), Stop("a test"))))
        for turn in range(1_000):
            if self.books.runtime.ended:
                break
            self.time_ms += MINUTE_MS
            await self.hear_all()
            if turn % 3 == 2 and not self.books.runtime.ended:  # it is asked again now and then, whatever was refused
                await self.handle(exchange.snapshot(BALANCE, self.time_ms))
        assert self.books.runtime.ended, (self.seed, "the closing phase ends when all is flat", self.books.account)
        while exchange.outbox:  # what is told once more, or too late to matter
            await self.books.broker.on_execution(exchange.outbox.pop(0))
            self.books.check()
        return self


@pytest.mark.parametrize("block", range(10))
def test_the_books_are_right_however_answers_come(block: int) -> None:
    for seed in list(SEEDS)[block::10]:
        play = asyncio.run(Play(seed).run())
        books, exchange, account = play.books, play.exchange, play.books.account
        assert not account.positions and not account.pending and not account.closing, seed
        assert not books.broker.book.open and not exchange.resting, (seed, "it ends when every order has ended")
        dust = {symbol: books.ledger.dust[symbol].quantity for symbol in SYMBOLS if symbol in books.ledger.dust}
        cost = sum(one.cost for one in books.ledger.dust.values())
        for symbol in SYMBOLS:
            assert math.isclose(exchange.held[symbol], dust.get(symbol, 0.0), abs_tol=1e-9), (seed, symbol)
        assert exchange.base_fees or not dust, seed
        assert math.isclose(account.balance - BALANCE - cost, exchange.cash, rel_tol=1e-9, abs_tol=1e-6), seed
        assert len(books.fills) == len(exchange.trades), "each fill once"
        assert math.isclose(books.broker.reconciliation.flows.get("X", 0.0), exchange.cash, abs_tol=1e-6), seed
        assert cost >= 0.0 and not exchange.met["an OCO without funds"], "nothing is sold twice"


def test_the_seeds_meet_everything() -> None:
    met: set[str] = set()
    for seed in SEEDS[:150]:
        play = asyncio.run(Play(seed).run())
        books = play.books
        met |= {leg.state.value for record in books.broker.book.over.values() for leg in record.legs.values()}
        met |= {fill.reason.value for fill in books.fills} | set(books.ledger.cancelled) | set(play.exchange.met)
        met |= {action.value for decision in books.decisions for action in Action if decision.action is action}
        met |= {decision.outcome for decision in books.decisions} | set(play.met)
        opened = [fill.trade_id for fill in books.fills if fill.opens]
        met |= {"an entry in parts"} if len(opened) > len(set(opened)) else set()
        met |= {"a close in parts"} if any(fill.reason in GOES_ON for fill in books.fills) else set()
    assert met >= {
        "filled", "cancelled", "expired", "refused", "signal", "stop_loss", "take_profit", "signal_exit", "kill_switch",
        "operator", "an entry in parts", "a close in parts", "session_end", "partial_target", "trailing_stop",
        "break_even", "time_exit", "halted", "order_unknown", "taken away", "never arrived", "kills",
        "account_unchecked", "Stop price would trigger immediately.", "Order would immediately match and take.",
    }  # fmt: skip


def test_a_closing_phase_that_gives_up_says_so() -> None:
    async def run() -> None:
        play = Play(1)
        await play.handle(play.exchange.snapshot(BALANCE, START_MS))
        for number in range(6):
            await play.handle(candles(Random(number), number, play.prices))
        books = play.books
        assert books.account.pending
        await play.handle(EndOfData())
        assert books.runtime.ending and not books.runtime.ended, "nobody has answered"
        before = len(books.decisions)
        await play.handle(candles(Random(7), 7, play.prices))
        assert len(books.decisions) == before, "nothing is decided in the closing phase"
        await play.handle(GiveUp("nobody answers"))
        assert books.runtime.gave_up == "nobody answers"

    asyncio.run(run())
