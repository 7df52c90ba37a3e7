"""A tape's ledger against an account: equal is no difference; each thing that is not as it was has its name."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from app.cli.reconcile import reconciled_lines
from app.errors import ConfigError
from app.feeds.tape import read_tape
from app.models.events import AccountSnapshot, Execution, SeenTrade
from app.session import reconcile as reconciling
from app.session.reconcile import Reconciled, reconcile
from app.times import DAY_MS
from tests.golden.make_tape import START_MS
from tests.live_sessions import live, market
from tests.unit.session.test_live_orders import session, steps


async def traded(run: Path) -> AccountSnapshot:
    """A session that stands with positions, and its account as its desk has it."""
    made, desk = session(run, "on_stop=keep")

    def end() -> None:
        made.recorded.runtime.ended = True

    assert await made.run(*steps(made, desk, market()[:10]), end, desk=desk) == "finished"
    events = [record.event for record in read_tape(run).records]
    fills = [one for one in events if isinstance(one, Execution) and one.quantity > 0.0]
    trades = tuple(SeenTrade(one.fill_id, one.order_id, one.leg, one.quantity, one.price) for one in fills)
    resting = [leg for one in desk._resting.values() for leg in (one.target_id, one.stop_id)]
    assert trades
    assert resting
    return AccountSnapshot(START_MS + DAY_MS, START_MS, dict(desk.balances), tuple(resting), trades)


async def compared(run: Path, snapshot: AccountSnapshot, monkeypatch: pytest.MonkeyPatch) -> Reconciled:
    async def asked(*_: object) -> AccountSnapshot:
        return snapshot

    monkeypatch.setattr(reconciling, "_snapshot", asked)
    return await reconcile(run, None, print)


def less_quote(one: AccountSnapshot) -> AccountSnapshot:
    return msgspec.structs.replace(one, balances={**one.balances, "X": one.balances["X"] - 1.0})


def less_base(one: AccountSnapshot) -> AccountSnapshot:
    return msgspec.structs.replace(one, balances={**one.balances, "AAA": 0.0})


def without_a_trade(one: AccountSnapshot) -> AccountSnapshot:
    return msgspec.structs.replace(one, trades=one.trades[1:])


def with_another_trade(one: AccountSnapshot) -> AccountSnapshot:
    return msgspec.structs.replace(one, trades=(*one.trades, SeenTrade("999", 1, "e", 1.0, 2.0)))


def with_another_price(one: AccountSnapshot) -> AccountSnapshot:
    first = msgspec.structs.replace(one.trades[0], price=1.0)
    return msgspec.structs.replace(one, trades=(first, *one.trades[1:]))


def without_a_leg(one: AccountSnapshot) -> AccountSnapshot:
    return msgspec.structs.replace(one, open_orders=one.open_orders[1:])


def without_orders(one: AccountSnapshot) -> AccountSnapshot:
    return msgspec.structs.replace(one, open_orders=())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (less_quote, r"X: the exchange holds [\d.]+, the ledger [\d.]+, 1.00000000 less"),
        (less_base, r"AAA: the exchange holds 0.00000000, the ledger"),
        (without_a_trade, "fill 1 of order 1 is in the ledger and not in the exchange's history"),
        (with_another_trade, r"trade 999 of order 1 \(1.00000000 at 2.00000000\) is in the exchange's history and not"),
        (with_another_price, r"fill 1 of order 1: its price is [\d.]+ in the ledger and 1 in the exchange's history"),
        (without_a_leg, r"order abc123-1-\d+-t rests in the ledger and is not open at the exchange"),
        (without_orders, r"order abc123-1-\d+-l rests in the ledger and is not open at the exchange"),
    ],
)
async def test_each_difference_has_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[AccountSnapshot], AccountSnapshot],
    told: str,
) -> None:
    snapshot = await traded(tmp_path / "run")
    same = await compared(tmp_path / "run", snapshot, monkeypatch)
    assert same.differences == []
    assert list(reconciled_lines(same))[-1] == "no difference"
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    found = await compared(tmp_path / "run", change(snapshot), monkeypatch)
    assert len(found.differences) == 1, found.differences
    assert re.match(told, found.differences[0]), found.differences
    assert list(reconciled_lines(found))[-2:] == [f"DIFFERS     {found.differences[0]}", "1 differences"]
    assert found.content()["differences"] == list(found.differences)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_trade_of_an_order_that_the_ledger_has_long_forgotten_is_named() -> None:
    snapshot = AccountSnapshot(2, 1, {}, trades=(SeenTrade("5", 7, "e", 1.0, 2.0),))
    assert list(reconciling._other_trades([], snapshot)) == [
        "trade 5 of order 7 (1.00000000 at 2.00000000) is in the exchange's history and not in the ledger"
    ]


async def test_a_session_on_paper_has_no_account(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    await made.run(*market()[:8])
    with pytest.raises(ConfigError, match="is no session with real orders: there is no account to compare it with"):
        await reconcile(tmp_path / "run", None, print)
