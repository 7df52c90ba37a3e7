"""Random candles and random answers for properties: everything that a feed and a strategy may bring.

Prices lie on a grid of whole numbers, so that levels are often touched exactly; candles are absent, late, without
volume, or gap. Answers depend on what the strategy has seen, so whoever sees other candles answers differently.
"""

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from app.models.events import Event, Kill, LateCandle, Resume
from app.models.market import Candle, Slice
from app.models.orders import Signal
from app.strategies.base import FLAT, View, exit_position, long, short
from tests.scenarios.harness import DAY_1_MS, MINUTE_MS, Answer

SYMBOLS = ("A", "B", "C")
Move = tuple[int, int, int, int, int]  # kind, gap, body, above, below
MOVES: st.SearchStrategy[Move] = st.tuples(
    st.integers(0, 9), st.integers(-6, 6), st.integers(-8, 8), st.integers(0, 6), st.integers(0, 6)
)
TABLES = st.lists(st.tuples(MOVES, MOVES, MOVES), min_size=2, max_size=40)
SETTINGS = st.fixed_dictionaries({
    "fill": st.sampled_from(("next_open", "close")),
    "limit_fill": st.sampled_from(("through", "touch")),
    "commission_rate": st.sampled_from((0.0, 0.001, 0.02)),
    "slippage_rate": st.sampled_from((0.0, 0.0005, 0.01)),
    "maker_commission_rate": st.sampled_from(("null", 0.0, -0.0005)),
    "safety.max_drawdown": st.sampled_from(("null", 0.2, 0.02)),
    "safety.max_daily_loss": st.sampled_from(("null", 0.03)),
    "safety.max_exposure": st.sampled_from((0.05, 0.2, 2.0)),
    "safety.max_open_positions": st.sampled_from((1, 2, 10)),
    "max_position_pct": st.sampled_from((0.1, 0.7)),
    "risk_per_trade": st.sampled_from((0.01, 0.2)),
    "strategy.timeframe": st.sampled_from(("1m", "1m", "3m", "5m")),
    "instruments": st.sampled_from(("{}", "{A: {quantity_step: 0.5, price_tick: 1}, B: {min_notional: 500}}")),
}).map(lambda keys: [f"{key}={value}" for key, value in keys.items()])  # fmt: skip


def events_of(table: Sequence[tuple[Move, ...]], commands: bool = True) -> list[Event]:
    """Slices, candles that come after theirs, and now and then a kill or a resume between them.

    A symbol's candles never go out of order: once one is late, those after it wait until it has come.
    """
    prices = dict.fromkeys(SYMBOLS, 100)
    late: dict[str, list[Candle]] = {symbol: [] for symbol in SYMBOLS}
    events: list[Event] = []
    for minute, moves in enumerate(table):
        open_ms = DAY_1_MS - 20 * MINUTE_MS + minute * MINUTE_MS
        candles: list[Candle] = []
        for symbol, move in zip(SYMBOLS, moves, strict=True):
            if move[0] > 0:
                candle = _candle(symbol, open_ms, move, prices)
                (late[symbol] if late[symbol] or move[0] in (7, 8) else candles).append(candle)
        if candles:
            events.append(Slice(open_ms + MINUTE_MS, tuple(candles), warmup=False))
        if commands and moves[0][0] == 9 and moves[1][1] > 3:
            events.append(Resume("drawn") if moves[2][1] > 0 else Kill("drawn"))
        for symbol, move in zip(SYMBOLS, moves, strict=True):
            if move[1] > 0:  # with the minute itself, or some minutes later
                events += [LateCandle(candle) for candle in late[symbol]]
                late[symbol].clear()
    return events


def answer_of(seed: int) -> Answer:
    """A strategy of tosses that look at everything a strategy may see."""

    def answer(candle: Candle, view: View) -> Signal:
        seen = (candle, view.candles(3), view.position, view.pending_entry, view.equity)
        rng = random.Random(f"{seed} {seen}")
        kind, distance = rng.random(), rng.randrange(1, 9)
        close = candle.close
        target = rng.choice((None, None, 1, 3))
        factor = rng.choice((1.0, 0.3))
        if kind < 0.2:
            return long(stop=close - distance, target=target and close + target, size_factor=factor)
        if kind < 0.4:
            return short(stop=close + distance, target=target and close - target, tag='a "tag", quoted')
        if kind < 0.5:
            return long(atr=rng.choice((0.0, 1.0, 2.5)))
        return exit_position() if kind < 0.6 else FLAT

    return answer


def _candle(symbol: str, open_ms: int, move: Move, prices: dict[str, int]) -> Candle:
    kind, gap, body, above, below = move
    first = max(20, prices[symbol] + (gap if kind > 6 else 0))
    last = max(20, first + body)
    prices[symbol] = last
    high, low = max(first, last) + above, min(first, last) - below
    return Candle(symbol, "1m", open_ms, float(first), float(high), float(low), float(last), float(kind > 1) * 2.5)
