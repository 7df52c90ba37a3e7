"""The runtime over a broker that answers late, twice, in parts and out of order: the books are right, kills included.

The default run takes some hundred seeds; ONETAPE_FULL=1 takes ten thousand.
"""

import asyncio
import math
import os
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import pytest

from app.models.events import EndOfData, Event, GiveUp, Kill, Resume, Stop
from app.models.market import Candle, Slice
from app.models.orders import FLAT, GOES_ON, Action, Decision, Fill, Line, Signal
from app.runtime.digest import FIRST, digest_of
from app.runtime.funnel import Funnel
from app.runtime.host import HostedStrategy, StrategyHost
from app.runtime.runtime import TradingRuntime
from app.strategies.base import Strategy, View, exit_position, long, short
from app.trading.account import Account, SliceRows, lines_of
from app.trading.execution import ExecutionEngine
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.risk import RiskConfig, RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor
from tests.candle_columns import MINUTE_MS, START_MS
from tests.late_broker import LateBroker, SlowExchange

SEEDS = range(10_000 if os.environ.get("ONETAPE_FULL") else 300)
SYMBOLS = ("AAA/X", "BBB/X")
IDS = ("one", "two")
SLICES = 40
BALANCE = 10_000.0


class Tossing(Strategy):
    """Answers by seed, line and candle."""

    lookback: ClassVar[int] = 0

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        random = Random(f"{self.seed} {view.line} {candle.open_time_ms}")
        kind = random.random()
        if kind < 0.12:
            return exit_position()
        if kind < 0.5:
            side = long if kind < 0.3 else short
            return side(atr=candle.close * random.choice((0.004, 0.02)))
        return FLAT


@dataclass
class Books:
    """A runtime over a late broker, and all that it said."""

    seed: int
    fills: list[Fill] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    digest: str = FIRST

    def __post_init__(self) -> None:
        account = self.account = Account(BALANCE, lines_of(dict.fromkeys(IDS, SYMBOLS), SYMBOLS))
        grid = dict.fromkeys(SYMBOLS, Instrument(quantity_step=0.0001))
        self.ledger = Ledger(account, self.fills.append, MINUTE_MS, grid)
        self.broker = LateBroker(self.ledger)
        rows = SliceRows()
        self.safety = SafetyMonitor(account, SafetyLimits(max_drawdown=0.02), rows)
        hosted = [HostedStrategy(one, lambda: Tossing(self.seed), "1m", SYMBOLS) for one in IDS]
        config = RiskConfig(max_position_pct=0.3, max_exposure=2.0, allocation=0.5, risk_per_trade=0.05)
        self.runtime = TradingRuntime(
            account=account,
            broker=self.broker,
            safety=self.safety,
            host=StrategyHost(SYMBOLS, "1m", hosted, account),
            risks={one: RiskEngine(config, grid) for one in IDS},
            execution=ExecutionEngine(self.broker, account, MINUTE_MS),
            funnel=Funnel(self.ledger.cancelled, self.ledger.dropped),
            rows=rows,
            decisions=self.decisions,
        )

    def reach(self, exchange: SlowExchange) -> None:
        """From here on orders are really sent."""
        self.broker.send, self.broker.recall = exchange.take, exchange.cancel

    async def handle(self, event: Event) -> None:
        known = len(self.fills), len(self.decisions)
        await self.runtime.handle((event,))
        new = self.fills[known[0] :], self.decisions[known[1] :]
        self.digest = digest_of(self.digest, self.runtime, *new)

    def check(self) -> None:
        """What holds after every event."""
        account = self.account
        realized = sum(fill.realized_pnl for fill in self.fills)
        assert math.isclose(BALANCE + realized, account.balance, rel_tol=1e-9, abs_tol=1e-7)
        assert not self.broker.book.strange
        for line, position in account.positions.items():
            own = [fill for fill in self.fills if Line(fill.strategy, fill.symbol) == line]
            bought = sum(fill.quantity for fill in own if fill.opens) - sum(f.quantity for f in own if not f.opens)
            assert math.isclose(bought, position.quantity, rel_tol=1e-9), line
        for line in account.closing:
            assert line in account.positions, "a close order closes something"
        for line in account.positions:
            must_go = self.safety.halted or self.runtime.ending or line in self.broker.book._to_close
            assert not must_go or line in account.closing, f"{line} was to be closed, and nothing closes it"


def candles(random: Random, number: int, closes: dict[str, float]) -> Slice:
    open_ms = START_MS + number * MINUTE_MS
    made = []
    for symbol in SYMBOLS:
        opened = closes[symbol]
        close = closes[symbol] = max(1.0, opened * (1.0 + random.gauss(0.0, 0.006)))
        high, low = max(opened, close) * 1.002, min(opened, close) * 0.998
        made.append(Candle(symbol, "1m", open_ms, opened, high, low, close, 1.0))
    return Slice(open_ms + MINUTE_MS, tuple(made), False)


async def play(seed: int) -> tuple[Books, SlowExchange]:
    """A session: slices, answers, commands and kills in seeded order, to its end."""
    random = Random(seed)
    exchange, books, tape = SlowExchange(Random(seed + 1)), Books(seed), list[Event]()
    books.reach(exchange)
    closes = dict.fromkeys(SYMBOLS, 100.0)

    async def handle(event: Event) -> None:
        tape.append(event)
        await books.handle(event)
        books.check()

    async def hear(most: int) -> None:
        for _ in range(random.randint(0, most)):
            if exchange.outbox and not books.runtime.ended:
                await handle(exchange.outbox.pop(0))

    for number in range(SLICES):
        await handle(candles(random, number, closes))
        exchange.go_on(closes[SYMBOLS[0]], START_MS + (number + 1) * MINUTE_MS)
        await hear(3)
        if random.random() < 0.04:
            await handle(Kill("a test") if not books.safety.halted else Resume("a test"))
        if random.random() < 0.05:  # kill -9: a new process knows the tape, and what the exchange still says
            again = Books(seed)
            for event in tape:
                await again.handle(event)
            assert again.digest == books.digest, "the tape with its executions replays to the same"
            books = again
            books.reach(exchange)
    await handle(random.choice((EndOfData(), Stop("a test"))))
    for _ in range(1_000):
        if books.runtime.ended:
            break
        exchange.go_on(closes[SYMBOLS[0]], START_MS + SLICES * MINUTE_MS)
        await hear(4)
    assert books.runtime.ended, "the closing phase ends when all is flat"
    while exchange.outbox:  # what is told once more, or too late to matter
        books.broker.book.apply(exchange.outbox.pop(0))
        books.check()
    return books, exchange


@pytest.mark.parametrize("block", range(10))
def test_the_books_are_right_however_answers_come(block: int) -> None:
    for seed in list(SEEDS)[block::10]:
        books, exchange = asyncio.run(play(seed))
        account = books.account
        assert not account.positions and not account.pending and not account.closing, seed
        assert all(abs(quantity) < 1e-9 for quantity in exchange.held.values()), (seed, exchange.held)
        assert math.isclose(account.balance - BALANCE, exchange.cash, rel_tol=1e-9, abs_tol=1e-6), seed
        assert math.isclose(sum(fill.quantity for fill in books.fills), sum(exchange.fills.values())), seed
        assert len(books.fills) == len(exchange.fills), "each fill once"


def test_the_seeds_meet_everything() -> None:
    met: set[str] = set()
    for seed in SEEDS[:100]:
        books, _ = asyncio.run(play(seed))
        met |= {record.state.value for record in books.broker.book._over.values()}
        met |= {fill.reason.value for fill in books.fills} | set(books.ledger.cancelled)
        met |= {action.value for decision in books.decisions for action in Action if decision.action is action}
        opened = [fill.trade_id for fill in books.fills if fill.opens]
        met |= {"an entry in parts"} if len(opened) > len(set(opened)) else set()
        met |= {"a close in parts"} if any(fill.reason in GOES_ON for fill in books.fills) else set()
    assert met >= {
        "filled", "cancelled", "expired", "refused", "signal", "stop_loss", "take_profit", "signal_exit", "kill_switch",
        "an entry in parts", "a close in parts", "session_end",
    }  # fmt: skip


def test_a_closing_phase_that_gives_up_says_so() -> None:
    async def run() -> None:
        books = Books(1)
        books.reach(SlowExchange(Random(1)))
        closes = dict.fromkeys(SYMBOLS, 100.0)
        for number in range(6):
            await books.handle(candles(Random(number), number, closes))
        assert books.account.pending
        await books.handle(EndOfData())
        assert books.runtime.ending and not books.runtime.ended, "nobody has answered"
        before = len(books.decisions)
        await books.handle(candles(Random(7), 7, closes))
        assert len(books.decisions) == before, "nothing is decided in the closing phase"
        await books.handle(GiveUp("nobody answers"))
        assert books.runtime.gave_up == "nobody answers"

    asyncio.run(run())
