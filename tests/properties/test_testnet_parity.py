"""A session on the testnet makes the fills that paper trading makes of the same candles, price by price, to the bit.

A small client plays the live session: it sends the entry, at once its OCO, sells at the market where the exchange
refuses the OCO, and cancels a limit entry when its time is up. Left out, since no exchange could fill it so: a market
entry in a candle that opens at or past its own target.
"""

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.market import Candle, Slice
from app.models.orders import MAIN, Bound, EntryOrder, Fill, Line, Side
from app.trading.account import Account
from app.trading.exit_rules import FillRules
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from tests.candle_columns import MINUTE_MS, START_MS
from tests.spot_exchanges import BTC, Row, Venue, oco_params

SLIPPAGE, TAKER, MAKER = 0.0005, 0.001, 0.0004
LINE = Line(MAIN, BTC)


def walk(rng: random.Random, count: int) -> list[Row | None]:
    """Candles with gaps, long wicks, minutes without a trade and minutes that are not there."""
    rows: list[Row | None] = []
    price = 100.0
    for _ in range(count):
        opened = round(price * (1 + rng.gauss(0, 0.004)), 2)
        closed = round(opened * (1 + rng.gauss(0, 0.006)), 2)
        high = round(max(opened, closed) * (1 + abs(rng.gauss(0, 0.003))), 2)
        low = round(min(opened, closed) * (1 - abs(rng.gauss(0, 0.003))), 2)
        volume = 0.0 if rng.random() < 0.08 else round(rng.uniform(1, 50), 5)
        rows.append(None if rng.random() < 0.06 else (opened, high, low, closed, volume))
        price = closed
    return rows


class Client:
    """What a live session would send, and the fills that it hears of."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.entry: EntryOrder | None = None
        self.sent_id: int | None = None
        self.until_ms: int | None = None

    def send(self, order: EntryOrder, now_ms: int) -> None:
        """The entry, a moment after the close that it was decided at."""
        self.entry, venue = order, self.venue
        venue.now_ms = now_ms
        if order.limit is None:
            self.protect(venue.buy(order.quantity))
            return
        sent = venue.limit("BUY", order.quantity, order.limit)
        self.sent_id, self.until_ms = sent["orderId"], order.valid_until_ms
        if sent["status"] == "FILLED":
            self.protect(sent)

    def protect(self, _: Any) -> None:
        """The OCO, or the market where it is refused."""
        assert self.entry is not None
        entry, venue = self.entry, self.venue
        venue.now_ms += 40
        self.entry = self.sent_id = self.until_ms = None
        reply = venue.send("POST", "orderList/oco", **oco_params(entry.quantity, entry.stop, entry.target))
        if reply.status != 200:
            assert reply.body["code"] == -2010
            venue.sell(entry.quantity)

    def go_to(self, time_ms: int) -> None:
        """Let time pass up to there, and answer what happens."""
        venue = self.venue
        while (next_ms := venue.exchange.next_ms(venue.now_ms)) is not None and next_ms < time_ms:
            venue.now_ms = next_ms
            venue.exchange.advance(next_ms)
            if self.sent_id is not None and venue.order(self.sent_id)["status"] == "FILLED":
                self.protect(None)
        venue.now_ms = max(venue.now_ms, time_ms)
        if self.until_ms is not None and time_ms >= self.until_ms:
            venue.now_ms = time_ms + 30
            venue.ok("DELETE", "order", symbol="BTCUSDT", orderId=self.sent_id)
            self.entry = self.sent_id = self.until_ms = None


def entry_of(rng: random.Random, number: int, mark: float, now_ms: int) -> EntryOrder:
    """A long with a stop and a target, at the market or at a limit."""
    limit = round(mark * (1 - abs(rng.gauss(0, 0.004))), 2) if rng.random() < 0.5 else None
    reference = mark if limit is None else limit
    distance = reference * rng.uniform(0.002, 0.01)
    return EntryOrder(
        order_id=number, symbol=BTC, side=Side.LONG, quantity=round(rng.uniform(0.1, 5), 5), reference=reference,
        stop=round(reference - distance, 2), target=round(reference + distance * rng.uniform(0.8, 3), 2),
        sized_by=Bound.RISK, tag="", signal_time_ms=now_ms, limit=limit,
        valid_until_ms=None if limit is None else now_ms + rng.randint(1, 4) * MINUTE_MS,
    )  # fmt: skip


async def play(seed: int, touch: bool) -> tuple[list[Fill], list[Any]]:
    """The same decisions on paper and on the testnet; paper's fills and the testnet's trades."""
    rng = random.Random(seed)
    rows = walk(rng, 120)
    fills: list[Fill] = []
    account = Account(10_000.0, {BTC: (LINE,)})
    rules = FillRules(TAKER, MAKER, SLIPPAGE, target_on_touch=touch)
    paper = PaperTrader(Ledger(account, fills.append, MINUTE_MS), rules)
    venue = Venue(
        rows, fees="quote", slippage_rate=SLIPPAGE, commission_rate=TAKER, maker_commission_rate=MAKER,
        limit_fill="touch" if touch else "through", balances={"USDT": 1e6},
    )  # fmt: skip
    client, number = Client(venue), 0
    for place, row in enumerate(rows):
        open_ms, close_ms = START_MS + place * MINUTE_MS, START_MS + (place + 1) * MINUTE_MS
        client.go_to(close_ms)
        if row is None:
            continue
        await paper.on_slice(Slice(close_ms, (Candle(BTC, "1m", open_ms, *row),), False))
        later = [one for one in rows[place + 1 :] if one is not None and one[4] > 0]
        if account.positions or account.pending or not later or place > len(rows) - 20 or rng.random() < 0.3:
            continue
        number += 1
        order = entry_of(rng, number, row[3], close_ms)
        fills_at = later[0][0] if order.limit is None else min(order.limit, later[0][0])
        if fills_at >= order.target or (order.limit is not None and later[0][0] >= order.target):
            continue
        await paper.submit(order)
        client.send(order, close_ms + 25)
    return fills, venue.trades()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_testnet_fills_what_paper_fills(seed: int, touch: bool) -> None:
    fills, trades = asyncio.run(play(seed, touch))
    of_paper = [(fill.opens, fill.price, fill.quantity, fill.commission) for fill in fills]
    of_testnet = [(one["isBuyer"], float(one["price"]), float(one["qty"]), float(one["commission"])) for one in trades]
    assert of_testnet == of_paper
    # In the same candle, however a fill at its open is stamped.
    for fill, trade in zip(fills, trades, strict=True):
        open_ms = trade["time"] - trade["time"] % MINUTE_MS
        assert fill.time_ms in (open_ms, open_ms + MINUTE_MS) or _waited(fill, trade)


def _waited(fill: Fill, trade: Any) -> bool:
    """A market order that came while nobody traded is filled at once, at the price of the next candle with a trade."""
    return bool(trade["time"] < fill.time_ms and not trade["isMaker"])


def test_enough_of_it_happens() -> None:
    fills = [fill for seed in range(20) for fill in asyncio.run(play(seed, False))[0]]
    reasons = {fill.reason for fill in fills}
    assert len(fills) > 200 and {"signal", "stop_loss", "take_profit"} == reasons
