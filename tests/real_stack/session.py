"""A session of real orders from its first slice to its end, over as many processes as its kills make of it.

The rule: a process knows the tape and nothing else of the one before. It does what a session does: an event is on the
tape before it is handled, its intents before its digest, and both are synced before the desk may send.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from app.candles.market_data import Market
from app.candles.month_file import CandleColumns
from app.exchange.keys import Keys
from app.exchange.limiter import RateLimiter
from app.exchange.order_desk import OrderDesk
from app.exchange.order_times import DEFAULT_TIMES, OrderTimes
from app.exchange.spot_api import BinanceSpotApi
from app.feeds.base import QUEUE_BURSTS, EventQueue
from app.models.events import AccountSnapshot, EndOfData, Event, Execution, MarkedSlice
from app.models.intents import Intent
from app.models.market import Candle, Slice
from app.strategies.base import Strategy
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.wire import exchange_info
from app.trading.exchange_lines import OrderLimits
from app.trading.instruments import Instrument
from app.trading.ledger import Dust
from tests.candle_columns import MINUTE_MS, START_MS
from tests.exchange_books import BALANCE, IDS, LIMITS, SYMBOLS, Books, Tossing
from tests.real_stack.exchange import InProcessExchange, Line
from tests.real_stack.wire import wired_to
from tests.spot_exchanges import LimitedSource

TAG = "seed1"
MARKET = Market(quantity_step=0.0001, min_quantity=0.0001, min_notional=5.0, price_tick=0.01)
GRID = Instrument(quantity_step=0.0001, min_quantity=0.0001, min_notional=5.0, price_tick=0.01)
FEED_S = 0.3  # a slice comes so long after its close
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class KilledError(Exception):
    """This process is no more."""


@dataclass
class Record:
    """What a tape has of one event: as bytes, its intents, its digest."""

    event: bytes
    at_s: float = 0.0  # of the loop; no process knows it
    intents: tuple[Intent, ...] | None = None
    digest: str | None = None


@dataclass
class RealSession:
    """`rows` are the candles of each symbol from START_MS on; the session sees those from the first minute's close.

    `command` is asked after each slice for an event to come next. `chance` decides at each moment whether the process
    is killed there, and `prepare` changes the exchange before anything happens.
    """

    candles: Mapping[str, CandleColumns]
    slices: int
    strategy: Callable[[], Strategy] = Tossing
    ids: Sequence[str] = IDS
    balances: Mapping[str, float] = field(default_factory=lambda: {"X": 2 * BALANCE, "BNB": 50.0})
    limits: OrderLimits = LIMITS
    waits: OrderTimes = DEFAULT_TIMES
    flattens: bool = True  # at an operator's stop
    end: Event = field(default_factory=EndOfData)
    command: Callable[[int], Event | None] = lambda _number: None
    chance: Callable[[str], bool] = lambda _moment: False
    down_s: Callable[[], float] = lambda: 3.0
    prepare: Callable[["RealSession"], None] = lambda _session: None
    beside: Callable[["RealSession"], "asyncio.Future[None] | None"] = lambda _session: None
    options: Mapping[str, object] = field(default_factory=dict)
    most_s: float = 14_400.0

    def __post_init__(self) -> None:
        self.tape: list[Record] = []
        self.told: list[str] = []
        self.met: Counter[str] = Counter()
        self.downtimes: list[tuple[float, float]] = []
        self.has_ended = False
        self.books = self._new_books()

    def _new_books(self) -> Books:
        return Books(
            self.strategy, grid=dict.fromkeys(SYMBOLS, GRID), limits=self.limits, tag=TAG, ids=tuple(self.ids),
            flattens=self.flattens,
        )  # fmt: skip

    async def run(self) -> "RealSession":
        """To its end."""
        source = LimitedSource({(symbol, "1m"): rows for symbol, rows in self.candles.items()}, MARKET)
        exchange = self.exchange = InProcessExchange(SpotMarket(source), SYMBOLS, self.balances, **self.options)
        exchange.moment = self._moment
        exchange.protection.dust = lambda symbol: self.books.ledger.dust.get(symbol, Dust(0.0, 0.0)).quantity
        exchange.protection.least_worth = GRID.min_notional * len(self.ids)
        self.prepare(self)
        beside = self.beside(self)
        try:
            with wired_to(exchange):
                async with asyncio.timeout(self.most_s):
                    while not self.has_ended:
                        await self._live()
        finally:
            exchange.advance()
            exchange.stop()
            if beside is not None:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)
        return self

    # One process.

    async def _live(self) -> None:
        exchange = self.exchange
        self.line = exchange.line = Line()
        self._dead = asyncio.Event()
        books, unsent = await self.replayed()
        self.books = books
        if books.runtime.ended:
            self.has_ended = True
            return
        rows = [(one, exchange.engine.symbol_rules(wire_name(one))) for one in SYMBOLS]
        shown = msgspec.json.decode(exchange_info(rows, exchange.told_ms, None))["symbols"]
        markets = {symbol: {"info": row} for symbol, row in zip(SYMBOLS, shown, strict=True)}
        api = BinanceSpotApi(
            "binance", SYMBOLS, markets, Keys("key", "secret"), limiter=RateLimiter(None), tell=self.told.append,
            last_price=books.account.marks.get,
        )  # fmt: skip
        desk = self.desk = OrderDesk(api, TAG, SYMBOLS, since_ms=START_MS, times=self.waits, tell=self.told.append)
        desk.take_up(books.broker.open_intents(), unsent, books.broker.accepted_ids())
        queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)
        loop = asyncio.get_running_loop()
        running = [
            loop.create_task(desk.run(queue)), loop.create_task(self._feed(queue)),
            loop.create_task(self._consume(queue, books, desk)),
        ]  # fmt: skip
        dead = loop.create_task(self._dead.wait())
        try:
            done, _ = await asyncio.wait([*running, dead], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not dead and not isinstance(task.exception(), KilledError):
                    task.result()
        finally:
            self.line.is_dead = True
            exchange.line = Line()
            for task in [*running, dead]:
                task.cancel()
            await asyncio.gather(*running, dead, return_exceptions=True)
            await api.close()
        if self._dead.is_set():
            began_s = loop.time()
            await asyncio.sleep(self.down_s())
            self.downtimes.append((began_s, loop.time()))

    def _moment(self, name: str) -> None:
        """Something happens on the way to or from this process: is it killed here?"""
        if not self.line.is_dead and self.chance(name):
            self.kill(name)

    def kill(self, name: str) -> None:
        """kill -9."""
        self.met["kills"] += 1
        self.met[f"kill: {name}"] += 1
        self.line.is_dead = True
        self._dead.set()

    def _at(self, name: str) -> None:
        """The same inside the process, which ends right there."""
        self._moment(name)
        if self.line.is_dead:
            raise KilledError(name)

    async def replayed(self) -> tuple[Books, set[str]]:
        """What a new process knows: the tape. And what of it was never sent, for it never reached the tape."""
        books, unsent = self._new_books(), set[str]()
        for record in self.tape:
            intents = await books.handle(_decode(record.event))
            assert record.digest in (None, books.digest), "the tape replays to the same"
            assert record.intents in (None, intents), "the same intents come out again"
            if record.digest is None:
                if record.intents is None:
                    unsent |= {intent.client_id for intent in intents}
                record.intents, record.digest = intents, books.digest
        return books, unsent

    async def _feed(self, queue: EventQueue) -> None:
        """Slices as they close; those that this process was not there for come late."""
        number = sum(b'"slice"' in one.event[:30] or b'"marked_slice"' in one.event[:30] for one in self.tape)
        end = _encode(self.end)
        is_ending = any(record.event == end for record in self.tape)
        while True:
            close_ms = START_MS + (number + 2) * MINUTE_MS
            while (wait_ms := close_ms - self.exchange.now_ms) > 0:
                await asyncio.sleep(min(wait_ms / 1000.0 + FEED_S, 5.0))
            made = tuple(_candle(self.candles[symbol], symbol, number + 1) for symbol in SYMBOLS)
            is_late = self.exchange.now_ms - close_ms > MINUTE_MS
            await queue.put((MarkedSlice(close_ms, made, False, True) if is_late else Slice(close_ms, made, False),))
            number += 1
            if number >= self.slices and not is_ending:
                is_ending = True
                await queue.put((self.end,))
            elif (command := self.command(number)) is not None:
                await queue.put((command,))

    async def _consume(self, queue: EventQueue, books: Books, desk: OrderDesk) -> None:
        while not books.runtime.ended:
            for event in await queue.get():
                if not books.runtime.ended:
                    await self._handle(event, books, desk)

    async def _handle(self, event: Event, books: Books, desk: OrderDesk) -> None:
        record = Record(_encode(event), asyncio.get_running_loop().time())
        self._at("before an event is on the tape")
        self.tape.append(record)
        self._at("an event is on the tape")
        intents = await books.handle(event)
        if intents:
            self._at("before intents are on the tape")
            record.intents = intents
            self._at("intents are on the tape")
        record.digest = books.digest
        if isinstance(event, Execution | AccountSnapshot):
            books.check()
        if intents:
            await asyncio.sleep(0.002)  # the disk
            self._at("intents are synced")
            desk.send(intents)
            self._at("intents are given to the desk")


def _candle(columns: CandleColumns, symbol: str, place: int) -> Candle:
    numbers = [float(column[place]) for column in columns[1:]]
    return Candle(symbol, "1m", int(columns.open_time_ms[place]), *numbers)


def walk(seed: int, count: int, *, volume: float = 500.0) -> CandleColumns:
    """Candles of a made-up market."""
    random = np.random.default_rng(seed)
    moves = random.normal(0.0, 0.005, count)
    closes = np.round(100.0 * np.cumprod(1.0 + moves), 2)
    opens = np.round(np.concatenate(([100.0], closes[:-1])) * (1.0 + random.normal(0.0, 0.0005, count)), 2)
    highs = np.round(np.maximum(opens, closes) * (1.0 + np.abs(random.normal(0.0, 0.002, count))), 2)
    lows = np.round(np.minimum(opens, closes) * (1.0 - np.abs(random.normal(0.0, 0.002, count))), 2)
    volumes = np.round(volume * random.uniform(0.2, 3.0, count), 4)
    times = START_MS + MINUTE_MS * np.arange(count, dtype=np.int64)
    return CandleColumns(times, opens, highs, lows, closes, volumes)
