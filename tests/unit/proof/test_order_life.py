"""The life of a real order, from the tape alone: also of a session that broke off."""

import asyncio
from pathlib import Path

import pytest

from app.errors import DataError
from app.feeds.tape import read_tape
from app.models.events import Execution
from app.models.intents import Cancel, Intent, PlaceOco, PlaceOrder
from app.models.orders import OrderState
from app.proof.order_life import OrderLife, is_order, life_of, never_arrived, unresolved_s
from tests.live_twins import Venue, live, paper


def of(run: Path, asked: object) -> OrderLife:
    return asyncio.run(life_of(run, str(asked)))


def placed(run: Path, kind: type[PlaceOrder | PlaceOco], *, buys: bool = True) -> list[PlaceOrder | PlaceOco]:
    found = [one for record in read_tape(run).records for one in record.intents]
    return [one for one in found if isinstance(one, kind) and getattr(one, "buys", buys) is buys]


def states(life: OrderLife) -> list[tuple[str, OrderState]]:
    events = [one.event for one in life.happenings if isinstance(one.event, Execution)]
    return [(one.leg, one.state) for one in events if one.order_id == life.order_id]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fees = Venue(parts=2, fee_asset=lambda symbol, buys: symbol.partition("/")[0] if buys else "USDT")
    return live(tmp_path_factory.mktemp("life"), "live", fees)


def test_an_entry_from_its_decision_to_its_last_fill(run: Path) -> None:
    life = of(run, 1)
    assert (life.kind, life.line, life.is_over) == ("entry", ("main", "AAA/USDT"), True)
    assert life.decision is not None
    assert life.decision.order is not None
    assert life.decision.order.order_id == 1
    first = life.happenings[0]
    assert life.placed in first.intents
    assert not isinstance(first.event, Execution), "the slice that it was decided with"
    kinds = OrderState.SENT, OrderState.ACCEPTED, OrderState.PARTLY_FILLED, OrderState.PARTLY_FILLED, OrderState.FILLED
    assert states(life) == [("e", state) for state in kinds]
    fills = [fill for one in life.happenings for fill in one.fills]
    assert [fill.opens for fill in fills] == [True, True]
    assert sum(fill.quantity for fill in fills) == pytest.approx(life.placed.quantity)
    held = life.happenings[-1].position
    assert held is not None
    assert held.quantity == pytest.approx(0.999 * life.placed.quantity), "the fee was kept in the coin"
    assert isinstance(life.happenings[-1].intents[0], PlaceOco), "what its end led to"


def test_an_oco_with_what_it_left_in_the_ledger(run: Path) -> None:
    oco = placed(run, PlaceOco)[0]
    assert isinstance(oco, PlaceOco)
    lives = [of(run, asked) for asked in (oco.order_id, oco.client_id, oco.stop_id, oco.target_id)]
    assert {one.order_id for one in lives} == {oco.order_id}
    life = lives[0]
    assert life.kind == "protection"
    assert life.protected is not None
    assert life.record is not None
    assert life.record.trade_id == life.protected.trade_id
    last = life.happenings[-1]
    assert last.position is None
    assert last.dust is not None
    assert 0.0 < last.dust.quantity < 0.001


def test_a_sale_after_the_protection_was_cancelled(run: Path) -> None:
    sale = placed(run, PlaceOrder, buys=False)[0]
    life = of(run, sale.order_id)
    assert life.kind == "sale"
    assert isinstance(life.cause, Execution)
    before = of(run, life.cause.order_id)
    assert before.kind == "protection"
    cancels = [one for each in before.happenings for one in each.intents if isinstance(one, Cancel)]
    assert [one.client_id for one in cancels] == [before.placed.client_id]
    assert sale in before.happenings[-1].intents, "the sale followed its end"


def test_an_order_that_never_arrived_has_its_proof(tmp_path: Path) -> None:
    def is_lost(intent: Intent) -> bool:
        return isinstance(intent, PlaceOrder) and intent.order_id == 1

    life = of(live(tmp_path, "live", Venue(lost=is_lost)), 1)
    assert states(life) == [("e", state) for state in (OrderState.SENT, OrderState.UNKNOWN, OrderState.REFUSED)]
    assert "never arrived: server time 2, deadline 1" in (never_arrived(life) or "")
    assert unresolved_s(life) == pytest.approx(13.97)
    assert never_arrived(of(tmp_path / "live", 2)) is None
    assert unresolved_s(of(tmp_path / "live", 2)) is None


def test_a_session_that_broke_off_tells_what_is_open(tmp_path: Path) -> None:
    run = live(tmp_path, "live", Venue(refuses=lambda one: "no" if isinstance(one, PlaceOco) else ""), end=False)
    assert not (run / "results.json").exists()
    life = of(run, 1)
    assert life.happenings


def test_what_is_no_order_of_the_session(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no order 9999; its orders are 1 to \d+"):
        of(run, 9999)
    with pytest.raises(DataError, match=r"there is no order other11-1-1-e; order 1 is twin11-1-1-e"):
        of(run, "other11-1-1-e")
    with pytest.raises(DataError, match=r"there is no order 1; it sent no order"):
        of(paper(tmp_path, "paper"), 1)
    assert [is_order(one) for one in ("1", "twin11-1-1-e", "BTC/USDT", "²", "", "-1")] == [True, True, *4 * [False]]
