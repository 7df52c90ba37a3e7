"""Totals over fills: wins, losses, costs, exits, and None where there is nothing to divide by."""

import pytest

from app.models.orders import Reason, Side
from app.runs.tally import Tally, TradeTotals
from tests.made import BTC, ETH, fill


def tally() -> Tally:
    counted = Tally((BTC, ETH))
    for one in (
        fill(opens=True, reason=Reason.SIGNAL, realized_pnl=0.0, commission=1.0, slippage=0.5),
        fill(realized_pnl=20.0, commission=2.0),
        fill(symbol=ETH, side=Side.SHORT, realized_pnl=-5.0, reason=Reason.STOP_LOSS, both_levels=True),
        fill(realized_pnl=0.0, reason=Reason.STOP_LOSS),
    ):
        counted.add(one)
    return counted


def test_only_closes_are_trades_and_only_a_net_profit_wins() -> None:
    assert tally().total.as_dict() == {
        "total_trades": 3,
        "winning_trades": 1,
        "losing_trades": 2,
        "win_rate": pytest.approx(100 / 3),
        "realized_pnl": 15.0,
    }


def test_costs_are_those_of_every_fill() -> None:
    counted = tally()
    assert (counted.commission, counted.slippage, counted.opened, counted.both_levels) == (3.0, 0.5, 1, 1)


def test_groups_add_up_to_the_total() -> None:
    counted = tally()
    for groups in (counted.by_symbol, counted.by_side, counted.by_reason):
        parts: list[TradeTotals] = list(groups.values())
        assert sum(part.trades for part in parts) == counted.total.trades
        assert sum(part.realized_pnl for part in parts) == counted.total.realized_pnl
    assert counted.by_symbol[ETH].trades == counted.by_side[Side.SHORT].trades == 1


def test_exits_come_in_the_order_of_the_reasons() -> None:
    counted = Tally((BTC,))
    for reason in (Reason.TAKE_PROFIT, Reason.KILL_SWITCH, Reason.STOP_LOSS):
        counted.add(fill(reason=reason))
    assert list(counted.exits_as_dict()) == ["stop_loss", "take_profit", "kill_switch"]


def test_a_rate_of_nothing_is_none() -> None:
    assert TradeTotals().win_rate_pct is None
    assert Tally((BTC,)).total.as_dict()["win_rate"] is None
    assert Tally((BTC,)).exits_as_dict() == {}
