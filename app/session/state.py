"""The state of a session after an event, as one value: what a new epoch needs to go on where the old one ended.

All that decides or is reported later is in it but the strategies' own memory, which a warm-up brings back.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from app.candles.series import SeriesCoverage
from app.errors import DataError
from app.models.market import Slice
from app.models.orders import CloseOrder, EntryOrder, Position
from app.runs.equity import equity_before, kept_rows
from app.runs.recorder import LogLengths, RunRecorder
from app.runs.run_folder import RunFolder
from app.runs.tally import Tally
from app.runtime.runtime import TradingRuntime
from app.times import DAY_MS
from app.trading.allocation import AllocationMemory
from app.trading.exchange_broker import BrokerMemory, ExchangeBroker
from app.trading.safety import SafetyMemory


class RuntimeState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the runtime decides with."""

    starting_balance: float
    balance: float
    time_ms: int
    marks: dict[str, float]
    positions: list[Position]
    pending: list[EntryOrder]
    closing: list[CloseOrder]
    last_trade_id: int
    last_order_id: int
    safety: SafetyMemory
    funnel: dict[str, Any]
    feed_counts: dict[str, int]
    allocation: AllocationMemory | None = None
    broker: BrokerMemory | None = None


class Totals(msgspec.Struct, frozen=True):
    """What the report counts. `newest_row` is the equity row that may still change: its slice, equity and balance."""

    candles: dict[str, int]
    first_opens: dict[str, float]
    first_open_ms: int | None
    last_close_ms: int | None
    tally: Any
    newest_row: tuple[Slice, float, float] | None


class SessionState(msgspec.Struct, frozen=True):
    """After event `seq`, of which `digest` is the one on the tape."""

    seq: int
    digest: str
    runtime: RuntimeState = msgspec.field(name="books")
    totals: Totals
    logs: LogLengths
    seen: dict[str, int]
    last_close_ms: int
    coverage: list[SeriesCoverage]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SessionState).decode


def encode_state(state: SessionState) -> bytes:
    """As JSON."""
    return _encode(state)


def read_state(content: bytes, place: Path) -> SessionState:
    """From JSON; DataError where it lacks what this code needs to go on from it."""
    try:
        return _decode(content)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{place}: the state that the older code left cannot be read by this one ({error}); end the session with "
            "the code it was begun with"
        ) from error


def runtime_state(runtime: TradingRuntime) -> RuntimeState:
    """What a runtime holds."""
    account = runtime.account
    return RuntimeState(
        account.starting_balance,
        account.balance,
        account.time_ms,
        account.marks,
        list(account.positions.values()),
        list(account.pending.values()),
        list(account.closing.values()),
        runtime.broker.ledger.last_trade_id,
        account.last_order_id,
        runtime.safety.memory(),
        vars(runtime.funnel),
        runtime.feed_counts,
        None if runtime.allocator is None else runtime.allocator.memory(),
        runtime.broker.memory() if isinstance(runtime.broker, ExchangeBroker) else None,
    )


def restore_runtime(state: RuntimeState, runtime: TradingRuntime) -> None:
    """In the place of what a runtime holds; its own settings decide from here."""
    account = runtime.account
    account.balance, account.time_ms = state.balance, state.time_ms
    for held in (account.marks, account.positions, account.pending, account.closing, runtime.feed_counts):
        held.clear()
    account.marks.update(state.marks)
    account.positions.update((position.line, position) for position in state.positions)
    account.pending.update((order.line, order) for order in state.pending)
    account.closing.update((order.line, order) for order in state.closing)
    runtime.broker.ledger.last_trade_id, account.last_order_id = state.last_trade_id, state.last_order_id
    runtime.safety.recall(state.safety)
    for name, counts in state.funnel.items():
        # A reason is text, so its count is found under the reason as well.
        if isinstance(counts, Mapping):
            own = getattr(runtime.funnel, name)
            own.clear()
            own.update(counts)
        else:
            setattr(runtime.funnel, name, counts)
    runtime.feed_counts.update(state.feed_counts)
    if runtime.allocator is not None and state.allocation is not None:
        runtime.allocator.recall(state.allocation)
    if isinstance(runtime.broker, ExchangeBroker) and state.broker is not None:
        runtime.broker.recall(state.broker)


def totals_of(recorder: RunRecorder) -> Totals:
    """The recorder's part, after a flush."""
    rows = recorder.rows
    newest = None
    if rows.slices:
        slice_ = rows.slices[-1]
        if type(slice_) is not Slice:  # its marks were for the gate
            slice_ = Slice(slice_.close_time_ms, slice_.candles, slice_.warmup)
        newest = (slice_, rows.equities[-1], rows.balances[-1])
    times_ms = recorder.first_open_ms, recorder.last_close_ms
    return Totals(recorder.candles, recorder.first_opens, *times_ms, recorder.tally, newest)


def restore_totals(totals: Totals, recorder: RunRecorder) -> None:
    """Into a recorder that has counted nothing; a symbol that is traded no more keeps its place in the sums only."""
    recorder.candles.update({symbol: count for symbol, count in totals.candles.items() if symbol in recorder.candles})
    recorder.first_opens.update(totals.first_opens)
    recorder.first_open_ms, recorder.last_close_ms = totals.first_open_ms, totals.last_close_ms
    hints = get_type_hints(Tally)
    for field in fields(Tally):
        if field.name in ("symbols", "strategies") or field.name not in totals.tally:
            continue
        value = msgspec.convert(totals.tally[field.name], hints[field.name], str_keys=True)
        own = getattr(recorder.tally, field.name)
        if isinstance(own, dict):
            own.update(value)
        else:
            setattr(recorder.tally, field.name, value)
    if totals.newest_row is not None:
        slice_, equity, balance = totals.newest_row  # not counted yet: of its candles those that are listed still
        for candle in slice_.candles:
            recorder.first_opens.setdefault(candle.symbol, candle.open)
        if recorder.first_open_ms is None:
            recorder.first_open_ms = slice_.candles[0].open_time_ms
        listed = tuple(candle for candle in slice_.candles if candle.symbol in recorder.candles)
        recorder.rows.slices.append(Slice(slice_.close_time_ms, listed, slice_.warmup))
        recorder.rows.equities.append(equity)
        recorder.rows.balances.append(balance)


def with_day(state: SessionState, folder: RunFolder) -> SessionState:
    """The state with the day as the equity rows have it, where an older Onetape left it behind (`follows_rows`)."""
    held, newest = state.runtime, state.totals.newest_row
    if held.safety.follows_rows or newest is None:
        return state
    slice_, last_equity, _ = newest
    day_end_ms = -(-slice_.close_time_ms // DAY_MS) * DAY_MS
    start = equity_before(folder.equity, state.logs.equity_rows, day_end_ms - DAY_MS)
    safety = replace(
        held.safety,
        day_end_ms=day_end_ms,
        day_start_equity=held.starting_balance if start is None else start,
        last_equity=last_equity,
        follows_rows=True,
    )
    return msgspec.structs.replace(state, runtime=msgspec.structs.replace(held, safety=safety))


def copy_logs(lengths: LogLengths, source: RunFolder, target: RunFolder) -> None:
    """The rows that a session had written by then, from its own folder into another; DataError if they are gone."""
    pairs = (
        (source.trades, target.trades, lengths.trades_bytes),
        (source.signals, target.signals, lengths.signals_bytes),
        *([(source.refused, target.refused, lengths.refused_bytes)] if lengths.refused_bytes else []),
    )
    for path, copy, length in pairs:
        content = path.read_bytes()[:length] if path.exists() else b""
        if len(content) < length:
            raise DataError(f"{path} is shorter ({len(content):,} bytes) than when its rows were written ({length:,})")
        copy.write_bytes(content)
    rows = kept_rows(source.equity, lengths.equity_rows)
    target.equity.with_name(target.equity.stem + ".rows").write_bytes(rows)
