"""What can be said of a live session at any moment: for its status file, its screen and its results.

It follows the events that were handled, replayed ones included, so that a session that was continued says the same as
one that never stopped.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.errors import OnetapeError
from app.feeds.tape import candles_of
from app.feeds.websocket import LinkState
from app.models.events import Event, MarkedSlice
from app.models.market import Candle, Slice
from app.models.orders import Decision, Fill
from app.runs.run_folder import RunFolder, write_json
from app.session.control import write_status
from app.session.handling import Handling
from app.session.order_tally import OrderTally
from app.session.period import Period
from app.session.plan import EventCoverage, RunPlan
from app.session.recorded_runtime import RecordedRuntime
from app.session.state import SessionState, encode_state, read_state, restore_runtime, runtime_state, totals_of

if TYPE_CHECKING:
    from app.exchange.limiter import RateLimiter
    from app.session.order_watch import OrderWatch

_STATUS_S = 1.0
_FILLS_SHOWN = 10


@dataclass
class SessionView:
    """What can be said of a session at any moment, for its status, its screen and its results.

    `on_event`, `on_link`, `on_slow` and `on_failed` hear of what happens: events with what came of them, news of the
    feed, events that took longer to handle than a candle lasts (in real seconds), and why the session broke off. They
    must be quick, and never raise.
    """

    plan: RunPlan
    folder: RunFolder
    recorded: RecordedRuntime
    on_event: "Callable[[SessionView, Event, Sequence[Fill], Sequence[Decision]], None] | None" = None
    on_link: Callable[[LinkState], None] | None = None
    on_slow: Callable[[Event, float], None] | None = None
    on_failed: "Callable[[SessionView, str], None] | None" = None
    orders: "OrderWatch | None" = None  # of a session whose orders are real
    limiter: "Callable[[], RateLimiter] | None" = None  # of what is asked of the exchange's REST
    tally: OrderTally = field(default_factory=OrderTally)  # of real orders
    handling: Handling = field(default_factory=Handling)
    coverage: EventCoverage = field(init=False)
    seen: dict[str, int] = field(default_factory=dict)
    last_close_ms: int | None = None
    link: LinkState | None = None
    last_fills: list[Fill] = field(default_factory=list)
    last_candles: dict[str, Candle] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    _decided: bytes | None = None  # the state after the newest event that was decided on

    def __post_init__(self) -> None:
        live = self.plan.settings.live
        self.coverage = EventCoverage(live.symbols, live.timeframe)
        self.recorded.observer = self.note

    def note(self, event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> None:
        """After each event, also of a replayed tape."""
        self.coverage.note(event)
        for candle in candles_of(event):
            self.seen[candle.symbol] = candle.open_time_ms
            self.last_candles[candle.symbol] = candle
        if isinstance(event, Slice) and not event.warmup:
            self.last_close_ms = event.close_time_ms
            self.stale = event.stale if isinstance(event, MarkedSlice) else ()
        self.last_fills = [*self.last_fills, *fills][-_FILLS_SHOWN:]
        if self.plan.orders is not None:
            self.tally.note(self.recorded.runtime, event, self.recorded.intents, fills)
        if self.orders is not None:
            self.orders.note(self.recorded.runtime, event)
        if self.on_event is not None:
            self.on_event(self, event, fills, decisions)

    def state(self, seq: int) -> bytes:
        """All that a later epoch would need to go on after event `seq`."""
        recorded, recorder = self.recorded, self.recorded.recorder
        parts = runtime_state(recorded.runtime), totals_of(recorder), recorder.lengths()
        coverage = list(self.coverage.series.values())
        state = SessionState(seq, recorded.digest, *parts, self.seen, self.last_close_ms or 0, coverage)
        self._decided = encode_state(state)
        return self._decided

    def recall(self, state: SessionState | None) -> None:
        """What an earlier epoch had seen; its warm-up is not this one's."""
        if state is None:
            return
        self.seen.update(state.seen)
        self.last_close_ms = state.last_close_ms
        for series in state.coverage:
            if series.symbol in self.coverage.series:
                self.coverage.series[series.symbol] = replace(series, warmup_candles=0)

    def note_link(self, state: LinkState) -> None:
        """The feed's own counts."""
        self.link = state
        if self.on_link is not None:
            self.on_link(state)

    def note_slow(self, event: Event, took_s: float) -> None:
        """An event that took longer than a candle lasts."""
        self.handling.slow += 1
        if self.on_slow is not None:
            self.on_slow(event, took_s)

    async def keep_status(self, _: object) -> None:
        """Writes status.json every second, until cancelled."""
        while True:
            write_status(self.folder.folder, {**self.status(), "tasks": len(asyncio.all_tasks())})
            await asyncio.sleep(_STATUS_S)

    def status(self) -> dict[str, Any]:
        """For other shells: where the session stands."""
        runtime, live = self.recorded.runtime, self.plan.settings.live
        account = runtime.account
        return {
            "mode": self.plan.mode,
            "exchange": live.exchange,
            "symbols": list(live.symbols),
            "timeframe": live.timeframe,
            "epoch": self.plan.epochs[-1]["number"] if self.plan.epochs else 1,
            "last_slice_ms": self.last_close_ms,
            "stale": list(self.stale),
            "link": None if self.link is None else asdict(self.link),
            "equity": account.equity(),
            "balance": account.balance,
            "peak": runtime.safety.peak,
            "halted": runtime.safety.halted,
            "killed": runtime.safety.killed,
            "closing": self._is_closing,
            "halts": [{"time_ms": trip.time_ms, "why": trip.why} for trip in runtime.safety.trips],
            "positions": [
                {
                    "symbol": one.symbol,
                    "strategy": one.strategy,
                    "side": one.side.name,
                    "quantity": one.quantity,
                    "first_quantity": one.first_quantity,
                    "entry": one.entry_price,
                    "mark": account.marks[one.symbol],
                    "stop": one.stop,
                    "moved_by": None if one.moved_by is None else str(one.moved_by),
                    "best": one.held.best,
                    "target": one.target,
                    "legs": [[leg.price, leg.quantity] for leg in one.legs],
                    "time_exit_ms": one.time_exit_ms,
                    "closing": str(account.closing[line].reason) if line in account.closing else None,
                    "unrealised": one.unrealised(account.marks[one.symbol]),
                }
                for line, one in account.positions.items()
            ],
            "pending": [str(line) for line in account.pending],
            "orders": [
                {
                    "symbol": one.symbol,
                    "strategy": one.strategy,
                    "side": one.side.name,
                    "quantity": one.quantity,
                    "limit": one.limit,
                    "valid_until_ms": one.valid_until_ms,
                    "rests": one.rests,
                }
                for one in account.pending.values()
            ],
            "funnel": runtime.funnel.as_dict(),
            "feed": dict(runtime.feed_counts),
            "handling": asdict(self.handling),
            **({} if self.limiter is None else {"rest": _used(self.limiter())}),
            **({} if runtime.allocator is None else {"allocations": runtime.allocator.weights}),
            **({} if self.orders is None else {"real_orders": self.orders.status(runtime)}),
        }

    @property
    def _is_closing(self) -> bool:
        """Whether a kill or the end of the session has still something to close."""
        runtime = self.recorded.runtime
        is_asked = runtime.ending is not None or runtime.safety.killed
        is_flat = not runtime.account.positions and not runtime.account.pending and runtime.broker.is_settled
        return is_asked and not is_flat

    def fail(self, error: BaseException) -> None:
        """The last status of a session that broke off with a fault, from which the next start continues.

        What the event at hand had done in memory is on no tape: the account is again that of the last digest.
        """
        if self._decided is not None:
            restore_runtime(read_state(self._decided, self.folder.folder).runtime, self.recorded.runtime)
        why = str(error) if isinstance(error, OnetapeError) else type(error).__name__
        write_status(self.folder.folder, {**self.status(), "ended": "failed", "why": why})
        if self.on_failed is not None:
            self.on_failed(self, why)

    def real_orders(self) -> dict[str, Any]:
        """For results.json: what became of them; nothing of a session on paper."""
        runtime = self.recorded.runtime
        return {} if self.plan.orders is None else {"real_orders": self.tally.as_dict(runtime)}

    def finish(self, status: str) -> dict[str, Any]:
        """The run's last files; a session that keeps its positions, or could not close them, stays open for the next
        start.
        """
        recorder = self.recorded.recorder
        recorder.finish()
        last_ms = self.last_close_ms or self.plan.period.start_ms
        plan = replace(self.plan, period=Period(self.plan.period.start_ms, last_ms, self.plan.period.note))
        series = list(self.coverage.series.values())
        results = plan.results(status, "", series, self.recorded.runtime, recorder, self.folder)
        results |= self.real_orders()
        write_json(self.folder.manifest, plan.manifest(self.folder))
        if status in ("kept", "gave_up"):
            with suppress(OSError):
                self.folder.results.unlink(missing_ok=True)
        else:
            write_json(self.folder.results, results)
        write_status(self.folder.folder, {**self.status(), "ended": status})
        return results


def _used(limiter: "RateLimiter") -> dict[str, Any]:
    minute = {"minute_weight": limiter.minute_weight, "minute_limit": limiter.minute_limit}
    return {"requests": limiter.requests, "weight": limiter.weight, **minute}
