"""Reconciliation: each difference has a name and numbers, what is more is somebody else's, nothing is corrected."""

from typing import Any

import pytest

from app.models.events import SeenTrade
from app.models.intents import TARGET, PlaceOco
from app.models.orders import OrderState, Refusal
from app.strategies.base import long
from app.trading.instruments import Instrument
from tests.broker_scenes import LINE_B, Scene, entry_of, ocos

LONG = long(stop=90.0, target=120.0)


def held() -> tuple[Scene, PlaceOco]:
    """10 bought at 100 for a commission of 1, its OCO rests."""
    scene = Scene(instrument=Instrument(quantity_step=0.01, price_tick=0.01))
    (oco,) = scene.protected(LONG, commission=1.0, fee=1.0, fee_asset="X")
    return scene, oco


def differences(scene: Scene, **more: Any) -> list[str]:
    """What a snapshot finds; entries are refused while there is any, and nothing else changes."""
    before = scene.books.account.balance, dict(scene.books.account.positions), len(scene.books.fills)
    assert scene.snapshot(**more) == []
    assert (scene.books.account.balance, scene.books.account.positions, len(scene.books.fills)) == before
    found = scene.books.broker.reconciliation.differences
    scene.want(LONG, LINE_B)
    assert (scene.books.decisions[-1].outcome == Refusal.ACCOUNT_DIFFERS) is bool(found)
    return found


def test_what_agrees_is_no_difference() -> None:
    scene, _ = held()
    assert differences(scene) == []


@pytest.mark.parametrize(
    ("balances", "found"),
    [
        ({"AAA": 9.995, "X": 8_999.0, "BBB": 0.0}, None),
        ({"AAA": 9.98, "X": 8_999.0}, "AAA: the exchange holds 9.98000000, the ledger 10.00000000, 0.02000000 less"),
        ({"AAA": 10.0, "X": 8_998.9}, "X: the exchange holds 8998.90000000, the ledger 8999.00000000, 0.10000000 less"),
        ({"X": 8_999.0}, "AAA: the exchange holds 0.00000000, the ledger 10.00000000, 10.00000000 less"),
        ({"AAA": 50.0, "X": 99_999.0, "BBB": 3.0, "DOGE": 1e6}, None),
    ],
)  # fmt: skip
def test_less_is_a_difference_by_more_than_a_step_and_more_is_somebody_elses(
    balances: dict[str, float], found: str | None
) -> None:
    scene, _ = held()
    assert differences(scene, balances=balances) == ([] if found is None else [found])


def test_foreign_orders_and_coins_are_shown_and_are_no_difference() -> None:
    scene, oco = held()
    assert differences(scene, foreign_orders=3, open_orders=(oco.stop_id, oco.target_id, "web_1", "x-abc")) == []
    assert scene.books.broker.reconciliation.foreign_orders == 3


def test_a_trade_that_only_the_history_has() -> None:
    scene, oco = held()
    trades = (SeenTrade("1", 1, "e", 10.0, 100.0), SeenTrade("8", oco.order_id, TARGET, 2.0, 120.0))
    assert differences(scene, trades=trades) == [
        f"trade 8 of order {oco.order_id} (2.00000000 at 120.00000000) is in the exchange's history and not in the "
        "ledger"
    ]


def test_a_fill_that_only_the_ledger_has() -> None:
    scene, _ = held()
    assert differences(scene, trades=()) == ["fill 1 of order 1 is in the ledger and not in the exchange's history"]
    assert differences(scene) == [], "it is looked for in the time of its own snapshot"


def test_a_fill_that_came_while_the_snapshot_was_taken_belongs_to_the_next() -> None:
    scene, oco = held()
    scene.snapshot()
    scene.later(5)
    scene.part(oco, 1.0, 120.0, TARGET)
    scene.time_ms -= 4
    assert differences(scene, trades=()) == []


def test_an_order_that_is_open_there_and_over_here() -> None:
    scene, oco = held()
    scene.fill(oco, 120.0, TARGET)
    found = differences(scene, open_orders=(oco.stop_id,))
    assert found == [f"order {oco.stop_id} is open at the exchange and over in the ledger"]


def test_an_order_that_rests_here_and_not_there() -> None:
    """A testnet that was set up anew, or an exchange that lost it: nobody tells of its end."""
    scene, oco = held()
    found = differences(scene, open_orders=())
    assert found == [f"order {oco.client_id} rests in the ledger and is not open at the exchange"]
    assert differences(scene, open_orders=(oco.target_id,)) == []


def test_an_order_that_is_under_way_is_no_difference() -> None:
    scene = Scene()
    order = entry_of(scene.want(long(stop=90.0, target=120.0, limit=99.0)))
    assert scene.snapshot(open_orders=()) == [] and not scene.books.broker.reconciliation.differences
    scene.tell(order, OrderState.UNKNOWN)
    scene.snapshot(open_orders=())
    assert not scene.books.broker.reconciliation.differences


def test_an_order_that_is_being_cancelled_may_be_gone_there() -> None:
    scene = Scene()
    scene.protected(long(stop=90.0, target=150.0, exits={"trailing": {"distance_r": 1.0}}))
    scene.candle(105.0, high=106.0)
    assert scene.snapshot(open_orders=()) == [] and not scene.books.broker.reconciliation.differences


def test_the_first_snapshot_of_a_new_process_tells_the_whole_history() -> None:
    """It does not know when the last one was, so it asks from the beginning of the session on."""
    scene, oco = held()
    scene.fill(oco, 120.0, TARGET)
    told = (SeenTrade("1", 1, "e", 10.0, 100.0), SeenTrade("2", oco.order_id, TARGET, 10.0, 120.0))
    for _ in range(2):
        scene.later(1_000)
        scene.snapshot()
    assert not scene.books.broker.reconciliation._fills, "the last comparison has settled them"
    scene.snapshot(since_ms=0, trades=told)
    assert not scene.books.broker.reconciliation.differences
    scene.snapshot(since_ms=0, trades=(*told, SeenTrade("3", oco.order_id, TARGET, 1.0, 120.0)))
    assert len(scene.books.broker.reconciliation.differences) == 1


def test_orders_long_over_are_known_in_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.trading.order_book._KEPT", 5)
    scene, oco = held()
    for _ in range(8):
        (oco,) = ocos(scene.gone(oco, OrderState.EXPIRED))
    scene.accept(oco)
    scene.snapshot()
    scene.snapshot(since_ms=0, trades=(SeenTrade("1", 1, "e", 10.0, 100.0),))
    assert not scene.books.broker.reconciliation.differences and scene.books.broker.book.find(1) is None
