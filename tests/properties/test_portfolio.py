"""Random portfolios of several strategies with limit entries, managed exits and protections: what must always hold.

Books balance per line, per strategy and in all; no limit is exceeded when an order is placed; a stop moves only towards
the profit; no fill is earlier than its order, late candles included; a silent strategy changes nothing of the others.
"""

import asyncio
import math
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

import pytest

from app.models.events import Close, EndOfData, Event, Kill, LateCandle, Resume
from app.models.market import Candle, Slice
from app.models.orders import FLAT, EntryOrder, Fill, Line, Position, Reason, Signal
from app.runs.memory_log import MemoryEquityLog, MemoryTradeLog
from app.runs.recorder import RunRecorder
from app.runtime.runtime import TradingRuntime
from app.session.building import build_runtime
from app.settings.profile import load_settings
from app.strategies.base import Strategy, View, exit_position, long, short
from app.strategies.loader import check_settings
from tests.candle_columns import MINUTE_MS, START_MS

SYMBOLS = ("AAA/X", "BBB/X", "CCC/X")
SLICES = 150
EXITS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"break_even": {"at_r": 0.5, "offset_pct": 0.001}},
    {"trailing": {"distance_r": 0.7}},
    {"trailing": {"distance_pct": 0.01, "from_r": 0.5}},
    {"trailing": {"distance_atr": 1.0}, "break_even": {"at_r": 0.3}},
    {"partial": [{"at_r": 0.5, "fraction": 0.3}, {"at_r": 1.0, "fraction": 0.4}], "time": {"candles": 9}},
    {"partial": [{"at_r": 0.4, "fraction": 0.5}], "trailing": {"distance_r": 1.0}, "break_even": {"at_r": 0.4}},
)
PROTECTIONS = [
    {"kind": "cooldown", "candles": 2, "scope": "line"},
    {"kind": "stop_guard", "lookback_candles": 30, "stops": 3, "pause_candles": 8, "scope": "strategy"},
    {"kind": "losing_streak", "trades": 4, "pause_candles": 5, "scope": "account"},
]


class Drawn(Strategy):
    """Answers by seed, line and candle, with everything that a signal may bring."""

    lookback: ClassVar[int] = 0

    def __init__(self, seed: int = 0, silent: bool = False) -> None:
        self.seed = seed
        self.silent = silent

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        random = Random(f"{self.seed} {view.symbol} {candle.open_time_ms}")
        kind = random.random()
        if self.silent or kind > 0.4:
            return FLAT
        if kind > 0.36:
            return exit_position()
        side, sign = (long, 1) if random.random() < 0.5 else (short, -1)
        limit = candle.close * (1.0 - sign * random.uniform(-0.002, 0.006)) if random.random() < 0.5 else None
        return side(
            atr=candle.close * random.uniform(0.002, 0.02),
            limit=limit,
            valid_candles=random.randint(1, 4),
            size_factor=random.choice((0.3, 1.0)),
            exits=random.choice(EXITS),
        )


def config(seed: int, silent: tuple[str, ...] = (), **mode: Any) -> dict[str, Any]:
    random = Random(seed)
    ids = ("trend", "revert", "third")
    return {
        "live": {
            "exchange": "test",
            "symbols": list(SYMBOLS),
            "timeframe": "1m",
            "startup_candles": 0,
            "strategies": [
                {
                    "id": one,
                    "name": "tests.properties.test_portfolio:Drawn",
                    "params": {"seed": seed * 10 + number, "silent": one in silent},
                    "timeframe": random.choice(("1m", "1m", "3m")),
                    "symbols": sorted(random.sample(SYMBOLS, random.randint(1, 3))),
                    "allocation": random.choice((0.2, 0.33)),
                    **({"exits": exits} if (exits := random.choice(EXITS)) else {}),
                }
                for number, one in enumerate(ids)
            ],
            "instruments": {
                symbol: {"quantity_step": random.choice((1e-8, 0.01)), "price_tick": random.choice((None, 0.05))}
                for symbol in SYMBOLS
            },
        },
        "risk": {"risk_per_trade": 0.05, "max_position_pct": 0.5},
        "trading_mode": {
            "fill": random.choice(("next_open", "close")),
            "limit_fill": random.choice(("through", "touch")),
            "maker_commission_rate": 0.0002,
            "safety": {"max_drawdown": random.choice((0.03, None)), "max_exposure": 0.6, "max_open_positions": 4},
            "protections": PROTECTIONS if random.random() < 0.5 else [],
            **mode,
        },
    }


class Played:
    """A runtime and its fills; `events` are the seed's."""

    def __init__(self, content: dict[str, Any]) -> None:
        settings = load_settings(content)
        self.fills: list[Fill] = []
        logs = MemoryTradeLog(), MemoryEquityLog(settings.trading_mode.starting_balance)
        recorder = RunRecorder(SYMBOLS, *logs, strategies=[spec.id for spec in settings.strategies])
        recorder.on_fill = self.fills.append
        self.limits = settings.trading_mode.safety
        self.runtime: TradingRuntime = build_runtime(settings, check_settings(settings), recorder)

    def play(self, events: Iterator[Event]) -> Iterator[Event]:
        """Event by event, each yielded once it was handled."""
        loop = asyncio.new_event_loop()
        try:
            for event in events:
                loop.run_until_complete(self.runtime.handle((event,)))
                yield event
        finally:
            loop.close()


def events(seed: int, *, late: bool = False, commands: bool = True) -> Iterator[Event]:
    """Candles with gaps, silent ones, and late ones if wanted; kills, resumes and closes; the end."""
    random, operator = Random(f"market {seed}"), Random(f"operator {seed}")
    closes = dict.fromkeys(SYMBOLS, 100.0)
    held_back: list[Candle] = []
    for number in range(SLICES):
        open_ms, made = START_MS + number * MINUTE_MS, []
        for symbol in SYMBOLS:
            opened = closes[symbol] * (1.0 + random.choice((0.0, 0.0, random.gauss(0.0, 0.004))))
            close = closes[symbol] = opened * (1.0 + random.gauss(0.0, 0.006))
            high, low = (
                max(opened, close) * (1 + random.random() * 0.004),
                min(opened, close) * (1 - random.random() * 0.004),
            )
            volume = 0.0 if random.random() < 0.05 else 1.0
            candle = Candle(symbol, "1m", open_ms, opened, high, low, close, volume)
            if random.random() < 0.05:
                held_back += [candle] if late else []
            else:
                made.append(candle)
        yield Slice(open_ms + MINUTE_MS, tuple(made), False)
        while held_back and random.random() < 0.4:
            yield LateCandle(held_back.pop(0))
        if commands and random.random() < 0.01:
            yield random.choice((Kill("a test"), Resume("a test")))
        if commands and operator.random() < 0.03:
            yield Close("a test", operator.choice(SYMBOLS), operator.choice((None, "trend", "revert")))
    yield EndOfData()


def check_books(played: Played) -> None:
    account, fills = played.runtime.account, played.fills
    start = account.starting_balance
    assert math.isclose(start + sum(fill.realized_pnl for fill in fills), account.balance, rel_tol=1e-12)
    for line in {Line(fill.strategy, fill.symbol) for fill in fills}:
        own = [fill for fill in fills if (fill.strategy, fill.symbol) == line]
        left = sum(fill.quantity if fill.opens else -fill.quantity for fill in own)
        position = account.positions.get(line)
        assert math.isclose(left, position.quantity if position else 0.0, rel_tol=1e-9, abs_tol=1e-9), line
        commission = sum(fill.commission for fill in own if not fill.opens)
        gross = sum(
            fill.side * fill.quantity * (fill.price - entry.price)
            for fill in own
            if not fill.opens
            for entry in own
            if entry.opens and entry.trade_id == fill.trade_id
        )
        paid = sum(fill.commission for fill in own if fill.opens) - (position.entry_commission if position else 0.0)
        realized = sum(fill.realized_pnl for fill in own)
        assert math.isclose(realized, gross - commission - paid, rel_tol=1e-9, abs_tol=1e-8), line


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
@pytest.mark.parametrize("seed", range(40))
def test_books_limits_stops_and_times(seed: int, late: bool) -> None:
    played = Played(config(seed))
    account = played.runtime.account
    stops: dict[int, Position] = {}
    ordered: dict[int, EntryOrder] = {}
    known = 0
    for event in played.play(events(seed, late=late)):
        check_books(played)
        new = {order.order_id: order for order in account.pending.values() if order.order_id not in ordered}
        ordered |= new
        if new and account.time_ms and not isinstance(event, LateCandle):
            # The last order saw what all before it took; a limit order's own share is bounded at its limit.
            slack = sum(order.quantity * abs(account.marks[order.symbol] - order.reference) for order in new.values())
            assert account.exposure() <= played.limits.max_exposure * account.equity() + slack + 1e-6
            assert len(account.positions) + len(account.pending) <= played.limits.max_open_positions
        for position in account.positions.values():
            before = stops.get(position.trade_id)
            assert before is None or position.side * (position.stop - before.stop) >= 0.0, "only towards the profit"
            assert before is None or position.quantity <= before.quantity
            stops[position.trade_id] = position
        for fill in played.fills[known:]:
            order = ordered.get(fill.order_id or -1)
            if fill.opens and order is not None:
                assert fill.time_ms >= order.signal_time_ms
                assert order.limit is None or order.side * (order.limit - fill.price) >= 0.0, "the limit or better"
                until_ms = order.valid_until_ms
                assert until_ms is None or fill.time_ms <= until_ms
        known = len(played.fills)
    assert not account.positions and not account.pending


@pytest.mark.parametrize("seed", range(25))
def test_a_silent_strategy_changes_nothing_of_the_others(seed: int) -> None:
    whole, without = Played(config(seed, ("revert",))), config(seed, ("revert",))
    without["live"]["strategies"] = [one for one in without["live"]["strategies"] if one["id"] != "revert"]
    alone = Played(without)
    for played in (whole, alone):
        for _ in played.play(events(seed)):
            pass
    assert whole.fills == alone.fills


def test_the_seeds_meet_every_reason() -> None:
    met: set[str] = set()
    for seed in range(40):
        played = Played(config(seed))
        for _ in played.play(events(seed)):
            pass
        met |= {fill.reason for fill in played.fills} | set(played.runtime.funnel.cancelled)
        met |= {str(one) for one in played.runtime.funnel.refused_by_gate}
    assert met >= {
        *(Reason.STOP_LOSS, Reason.TAKE_PROFIT, Reason.PARTIAL_TARGET, Reason.TRAILING_STOP, Reason.BREAK_EVEN),
        *(Reason.TIME_EXIT, Reason.SIGNAL_EXIT, Reason.KILL_SWITCH, Reason.END_OF_DATA),
        *("expired", "cooldown", "stop_guard", "losing_streak", "max_open_positions", "halted"),
    }
