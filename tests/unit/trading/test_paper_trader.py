"""PaperTrader on its own: each fill rule of RULES.md on one candle. Whole stories are drawn in tests/scenarios."""

import contextlib
from typing import Any

import pytest

from app.models.orders import Action, CloseOrder, Fill, Reason, Side
from app.trading.account import Account
from app.trading.exit_rules import ExitRule, FillRules, exits_of
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from tests.made import BTC, BTC_LINE, ETH, MINUTE_MS, candle, entry, made_account, position, slice_of

FREE = FillRules(commission_rate=0.0, slippage_rate=0.0)
EXIT = CloseOrder(7, BTC, Reason.SIGNAL_EXIT, MINUTE_MS, "")


def trader(rules: FillRules = FREE) -> tuple[PaperTrader, Account, list[Fill]]:
    account, fills = made_account(), list[Fill]()
    return PaperTrader(Ledger(account, fills.append, MINUTE_MS), rules), account, fills


async def opened(rules: FillRules = FREE, **changes: Any) -> tuple[PaperTrader, Account, list[Fill]]:
    """A position entered at 100 in minute 1, in a candle that stays there."""
    paper, account, fills = trader(rules)
    await paper.on_slice(slice_of(candle(100.0)))
    await paper.submit(entry(**changes))
    if BTC_LINE not in account.positions:
        await paper.on_slice(slice_of(candle(100.0, at=1)))
    fills.clear()
    return paper, account, fills


async def test_a_market_order_waits_for_the_next_open() -> None:
    paper, account, fills = trader()
    await paper.on_slice(slice_of(candle(100.0)))
    await paper.submit(entry())
    assert fills == []
    await paper.on_slice(slice_of(candle(105.0, at=1, open=103.0)))
    assert [(fill.price, fill.time_ms, fill.opens, fill.reason) for fill in fills] == [
        (103.0, MINUTE_MS, True, Reason.SIGNAL)
    ]
    assert (account.pending, list(account.positions), account.marks[BTC]) == ({}, [BTC_LINE], 105.0)


async def test_fill_close_fills_at_once_at_the_mark() -> None:
    paper, account, fills = trader(FillRules(commission_rate=0.0, slippage_rate=0.0, fill_at_close=True))
    await paper.on_slice(slice_of(candle(100.0)))
    await paper.submit(entry())
    assert [(fill.price, fill.time_ms) for fill in fills] == [(100.0, MINUTE_MS)]
    await paper.submit(EXIT)
    assert (fills[1].reason, fills[1].time_ms, account.positions) == (Reason.SIGNAL_EXIT, MINUTE_MS, {})


async def test_nobody_trades_in_a_candle_without_volume() -> None:
    paper, account, fills = await opened()
    await paper.submit(EXIT)
    await paper.on_slice(slice_of(candle(95.0, at=2, low=80.0, high=130.0, volume=0.0)))
    assert fills == []
    assert (account.marks[BTC], list(account.closing)) == (95.0, [BTC_LINE])
    await paper.on_slice(slice_of(candle(96.0, at=3, low=80.0)))
    assert [(fill.price, fill.reason) for fill in fills] == [(96.0, Reason.SIGNAL_EXIT)]


@pytest.mark.parametrize(
    ("ohlc", "price", "reason", "at_open", "both"),
    [
        ((89.0, 95.0, 85.0, 91.0), 89.0, Reason.STOP_LOSS, True, False),  # a gap through the stop
        ((90.0, 95.0, 90.0, 91.0), 90.0, Reason.STOP_LOSS, True, False),
        ((121.0, 125.0, 80.0, 91.0), 121.0, Reason.TAKE_PROFIT, True, False),
        ((120.0, 120.0, 99.0, 99.0), None, None, False, False),  # at the target is not through it
        ((100.0, 125.0, 90.0, 110.0), 90.0, Reason.STOP_LOSS, False, True),  # both: the stop wins
        ((100.0, 119.0, 90.0, 110.0), 90.0, Reason.STOP_LOSS, False, False),
        ((100.0, 120.1, 95.0, 110.0), 120.0, Reason.TAKE_PROFIT, False, False),
        ((100.0, 119.9, 90.1, 110.0), None, None, False, False),
    ],
)
async def test_the_first_exit_rule_that_holds(
    ohlc: tuple[float, float, float, float], price: float | None, reason: Reason | None, at_open: bool, both: bool
) -> None:
    for side in Side:  # a short is the mirror image around 100
        stop, target = (90.0, 120.0) if side is Side.LONG else (110.0, 80.0)
        first, top, bottom, last = (100.0 + side * (level - 100.0) for level in ohlc)
        paper, _, fills = await opened(side=side, stop=stop, target=target)
        high, low = max(top, bottom), min(top, bottom)
        await paper.on_slice(slice_of(candle(last, at=2, open=first, high=high, low=low)))
        if price is None:
            assert fills == []
            continue
        mirrored = 100.0 + side * (price - 100.0)
        time_ms = (2 if at_open else 3) * MINUTE_MS
        assert [(fill.price, fill.reason, fill.time_ms, fill.both_levels) for fill in fills] == [
            (mirrored, reason, time_ms, both)
        ]


@pytest.mark.parametrize("side", list(Side))
async def test_where_both_levels_lie_in_one_candle_the_optimist_takes_the_target(side: Side) -> None:
    stop, target = (90.0, 120.0) if side is Side.LONG else (110.0, 80.0)
    rules = FillRules(commission_rate=0.0, slippage_rate=0.0, target_first=True)
    for high, low, expected in (
        (125.0, 75.0, (target, Reason.TAKE_PROFIT, True)),
        (100.0 + 10.0 * (side < 0), 100.0 - 10.0 * (side > 0), (stop, Reason.STOP_LOSS, False)),  # the stop alone
    ):
        paper, _, fills = await opened(rules, side=side, stop=stop, target=target)
        await paper.on_slice(slice_of(candle(100.0, at=2, high=high, low=low)))
        assert [(fill.price, fill.reason, fill.both_levels) for fill in fills] == [expected]


@pytest.mark.parametrize("side", list(Side))
async def test_the_worst_and_the_best_of_a_trade_end_with_its_exit(side: Side) -> None:
    def mirrored(**levels: float) -> dict[str, Any]:
        return {name: 100.0 + side * (level - 100.0) for name, level in levels.items()}

    async def held(paper: PaperTrader, at: int, top: float, bottom: float, first: float = 100.0) -> None:
        high, low = sorted(mirrored(top=top, bottom=bottom).values(), reverse=True)
        await paper.on_slice(slice_of(candle(100.0, at=at, high=high, low=low, **mirrored(open=first))))

    levels = mirrored(stop=90.0, target=120.0)
    rules = FillRules(commission_rate=0.01, slippage_rate=0.0)

    paper, _, fills = await opened(rules, side=side, **levels)  # 2 from 100
    await held(paper, 2, top=110.0, bottom=97.0)
    await held(paper, 3, top=120.0, bottom=99.0)  # at the target, not past it
    await held(paper, 4, top=119.0, bottom=80.0)  # stopped at 90; whether 119 came before, nobody knows
    assert [(fill.mae, fill.mfe, fill.target_touched, fill.candle_volume) for fill in fills] == [
        (20.0, 40.0, True, 1.0)
    ]  # fmt: skip

    paper, _, fills = await opened(rules, side=side, **levels)
    await held(paper, 2, top=120.0, bottom=90.0)  # both touched, neither passed: the stop closes
    assert [(fill.reason, fill.both_levels, fill.target_touched) for fill in fills] == [
        (Reason.STOP_LOSS, False, True)
    ]  # fmt: skip

    paper, _, fills = await opened(rules, side=side, **levels)
    await held(paper, 2, top=130.0, bottom=95.0)  # out at 120: what came after it does not count
    assert [(fill.mae, fill.mfe, fill.target_touched) for fill in fills] == [(0.0, 40.0, False)]

    paper, _, fills = await opened(rules, side=side, **levels)
    await held(paper, 2, top=110.0, bottom=97.0)
    await held(paper, 3, top=100.0, bottom=70.0, first=85.0)  # a gap
    assert [(fill.mae, fill.mfe) for fill in fills] == [(30.0, 20.0)]

    paper, _, fills = await opened(rules, side=side, **levels)
    await held(paper, 2, top=110.0, bottom=97.0)
    await paper.close_all_positions(Reason.END_OF_DATA)
    assert [(fill.mae, fill.mfe, fill.candle_volume) for fill in fills] == [(6.0, 20.0, None)]


async def test_the_worst_and_the_best_of_a_trade_begin_on_the_candle_of_its_fill_with_its_slippage() -> None:
    paper, _, fills = trader(FillRules(commission_rate=0.0, slippage_rate=0.01))
    await paper.on_slice(slice_of(candle(100.0)))
    await paper.submit(entry())
    await paper.on_slice(slice_of(candle(100.0, at=1, high=105.0, low=98.0, volume=7.0)))
    assert [(fill.mae, fill.mfe, fill.candle_volume) for fill in fills] == [(None, None, 7.0)]
    await paper.on_slice(slice_of(candle(100.0, at=2, high=119.0, low=91.0, volume=0.0)))  # nobody traded
    await paper.close_all_positions(Reason.END_OF_DATA)
    assert (fills[1].mae, fills[1].mfe) == (2.0 * (101.0 - 98.0), 2.0 * (105.0 - 101.0))


@pytest.mark.parametrize("side", list(Side))
async def test_touch_takes_the_target_where_through_does_not(side: Side) -> None:
    stop, target = (90.0, 120.0) if side is Side.LONG else (110.0, 80.0)
    for on_touch in (False, True):
        rules = FillRules(commission_rate=0.0, slippage_rate=0.0, target_on_touch=on_touch)
        paper, _, fills = await opened(rules, side=side, stop=stop, target=target)
        await paper.on_slice(slice_of(candle(100.0, at=2, high=max(100.0, target), low=min(100.0, target))))
        assert [fill.reason for fill in fills] == [Reason.TAKE_PROFIT] * on_touch


async def test_exits_are_checked_on_the_candle_of_the_fill() -> None:
    paper, account, fills = trader()
    await paper.on_slice(slice_of(candle(100.0)))
    await paper.submit(entry())
    await paper.on_slice(slice_of(candle(95.0, at=1, open=100.0, low=89.0)))
    assert [(fill.opens, fill.price, fill.time_ms) for fill in fills] == [
        (True, 100.0, MINUTE_MS),
        (False, 90.0, 2 * MINUTE_MS),
    ]
    assert account.positions == {}


async def test_slippage_is_against_the_trader_on_market_and_stop_fills_only() -> None:
    rules = FillRules(commission_rate=0.0, slippage_rate=0.01)
    paper, account, fills = await opened(rules, side=Side.SHORT, stop=110.0, target=80.0)
    assert account.positions[BTC_LINE].entry_price == 99.0
    await paper.on_slice(slice_of(candle(105.0, at=2, high=111.0)))
    assert fills[0].price == 110.0 * 1.01
    assert fills[0].slippage == pytest.approx(1.1 * 2)
    paper, _, fills = await opened(rules, side=Side.SHORT, stop=110.0, target=80.0)
    await paper.on_slice(slice_of(candle(85.0, at=2, low=79.0)))
    assert (fills[0].price, fills[0].slippage) == (80.0, 0.0)


async def test_commission_is_on_the_price_after_slippage_and_the_makers_on_targets() -> None:
    rules = FillRules(commission_rate=0.01, maker_commission_rate=-0.001, slippage_rate=0.5)
    paper, account, fills = await opened(rules)
    assert account.positions[BTC_LINE].entry_commission == 0.01 * 150.0 * 2
    await paper.on_slice(slice_of(candle(125.0, at=2)))
    assert fills[0].commission == -0.001 * 125.0 * 2  # opened beyond the target: filled at the open, as a maker


async def test_the_balance_moves_on_close_and_by_the_realised_pnl() -> None:
    paper, account, fills = await opened(FillRules(commission_rate=0.01, slippage_rate=0.0))
    assert account.balance == 10_000.0
    assert account.equity() == 10_000.0 - 2.0
    await paper.on_slice(slice_of(candle(95.0, at=2, low=89.0)))
    assert fills[0].realized_pnl == pytest.approx(-20.0 - 2.0 - 1.8)
    assert account.balance == fills[0].balance == fills[0].equity == 10_000.0 + fills[0].realized_pnl
    paper.ledger.apply_trade_result(-1.0)
    assert account.balance == 10_000.0 + fills[0].realized_pnl - 1.0


async def test_the_equity_of_a_fill_is_at_the_marks_as_they_stand() -> None:
    paper, account, fills = await opened()
    await paper.submit(entry(symbol=ETH, quantity=1.0, reference=50.0, stop=40.0, target=70.0))
    both = (candle(110.0, at=2), candle(50.0, at=2, open=51.0, symbol=ETH))
    account.marks[ETH] = 50.0
    await paper.on_slice(slice_of(*both))
    # BTC's candle is done (mark 110, +20); ETH's own mark is still its previous close, 50: bought at 51, -1.
    assert fills[0].equity == 10_000.0 + 20.0 - 1.0


async def test_a_flatten_closes_in_opening_order_and_keeps_a_pending_reason() -> None:
    paper, account, fills = await opened()
    await paper.on_slice(slice_of(candle(50.0, at=2, symbol=ETH)))
    await paper.submit(entry(symbol=ETH, reference=50.0, stop=40.0, target=70.0))
    await paper.on_slice(slice_of(candle(52.0, at=3, symbol=ETH)))
    await paper.submit(CloseOrder(9, ETH, Reason.SIGNAL_EXIT, 0, ""))
    await paper.submit(entry(symbol="SOL/USDT"))
    fills.clear()
    await paper.close_all_positions(Reason.END_OF_DATA)
    assert paper.ledger.cancelled == {"session_end": 1}
    assert [(fill.symbol, fill.price, fill.reason, fill.order_id, fill.time_ms) for fill in fills] == [
        (BTC, 100.0, Reason.END_OF_DATA, None, 4 * MINUTE_MS),
        (ETH, 52.0, Reason.SIGNAL_EXIT, 9, 4 * MINUTE_MS),
    ]
    assert (account.positions, account.pending, account.closing) == ({}, {}, {})
    await paper.close_all_positions(Reason.END_OF_DATA)
    assert (len(fills), paper.ledger.cancelled) == (2, {"session_end": 1})


async def test_an_entry_can_be_cancelled_once() -> None:
    paper, account, _ = trader()
    await paper.submit(entry())
    assert [await paper.cancel_entry(BTC_LINE, "signal_exit") for _ in range(2)] == [True, False]
    assert (account.pending, paper.ledger.cancelled) == ({}, {"signal_exit": 1})


async def test_trades_count_from_one_and_join_open_with_close() -> None:
    paper, _, fills = trader(FillRules(commission_rate=0.0, slippage_rate=0.0, fill_at_close=True))
    await paper.on_slice(slice_of(candle(100.0)))
    for _ in range(2):
        await paper.submit(entry(tag="mine"))
        await paper.submit(EXIT)
    assert [fill.trade_id for fill in fills] == [1, 1, 2, 2]
    assert [fill.tag for fill in fills] == ["mine"] * 4
    assert Action.LONG.name == fills[0].side.name


async def test_a_stop_that_a_close_order_shares_the_candle_with_comes_too_late() -> None:
    paper, _, fills = await opened()
    await paper.submit(EXIT)
    await paper.on_slice(slice_of(candle(85.0, at=2, open=88.0)))
    assert [(fill.price, fill.reason, fill.order_id) for fill in fills] == [(88.0, Reason.SIGNAL_EXIT, 7)]


@pytest.mark.parametrize(
    ("drawn", "rule", "price"),
    [
        ({"open": 90.0, "low": 90.0}, ExitRule.OPEN_AT_STOP, 90.0),
        ({"open": 121.0, "high": 121.0}, ExitRule.OPEN_PAST_TARGET, 121.0),
        ({"low": 90.0, "high": 130.0}, ExitRule.STOP_TOUCHED, 90.0),
        ({"high": 120.5}, ExitRule.TARGET_REACHED, 120.0),
        ({"high": 120.0}, None, None),
    ],
)
def test_the_rule_that_takes_a_position_out_can_be_asked_and_changes_nothing(
    drawn: dict[str, float], rule: ExitRule | None, price: float | None
) -> None:
    asked = position()
    exits = exits_of(asked, candle(100.0, at=2, **drawn), FREE)  # type: ignore[arg-type]
    assert [(out.rule, out.price) for out in exits] == ([] if rule is None else [(rule, price)])
    assert asked == position()
    for out in exits:
        inside = rule in (ExitRule.STOP_TOUCHED, ExitRule.TARGET_REACHED)
        assert out.time_ms == (3 if inside else 2) * MINUTE_MS
        assert out.both_levels is (rule is ExitRule.STOP_TOUCHED)


@pytest.mark.parametrize(("at", "refused"), [(1, True), (2, False)])
async def test_no_candle_from_before_an_order_fills_it_whoever_asks(at: int, refused: bool) -> None:
    """The rule holds where the fill is made, too: not only for those who ask `update_positions`."""
    paper, account, fills = await opened()
    order = CloseOrder(8, BTC, Reason.KILL_SWITCH, 2 * MINUTE_MS, "")
    late = candle(100.0, at=at)
    with pytest.raises(RuntimeError, match="cannot fill what was decided") if refused else contextlib.nullcontext():
        paper.ledger.close(
            account.positions[BTC_LINE], 100.0, 100.0, 0.0, late.open_time_ms, order.reason, order=order, candle=late
        )
    with pytest.raises(RuntimeError, match="cannot fill what was decided") if refused else contextlib.nullcontext():
        paper.ledger.open(entry(signal_time_ms=2 * MINUTE_MS), 100.0, 100.0, 0.0, late.open_time_ms, late)
    assert len(fills) == (0 if refused else 2)


async def test_a_stop_is_not_reached_in_a_candle_from_before_the_position() -> None:
    paper, account, fills = await opened(FillRules(commission_rate=0.0, slippage_rate=0.0, fill_at_close=True))
    with pytest.raises(RuntimeError, match="cannot fill what was decided"):
        paper.ledger.close(
            account.positions[BTC_LINE], 90.0, 90.0, 0.0, MINUTE_MS, Reason.STOP_LOSS, candle=candle(90.0)
        )
    paper.update_positions(candle(80.0))
    assert (fills, list(account.positions), account.marks[BTC]) == ([], [BTC_LINE], 80.0)
