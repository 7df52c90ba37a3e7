"""Brings a run back to one candle: the same events through the same runtime, observed where the answer is made.

The runtime is handed the run's own events, and what its stages said and held at that candle is written down; nothing is
computed a second time. Files of the replay lie in a temporary folder that is gone afterwards.
"""

import difflib
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from app.errors import ConfigError, DataError, StrategyError
from app.models.events import Close, Event, Execution, LateCandle
from app.models.market import Candle, Slice
from app.models.orders import Action, Decision, EntryOrder, Fill, Line, Position, Reason, Signal
from app.proof.rebuild import Source, candle_of, find
from app.proof.seen import Filled, Seen
from app.runs.equity import EquityLog
from app.runs.recorder import RunRecorder
from app.runs.trade_log import TradeLog
from app.runtime.host import Hosted, OnCandle
from app.runtime.runtime import TradingRuntime
from app.session.building import build_runtime, fill_rules
from app.strategies.base import Strategy, View
from app.trading.exit_rules import Exit, FillRules, exits_after_limit, exits_of

_SHOWN = 3  # of the candles that a strategy keeps
_ENTRIES = (Action.LONG, Action.SHORT)


async def look(source: Source, symbol: str, time_ms: int, strategy: str | None = None) -> list[Seen]:
    """Everything that was there at the symbol's candle, and what became of its orders: of the strategy that is named,
    or of each that was asked or filled then; of all that trade the symbol where none was.
    """
    if symbol not in source.settings.live.symbols:
        listed = ", ".join(source.settings.live.symbols)
        raise DataError(f"{source.folder}: {symbol} is no symbol of this run ({listed})")
    ids = [spec.id for spec, _ in source.strategies.of if symbol in spec.symbols]
    if strategy is not None and strategy not in ids:
        near = difflib.get_close_matches(strategy, ids, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(ids) or 'none'}"
        raise ConfigError(f"{source.folder}: no strategy {strategy} trades {symbol} in this run; {hint}")
    number = find(source, symbol, time_ms)
    async with rebuilt(source) as watch:
        events = source.events()
        for _ in range(number):
            await watch.handle(next(events))
        found = await watch.look(next(events), symbol, ids if strategy is None else [strategy])
        await watch.follow(events, found)
    if strategy is not None:
        return found
    return [one for one in found if one.signal is not None or one.fills] or found


class Watch:
    """A runtime with its recorder; `opened` are the positions of the trades of this event, as they were before it or
    as they were opened in it.
    """

    def __init__(
        self, runtime: TradingRuntime, recorder: RunRecorder, opened: dict[int, Position], rules: FillRules
    ) -> None:
        self._rules = rules
        self._runtime = runtime
        self._recorder = recorder
        self._opened = opened
        self._pending: dict[Line, EntryOrder] = {}  # before the event

    @property
    def hosted(self) -> Sequence[Hosted]:
        """Its strategies."""
        return self._runtime.host.hosted

    async def handle(self, event: Event) -> tuple[list[Fill], list[Decision]]:
        """One event; its fills and decisions."""
        await self._hand_over(event)
        fills, decisions = list(self._recorder.new_fills), list(self._recorder.decisions)
        if fills or decisions:
            self._recorder.flush()
        self._recorder.flush_if_full()
        return fills, decisions

    async def _hand_over(self, event: Event) -> None:
        account = self._runtime.account
        self._opened.clear()
        self._opened.update((position.trade_id, position) for position in account.positions.values())
        self._pending = dict(account.pending)
        for part in self._runtime.parts_of((event,)):
            await self._runtime.handle(part)

    async def look(self, event: Event, symbol: str, strategies: Sequence[str]) -> list[Seen]:
        """The event at which everything is written down, of each strategy's line."""
        if not isinstance(event, (Slice, LateCandle)):
            raise TypeError(f"a {type(event).__name__} has no candles")
        account, candle = self._runtime.account, candle_of(event, symbol)
        self._recorder.flush()
        found, originals = [], []
        for own in self._runtime.host.hosted:
            if symbol not in own.asked or (line := own.asked[symbol][1].line).strategy not in strategies:
                continue
            before = _as_it_is(account.positions.get(line))
            seen = Seen(line, event, candle, before)
            seen.pending, seen.closing = account.pending.get(line), account.closing.get(line)
            found.append(seen)
            originals.append((own, own.asked[symbol]))
            own.asked[symbol] = (self._listening(seen, own, own.asked[symbol][0]), own.asked[symbol][1])
        await self._hand_over(event)
        for own, original in originals:
            own.asked[symbol] = original
        for seen in found:
            self._note_outcome(seen)
        self._recorder.flush()
        return found

    def _note_outcome(self, seen: Seen) -> None:
        account, line = self._runtime.account, seen.line
        decisions = (one for one in self._recorder.decisions if (one.strategy, one.symbol) == line)
        seen.decision = next(decisions, None)
        seen.fills = self._filled(self._recorder.new_fills, line, seen.candle, seen.event)
        seen.after = account.positions.get(line)
        if seen.after is not None and seen.after.trade_id in self._opened:
            seen.first_stop = self._opened[seen.after.trade_id].stop
        closing = account.closing.get(line)
        if closing is not None and closing.reason is Reason.TIME_EXIT and seen.closing is None:
            seen.time_exit = closing
        if seen.signal is None:
            self._note_account(seen)

    async def follow(self, events: Iterable[Event], found: Sequence[Seen]) -> None:
        """What came after the candle: a flatten before the next slice, and the fills of the orders."""
        waiting = {
            order.order_id: seen
            for seen in found
            if seen.decision is not None
            and (order := seen.decision.order) is not None
            and order.order_id not in [one.fill.order_id for one in seen.fills]
        }
        between = True  # this slice and the next
        for event in events:
            between = between and not isinstance(event, Slice)
            if not waiting and not between:
                return
            fills, decisions = await self.handle(event)
            for seen in found:
                candle = candle_of(event, seen.symbol)
                for one in self._filled(fills, seen.line, candle, event):
                    if waiting.get(one.fill.order_id or 0) is seen:
                        seen.later = one
                        del waiting[one.fill.order_id or 0]
                    elif between:
                        seen.fills.append(one)
            for order_id, seen in list(waiting.items()):
                if not self._waits(seen.line, order_id):
                    seen.gone = self._why_gone(seen, event, decisions)
                    del waiting[order_id]

    def _waits(self, line: Line, order_id: int) -> bool:
        account = self._runtime.account
        orders = account.pending.get(line), account.closing.get(line)
        return any(order is not None and order.order_id == order_id for order in orders)

    def _why_gone(self, seen: Seen, event: Event, decisions: Sequence[Decision]) -> tuple[str, int]:
        """What the ledger counts it as; a close order goes with its position."""
        time_ms, candle = self._runtime.account.time_ms, candle_of(event, seen.symbol)
        order = None if seen.decision is None else seen.decision.order
        if not isinstance(order, EntryOrder):
            return "closed", time_ms
        if order.valid_until_ms is not None and candle is not None and candle.open_time_ms >= order.valid_until_ms:
            return "expired", time_ms
        if any((one.strategy, one.symbol, one.outcome) == (*seen.line, "entry_cancelled") for one in decisions):
            return "signal_exit", time_ms
        if isinstance(event, Close):
            return "operator", time_ms
        return "kill_switch" if self._runtime.safety.halted else "session_end", time_ms

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
        seen.pauses, seen.decided_ms = safety.pauses(seen.line), self._runtime.account.time_ms

    def _filled(self, fills: Sequence[Fill], line: Line, candle: Candle | None, event: Event) -> list[Filled]:
        """Those of a line; exits of one trade in their order, each with the rule that held, or the exchange's word."""
        if isinstance(event, Execution):
            own = (fill for fill in fills if (fill.strategy, fill.symbol) == line)
            return [Filled(fill, candle, execution=event) for fill in own]
        found: list[Filled] = []
        exits: dict[int, list[Exit]] = {}
        for fill in fills:
            if (fill.strategy, fill.symbol) != line:
                continue
            if fill.opens:
                order = self._pending.get(line)
                found.append(Filled(fill, candle, order=order))
                continue
            rules = exits.setdefault(fill.trade_id, self._exits(fill.trade_id, candle))
            rule = None
            if fill.order_id is None:
                rule = next((one for one in rules if one.reason is fill.reason), None)
            if rule is not None:
                rules.remove(rule)
            position = self._opened.get(fill.trade_id)
            found.append(Filled(fill, candle, rule, had_legs=position is not None and bool(position.legs)))
        return found

    def _exits(self, trade_id: int, candle: Candle | None) -> list[Exit]:
        position = self._opened.get(trade_id)
        if position is None or candle is None:
            return []
        if position.entry_time_ms > candle.open_time_ms:  # a limit entry, filled inside the candle
            return exits_after_limit(position, candle, self._rules)
        return exits_of(position, candle, self._rules)


def _as_it_is(position: Position | None) -> Position | None:
    """A copy that does not change with the candle."""
    if position is None:
        return None
    return msgspec.structs.replace(position, held=msgspec.structs.replace(position.held))


@asynccontextmanager
async def rebuilt(source: Source) -> AsyncIterator[Watch]:
    """A runtime of the run, new or from its epoch's state; its files are gone at the end of the block."""
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
        runtime = build_runtime(
            source.settings, source.strategies, recorder, state,
            orders=source.orders, paper_from_ms=source.paper_from_ms,
        )  # fmt: skip
        try:
            yield Watch(runtime, recorder, opened, fill_rules(source.settings.trading_mode))
        finally:
            recorder.close()


def _newest(view: View) -> Sequence[Candle]:
    try:
        return view.candles(_SHOWN)
    except LookupError:
        return ()  # the strategy keeps none
