"""TradingRuntime: the one consumer of the queue, and the one function that shows the order of the stages.

Every event is handled to its end before the next is looked at. What happens depends on the events and on how the
stages were built, on nothing else: no clock, no randomness, no settings, and it never knows which feed is behind.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from app.models.events import (
    AccountSnapshot,
    Close,
    EndOfData,
    Event,
    Execution,
    GiveUp,
    Halt,
    Kill,
    LateCandle,
    MarkedSlice,
    Reallocate,
    Resume,
    RevisedCandle,
    Stop,
)
from app.models.market import Candle, Slice
from app.models.orders import FLAT, Action, CloseOrder, Decision, EntryOrder, Line, Reason, Refusal, Signal
from app.runtime.funnel import Funnel
from app.runtime.host import StrategyHost
from app.trading.account import Account, SliceRows
from app.trading.allocation import Allocator
from app.trading.execution import Broker, ExecutionEngine
from app.trading.risk import RiskEngine
from app.trading.safety import SafetyMonitor

_IGNORED = (Refusal.POSITION_OPEN, Refusal.ORDER_PENDING, Refusal.NOTHING_TO_EXIT, Refusal.EXIT_PENDING)


class TradingRuntime:
    """Handles events; `ended` is True once no further event may be handled."""

    def __init__(
        self, *, account: Account, broker: Broker, safety: SafetyMonitor, host: StrategyHost,
        risks: Mapping[str, RiskEngine], execution: ExecutionEngine, funnel: Funnel, rows: SliceRows,
        decisions: list[Decision] | None = None, flatten_on_stop: bool = True, allocator: Allocator | None = None,
    ) -> None:  # fmt: skip
        self.account = account
        self.broker = broker
        self.safety = safety
        self.host = host
        self.risks = risks  # by the strategy's id
        self.execution = execution
        self.funnel = funnel
        self.rows = rows
        self.decisions: list[Decision] = [] if decisions is None else decisions  # an observer takes them away
        self.ended = False
        self.ending: Reason | None = None  # the closing phase: nothing is decided any more, until all is flat
        self.gave_up: str | None = None  # why the closing phase ended although something was open
        self.feed_counts: Counter[str] = Counter()  # what the world was late with; always empty over history
        self.allocator = allocator  # None: fixed parts of the equity
        self._flatten_on_stop = flatten_on_stop

    def parts_of(self, events: Sequence[Event]) -> Iterable[Sequence[Event]]:
        """The events with what must come between them, in parts; each is handled before the next is asked for."""
        return (events,) if self.allocator is None else self.allocator.parts(events)

    async def handle(self, events: Sequence[Event]) -> None:  # noqa: PLR0912 - the order of the stages, in one place
        """A burst, one event after the other, each to its end; nothing after the event that ends the session.

        A slice of the run goes through broker, guard and decide, always in this order (RULES.md).
        """
        account, broker, safety, rows = self.account, self.broker, self.safety, self.rows
        add_slice, add_equity, add_balance = rows.slices.append, rows.equities.append, rows.balances.append
        marks = account.marks
        strategies = [] if self.ending is not None else [(own, own.asked.get) for own in self.host.hosted]
        absorb, keeps = self.host.absorb if self.host.has_coarse else None, self.host.keeps
        day_end_ms = safety.day_end_ms
        for event in events:
            if type(event) is not Slice or event.warmup:
                if isinstance(event, MarkedSlice):
                    self.feed_counts["late_slices"] += event.late
                    self.feed_counts["stale_symbols"] += len(event.stale)
                if not isinstance(event, Slice) or event.warmup:
                    await self._handle_other(event)
                    if self.ended:
                        return
                    if self.ending is not None:
                        strategies = []
                    continue
            time_ms = event.close_time_ms
            if account.positions or account.pending:
                await broker.on_slice(event)
                equity = account.equity()
            else:  # nothing for a broker to fill or to close: only time and marks move
                account.time_ms = time_ms
                for candle in event.candles:
                    marks[candle.symbol] = candle.close
                equity = account.balance

            # The guard is asked where it can have anything to say: a new peak, or near one of its limits.
            if time_ms > day_end_ms:
                day_end_ms = safety.begin_day(time_ms)
            if not safety.watch_below < equity <= safety.peak and await safety.on_slice(time_ms, equity):
                await self._close_everything()
                equity = account.equity()  # under `fill: close` the positions are gone already
            add_slice(event)
            add_equity(equity)
            add_balance(account.balance)

            for keepers in keeps:
                for candle in event.candles:
                    keepers[candle.symbol](candle)
            closing = None if absorb is None else absorb(event)
            for own, asked in strategies:
                for candle in event.candles if closing is None else closing[own.timeframe]:
                    one = asked(candle.symbol)
                    if one is not None:
                        signal = await one[0](candle, one[1])
                        if signal is not FLAT:
                            await self._act(one[1].line, own.check(signal, candle), event)
            if not strategies and await self._go_on_ending():
                return

    async def _handle_other(self, event: Event) -> None:
        """Everything but a slice of the run."""
        if isinstance(event, Slice):
            await self._warm_up(self.host.absorb(event))
        elif isinstance(event, LateCandle):
            if event.warmup:
                await self._warm_up(self.host.absorb_late(event.candle))
            else:
                await self._catch_up(event)
        elif isinstance(event, RevisedCandle):
            self.feed_counts["revised_candles"] += 1
        elif isinstance(event, Execution):
            await self._hear(event)
        elif isinstance(event, AccountSnapshot):
            await self.broker.on_snapshot(event)
            await self._go_on_ending()
        elif isinstance(event, Reallocate):
            if self.allocator is not None:
                self.allocator.apply(event)
        else:
            await self._obey(event)

    async def _warm_up(self, closing: Mapping[str, Sequence[Candle]]) -> None:
        """Indicators and nothing else: whatever a strategy answers is dropped."""
        for own in self.host.hosted:
            for candle, on_candle, view in own.asked_of(closing):
                await on_candle(candle, view)

    async def _catch_up(self, event: LateCandle) -> None:
        """A candle whose slice went without it: fills and exits, then the strategy, whose entries are too late."""
        self.feed_counts["late_candles"] += 1
        self.broker.update_positions(event.candle)
        closing = self.host.absorb_late(event.candle)
        for own in self.host.hosted:
            for candle, on_candle, view in own.asked_of(closing):
                await self._act(view.line, own.check(await on_candle(candle, view), candle), event)
        self._rewrite_last_row()

    async def _act(self, line: Line, signal: Signal, event: Slice | LateCandle) -> None:
        """From a line's signal to an order, or to a counted refusal; `event` is what its candle came with."""
        if signal.action is Action.FLAT:
            return
        self.funnel.signals[signal.action] += 1
        outcome: str
        order: EntryOrder | CloseOrder | None
        if signal.action is Action.EXIT:
            outcome, order = await self._exit(line, Reason.SIGNAL_EXIT, signal.tag)
            self.funnel.exits_ordered += order is not None
        else:
            outcome, order = await self._enter(line, signal, event)
        if outcome in _IGNORED:
            self.funnel.ignored[Refusal(outcome)] += 1
        time_ms, tag = self.account.time_ms, signal.tag
        self.decisions.append(Decision(time_ms, line.symbol, signal.action, outcome, order, tag, line.strategy, signal))

    async def _enter(self, line: Line, signal: Signal, event: Slice | LateCandle) -> tuple[str, EntryOrder | None]:
        if line in self.account.positions:
            return Refusal.POSITION_OPEN, None
        if line in self.account.pending:
            return Refusal.ORDER_PENDING, None
        output = await self.risks[line.strategy].assess(line, signal, self.account)
        if isinstance(output, Refusal):
            self.funnel.refused_by_risk[output] += 1
            return output, None
        refusal = _refused_by_feed(line.symbol, event) or await self.safety.gate(line) or self.broker.refusal(output)
        if refusal is not None:
            self.funnel.refused_by_gate[refusal] += 1
            return refusal, None
        order = self.execution.create_order_from_risk_output(output, signal, self.account.time_ms)
        await self.execution.submit_order(order)
        self.funnel.sized_by[order.sized_by] += 1
        return "order", order

    async def _exit(self, line: Line, reason: Reason, tag: str = "") -> tuple[str, CloseOrder | None]:
        """A strategy's EXIT, or an operator's close, passes no limit: close the position, or cancel the entry."""
        if line in self.account.closing:
            return Refusal.EXIT_PENDING, None
        if line in self.account.positions:
            if line in self.account.pending:  # the rest of an entry that was filled in part
                await self.broker.cancel_entry(line, reason.value)
            return "exit_ordered", await self._order_close(line, reason, tag)
        is_cancelled = await self.broker.cancel_entry(line, reason.value)
        return "entry_cancelled" if is_cancelled else Refusal.NOTHING_TO_EXIT, None

    async def _obey(self, event: Event) -> None:
        """A command takes effect here, after the slice handled before it."""
        if isinstance(event, Kill):
            if self.safety.trip(self.account.time_ms, event.why):
                await self._close_everything()
                self._rewrite_last_row()
        elif isinstance(event, Halt):
            await self._halt(event.why)
        elif isinstance(event, Close):
            for line in self.account.lines.get(event.symbol, ()):
                if event.strategy in (None, line.strategy):
                    await self._exit(line, Reason.OPERATOR)
            self._rewrite_last_row()
        elif isinstance(event, Resume):
            self.safety.resume()
        elif isinstance(event, GiveUp):
            self.gave_up, self.ended = event.why, True
            self.ending = self.ending if self._flatten_on_stop else None
        elif isinstance(event, EndOfData) or self._flatten_on_stop:
            await self.flatten(Reason.SHUTDOWN if isinstance(event, Stop) else Reason.END_OF_DATA)
        else:
            self.ending = self.ending or Reason.SHUTDOWN
            await self._go_on_ending()

    async def flatten(self, reason: Reason) -> None:
        """The end of a session begins: entries cancelled, positions closed; it has ended when nothing is left."""
        self.funnel.cancelled["session_end"] += 0  # named also where there was none
        self.ending = self.ending or reason
        await self._go_on_ending()
        self._rewrite_last_row()

    async def _hear(self, execution: Execution) -> None:
        """What a broker says of an order. What was filled after all must be closed after all."""
        halts = await self.broker.on_execution(execution)
        if halts is not None:
            await self._halt(halts)
        if self.safety.killed and self.ending is None:
            await self._close_everything()
        await self._go_on_ending()
        self._rewrite_last_row()

    async def _go_on_ending(self) -> bool:
        """In the closing phase: what was filled meanwhile is closed, too. Whether nothing is left to wait for."""
        account, broker = self.account, self.broker
        if self.ending is Reason.SHUTDOWN and not self._flatten_on_stop:
            self.ended = await broker.leave()
            self.ending = None if self.ended else self.ending  # what is kept goes on with the next start
        elif self.ending is not None:
            await broker.close_all_positions(self.ending)
            self.ended = broker.is_settled and not account.positions and not account.pending
        return self.ended

    async def _halt(self, why: str) -> None:
        """Entries halt; positions and their protection stay."""
        if self.safety.trip(self.account.time_ms, why, kills=False):
            for line in list(self.account.pending):
                await self.broker.cancel_entry(line, "halted")

    async def _close_everything(self) -> None:
        """The kill switch: pending entries cancelled, a close order for every position that has none."""
        account = self.account
        for line in list(account.pending):
            await self.broker.cancel_entry(line, "kill_switch")
        for line in list(account.positions):
            if line not in account.closing:
                await self._order_close(line, Reason.KILL_SWITCH)

    async def _order_close(self, line: Line, reason: Reason, tag: str = "") -> CloseOrder:
        order = self.execution.create_close_order(line, reason, self.account.time_ms, tag)
        await self.execution.submit_order(order)
        return order

    def _rewrite_last_row(self) -> None:
        if self.rows.slices:
            self.rows.equities[-1] = self.account.equity()
            self.rows.balances[-1] = self.account.balance


def _refused_by_feed(symbol: str, event: Slice | LateCandle) -> Refusal | None:
    """No entry on what came late, or on a symbol that has had no candle for too long."""
    if isinstance(event, MarkedSlice):
        if event.late:
            return Refusal.LATE
        return Refusal.STALE if symbol in event.stale else None
    return Refusal.LATE if isinstance(event, LateCandle) else None
