"""What is said of real orders: where each stop rests and for how long it did not, unknown orders first, differences."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app import times
from app.models.events import AccountSnapshot, Execution, Halt, Kill
from app.models.intents import Intent, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from app.session.order_watch import OrderWatch, is_covered
from tests.golden.make_tape import START_MS
from tests.live_sessions import Live, market
from tests.unit.session.test_live_orders import session


class Status(NamedTuple):
    """Of a desk."""

    link: str = ""
    unresolved: int = 0
    oldest_unresolved_s: float | None = None


class Desk:
    """That is down."""

    def status(self) -> Status:
        """As it is."""
        return Status("cut", 1, 4.0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Live]:
    """A session of its broker, without a desk."""
    made, _ = session(tmp_path / "run")
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a test sets."""
    now_s = [1000.0]
    monkeypatch.setattr(times, "monotonic_s", lambda: now_s[0])
    return now_s


def entered(made: Live, told: list[str]) -> PlaceOrder:
    """An entry that was sent, and nothing is known of it."""
    made.view.orders = OrderWatch(Desk(), 30.0, told.append)
    balances = {"X": made.recorded.runtime.account.starting_balance}

    async def trade() -> PlaceOrder:
        await made.recorded.handle(AccountSnapshot(START_MS - 1, START_MS - 2, balances))
        for event in market():
            await made.recorded.handle(event)
            if made.recorded.intents:
                (intent,) = made.recorded.intents
                assert isinstance(intent, PlaceOrder)
                return intent
        raise AssertionError("no entry")

    return asyncio.run(trade())


def asked(made: Live) -> tuple[Intent, ...]:
    """Of the exchange, because of the newest event."""
    return made.recorded.intents


def say(made: Live, order_id: int, state: OrderState, leg: str, **more: object) -> None:
    asyncio.run(made.recorded.handle(Execution(order_id, state, START_MS + 500_000, leg=leg, **more)))  # type: ignore[arg-type]


def fill(made: Live, entry: PlaceOrder) -> PlaceOco:
    say(made, entry.order_id, OrderState.FILLED, "e", fill_id="1", quantity=entry.quantity, price=900.0,
        filled=entry.quantity)  # fmt: skip
    (oco,) = made.recorded.intents
    assert isinstance(oco, PlaceOco)
    return oco


def test_an_order_of_which_nobody_knows_comes_first(made: Live) -> None:
    entry = entered(made, [])
    say(made, entry.order_id, OrderState.UNKNOWN, "e", why="no answer")
    real = made.view.status()["real_orders"]
    (one,) = real["open"]
    assert (one["client_id"], one["kind"], one["states"], one["unknown"]) == (
        entry.client_id, "entry", {"e": "unknown"}, True,
    )  # fmt: skip
    assert (real["stream"], real["unresolved"], real["oldest_unresolved_s"]) == ("cut", 1, 4.0)
    assert not is_covered(made.recorded.runtime), "an entry at the market is under way"


def test_a_position_without_its_stop_is_measured_and_said(made: Live, clock: list[float]) -> None:
    told: list[str] = []
    oco = fill(made, entered(made, told))
    watch, runtime = made.view.orders, made.recorded.runtime
    assert watch is not None
    assert not is_covered(runtime)
    clock[0] += 29.0
    watch.look(runtime)
    assert told == []
    clock[0] += 2.0
    (stop,) = made.view.status()["real_orders"]["stops"].values()
    assert stop == {"place": "being placed on the exchange", "bare_s": 31.0}
    watch.look(runtime)
    assert told == ["AAA/X: UNPROTECTED for 31 s, its stop is not on the exchange: being placed on the exchange"]
    clock[0] += 4.0
    for leg in ("t", "s"):
        say(made, oco.order_id, OrderState.ACCEPTED, leg)
    assert told[1:] == ["AAA/X: protected again, or closed, after 35 s"]
    real = made.view.status()["real_orders"]
    assert (real["longest_gap_s"], next(iter(real["stops"].values()))["place"]) == (35.0, "on the exchange")
    assert is_covered(runtime)


def test_differences_are_said_once_and_entries_halt(made: Live, clock: list[float]) -> None:
    told: list[str] = []
    fill(made, entered(made, told))
    for at_ms in (1, 2):
        asyncio.run(made.recorded.handle(AccountSnapshot(START_MS + 600_000 + at_ms, START_MS + 599_999, {"X": 1.0})))
    assert len(told) == 1
    assert told[0].startswith("account and ledger differ, entries halt: AAA: the exchange holds 0.00000000, the ledger")
    clock[0] += 12.0
    real = made.view.status()["real_orders"]
    assert real["reconciled_s"] == 12.0
    assert len(real["differences"]) > 1


def test_a_halt_closes_nothing_and_a_kill_is_closing_until_all_is_flat(made: Live) -> None:
    entry = entered(made, [])
    oco = fill(made, entry)
    for leg in ("t", "s"):
        say(made, oco.order_id, OrderState.ACCEPTED, leg)
    asyncio.run(made.recorded.handle(Halt("a look")))
    status = made.view.status()
    assert (status["halted"], status["killed"], status["closing"]) == (True, False, False)
    assert not asked(made)
    asyncio.run(made.recorded.handle(Kill("enough")))
    status = made.view.status()
    assert (status["killed"], status["closing"]) == (True, True)
    for leg in ("t", "s"):
        say(made, oco.order_id, OrderState.CANCELLED, leg, filled=0.0)
    (sale,) = asked(made)
    assert isinstance(sale, PlaceOrder)
    assert made.view.status()["closing"]
    say(made, sale.order_id, OrderState.FILLED, "c", fill_id="2", quantity=sale.quantity, price=900.0,
        filled=sale.quantity)  # fmt: skip
    assert not made.view.status()["closing"]
