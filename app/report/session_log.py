"""What happens in a session as events for `--log-json` and `--log-file`: names in the past tense with key-values.

It only looks, and notes what differs from before (a link that came up, a latch that closed); writing is done
on a thread of its own. What was replayed from a tape was told when it happened, and is not told again.
"""

from collections.abc import Sequence

import msgspec

from app.feeds.websocket import LinkState
from app.log import Log
from app.models.events import (
    AccountSnapshot,
    Close,
    Event,
    Execution,
    GiveUp,
    LateCandle,
    MarkedSlice,
    Reallocate,
    RevisedCandle,
    Stop,
)
from app.models.market import Slice
from app.models.orders import Decision, Fill
from app.report.output_thread import OutputThread
from app.session.view import SessionView
from app.times import iso_ms
from app.trading.exchange_broker import ExchangeBroker


class SessionLog:
    """Follows one session and tells `log` of it, through `output`."""

    def __init__(self, log: Log, output: OutputThread) -> None:
        self._log, self._output = log, output
        self._connected: bool | None = None
        self._stale: tuple[str, ...] = ()
        self._halted = False

    def began(self, view: SessionView, continued: bool) -> None:
        """Before the first new event."""
        live = view.plan.settings.live
        self._halted, self._stale = view.recorded.runtime.safety.halted, view.stale
        self._write(
            "session_continued" if continued else "session_started",
            folder=str(view.folder.folder),
            exchange=live.exchange,
            symbols=list(live.symbols),
            timeframe=live.timeframe,
            events=view.recorded.last_seq,
            halted=self._halted,
        )

    def linked(self, state: LinkState) -> None:
        """News of the feed: only a change of the link is one here."""
        if state.connected != bool(self._connected):
            self._write("link_up" if state.connected else "link_down", connections=state.connections)
        self._connected = state.connected

    def happened(self, view: SessionView, event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> None:
        """An event and what came of it; `time` is the session's."""
        halted = view.recorded.runtime.safety.halted
        if type(event) is Slice and not fills and not decisions and not self._stale and halted == self._halted:
            return
        time_ms = view.recorded.runtime.account.time_ms
        time = iso_ms(time_ms) if time_ms else None
        self._log_event(view, event, time)
        for one in decisions:
            order_id = None if one.order is None else one.order.order_id
            self._write(
                "order",
                time=time,
                symbol=one.symbol,
                strategy=one.strategy,
                action=str(one.action),
                outcome=one.outcome,
                order_id=order_id,
            )
        for fill in fills:
            self._write(
                "fill",
                time=iso_ms(fill.time_ms),
                symbol=fill.symbol,
                strategy=fill.strategy,
                action="OPEN" if fill.opens else "CLOSE",
                side=fill.side.name,
                price=fill.price,
                quantity=fill.quantity,
                reason=str(fill.reason),
                trade_id=fill.trade_id,
                realized_pnl=fill.realized_pnl,
                balance=fill.balance,
            )
        self._log_latch(view, event, time)

    def slow(self, event: Event, took_s: float) -> None:
        """Handling an event took longer than a candle lasts."""
        self._write("slow_strategy", event_kind=type(event).__name__, took_s=round(took_s, 3))

    def ended(self, status: str) -> None:
        """How it ended."""
        self._write("session_ended", status=status)

    def failed(self, view: SessionView, why: str) -> None:
        """It broke off: nothing more was traded, and what it holds is what the next start goes on with."""
        account = view.recorded.runtime.account
        self._write(
            "session_ended",
            status="failed",
            why=why,
            time=iso_ms(account.time_ms) if account.time_ms else None,
            positions=[str(line) for line in account.positions],
            pending=[str(line) for line in account.pending],
        )

    def note(self, text: str) -> None:
        """A note of the feed or of the commands."""
        self._write("note", text=text)

    def _log_event(self, view: SessionView, event: Event, time: str | None) -> None:
        if isinstance(event, Slice):
            stale = event.stale if isinstance(event, MarkedSlice) else ()
            if isinstance(event, MarkedSlice) and event.late:
                self._write("slice_late", time=time, candles=len(event.candles))
            for symbol in stale:
                if symbol not in self._stale:
                    self._write("symbol_stale", time=time, symbol=symbol)
            self._stale = stale
        elif isinstance(event, (LateCandle, RevisedCandle)):
            name = "candle_late" if isinstance(event, LateCandle) else "candle_revised"
            self._write(name, time=time, symbol=event.candle.symbol, open_time=iso_ms(event.candle.open_time_ms))
        elif isinstance(event, Reallocate):
            self._write("reallocated", time=iso_ms(event.time_ms), weights=event.weights, why=event.why)
        elif isinstance(event, Close):
            whose = {} if event.strategy is None else {"strategy": event.strategy}
            self._write("close_asked", time=time, symbol=event.symbol, **whose, why=event.why)
        elif isinstance(event, Stop):
            self._write("stopped", time=time, why=event.why)
        elif isinstance(event, GiveUp):
            self._write("gave_up", time=time, why=event.why)
        elif isinstance(event, Execution):
            self._write("execution", **_told(event))
        elif isinstance(event, AccountSnapshot):
            broker = view.recorded.runtime.broker
            self._write(
                "account_snapshot",
                time=iso_ms(event.time_ms),
                open_orders=len(event.open_orders),
                trades=len(event.trades),
                differences=list(broker.reconciliation.differences) if isinstance(broker, ExchangeBroker) else [],
                not_trading=list(event.not_trading),
            )

    def _log_latch(self, view: SessionView, event: Event, time: str | None) -> None:
        safety = view.recorded.runtime.safety
        if safety.halted and not self._halted:
            self._write("halted", time=time, why=safety.trips[-1].why, closes=safety.killed)
        elif self._halted and not safety.halted:
            self._write("resumed", time=time, why=getattr(event, "why", ""), peak=safety.peak)
        self._halted = safety.halted

    def _write(self, name: str, **values: object) -> None:
        self._output.do(lambda: self._log(name, **values))


def _told(execution: Execution) -> dict[str, object]:
    content: dict[str, object] = msgspec.to_builtins(execution)
    del content["type"]
    return content | {"time": iso_ms(execution.time_ms)}
