"""A runtime over the exchange broker with a strategy that trades at random, and what holds after each of its events.

The rule: it is built by hand, so that a test needs no settings; what it decides depends on the events alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import ClassVar

import msgspec

from app.models.events import Event
from app.models.exits import BreakEven, Exits, Partial, TimeExit, Trailing
from app.models.intents import Intent
from app.models.market import Candle
from app.models.orders import FLAT, Decision, Fill, Signal
from app.runtime.digest import FIRST, digest_of
from app.runtime.funnel import Funnel
from app.runtime.host import HostedStrategy, StrategyHost
from app.runtime.runtime import TradingRuntime
from app.strategies.base import Strategy, View, exit_position, long
from app.trading.account import Account, SliceRows, lines_of
from app.trading.exchange_broker import ExchangeBroker
from app.trading.exchange_lines import OrderLimits
from app.trading.execution import ExecutionEngine
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.risk import RiskConfig, RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor
from tests.candle_columns import MINUTE_MS

SYMBOLS = ("AAA/X", "BBB/X")
IDS = ("one", "two")
BALANCE = 10_000.0
STEP = 0.0001
GRID = dict.fromkeys(SYMBOLS, Instrument(quantity_step=STEP, price_tick=0.01))
LIMITS = OrderLimits(max_order_notional=None, max_daily_orders=None, refusals_in_a_row=12)
EXITS = (
    None, Exits(trailing=Trailing(distance_r=0.5)), Exits(break_even=BreakEven(at_r=0.3), time=TimeExit(candles=6)),
    Exits(partial=(Partial(at_r=0.4, fraction=0.3), Partial(at_r=0.8, fraction=0.3))),
)  # fmt: skip


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
            atr = candle.close * random.choice((0.004, 0.02))
            signal = long(atr=atr)
            if kind < 0.2:
                limit = candle.close * random.choice((0.997, 1.001))
                signal = msgspec.structs.replace(signal, limit=limit, valid_candles=random.choice((1, 4)))
            return msgspec.structs.replace(signal, exits=random.choice(EXITS))
        return FLAT


@dataclass
class Books:
    """A runtime over an exchange broker, and all that it said."""

    strategy: Callable[[], Strategy]
    ids: Sequence[str] = IDS
    grid: Mapping[str, Instrument] = field(default_factory=lambda: GRID)
    limits: OrderLimits = LIMITS
    tag: str = "test"
    flattens: bool = True  # at an operator's stop
    fills: list[Fill] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    digest: str = FIRST

    def __post_init__(self) -> None:
        account = self.account = Account(BALANCE, lines_of(dict.fromkeys(self.ids, SYMBOLS), SYMBOLS))
        self.ledger = Ledger(account, self.fills.append, MINUTE_MS, self.grid)
        self.broker = ExchangeBroker(self.ledger, self.limits, tag=self.tag)
        rows = SliceRows()
        self.safety = SafetyMonitor(account, SafetyLimits(max_drawdown=0.02), rows)
        hosted = [HostedStrategy(one, self.strategy, "1m", SYMBOLS) for one in self.ids]
        config = RiskConfig(max_position_pct=0.3, max_exposure=2.0, allocation=0.5, risk_per_trade=0.05)
        self.runtime = TradingRuntime(
            account=account,
            broker=self.broker,
            safety=self.safety,
            host=StrategyHost(SYMBOLS, "1m", hosted, account),
            risks={one: RiskEngine(config, self.grid) for one in self.ids},
            execution=ExecutionEngine(self.broker, account, MINUTE_MS),
            funnel=Funnel(self.ledger.cancelled, self.ledger.dropped),
            rows=rows,
            decisions=self.decisions,
            flatten_on_stop=self.flattens,
        )

    async def handle(self, event: Event) -> tuple[Intent, ...]:
        known = len(self.fills), len(self.decisions)
        await self.runtime.handle((event,))
        intents = self.broker.take_intents()
        new = self.fills[known[0] :], self.decisions[known[1] :]
        self.digest = digest_of(self.digest, self.runtime, *new, intents)
        return intents

    def check(self) -> None:
        """What holds after every event."""
        account = self.account
        realized = sum(fill.realized_pnl for fill in self.fills)
        assert math.isclose(BALANCE + realized, account.balance, rel_tol=1e-9, abs_tol=1e-7)
        assert not self.broker.strange, self.broker.strange
        for line in account.closing:
            assert line in account.positions, "a close order closes something"
        for line in account.positions:
            must_go = self.safety.killed or self.runtime.ending
            assert not must_go or line in account.closing, f"{line} was to be closed, and nothing closes it"
