"""The ledger: legs with their share of the entry's commission, and the invariant about the past."""

import pytest

from app.models.exits import Exits, Partial, TimeExit
from app.models.market import Candle
from app.models.orders import Bound, EntryOrder, Fill, Line, Reason, Side
from app.trading.account import Account, lines_of
from app.trading.exit_rules import FillRules
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader

LINE = Line("main", "A/X")
LEGS = Exits(partial=(Partial(0.5, 0.3), Partial(1.0, 0.3)), time=TimeExit(5))


def opened(exits: Exits | None = LEGS) -> tuple[Ledger, Account, list[Fill]]:
    """10 bought at 100, stop 90, target 120, for a commission of 5."""
    fills: list[Fill] = []
    account = Account(1_000.0, lines_of({"main": ["A/X"]}, ["A/X"]))
    account.marks["A/X"] = 100.0
    ledger = Ledger(account, fills.append, 60_000, {"A/X": Instrument(quantity_step=0.1)})
    order = EntryOrder(1, "A/X", Side.LONG, 10.0, 100.0, 90.0, 120.0, Bound.RISK, "", 0, exits=exits)
    ledger.open(order, 100.0, 100.0, 5.0, 60_000)
    return ledger, account, fills


def test_each_leg_pays_its_share_and_the_last_close_what_is_left() -> None:
    ledger, account, fills = opened()
    for quantity, price, commission in ((3.0, 105.0, 0.3), (3.0, 110.0, 0.3)):
        ledger.close(
            account.positions[LINE], price, price, commission, 120_000, Reason.PARTIAL_TARGET, quantity=quantity
        )
    position = account.positions[LINE]
    assert (position.quantity, position.legs, position.ceiling) == (4.0, (), 120.0)
    assert position.entry_commission == pytest.approx(2.0)
    assert account.equity() == pytest.approx(1_000.0 + 15.0 + 30.0 - 3.6 - 2.0)
    assert ledger.close(position, 90.0, 90.0, 0.4, 180_000, Reason.STOP_LOSS) is None
    realized = [fill.realized_pnl for fill in fills[1:]]
    assert realized == pytest.approx([15.0 - 1.5 - 0.3, 30.0 - 1.5 - 0.3, -40.0 - 2.0 - 0.4])
    assert account.balance == pytest.approx(1_000.0 + sum(realized)) and not account.positions


def test_the_next_leg_is_what_a_candle_is_held_against() -> None:
    ledger, account, _ = opened()
    position = account.positions[LINE]
    assert (position.floor, position.ceiling, position.risk, position.time_exit_ms) == (90.0, 105.0, 10.0, 360_000)
    moved = ledger.move_stop(position, 95.0, Reason.TRAILING_STOP)
    assert (moved.floor, moved.ceiling, moved.risk) == (95.0, 105.0, 10.0), "R stays that of the entry"
    assert account.positions[LINE] is moved


@pytest.mark.parametrize("side", list(Side))
def test_a_stop_that_moved_past_the_target_is_looked_at_in_every_candle(side: Side) -> None:
    """After a limit that was filled inside a candle its close may lie beyond the target, and the stop follows it."""
    ledger, account, fills = opened(None)
    if side is Side.SHORT:
        ledger.close(account.positions[LINE], 100.0, 100.0, 0.0, 60_000, Reason.SIGNAL_EXIT)
        order = EntryOrder(2, "A/X", side, 10.0, 100.0, 110.0, 80.0, Bound.RISK, "", 0)
        ledger.open(order, 100.0, 100.0, 5.0, 60_000)
    paper = PaperTrader(ledger, FillRules(commission_rate=0.0, slippage_rate=0.0))
    ledger.move_stop(account.positions[LINE], 100.0 + side * 25.0, Reason.TRAILING_STOP)
    between = [100.0 + side * distance for distance in (22.0, 23.0, 21.0)]  # target at 20, stop at 25
    paper.update_positions(Candle("A/X", "1m", 60_000, between[0], max(between), min(between), between[0], 1.0))
    assert (fills[-1].price, fills[-1].reason) == (between[0], Reason.TRAILING_STOP)


def test_legs_that_are_none_are_counted() -> None:
    ledger, account, _ = opened(Exits(partial=(Partial(0.5, 0.001), Partial(2.0, 0.5))))
    assert account.positions[LINE].legs == () and ledger.dropped == {"legs": 2}


def test_an_entry_that_is_cancelled_is_counted_once() -> None:
    ledger, account, _ = opened(None)
    order = EntryOrder(2, "A/X", Side.LONG, 1.0, 100.0, 90.0, 120.0, Bound.RISK, "", 0)
    account.pending[LINE] = order
    assert ledger.cancel_entry(LINE, "expired") and not ledger.cancel_entry(LINE, "expired")
    assert ledger.cancelled == {"expired": 1}


def test_nothing_fills_on_a_candle_that_opened_before_it_was_decided() -> None:
    ledger, account, _ = opened(None)
    early = Candle("A/X", "1m", 0, 100.0, 101.0, 99.0, 100.0, 1.0)
    with pytest.raises(RuntimeError, match="cannot fill what was decided"):
        ledger.close(account.positions[LINE], 90.0, 90.0, 0.0, 60_000, Reason.STOP_LOSS, candle=early)
