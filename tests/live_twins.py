"""Sessions with real orders and on paper over the same candles, in one process and without a clock.

The rule: the exchange of a test fills by the rules of a backtest, later and worse by what the test asks for: a delay, a
spread, parts, fees in another asset, refusals. What it says goes onto the tape as an exchange's words would.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.feeds.tape import read_tape
from app.models.events import AccountSnapshot, EndOfData, Event, Execution
from app.models.intents import CLOSE, ENTRY, LIST, STOP, TARGET, Cancel, Intent, PlaceOco, PlaceOrder
from app.models.market import Candle, Slice
from app.models.orders import OrderState
from app.runs.run_folder import RunFolder
from app.session.building import OrderNames
from app.session.epochs import header_of
from app.session.journal import Journal
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.real_orders import live_settings
from app.session.recorded_runtime import RecordedRuntime
from app.session.view import SessionView
from app.settings.profile import load_settings
from app.strategies.base import FLAT, Signal, Strategy, View, exit_position, long
from app.strategies.loader import check_settings
from app.times import timeframe_ms
from tests.candle_columns import MINUTE_MS
from tests.parity.market import made_up

SYMBOLS = ["AAA/USDT", "BBB/USDT"]
START_MS = 1_743_361_200_000  # 2025-03-30T19:00Z
WARMUP, COUNT = 5, 90
S = OrderState
NAMES = OrderNames("twin11", 1)


class Minutes(Strategy):
    """Decides by the clock alone: in every tenth minute it buys, in every seventh it would rather be out."""

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        minute = candle.open_time_ms // MINUTE_MS
        if minute % 10 == 0:
            return long(stop=candle.close * 0.975, target=candle.close * 1.03)
        return exit_position() if minute % 7 == 0 else FLAT


CONFIG: dict[str, Any] = {
    "live": {
        "exchange": "binanceus", "symbols": SYMBOLS, "timeframe": "1m", "startup_candles": WARMUP,
        "strategy": {"name": "tests.live_twins:Minutes"},
        "instruments": {symbol: {"quantity_step": 0.001, "price_tick": 0.01} for symbol in SYMBOLS},
    },
    "trading_mode": {
        "safety": {"max_drawdown": None, "max_exposure": 0.5},
        "orders": {"max_order_notional": None, "max_daily_orders": None},
    },
}  # fmt: skip


def slices(seed: int = 3, count: int = COUNT) -> list[Slice]:
    """Warm-up and run; every symbol has every candle."""
    market = made_up(seed, SYMBOLS, START_MS - WARMUP * MINUTE_MS, count + WARMUP)
    by_time: dict[int, list[Candle]] = {}
    for symbol in SYMBOLS:
        for row in market[symbol]:
            by_time.setdefault(row[0], []).append(Candle(symbol, "1m", *row))
    return [Slice(time + MINUTE_MS, tuple(found), time < START_MS) for time, found in sorted(by_time.items())]


@dataclass
class Venue:
    """How the exchange fills. `worse` is a part of the price, against the trader; `parts` of each fill."""

    delay_ms: int = 200
    worse: float = 0.0005
    parts: int = 1
    spread_of_parts: float = 0.0
    fee_rate: float = 0.001
    fee_asset: Callable[[str, bool], str] = lambda symbol, buys: symbol.rpartition("/")[2]
    refuses: Callable[[Intent], str] = lambda intent: ""  # why, or empty
    lost: Callable[[Intent], bool] = lambda intent: False  # unknown, and then proved never to have arrived
    fills_part: Callable[[Intent], float] = lambda intent: 1.0  # of an entry; the rest expires


@dataclass
class Twin:
    """One live session, driven by hand."""

    run: Path
    market: Sequence[Slice]
    venue: Venue
    overrides: Sequence[str] = ()
    config: Any = None
    _due: list[tuple[int, int, Execution]] = field(default_factory=list)
    _resting: dict[int, PlaceOco] = field(default_factory=dict)
    _candles: dict[tuple[str, int], Candle] = field(default_factory=dict)
    _number: int = 0
    _fills: int = 0

    async def trade(self, *, end: bool = True) -> Path:
        """The whole market; then flat, unless it is to break off."""
        settings = load_settings(self.config or CONFIG, self.overrides)
        strategies = check_settings(settings)
        settings = live_settings(settings, strategies)
        end_ms = self.market[-1].close_time_ms
        plan = RunPlan(
            settings, strategies, Period(START_MS, end_ms, "a test"), WARMUP, START_MS - WARMUP * MINUTE_MS,
            mode="live", orders=NAMES,
        )  # fmt: skip
        self.run.mkdir(parents=True)
        folder = RunFolder(self.run, "live_test")
        self.recorded = RecordedRuntime.build(plan, folder)
        self.view = SessionView(plan, folder, self.recorded)
        self.journal = Journal(self.run, header_of(plan, "live_test"))
        self._candles = {(one.symbol, one.open_time_ms): one for slice_ in self.market for one in slice_.candles}
        try:
            await self._handle(AccountSnapshot(START_MS, START_MS, {"USDT": 10_000.0}))
            for slice_ in self.market:
                await self._tell_until(slice_.close_time_ms - 1_000)
                self._reach(slice_)
                await self._tell_until(slice_.close_time_ms)
                await self._handle(slice_)
            if end:
                await self._handle(EndOfData())
                await self._tell_until(None)
                assert self.recorded.runtime.ended
                self.view.finish("finished")
        finally:
            self.journal.close()
            self.recorded.recorder.close()
        return self.run

    async def _handle(self, event: Event) -> None:
        seq = self.journal.write(event)
        digest = await self.recorded.handle(event)
        if self.recorded.intents:
            self.journal.intents(seq, self.recorded.intents)
        self.journal.done(seq, digest)
        for intent in self.recorded.intents:
            self._send(intent, max(intent.time_ms, getattr(event, "time_ms", 0)))

    async def _tell_until(self, time_ms: int | None) -> None:
        while self._due and (time_ms is None or self._due[0][0] < time_ms):
            await self._handle(self._due.pop(0)[2])

    def _say(self, intent: PlaceOrder | PlaceOco, state: S, time_ms: int, leg: str = "", **more: Any) -> None:
        own = leg or (LIST if isinstance(intent, PlaceOco) else ENTRY if intent.buys else CLOSE)
        self._number += 1
        self._due.append((time_ms, self._number, Execution(intent.order_id, state, time_ms, leg=own, **more)))
        self._due.sort()

    def _send(self, intent: Intent, now_ms: int) -> None:
        sent_ms = now_ms + 20
        if isinstance(intent, Cancel):
            oco = self._resting.pop(intent.order_id, None)
            for leg in (TARGET, STOP) if oco is not None else ():
                self._say(oco, S.CANCEL_SENT, sent_ms, leg)  # type: ignore[arg-type]
                self._say(oco, S.CANCELLED, sent_ms + 30, leg, filled=0.0)  # type: ignore[arg-type]
            return
        self._say(intent, S.SENT, sent_ms)
        if why := self.venue.refuses(intent):
            self._say(intent, S.REFUSED, sent_ms + 30, code=-2010, why=why)
        elif self.venue.lost(intent):
            self._say(intent, S.UNKNOWN, sent_ms + 30, why="no answer within 15 s")
            self._say(intent, S.REFUSED, sent_ms + 14_000, code=1, why="never arrived: server time 2, deadline 1")
        elif isinstance(intent, PlaceOco):
            self._resting[intent.order_id] = intent
            for leg in (LIST, TARGET, STOP):
                self._say(intent, S.ACCEPTED, sent_ms + 30, leg, why="by the answer")
        else:
            self._say(intent, S.ACCEPTED, sent_ms + 30, why="by the answer")
            self._trade(intent, now_ms + self.venue.delay_ms)

    def _trade(self, intent: PlaceOrder, time_ms: int) -> None:
        sign = 1.0 if intent.buys else -1.0
        price = self._open(intent.symbol, time_ms) * (1.0 + sign * self.venue.worse)
        quantity = intent.quantity
        if intent.buys:
            quantity = round(quantity * self.venue.fills_part(intent), 3)
        self._fill(intent, quantity, price, time_ms, ENTRY if intent.buys else CLOSE, sign)
        is_whole = quantity >= intent.quantity
        self._say(intent, S.FILLED if is_whole else S.EXPIRED, time_ms, filled=quantity)

    def _fill(
        self, intent: PlaceOrder | PlaceOco, quantity: float, price: float, time_ms: int, leg: str, sign: float
    ) -> None:
        parts = self.venue.parts if quantity >= 0.001 * self.venue.parts else 1
        each = round(quantity / parts, 3)
        for number in range(parts):
            own = each if number < parts - 1 else round(quantity - each * (parts - 1), 3)
            at = price * (1.0 + sign * number * self.venue.spread_of_parts)
            self._fills += 1
            asset = self.venue.fee_asset(intent.symbol, sign > 0.0)
            base = intent.symbol.partition("/")[0]
            commission = self.venue.fee_rate * own * at
            fee = self.venue.fee_rate * own if asset == base else commission / (1.0 if asset == "USDT" else 600.0)
            self._say(
                intent, S.PARTLY_FILLED, time_ms, leg, fill_id=str(self._fills), quantity=own, price=at,
                commission=commission, fee=fee, fee_asset=asset, why="by the stream", is_maker=leg == TARGET,
            )  # fmt: skip

    def _open(self, symbol: str, time_ms: int) -> float:
        open_ms = time_ms // MINUTE_MS * MINUTE_MS
        while (found := self._candles.get((symbol, open_ms))) is not None:
            if found.volume > 0.0:
                return found.open
            open_ms += MINUTE_MS
        return self._candles[symbol, self.market[-1].close_time_ms - MINUTE_MS].close

    def _reach(self, slice_: Slice) -> None:
        """What rests and is reached by the candle that closes now, by the rules of a backtest."""
        for candle in slice_.candles:
            inside_ms = candle.close_time_ms - 1_000
            for oco in [one for one in self._resting.values() if one.symbol == candle.symbol]:
                held = candle.volume > 0.0
                if held and (candle.open <= oco.stop or candle.low <= oco.stop):
                    price = min(candle.open, oco.stop) * (1.0 - self.venue.worse)
                    self._end(oco, STOP, TARGET, price, inside_ms)
                elif held and candle.high > oco.target:
                    self._end(oco, TARGET, STOP, max(candle.open, oco.target), inside_ms)

    def _end(self, oco: PlaceOco, leg: str, other: str, price: float, time_ms: int) -> None:
        del self._resting[oco.order_id]
        self._fill(oco, oco.quantity, price, time_ms, leg, -1.0)
        self._say(oco, S.FILLED, time_ms, leg, filled=oco.quantity)
        self._say(oco, S.EXPIRED, time_ms, other, filled=0.0)


def live(
    folder: Path, name: str, venue: Venue, *overrides: str, market: Sequence[Slice] | None = None, config: Any = None,
    end: bool = True,
) -> Path:  # fmt: skip
    """A live session in `folder/name`."""
    twin = Twin(folder / name, market or slices(), venue, overrides, config)
    return asyncio.run(twin.trade(end=end))


def paper(folder: Path, name: str, *overrides: str, market: Sequence[Slice] | None = None, config: Any = None) -> Path:
    """The same on paper, with a tape of its own."""
    return asyncio.run(_paper(folder / name, market or slices(), overrides, config or CONFIG))


def paper_of(live_run: Path, run: Path) -> Path:
    """On paper what a live session heard of the market, by the settings of its tape."""
    tape = read_tape(live_run)
    heard = (Execution, AccountSnapshot, EndOfData)
    events = [record.event for record in tape.records if not isinstance(record.event, heard)]
    return asyncio.run(_paper(run, events, (), tape.header["settings"], tape.header))


async def _paper(
    run: Path, market: Sequence[Event], overrides: Sequence[str], config: Any, header: Mapping[str, Any] | None = None
) -> Path:
    settings = load_settings(config, overrides)
    strategies = check_settings(settings)
    assert timeframe_ms(settings.live.timeframe) == MINUTE_MS
    ends = [event.close_time_ms for event in market if isinstance(event, Slice)]
    begins = header or {"start_ms": START_MS, "warmup": WARMUP, "warmup_start_ms": START_MS - WARMUP * MINUTE_MS}
    plan = RunPlan(
        settings, strategies, Period(begins["start_ms"], max(ends), "a test"), begins["warmup"],
        begins["warmup_start_ms"], mode="paper",
    )  # fmt: skip
    run.mkdir(parents=True)
    folder = RunFolder(run, "paper_test")
    recorded = RecordedRuntime.build(plan, folder)
    view = SessionView(plan, folder, recorded)
    journal = Journal(run, header_of(plan, "paper_test"))
    for event in (*market, EndOfData()):
        journal.done(journal.write(event), await recorded.handle(event))
    view.finish("finished")
    journal.close()
    recorded.recorder.close()
    return run
