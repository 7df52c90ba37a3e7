"""Plays a drawn candle table through the real TradingRuntime and keeps what came of it.

A line of a table is `time symbol open high low close volume | answer`: the candle's open time and what the strategy
answers for it (`LONG stop=95 target=110`, `EXIT`). A leading `~` marks warm-up, `late` a candle that came after its
slice; `kill`, `resume`, `stop` and `close SYMBOL [STRATEGY]` are events between slices. Without costs, and with
quantity 10 at a price of 100, unless settings say otherwise.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from app.models.events import Close, EndOfData, Event, Kill, LateCandle, Resume, Stop
from app.models.market import Candle, Slice
from app.models.orders import Action, Fill, Reason, Signal
from app.runtime.funnel import Funnel
from app.runtime.host import HostedStrategy, StrategyHost
from app.runtime.runtime import TradingRuntime
from app.session.building import account_of, fill_rules, instruments, risk_config
from app.settings.profile import Settings, load_settings
from app.strategies.base import FLAT, Strategy, View
from app.times import DAY_MS, parse_time_ms, timeframe_ms
from app.trading.account import SliceRows
from app.trading.execution import ExecutionEngine
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from app.trading.risk import RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor

MINUTE_MS = 60_000
DAY_1_MS = parse_time_ms("2025-01-01")
COMMANDS: dict[str, Event] = {"kill": Kill("test"), "resume": Resume("test"), "stop": Stop("test")}
Answer = Callable[[Candle, View], Signal]


class Scripted(Strategy):
    """Answers what `answer` says and notes every candle that it was asked for."""

    timeframes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, answer: Answer, asked: list[Candle]) -> None:
        self.answer = answer
        self.asked = asked

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """The script."""
        self.asked.append(candle)
        return self.answer(candle, view)


@dataclass
class Played:
    """What a table led to."""

    runtime: TradingRuntime
    fills: list[Fill] = field(default_factory=list)
    asked: list[Candle] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[int, float, float]]:
        """Close time, equity and balance, one row a slice."""
        kept = self.runtime.rows
        times_ms = [slice_.close_time_ms for slice_ in kept.slices]
        return list(zip(times_ms, kept.equities, kept.balances, strict=True))

    @property
    def funnel(self) -> Mapping[str, Any]:
        """The counts that are not zero, as results.json has them."""
        return {name: count for name, count in self.runtime.funnel.as_dict().items() if count}

    def count(self, stage: str, reason: str = "") -> int:
        """One count of the funnel."""
        counts: Any = self.runtime.funnel.as_dict()[stage]
        return int(counts.get(reason, 0) if reason else counts)

    def assert_fills(self, table: str) -> None:
        """`time symbol OPEN|CLOSE LONG|SHORT price quantity reason name=value ...`, the whole log."""
        lines = _lines(table)
        shown = "\n".join(_shown(fill) for fill in self.fills)
        assert len(self.fills) == len(lines), f"fills are:\n{shown}"
        for fill, line in zip(self.fills, lines, strict=True):
            time, symbol, action, side, price, quantity, reason, *more = line.split()
            texts = (_clock(fill.time_ms), fill.symbol, "OPEN" if fill.opens else "CLOSE", fill.side.name, fill.reason)
            assert texts == (time, symbol, action, side, reason), f"{line}\n{shown}"
            values = {"price": price, "quantity": quantity} | dict(part.split("=") for part in more)
            for name, value in values.items():
                assert math.isclose(getattr(fill, name), float(value), rel_tol=1e-12, abs_tol=1e-9), f"{name}: {shown}"

    def assert_rows(self, table: str) -> None:
        """`close-time equity balance`, the last rows of the run."""
        lines = _lines(table)
        shown = "\n".join(f"{_clock(time_ms)} {equity} {balance}" for time_ms, equity, balance in self.rows)
        assert len(self.rows) >= len(lines), shown
        for (time_ms, equity, balance), line in zip(self.rows[-len(lines) :], lines, strict=True):
            time, *money = line.split()
            assert _clock(time_ms) == time, shown
            for ours, theirs in zip((equity, balance), money, strict=True):
                assert math.isclose(ours, float(theirs), rel_tol=1e-12), f"{line}\n{shown}"


def play(
    table: str, *overrides: str, answer: Answer | None = None, end: bool = True, ids: Sequence[str] = ()
) -> Played:
    """Handle the table's events one by one; `overrides` are KEY=VALUE as `--set` takes them, symbols A, B, C.

    `answer` replaces the answers of the table; `ids` are those of several strategies, which all answer the same. The
    end of the data follows unless `end` is False.
    """
    events, answers = read_table(table)
    if end:
        events.append(EndOfData())
    return play_events(events, *overrides, answer=answer or answers, ids=ids)


def play_events(events: Sequence[Event], *overrides: str, answer: Answer, ids: Sequence[str] = ()) -> Played:
    """The same for events that are there already."""
    played = build(scenario_settings(*overrides, ids=ids), answer)

    async def handle() -> None:
        for event in events:
            await played.runtime.handle((event,))

    asyncio.run(handle())
    return played


def scenario_settings(*overrides: str, ids: Sequence[str] = ()) -> Settings:
    """No costs, no warm-up, symbols A, B and C, everything else at its default."""
    live = {"exchange": "test", "symbols": ["A", "B", "C"], "timeframe": "1m", "startup_candles": 0}
    mode = {"commission_rate": 0.0, "slippage_rate": 0.0}
    strategies = [{"id": one, "name": "ScalpingEMARSI"} for one in ids]
    own = {"strategies": strategies} if strategies else {"strategy": {"name": "ScalpingEMARSI"}}
    config = {"live": {**live, **own}, "trading_mode": mode}
    return load_settings(config, overrides)


def build(
    settings: Settings,
    answer: Answer,
    strategy: type[Scripted] = Scripted,
    trader: type[PaperTrader] = PaperTrader,
) -> Played:
    """A runtime of real parts whose observer is the list of fills and rows in the result."""
    live, mode = settings.live, settings.trading_mode
    account = account_of(settings)
    fills: list[Fill] = []
    rows = SliceRows()
    asked: list[Candle] = []

    def create() -> Strategy:
        return strategy(answer, asked)

    ledger = Ledger(account, fills.append, timeframe_ms(live.timeframe), instruments(settings))
    broker = trader(ledger, fill_rules(mode))
    hosted = [HostedStrategy(one.id, create, one.timeframe, one.symbols, one.exits) for one in settings.strategies]
    limits = mode.safety.model_dump(include={"max_drawdown", "max_daily_loss", "max_open_positions"})
    runtime = TradingRuntime(
        account=account,
        broker=broker,
        safety=SafetyMonitor(account, SafetyLimits(**limits), rows),
        host=StrategyHost(live.symbols, live.timeframe, hosted, account),
        risks={one.id: RiskEngine(risk_config(settings, one), instruments(settings)) for one in settings.strategies},
        execution=ExecutionEngine(broker, account, timeframe_ms(live.timeframe)),
        funnel=Funnel(ledger.cancelled, ledger.dropped),
        rows=rows,
        flatten_on_stop=mode.on_stop == "flatten",
    )
    return Played(runtime, fills, asked)


def read_table(table: str) -> tuple[list[Event], Answer]:
    """The events of a table and the answers written into it."""
    events: list[Event] = []
    answers: dict[tuple[str, int], Signal] = {}
    for line in _lines(table):
        if line in COMMANDS:
            events.append(COMMANDS[line])
            continue
        if line.startswith("close "):
            events.append(Close("test", *line.split()[1:]))
            continue
        warmup = line.startswith("~")
        is_late = line.startswith("late ")
        drawn, _, told = line.removeprefix("late ").lstrip("~ ").partition("|")
        time, symbol, *numbers = drawn.split()
        candle = Candle(symbol, "1m", at(time), *map(float, numbers))
        if told.strip():
            answers[symbol, candle.open_time_ms] = read_signal(told)
        last = events[-1] if events else None
        if is_late:
            events.append(LateCandle(candle))
        elif isinstance(last, Slice) and last.close_time_ms == candle.close_time_ms:
            events[-1] = Slice(last.close_time_ms, (*last.candles, candle), warmup)
        else:
            events.append(Slice(candle.close_time_ms, (candle,), warmup))
    return events, lambda candle, view: answers.get((candle.symbol, candle.open_time_ms), FLAT)


def read_signal(text: str) -> Signal:
    """`LONG stop=95 target=110 size_factor=0.5`."""
    action, *parts = text.split()
    values: dict[str, Any] = {name: float(value) for name, value in (part.split("=") for part in parts)}
    return Signal(Action(action), **values)


def at(time: str) -> int:
    """`00:01` of the first day, `2/00:01` of the second."""
    day, _, clock = time.rpartition("/")
    hours, minutes = clock.split(":")
    return DAY_1_MS + (int(day or 1) - 1) * DAY_MS + (60 * int(hours) + int(minutes)) * MINUTE_MS


def _clock(time_ms: int) -> str:
    days, ms = divmod(time_ms - DAY_1_MS, DAY_MS)
    clock = f"{ms // 3_600_000:02}:{ms // MINUTE_MS % 60:02}"
    assert ms % MINUTE_MS == 0
    return clock if days == 0 else f"{days + 1}/{clock}"


def _lines(table: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in table.splitlines())
    return [line for line in lines if line]


def _shown(fill: Fill) -> str:
    action = "OPEN" if fill.opens else "CLOSE"
    more = f"pnl={fill.realized_pnl} fee={fill.commission} slippage={fill.slippage} balance={fill.balance}"
    money = f"{more} equity={fill.equity} stop={fill.stop} target={fill.target} both={fill.both_levels}"
    texts = f"{_clock(fill.time_ms)} {fill.symbol} {action} {fill.side.name}"
    return f"{texts} {fill.price} {fill.quantity} {fill.reason} {money} id={fill.trade_id}"


__all__ = ["MINUTE_MS", "Played", "Reason", "Scripted", "at", "build", "play", "play_events", "read_table"]
