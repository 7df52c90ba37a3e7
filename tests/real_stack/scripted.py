"""A session of real orders that a test writes down: candles, signals, fates, and what happens beside it.

The rule: minute m of the script is the close of candle m, m minutes after the session began; prices stand at 100.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from app.candles.month_file import CandleColumns
from app.models.events import Execution
from app.models.market import Candle
from app.models.orders import FLAT, Signal
from app.strategies.base import Strategy, View
from tests.candle_columns import MINUTE_MS, START_MS
from tests.real_stack import checks
from tests.real_stack.fates import GOOD, Call, Fate
from tests.real_stack.session import RealSession, _decode
from tests.virtual_loop import run_virtual

AAA, NAME = "AAA/X", "AAAX"
Row = tuple[float, float, float, float]
Script = Callable[[RealSession], Awaitable[None]]


class Scripted(Strategy):
    """Signals by minute, on AAA/X."""

    lookback: ClassVar[int] = 0

    def __init__(self, signals: Mapping[int, Signal] | None = None) -> None:
        self.signals = signals or {}

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        number = (candle.open_time_ms - START_MS) // MINUTE_MS
        return self.signals.get(number, FLAT) if candle.symbol == AAA else FLAT


def minutes(rows: Mapping[int, Row], count: int) -> CandleColumns:
    """Open, high, low and close by minute; 100 where nothing is said, and the last close from there on."""
    times = START_MS + MINUTE_MS * np.arange(count, dtype=np.int64)
    made, last = [], 100.0
    for place in range(count):
        made.append(rows.get(place, (last, last, last, last)))
        last = made[-1][3]
    opens, highs, lows, closes = (np.array([row[place] for row in made]) for place in range(4))
    return CandleColumns(times, opens, highs, lows, closes, np.full(count, 500.0))


def fate_of(**fates: Fate) -> Callable[[Call], Fate]:
    """The first request to place of each leg (`e`, `c`, `l`) or to cancel it (`cancel_e`, ...) meets a fate."""
    left = dict(fates)

    def fate(call: Call) -> Fate:
        if not call.is_change:
            return GOOD
        return left.pop(call.leg if call.method == "POST" else f"cancel_{call.leg}", GOOD)

    return fate


def play(
    signals: Mapping[int, Signal],
    *,
    slices: int = 8,
    rows: Mapping[int, Row] | None = None,
    fate: Callable[[Call], Fate] | None = None,
    script: Script | None = None,
    is_checked: bool = True,
    is_flat: bool = True,
    **options: Any,
) -> RealSession:
    """The session to its end; all that must hold after any session holds after it."""

    def prepare(session: RealSession) -> None:
        session.exchange.fate = fate or (lambda _call: GOOD)

    candles = {name: minutes(rows or {} if name == AAA else {}, slices + 60) for name in (AAA, "BBB/X", "BNB/X")}
    session = RealSession(
        candles, slices, strategy=lambda: Scripted(signals), ids=("one",), prepare=prepare,
        beside=lambda session: None if script is None else asyncio.ensure_future(script(session)), **options,
    )  # fmt: skip
    run_virtual(session.run())
    session.books = run_virtual(session.replayed())[0]
    if is_checked:
        checks.check(session, is_flat=is_flat)
    return session


async def until_minute(minute: float) -> None:
    """Waits for it."""
    await asyncio.sleep(max(0.0, 60.0 * minute - asyncio.get_running_loop().time()))


def sent(session: RealSession, leg: str, method: str = "POST") -> list[float]:
    """When requests to place such a leg, or to cancel one, were sent."""
    return [at_s for at_s, call, _ in session.exchange.calls if (call.method, call.leg) == (method, leg)]


def longest_gap_s(session: RealSession) -> float:
    """For how long something of ours lay there without a stop that rests."""
    return max((gap.ended_s - gap.began_s for gap in session.exchange.protection.gaps), default=0.0)


def executions(session: RealSession) -> list[Execution]:
    """All that the tape has of orders."""
    events = [_decode(record.event) for record in session.tape]
    return [event for event in events if isinstance(event, Execution)]


def buys(session: RealSession) -> list[int]:
    """When something was bought at the exchange, by its clock."""
    return [one.time_ms for one in session.exchange.account.trades if one.is_buyer]
