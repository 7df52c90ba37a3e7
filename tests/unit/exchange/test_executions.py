"""From reports and trades to executions: ours only, trades before states, each with where it was heard."""

import asyncio

import pytest

from app.exchange.executions import FROM_HISTORY, ExchangeTime, Executions, Said
from app.exchange.fee_prices import FeePrices
from app.exchange.known_orders import KnownOrders
from app.exchange.order_reports import Heard, OrderReport, TradeReport
from app.exchange.questions import Questions
from app.exchange.repeated_lines import RepeatedLines
from app.models.events import Execution
from app.models.orders import OrderState
from tests.scripted_spot import ScriptedSpot
from tests.virtual_loop import run_virtual

BTC, MINE = "BTC/USDT", "seed1-1-1-e"
FILLED = OrderReport(BTC, MINE, 7, OrderState.FILLED, True, 1.0, 1.0, 2_000, why="eR 1")
TRADE = TradeReport(BTC, 42, 7, MINE, True, 1.0, 100.0, 0.01, "BNB", 1_999, is_maker=True)


def _hear(*heard: Heard, spot: ScriptedSpot | None = None, source: str = "by the stream") -> list[Said]:
    async def main() -> list[Said]:
        api, said, lines = spot or ScriptedSpot(prices={"BNB/USDT": 600.0}), list[Said](), RepeatedLines(None)
        questions, fees = Questions(lines, 17.0, 60.0), FeePrices(api.price, 60.0, 15.0)
        executions = Executions(api, KnownOrders("seed1"), questions, fees, lines, said.append)
        await executions.hear(heard, source)
        trades = sum(isinstance(one, TradeReport) for one in heard)
        assert len(executions.unconfirmed) == (trades if said and source != FROM_HISTORY else 0)
        return said

    return run_virtual(main())


def test_a_trade_comes_before_the_end_that_it_makes() -> None:
    fill, end = _hear(FILLED, TRADE)
    assert fill == Execution(
        1, OrderState.PARTLY_FILLED, 1_999, "42", 1.0, 100.0, 6.0, why="by the stream", leg="e", fee=0.01,
        fee_asset="BNB", is_maker=True,
    )  # fmt: skip
    assert end == Execution(
        1, OrderState.FILLED, 2_000, filled=1.0, why="by the stream: filled (1.0 of 1.0); eR 1", leg="e"
    )  # fmt: skip


def test_a_trade_without_a_client_id_is_known_by_the_order_s_number() -> None:
    nameless = TradeReport(BTC, 42, 7, "", True, 1.0, 100.0, 0.1, "USDT", 1_999)
    assert [one.order_id for one in _hear(FILLED, nameless) if isinstance(one, Execution)] == [1, 1]
    spot = ScriptedSpot()
    spot.orders[MINE] = FILLED
    (fill,) = _hear(nameless, spot=spot, source=FROM_HISTORY)
    assert isinstance(fill, Execution)
    assert (fill.order_id, fill.leg) == (1, "e")
    assert spot.asked == ["number 7"]


@pytest.mark.parametrize("client_id", ["web_1", "other1-1-1-e", ""])
def test_nothing_is_said_of_somebody_else_s_orders(client_id: str) -> None:
    report = OrderReport(BTC, client_id, 8, OrderState.ACCEPTED, True, 1.0, 0.0, 1)
    assert _hear(report, TradeReport(BTC, 9, 8, client_id, True, 1.0, 1.0, 0.0, "USDT", 1)) == []


def test_our_own_time_is_the_exchange_s_as_it_was_heard_last() -> None:
    async def main() -> None:
        time = ExchangeTime()
        assert time.now_ms() == 0
        time.note(1_000_000)
        await asyncio.sleep(2.0)
        assert time.now_ms() == 1_002_000
        time.note(1_000_500)  # of something older
        assert time.now_ms() == 1_002_000

    run_virtual(main())
