"""Brings a run back to one candle: the same events through the same runtime, observed where the answer is made.

The runtime is handed the run's own events, and what its stages said and held at that candle is written down; nothing is
computed a second time. Files of the replay lie in a temporary folder that is gone afterwards.
"""

import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import DataError, StrategyError
from app.models.events import Event, LateCandle, MarkedSlice
from app.models.market import Candle, Slice
from app.models.orders import Action, CloseOrder, Decision, EntryOrder, Fill, Line, Position, Signal
from app.proof.rebuild import Source, candle_of, find
from app.runs.equity import EquityLog
from app.runs.recorder import RunRecorder
from app.runs.trade_log import TradeLog
from app.runtime.host import Hosted, OnCandle
from app.runtime.runtime import TradingRuntime
from app.session.building import build_runtime, fill_rules
from app.strategies.base import Condition, Strategy, View
from app.trading.exit_rules import Exit, FillRules, exits_of
from app.trading.risk import Sizing

_SHOWN = 3  # of the candles that a strategy keeps
_ENTRIES = (Action.LONG, Action.SHORT)


@dataclass
class Seen:
    """What was there at the candle; `signal` is None where the strategy was not asked."""

    symbol: str
    event: Slice | LateCandle
    candle: Candle | None
    before: Position | None = None
    pending: EntryOrder | None = None
    closing: CloseOrder | None = None
    asked: Candle | None = None
    signal: Signal | None = None
    conditions: Sequence[Condition] = ()
    indicators: dict[str, float | None] = field(default_factory=dict)
    sizing: Sizing | None = None
    equity: float = 0.0
    peak: float = 0.0
    losses: tuple[float, float] = (0.0, 0.0)
    halted: bool = False
    taken: int = 0
    decision: Decision | None = None
    lookback: Sequence[Candle] = ()
    fills: list["Filled"] = field(default_factory=list)
    later: "Filled | None" = None

    @property
    def is_late(self) -> bool:
        """Whether no entry is accepted on it because it came too late."""
        return isinstance(self.event, LateCandle) or (isinstance(self.event, MarkedSlice) and self.event.late)

    @property
    def is_stale(self) -> bool:
        """Whether the symbol had no candle for too long."""
        return isinstance(self.event, MarkedSlice) and self.symbol in self.event.stale


@dataclass(frozen=True)
class Filled:
    """A fill, the candle that made it (None: at the last mark), and which exit rule held in it, if one did."""

    fill: Fill
    candle: Candle | None
    exit: Exit | None


async def look(source: Source, symbol: str, time_ms: int) -> Seen:
    """Everything that was there at the symbol's candle, and what became of its order."""
    if symbol not in source.settings.live.symbols:
        listed = ", ".join(source.settings.live.symbols)
        raise DataError(f"{source.folder}: {symbol} is no symbol of this run ({listed})")
    number = find(source, symbol, time_ms)
    async with _runtime(source) as watch:
        events = source.events()
        for _ in range(number):
            await watch.handle(next(events))
        seen = await watch.look(next(events), symbol)
        await watch.follow(events, seen)
    return seen


class _Watch:
    """A runtime with its recorder; `opened` are the positions of the trades of this event and of those still open."""

    def __init__(
        self, runtime: TradingRuntime, recorder: RunRecorder, opened: dict[int, Position], rules: FillRules
    ) -> None:
        self._rules = rules
        self._runtime = runtime
        self._recorder = recorder
        self._opened = opened

    async def handle(self, event: Event) -> list[Fill]:
        """One event; its fills."""
        runtime = self._runtime
        if len(self._opened) > len(runtime.account.positions):
            still_open = [position.trade_id for position in runtime.account.positions.values()]
            for trade_id in [one for one in self._opened if one not in still_open]:
                del self._opened[trade_id]
        for part in runtime.parts_of((event,)):
            await runtime.handle(part)
        fills = list(self._recorder.new_fills)
        if fills:
            self._recorder.flush()
        self._recorder.flush_if_full()
        return fills

    async def look(self, event: Event, symbol: str) -> Seen:
        """The event at which everything is written down."""
        if not isinstance(event, (Slice, LateCandle)):
            raise TypeError(f"a {type(event).__name__} has no candles")
        account, own = self._runtime.account, self._runtime.host.hosted[0]
        line, asked = own.asked[symbol][1].line, own.asked
        self._recorder.flush()
        candle = candle_of(event, symbol)
        before = account.positions.get(line), account.pending.get(line), account.closing.get(line)
        seen = Seen(symbol, event, candle, *before)
        original = asked[symbol]
        asked[symbol] = (self._listening(seen, own, original[0]), original[1])
        for part in self._runtime.parts_of((event,)):
            await self._runtime.handle(part)
        asked[symbol] = original
        seen.decision = next((one for one in self._recorder.decisions if one.symbol == symbol), None)
        seen.fills = [self._filled(fill, candle) for fill in self._recorder.new_fills if fill.symbol == symbol]
        self._recorder.flush()
        if seen.signal is None:
            self._note_account(seen)
        return seen

    async def follow(self, events: Iterable[Event], seen: Seen) -> None:
        """What came after the candle: a flatten before the next slice, and the fill of the order."""
        order = None if seen.decision is None else seen.decision.order
        waiting = order is not None and order.order_id not in [one.fill.order_id for one in seen.fills]
        between = True  # this slice and the next
        for event in events:
            between = between and not isinstance(event, Slice)
            if not waiting and not between:
                return
            candle = candle_of(event, seen.symbol)
            for fill in await self.handle(event):
                if fill.symbol != seen.symbol:
                    continue
                if waiting and order is not None and fill.order_id == order.order_id:
                    seen.later, waiting = self._filled(fill, candle), False
                elif between:
                    seen.fills.append(self._filled(fill, candle))
            waiting = (
                waiting
                and order is not None
                and order.line in (*self._runtime.account.pending, *self._runtime.account.closing)
            )

    def _listening(self, seen: Seen, own: Hosted, original: OnCandle) -> OnCandle:
        strategy = getattr(original, "__self__", None)

        async def on_candle(candle: Candle, view: View) -> Signal:
            signal = await original(candle, view)
            seen.asked, seen.signal, seen.lookback = candle, signal, _newest(view)
            if isinstance(strategy, Strategy):
                self._ask(strategy, candle, view, seen)
            self._note_account(seen)
            if not (isinstance(seen.event, Slice) and seen.event.warmup):
                checked = own.check(signal, candle)
                if checked.action in _ENTRIES:
                    seen.sizing = self._runtime.risks[view.line.strategy].size(
                        view.line, checked, self._runtime.account
                    )
            return signal

        return on_candle

    def _ask(self, strategy: Strategy, candle: Candle, view: View, seen: Seen) -> None:
        values = getattr(strategy, "indicator_values", dict)
        try:
            seen.conditions, seen.indicators = list(strategy.explain(candle, view)), dict(values())
        except Exception as error:
            name = type(strategy).__name__
            raise StrategyError(f"strategy {name} cannot explain itself: {type(error).__name__}: {error}") from error

    def _note_account(self, seen: Seen) -> None:
        safety = self._runtime.safety
        seen.equity, seen.peak = self._runtime.account.equity(), safety.peak
        seen.losses, seen.halted, seen.taken = safety.losses(seen.equity), safety.halted, safety.taken

    def _filled(self, fill: Fill, candle: Candle | None) -> Filled:
        position, ordered = self._opened.get(fill.trade_id), fill.opens or fill.order_id is not None
        if ordered or candle is None or position is None:
            return Filled(fill, candle, None)
        exits = exits_of(position, candle, self._rules)
        return Filled(fill, candle, next((one for one in exits if one.reason is fill.reason), None))


@asynccontextmanager
async def _runtime(source: Source) -> AsyncIterator[_Watch]:
    opened: dict[int, Position] = {}
    with tempfile.TemporaryDirectory(prefix="onetape-why-") as name:
        folder = Path(name)
        logs = TradeLog(folder / "trades.csv"), EquityLog(folder / "equity.parquet", 1.0)
        recorder = RunRecorder(source.settings.live.symbols, *logs)
        take_note = recorder.on_fill

        def on_fill(fill: Fill) -> None:
            if fill.opens:  # the position stands in the account already
                opened[fill.trade_id] = runtime.account.positions[Line(fill.strategy, fill.symbol)]
            take_note(fill)

        recorder.on_fill = on_fill
        state = None if source.state is None else source.state.runtime
        runtime = build_runtime(source.settings, source.strategies, recorder, state)
        opened.update((position.trade_id, position) for position in runtime.account.positions.values())
        try:
            yield _Watch(runtime, recorder, opened, fill_rules(source.settings.trading_mode))
        finally:
            recorder.close()


def _newest(view: View) -> Sequence[Candle]:
    try:
        return view.candles(_SHOWN)
    except LookupError:
        return ()  # the strategy keeps none
