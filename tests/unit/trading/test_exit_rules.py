"""The exit check with legs, and where managed exits put the stop: worked out by hand."""

import pytest

from app.models.exits import BreakEven, Exits, Leg, Partial, Trailing
from app.models.market import Candle
from app.models.orders import Fill, HeldRange, Position, Reason, Side
from app.trading.exit_rules import ExitRule, FillRules, exits_after_limit, exits_of, legs_of, moved_stop
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from tests import made

RULES = FillRules()
TICK = Instrument(quantity_step=0.1, price_tick=0.5)
LEGS = (Leg(105.0, 3.0), Leg(110.0, 3.0))


def position(side: Side = Side.LONG, legs: tuple[Leg, ...] = LEGS, moved_by: Reason | None = None) -> Position:
    """Long of 10 at 100, stop 90, target 120; a short is its mirror image about 100."""
    mirrored = tuple(Leg(100.0 + side * (leg.price - 100.0), leg.quantity) for leg in legs)
    return Position(
        trade_id=1, symbol="A/X", side=side, quantity=10.0, signed_quantity=side * 10.0, entry_price=100.0,
        entry_commission=1.0, entry_time_ms=0, stop=100.0 - side * 10.0, target=100.0 + side * 20.0, floor=0.0,
        ceiling=0.0, tag="", held=HeldRange(100.0, 100.0), legs=mirrored, moved_by=moved_by, first_quantity=10.0,
        first_commission=1.0, risk=10.0, atr=4.0,
    )  # fmt: skip


def candle(side: Side, opened: float, high: float, low: float, close: float) -> Candle:
    if side is Side.SHORT:
        opened, high, low, close = (200.0 - one for one in (opened, low, high, close))
    return Candle("A/X", "1m", 60_000, opened, high, low, close, 1.0)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ((102, 104, 98, 103), []),
        ((102, 105, 98, 103), []),  # a leg that is touched is not passed
        ((102, 105.5, 98, 103), [("LEG_REACHED", 105.0)]),
        ((102, 111, 98, 103), [("LEG_REACHED", 105.0), ("LEG_REACHED", 110.0)]),
        ((102, 121, 98, 103), [("LEG_REACHED", 105.0), ("LEG_REACHED", 110.0), ("TARGET_REACHED", 120.0)]),
        ((106, 107, 98, 103), [("OPEN_PAST_LEG", 106.0)]),
        ((106, 111, 98, 103), [("OPEN_PAST_LEG", 106.0), ("LEG_REACHED", 110.0)]),
        ((121, 122, 98, 103), [("OPEN_PAST_LEG", 121.0), ("OPEN_PAST_LEG", 121.0), ("OPEN_PAST_TARGET", 121.0)]),
        ((106, 107, 90, 95), [("OPEN_PAST_LEG", 106.0), ("STOP_TOUCHED", 90.0)]),
        ((102, 111, 90, 95), [("STOP_TOUCHED", 90.0)]),
        ((89, 121, 80, 95), [("OPEN_AT_STOP", 89.0)]),
    ],
)
def test_what_leaves_on_a_candle(side: Side, prices: tuple[float, ...], expected: list[tuple[str, float]]) -> None:
    found = exits_of(position(side), candle(side, *prices), RULES)
    mirrored = [(name, 100.0 + side * (price - 100.0)) for name, price in expected]
    assert [(out.rule.name, out.price) for out in found] == mirrored
    assert [out.is_limit for out in found] == ["STOP" not in name for name, _ in expected]


@pytest.mark.parametrize(
    ("prices", "ambiguous"),
    [((102, 111, 90, 95), True), ((102, 104, 90, 95), False), ((106, 107, 90, 95), True), ((89, 130, 80, 95), False)],
)
def test_a_stop_beside_a_leg_is_ambiguous(prices: tuple[float, ...], ambiguous: bool) -> None:
    assert exits_of(position(), candle(Side.LONG, *prices), RULES)[-1].both_levels is ambiguous


def test_the_optimistic_answer_sells_the_legs_first() -> None:
    found = exits_of(position(), candle(Side.LONG, 102, 111, 90, 95), FillRules(target_first=True))
    assert [out.rule for out in found] == [ExitRule.LEG_REACHED, ExitRule.LEG_REACHED, ExitRule.STOP_TOUCHED]


def test_a_moved_stop_names_what_moved_it() -> None:
    held = position(moved_by=Reason.TRAILING_STOP)
    assert exits_of(held, candle(Side.LONG, 89, 90, 80, 85), RULES)[0].reason is Reason.TRAILING_STOP
    assert exits_of(held, candle(Side.LONG, 95, 96, 80, 85), RULES)[0].reason is Reason.TRAILING_STOP


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("prices", "price"), [((104, 105, 91, 95), None), ((104, 105, 90, 95), 90.0), ((88, 105, 80, 95), 88.0)]
)
def test_after_a_limit_only_the_stop_is_looked_at(side: Side, prices: tuple[float, ...], price: float | None) -> None:
    found = exits_after_limit(position(side), candle(side, *prices), RULES)
    assert [out.price for out in found] == ([] if price is None else [100.0 + side * (price - 100.0)])


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("exits", "best", "expected"),
    [
        (Exits(break_even=BreakEven(1.0, 0.0)), 109.9, None),
        (Exits(break_even=BreakEven(1.0, 0.0)), 110.0, (100.0, Reason.BREAK_EVEN)),
        (Exits(break_even=BreakEven(1.0, 0.02)), 110.0, (102.0, Reason.BREAK_EVEN)),
        (Exits(trailing=Trailing(distance_r=1.0)), 100.0, None),  # it is there already
        (Exits(trailing=Trailing(distance_r=1.0)), 104.0, (94.0, Reason.TRAILING_STOP)),
        (Exits(trailing=Trailing(distance_r=1.0)), 104.3, (94.0, Reason.TRAILING_STOP)),  # away from the market
        (Exits(trailing=Trailing(distance_r=1.0, from_r=0.5)), 104.0, None),
        (Exits(trailing=Trailing(distance_atr=2.0)), 104.0, (96.0, Reason.TRAILING_STOP)),
        (Exits(BreakEven(0.4, 0.0), Trailing(distance_r=0.4)), 104.0, (100.0, Reason.BREAK_EVEN)),  # a tie
        (Exits(BreakEven(0.4, 0.0), Trailing(distance_r=0.3)), 104.0, (101.0, Reason.TRAILING_STOP)),
        (Exits(BreakEven(0.4, 0.0), Trailing(distance_r=0.9)), 104.0, (100.0, Reason.BREAK_EVEN)),
    ],
)
def test_where_the_stop_goes(side: Side, exits: Exits, best: float, expected: tuple[float, Reason] | None) -> None:
    moved = moved_stop(position(side), exits, 100.0 + side * (best - 100.0), TICK)
    assert moved == (expected and (100.0 + side * (expected[0] - 100.0), expected[1]))


def test_a_percent_trails_the_best_price_itself() -> None:
    exits = Exits(trailing=Trailing(distance_pct=0.05))
    long, short = (
        moved_stop(position(side), exits, 100.0 + side * 10.0, Instrument()) for side in (Side.LONG, Side.SHORT)
    )
    assert long is not None and long[0] == pytest.approx(104.5)
    assert short is not None and short[0] == pytest.approx(94.5)


def test_legs_are_rounded_and_dropped() -> None:
    asked = Exits(partial=(Partial(0.51, 0.005), Partial(0.52, 0.26), Partial(2.0, 0.3)))
    assert legs_of(asked, Side.LONG, 100.0, 10.0, 120.0, 10.0, TICK) == (Leg(105.5, 2.6),)
    assert legs_of(asked, Side.SHORT, 100.0, 10.0, 80.0, 10.0, TICK) == (Leg(94.5, 2.6),)


@pytest.mark.parametrize("side", Side)
async def test_in_the_candle_of_a_limit_the_optimist_takes_what_is_beyond_it_before_the_stop(side: Side) -> None:
    def at(level: float) -> float:
        return 100.0 + side * (level - 100.0)

    legs = Exits(partial=(Partial(at_r=2.0, fraction=0.5),))  # R is 5: at 105
    order = {"side": side, "limit": at(95.0), "stop": at(90.0), "target": at(120.0), "exits": legs}
    stopped, leg, won = (at(90.0), 2.0, Reason.STOP_LOSS), (at(105.0), 1.0, Reason.PARTIAL_TARGET), Reason.TAKE_PROFIT
    for top, bottom, pessimist, optimist in (
        (125.0, 85.0, [stopped], [leg, (at(120.0), 1.0, won)]),
        (110.0, 85.0, [stopped], [leg, (at(90.0), 1.0, Reason.STOP_LOSS)]),
        (110.0, 94.0, [], [leg]),
        (101.0, 85.0, [stopped], [stopped]),
    ):
        for target_first, expected in ((False, pessimist), (True, optimist)):
            rules = FillRules(commission_rate=0.0, slippage_rate=0.0, target_first=target_first)
            account, fills = made.made_account(), list[Fill]()
            paper = PaperTrader(Ledger(account, fills.append, made.MINUTE_MS), rules)
            await paper.on_slice(made.slice_of(made.candle(100.0)))
            await paper.submit(made.entry(**order))
            high, low = sorted((at(top), at(bottom)), reverse=True)
            await paper.on_slice(made.slice_of(made.candle(100.0, at=1, high=high, low=low)))
            assert [(fill.price, fill.quantity, fill.reason) for fill in fills[1:]] == expected
            assert {fill.time_ms for fill in fills} == {2 * made.MINUTE_MS}
            left = 2.0 - sum(quantity for _, quantity, _ in expected)
            assert sum(one.quantity for one in account.positions.values()) == left
