"""The order desk on the testnet's engine through Binance's payloads: entries, OCOs, cancellations, faults and kills.

The rule, whatever the seed and the variant of the documents: one request to place for each order; what was said in the
end is what the exchange's own books have, order by order and fill by fill.
"""

import asyncio
import json
from dataclasses import dataclass, field
from math import isclose
from random import Random

import pytest

from app.exchange.order_desk import OrderDesk
from app.exchange.order_times import OrderTimes
from app.feeds.base import QUEUE_BURSTS, EventQueue
from app.models.events import AccountSnapshot, Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from app.testnet.exchange_variants import Variants
from tests.candle_columns import START_MS
from tests.engine_accounts import EngineAccount
from tests.order_desks import BTC, TAG
from tests.spot_exchanges import ME
from tests.virtual_loop import run_virtual

STORM_S, CALM_S = 400.0, 200.0
OVER = {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REFUSED}
STATES = {
    "NEW": None, "PARTIALLY_FILLED": None, "FILLED": "filled", "CANCELED": "cancelled", "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired", "REJECTED": "refused",
}  # fmt: skip


@dataclass
class Broker:
    """Buys, protects, takes the protection away, sells; knows what was said over all processes."""

    random: Random
    intents: list[Intent] = field(default_factory=list)
    events: list[Execution | AccountSnapshot] = field(default_factory=list)
    number: int = 0

    def legs(self, intent: Intent) -> tuple[str, ...]:
        return (intent.target_id, intent.stop_id) if isinstance(intent, PlaceOco) else (intent.client_id,)

    def said(self, client_id: str) -> list[Execution]:
        _, _, number, leg = client_id.split("-")
        mine = (one for one in self.events if isinstance(one, Execution))
        return [one for one in mine if (one.order_id, one.leg) == (int(number), leg)]

    def is_over(self, client_id: str) -> bool:
        return any(one.state in OVER for one in self.said(client_id))

    def is_known(self, client_id: str) -> bool:
        return any(one.state in {OrderState.ACCEPTED, OrderState.PARTLY_FILLED} for one in self.said(client_id))

    def fills(self, client_id: str) -> dict[str, float]:
        return {one.fill_id: one.quantity for one in self.said(client_id) if one.fill_id}

    def decide(self, now_ms: int, price: float) -> Intent:
        random = self.random
        self.number += 1
        name = f"{TAG}-1-{self.number}-"
        kind = random.random()
        named = {one.client_id for one in self.intents if isinstance(one, Cancel)}
        left = [
            one for one in self.intents
            if not isinstance(one, Cancel) and one.client_id not in named
            and not all(self.is_over(leg) for leg in self.legs(one))
        ]  # fmt: skip
        if kind < 0.25 and left:
            of = random.choice(left)
            return Cancel(of.client_id, of.order_id, BTC, now_ms, isinstance(of, PlaceOco))
        if kind < 0.5:
            stop, target = round(price * 0.99, 2), round(price * 1.01, 2)
            return PlaceOco(f"{name}l", f"{name}t", f"{name}s", self.number, BTC, 0.1, target, stop, now_ms)
        if kind < 0.6:
            return PlaceOrder(f"{name}c", self.number, BTC, False, 0.1, now_ms)
        limit = None if kind < 0.8 else round(price * random.choice((0.995, 0.99)), 2)
        return PlaceOrder(f"{name}e", self.number, BTC, True, 0.3, now_ms, limit)


async def _process(account: EngineAccount, broker: Broker, seconds: float) -> None:
    """One life of the desk, until it is killed."""
    random, api = broker.random, account.api()
    desk = OrderDesk(api, TAG, [BTC], since_ms=START_MS, times=OrderTimes(reconcile_s=60.0))
    legs_of = {one.client_id: broker.legs(one) for one in broker.intents if not isinstance(one, Cancel)}
    desk.take_up([one for one in broker.intents if not all(map(broker.is_over, legs_of[one.client_id]))])
    queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)

    async def collect() -> None:
        while True:
            for event in await queue.get():
                assert isinstance(event, Execution | AccountSnapshot)
                broker.events.append(event)

    async def work() -> None:
        while not account.is_calm:
            await asyncio.sleep(random.uniform(1.0, 12.0))
            answer = account.request("GET", "ticker/price", {"symbol": "BTCUSDT"}, account.now_ms)
            intent = broker.decide(account.now_ms, float(json.loads(answer.text)["price"]))
            broker.intents.append(intent)
            if random.random() < 0.95:  # else the kill comes between the tape and the desk
                desk.send([intent])
            if random.random() < 0.1:
                account.switch(is_up=not account.is_up)
            account.stream_s = random.choice((None, 0.02, 0.02, 3.0))
        await asyncio.Event().wait()

    running = [asyncio.create_task(one) for one in (desk.run(queue), collect(), work())]
    done, _ = await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    if account.is_calm:
        assert desk.status().unresolved == 0, desk.status()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def _run(seed: int) -> tuple[EngineAccount, Broker]:
    random = Random(f"engine {seed}")
    variants = Variants(
        trigger_reports=random.random() < 0.5, refusal_reports=random.random() < 0.5,
        finds_cancelled=random.random() < 0.7, part_expires_stop=random.random() < 0.5,
        event_order=random.choice(("reports_first", "list_first", "balances_first")),
        list_reports=random.choice(("RESULT", "ACK")),
    )  # fmt: skip

    async def main() -> tuple[EngineAccount, Broker]:
        account = EngineAccount(
            random, 60, variants, fees=random.choice(("received", "bnb", "quote")), parts=random.choice((1, 3))
        )
        broker = Broker(random)
        clock = asyncio.create_task(account.go_on())
        for _ in range(random.choice((1, 2, 3))):
            await _process(account, broker, random.uniform(20.0, STORM_S))
        account.is_calm, account.stream_s = True, 0.02
        account.switch(is_up=True)
        await _process(account, broker, CALM_S)
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
        return account, broker

    return run_virtual(main())


def _check(account: EngineAccount, broker: Broker) -> None:
    assert len(account.placed) == len(set(account.placed))
    ledger = account.venue.exchange.ledger(ME)
    truth = {row["clientOrderId"]: row for row in ledger["orders"]}
    fills: dict[int, dict[str, float]] = {}
    for row in ledger["trades"]:
        fills.setdefault(row["orderId"], {})[str(row["id"])] = float(row["qty"])
    for intent in broker.intents:
        for leg in () if isinstance(intent, Cancel) else broker.legs(intent):
            ends = {one.state.value for one in broker.said(leg) if one.state in OVER}
            if leg not in truth:
                assert ends <= {"refused", "cancelled"} and ends, (leg, broker.said(leg))
                assert not broker.fills(leg)
                continue
            assert broker.fills(leg) == fills.get(truth[leg]["orderId"], {}), (leg, truth[leg])
            assert ends == {STATES[truth[leg]["status"]]} - {None}, (leg, truth[leg], broker.said(leg))
    _check_snapshots(broker)


def _check_snapshots(broker: Broker) -> None:
    """Each holds what was said before it: what is bought and sold, and the fees that were taken from it."""
    held: dict[str, float] = {}
    for event in broker.events:
        if isinstance(event, AccountSnapshot):
            assert isclose(event.balances["BTC"], sum(held.values()), abs_tol=1e-7), event
        elif event.fill_id:
            sign = 1.0 if event.leg == "e" else -1.0
            held[event.fill_id] = sign * event.quantity - (event.fee if event.fee_asset == "BTC" else 0.0)


@pytest.mark.parametrize("block", range(0, 20, 5))
def test_what_was_said_is_what_the_exchange_has(block: int) -> None:
    for seed in range(block, block + 5):
        _check(*_run(seed))
