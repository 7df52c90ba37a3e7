"""Protections: from when to when each refuses, and whom."""

import pytest

from app.models.orders import Fill, Line, Reason, Refusal, Side
from app.models.protections import Kind, Protection, Scope
from app.trading.account import Account, lines_of
from app.trading.protections import Protections
from tests.candle_columns import MINUTE_MS

ONE, OTHER, THIRD = Line("one", "A/X"), Line("one", "B/X"), Line("two", "A/X")


class Traded:
    """One protection, trades that end at whole minutes, and who is refused then."""

    def __init__(
        self, kind: Kind, scope: Scope = Scope.LINE, pause: int = 3, count: int = 1, lookback: int = 0
    ) -> None:
        self.account = Account(1_000.0, lines_of({"one": ["A/X", "B/X"], "two": ["A/X"]}, ["A/X", "B/X"]))
        protection = Protection(kind, scope, pause * MINUTE_MS, count, lookback * MINUTE_MS)
        self.protections = Protections([protection], self.account)
        self.trades = 0

    def close(self, minute: int, pnl: float, line: Line = ONE, reason: Reason = Reason.STOP_LOSS) -> None:
        self.trades += reason is not Reason.PARTIAL_TARGET
        self.account.time_ms = minute * MINUTE_MS
        self.protections.note_fill(fill(line, reason, pnl, self.trades + (reason is Reason.PARTIAL_TARGET)))

    def refused(self, line: Line = ONE, until: int = 20) -> list[int]:
        """Minutes at which an entry is refused."""
        return [at for at in range(until) if self.protections.refusal(line, at * MINUTE_MS) is not None]


def fill(line: Line, reason: Reason, pnl: float, trade_id: int) -> Fill:
    return Fill(
        time_ms=0, symbol=line.symbol, opens=False, side=Side.LONG, price=1.0, quantity=1.0, commission=0.0,
        slippage=0.0, balance=0.0, equity=0.0, realized_pnl=pnl, reason=reason, trade_id=trade_id, stop=0.0, target=2.0,
        order_id=None, sized_by=None, both_levels=False, tag="", strategy=line.strategy,
    )  # fmt: skip


def test_a_cooldown_ends_so_many_candles_after_the_trade() -> None:
    traded = Traded(Kind.COOLDOWN)
    traded.close(5, 10.0, reason=Reason.TAKE_PROFIT)
    assert traded.refused() == [0, 1, 2, 3, 4, 5, 6, 7], "asked in order of time it is never before 5"
    assert traded.protections.refusal(ONE, 5 * MINUTE_MS) is Refusal.COOLDOWN


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        (Scope.LINE, {ONE}),
        (Scope.SYMBOL, {ONE, THIRD}),
        (Scope.STRATEGY, {ONE, OTHER}),
        (Scope.ACCOUNT, {ONE, OTHER, THIRD}),
    ],
)
def test_whom_a_scope_refuses(scope: Scope, refused: set[Line]) -> None:
    traded = Traded(Kind.COOLDOWN, scope)
    traded.close(5, 10.0)
    assert {line for line in (ONE, OTHER, THIRD) if 7 in traded.refused(line)} == refused


def test_a_stop_guard_counts_losing_stops_within_its_lookback() -> None:
    traded = Traded(Kind.STOP_GUARD, pause=2, count=2, lookback=4)
    traded.close(1, -1.0)
    traded.close(5, -1.0)  # the first closed exactly four minutes before, and counts no more
    assert 5 not in traded.refused()
    traded.close(6, +1.0, reason=Reason.TRAILING_STOP)  # a stop in profit
    traded.close(7, -1.0, reason=Reason.SIGNAL_EXIT)  # a loss without a stop
    assert 7 not in traded.refused()
    traded.close(8, -1.0, reason=Reason.BREAK_EVEN)
    assert [at for at in traded.refused() if at >= 8] == [8, 9]


def test_a_losing_streak_begins_anew_when_it_has_struck() -> None:
    traded = Traded(Kind.LOSING_STREAK, pause=2, count=2)
    traded.close(1, -1.0, reason=Reason.SIGNAL_EXIT)
    traded.close(2, 0.0)
    traded.close(3, -1.0)
    assert traded.refused() == []
    traded.close(4, -1.0)
    assert max(traded.refused()) == 5
    traded.close(5, -1.0)
    assert max(traded.refused()) == 5, "one that ends in the pause counts towards the next"
    traded.close(9, -1.0)
    assert max(traded.refused()) == 10


def test_legs_belong_to_their_trade() -> None:
    traded = Traded(Kind.LOSING_STREAK, pause=2)
    traded.close(1, 5.0, reason=Reason.PARTIAL_TARGET)
    traded.close(2, -3.0)
    assert traded.refused() == [], "+5 and -3 is no loss"


def test_memory_belongs_to_what_is_configured_as_before() -> None:
    traded = Traded(Kind.LOSING_STREAK, pause=5, count=2)
    traded.close(2, -1.0, line=OTHER)
    traded.close(3, -1.0, line=OTHER)
    traded.close(4, 5.0, reason=Reason.PARTIAL_TARGET)
    memory = traded.protections.memory()
    again, changed = Traded(Kind.LOSING_STREAK, pause=5, count=2), Traded(Kind.LOSING_STREAK, pause=6, count=2)
    for one in (again, changed):
        one.protections.recall(memory)
    assert again.refused(OTHER) == traded.refused(OTHER) != []
    assert changed.refused(OTHER) == []
    assert again.protections.memory() == memory
