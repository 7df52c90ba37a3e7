"""A session's ledger, rebuilt from its tape, held against what the exchange says of the account; it changes neither.

Every fill against the exchange's trade history, both ways; positions and dust against what the fills bought; balances;
open orders. What differs is named, and nothing is corrected.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.errors import ConfigError, UnavailableError
from app.exchange.history import HistoricalDataProvider
from app.exchange.keys import read_keys
from app.exchange.order_desk import OrderDesk
from app.exchange.retries import Tell
from app.exchange.spot_api import BinanceSpotApi
from app.feeds.base import EventQueue
from app.feeds.tape import Tape, read_tape
from app.models.events import AccountSnapshot, Execution
from app.models.intents import ENTRY, STOP, TARGET, Cancel, PlaceOco
from app.models.orders import RESTING
from app.runs.run_folder import RunFolder
from app.session.epochs import mode_of, plan_of_epoch, state_of
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime
from app.settings.profile import OrderSettings
from app.times import iso_ms
from app.trading.exchange_broker import ExchangeBroker
from app.trading.reconciliation import Reconciliation

_PATIENCE_S = 300.0
_SAME = 1e-9  # of a quantity or a price


@dataclass(frozen=True)
class Fill:
    """A fill of the tape, with the symbol of its order."""

    symbol: str
    execution: Execution


@dataclass(frozen=True)
class Reconciled:
    """What was compared, and what differs."""

    snapshot: AccountSnapshot
    fills: int
    expected: Mapping[str, float]  # by asset, what the ledger says is there at least
    differences: Sequence[str]

    def content(self) -> dict[str, Any]:
        """As JSON."""
        held = self.snapshot.balances
        return {
            "time": iso_ms(self.snapshot.time_ms),
            "fills": self.fills,
            "trades": len(self.snapshot.trades),
            "open_orders": list(self.snapshot.open_orders),
            "foreign_orders": self.snapshot.foreign_orders,
            "balances": {
                asset: {"ledger": least, "exchange": held.get(asset, 0.0)} for asset, least in self.expected.items()
            },
            "differences": list(self.differences),
        }


async def reconcile(run: Path, url: str | None, tell: Tell) -> Reconciled:
    """Asks the exchange with the key of this process. ConfigError for a run whose orders are not real, DataError for a
    tape that this code does not replay.
    """
    tape = read_tape(run)
    epoch = tape.epochs[-1]
    if mode_of(epoch.header) != "live":
        raise ConfigError(f"{run} is no session with real orders: there is no account to compare it with")
    plan, folder = plan_of_epoch(tape, epoch, run)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        recorded = RecordedRuntime.build(plan, RunFolder(place, folder.trades.stem), state_of(epoch))
        try:
            await recorded.replay(epoch)
        finally:
            recorded.recorder.close()
        snapshot = await _snapshot(plan, place, url, tell)
    broker = recorded.runtime.broker
    if not isinstance(broker, ExchangeBroker):
        raise TypeError("the orders of this session are not real")
    fills = list(_fills(tape))
    own = Reconciliation(recorded.runtime.account, broker.ledger.instruments)
    for fill in fills:
        own.note_fill(fill.symbol, fill.execution, buys=fill.execution.leg == ENTRY)
    own.compare(snapshot, broker.book)
    named = [*own.differences, *_other_trades(fills, snapshot), *_gone(broker, snapshot), *_held(broker, own)]
    differences = list(dict.fromkeys(named))
    expected = {asset: least for asset, (least, _) in own.expected().items()}
    return Reconciled(snapshot, len(fills), expected, differences)


async def _snapshot(plan: RunPlan, place: Path, url: str | None, tell: Tell) -> AccountSnapshot:
    """A desk that is given nothing to send only asks."""
    live, orders = plan.settings.live, plan.settings.trading_mode.orders or OrderSettings()
    keys = read_keys()
    async with HistoricalDataProvider(CandleCache(place), live.exchange, url=url, tell=tell) as provider:
        await provider.server_time_ms(live.symbols, live.timeframe)
        api = BinanceSpotApi(
            live.exchange, live.symbols, provider.market_rows(live.symbols), keys, url=url,
            recv_window_ms=orders.recv_window_ms, answer_s=orders.answer_s,
            self_trade_prevention=orders.self_trade_prevention, limiter=provider.limiter, tell=tell,
        )  # fmt: skip
        tag = "" if plan.orders is None else plan.orders.tag
        desk = OrderDesk(api, tag, live.symbols, since_ms=plan.period.start_ms, tell=tell)
        queue: EventQueue = asyncio.Queue()
        asking = asyncio.create_task(desk.run(queue))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await _first(queue, asking)
        except TimeoutError:
            raise UnavailableError(f"{url or live.exchange} did not say in {_PATIENCE_S:.0f} s what is there") from None
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking
            await api.close()


async def _first(queue: EventQueue, asking: "asyncio.Task[None]") -> AccountSnapshot:
    while True:
        heard = asyncio.ensure_future(queue.get())
        await asyncio.wait([heard, asking], return_when=asyncio.FIRST_COMPLETED)
        if not heard.done():
            heard.cancel()
            await asking  # raises why it has ended
        for event in heard.result():
            if isinstance(event, AccountSnapshot):
                return event


def _fills(tape: Tape) -> Iterator[Fill]:
    """Each once, as the tape of all epochs has them."""
    symbols: dict[int, str] = {}
    seen: set[tuple[int, str, str]] = set()
    for record in tape.records:
        symbols.update((one.order_id, one.symbol) for one in record.intents if not isinstance(one, Cancel))
        event = record.event
        if isinstance(event, Execution) and event.quantity > 0.0:
            key = event.order_id, event.leg, event.fill_id
            if key not in seen:
                seen.add(key)
                yield Fill(symbols.get(event.order_id, ""), event)


def _other_trades(fills: Sequence[Fill], snapshot: AccountSnapshot) -> Iterator[str]:
    told = {(trade.order_id, trade.leg, trade.fill_id): trade for trade in snapshot.trades}
    for fill in fills:
        own = fill.execution
        trade = told.pop((own.order_id, own.leg, own.fill_id), None)
        if trade is None:
            continue
        for name, ours, theirs in (("quantity", own.quantity, trade.quantity), ("price", own.price, trade.price)):
            if abs(ours - theirs) > _SAME * abs(theirs):
                yield (
                    f"fill {own.fill_id} of order {own.order_id}: its {name} is {ours:.10g} in the ledger and "
                    f"{theirs:.10g} in the exchange's history"
                )
    for trade in told.values():
        yield (
            f"trade {trade.fill_id} of order {trade.order_id} ({trade.quantity:.8f} at {trade.price:.8f}) is in the "
            "exchange's history and not in the ledger"
        )


def _gone(broker: ExchangeBroker, snapshot: AccountSnapshot) -> Iterator[str]:
    """An OCO of which one leg is at the exchange and the other is not."""
    for record in broker.book.open.values():
        intent = record.intent
        if not isinstance(intent, PlaceOco):
            continue
        ids = {TARGET: intent.target_id, STOP: intent.stop_id}
        resting = [ids[leg] for leg, one in record.legs.items() if one.state in RESTING]
        gone = [client_id for client_id in resting if client_id not in snapshot.open_orders]
        if len(gone) == 1:
            yield f"order {gone[0]} rests in the ledger and is not open at the exchange"


def _held(broker: ExchangeBroker, own: Reconciliation) -> Iterator[str]:
    """What the positions and the dust of a symbol make together, against what its fills bought."""
    account, ledger = broker.ledger.account, broker.ledger
    for symbol in account.lines:
        base = symbol.partition("/")[0]
        held = sum(one.quantity for one in account.positions.values() if one.symbol == symbol)
        dust = ledger.dust.get(symbol)
        whole = held + (0.0 if dust is None else dust.quantity)
        bought = own.flows.get(base, 0.0)
        if abs(whole - bought) > ledger.instrument(symbol).quantity_step:
            yield f"{symbol}: positions and dust make {whole:.8f} {base}, its fills {bought:.8f}"
