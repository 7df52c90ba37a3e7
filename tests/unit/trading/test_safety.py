"""Guard and gate: where the limits bite, to the last bit, and that the latch holds."""

import pytest

from app.models.orders import Refusal
from app.times import DAY_MS
from app.trading.account import Account, SliceRows
from app.trading.safety import SafetyLimits, SafetyMonitor
from tests.made import BTC_LINE, ETH, ETH_LINE, entry, made_account, position

OFF = SafetyLimits(max_drawdown=None)


class Watched(SafetyMonitor):
    """Begins the days and notes a row after each slice, as the runtime does."""

    async def on_slice(self, close_time_ms: int, equity: float) -> bool:
        """The day, the guard, then the row."""
        self.begin_day(close_time_ms)
        trips = await super().on_slice(close_time_ms, equity)
        self._rows.equities.append(equity)
        return trips


def monitor(limits: SafetyLimits, balance: float = 10_000.0) -> tuple[SafetyMonitor, Account]:
    account = made_account(balance)
    return Watched(account, limits, SliceRows()), account


async def feed(safety: SafetyMonitor, *equities: float, at_ms: int = DAY_MS // 2) -> list[bool]:
    return [await safety.on_slice(at_ms + i * 60_000, equity) for i, equity in enumerate(equities)]


@pytest.mark.parametrize(
    ("limit", "equity", "trips"),
    [
        (0.25, 7_500.0, True),
        (0.25, 7_500.01, False),
        (0.20, 8_000.0, False),  # 1 - 0.8 is 0.19999999999999996: the formula of RULES.md, to the bit
        (0.20, 7_999.999, True),
        (0.30, 7_000.0, True),  # 1 - 0.7 is 0.30000000000000004
        (1.0, 0.0, True),
        (1.0, 0.01, False),
        (0.25, -1.0, True),
    ],
)
async def test_the_drawdown_limit_is_reached_at_or_beyond(limit: float, equity: float, trips: bool) -> None:
    safety, _ = monitor(SafetyLimits(max_drawdown=limit))
    assert await feed(safety, equity) == [trips]
    assert safety.halted is trips
    assert len(safety.trips) == trips


async def test_the_drawdown_counts_from_the_peak_which_begins_at_the_balance() -> None:
    safety, _ = monitor(SafetyLimits(max_drawdown=0.25))
    assert await feed(safety, 9_000.0, 16_000.0, 12_001.0, 12_000.0) == [False, False, False, True]
    assert safety.peak == 16_000.0
    assert safety.trips[0].why == "drawdown 25.00%, the limit is 25.00%"
    assert safety.trips[0].time_ms == DAY_MS // 2 + 3 * 60_000


async def test_the_switch_is_a_latch_until_an_operator_resumes() -> None:
    safety, account = monitor(SafetyLimits(max_drawdown=0.25))
    assert await feed(safety, 7_500.0, 9_999.0, 5_000.0) == [True, False, False]
    assert await safety.gate(BTC_LINE) is Refusal.HALTED
    account.balance = 5_000.0
    safety.resume()
    assert (safety.peak, await safety.gate(BTC_LINE)) == (5_000.0, None)
    assert await feed(safety, 3_751.0, 3_750.0) == [False, True]
    assert len(safety.trips) == 2


async def test_a_trip_by_hand_counts_once() -> None:
    safety, _ = monitor(OFF)
    assert safety.trip(1, "the operator") is True
    assert safety.trip(2, "again") is False
    assert [trip.why for trip in safety.trips] == ["the operator"]


async def test_without_limits_nothing_trips() -> None:
    safety, _ = monitor(OFF)
    assert await feed(safety, 1.0, 0.0, -5.0) == [False, False, False]


async def test_the_daily_loss_begins_anew_with_each_utc_day() -> None:
    safety, _ = monitor(SafetyLimits(max_drawdown=None, max_daily_loss=0.125))
    day = [await safety.on_slice(DAY_MS - 60_000, 9_200.0), await safety.on_slice(DAY_MS, 9_600.0)]
    assert day == [False, False]  # the slice that closes at midnight ends the first day, down 4 %
    following = [await safety.on_slice(DAY_MS + 60_000, 8_401.0), await safety.on_slice(DAY_MS + 120_000, 8_400.0)]
    assert following == [False, True]  # an eighth of 9,600 is 1,200
    assert safety.trips[0].why == "daily loss 12.50%, the limit is 12.50%"


async def test_a_slice_a_day_is_a_day_each() -> None:
    safety, _ = monitor(SafetyLimits(max_drawdown=None, max_daily_loss=0.125))
    days = [await safety.on_slice(day * DAY_MS, equity) for day, equity in ((1, 9_000.0), (2, 8_100.0), (3, 7_000.0))]
    assert days == [False, False, True]  # 10 %, 10 % of what was left, then more than an eighth


async def test_after_a_resume_the_days_loss_counts_from_there() -> None:
    safety, account = monitor(SafetyLimits(max_drawdown=None, max_daily_loss=0.125))
    assert await feed(safety, 8_750.0) == [True]
    account.balance = 8_000.0
    safety.resume()
    assert await feed(safety, 7_001.0, at_ms=DAY_MS // 2 + 60_000) == [False]


async def test_the_gate_counts_positions_and_pending_entries() -> None:
    safety, account = monitor(SafetyLimits(max_open_positions=2))
    account.positions[BTC_LINE] = position()
    assert await safety.gate(BTC_LINE) is None
    account.pending[ETH_LINE] = entry(symbol=ETH)
    assert await safety.gate(BTC_LINE) is Refusal.MAX_OPEN_POSITIONS
    safety.trip(0, "both")
    assert await safety.gate(BTC_LINE) is Refusal.HALTED


async def test_what_the_runtime_need_not_ask_could_not_have_tripped() -> None:
    # The runtime skips the guard while watch_below < equity <= peak: no limit may be reached in there.
    for limit in (0.05, 0.1, 0.2, 0.3, 0.7):
        safety, _ = monitor(SafetyLimits(max_drawdown=limit), balance=9_999.7)
        for equity in (safety.watch_below * (1 + 1e-15), safety.watch_below + 1e-6, safety.peak):
            if equity > safety.watch_below:
                assert 1.0 - equity / safety.peak < limit
        daily, _ = monitor(SafetyLimits(max_drawdown=None, max_daily_loss=limit), balance=9_999.7)
        await feed(daily, 12_345.6, 11_111.1)
        await feed(daily, 11_000.0, at_ms=DAY_MS + 60_000)
        for equity in (daily.watch_below * (1 + 1e-15), daily.watch_below + 1e-6):
            assert 1.0 - equity / 11_111.1 < limit
    none, _ = monitor(OFF)
    assert none.watch_below == float("-inf")


async def test_what_the_limits_are_held_against() -> None:
    safety, account = monitor(SafetyLimits(max_daily_loss=0.5))
    await feed(safety, 12_000.0)
    await feed(safety, 9_000.0, at_ms=DAY_MS + 1)
    assert safety.losses(9_000.0) == (0.25, 0.25)
    assert safety.taken == 0
    account.positions[BTC_LINE] = position()
    account.pending[ETH_LINE] = entry(symbol=ETH)
    assert safety.taken == 2
