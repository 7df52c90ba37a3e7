"""Tiny series for the checks of the reference by hand: one symbol, minutes from 0, prices around 100.

A short is the same series mirrored at 100, so each check is made for both sides with the same figures. Without
other keys there are no costs, and the risk bound holds: the quantity is 20 / stop distance.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.reference.candles import Row
from tests.reference.config import configure
from tests.reference.result import Result
from tests.reference.simulator import Signal, Strategy, simulate

SYMBOL = "A/X"
MINUTE = 60_000
FLAT_100 = (100, 100, 100, 100)  # the candle of the first decision, minute 0: it closes at minute 1
Prices = Sequence[float]  # open, high, low, close and perhaps a volume; empty: no candle
PRICES = ("stop", "target", "limit")
RISK = {"risk_per_trade": 0.002, "max_position_pct": 10.0}
MODE = {"commission_rate": 0.0, "slippage_rate": 0.0}
SAFETY = {"max_exposure": 100.0, "max_drawdown": None}


def mirrored(price: float, side: int) -> float:
    """The price itself for a long."""
    return price if side > 0 else 200 - price


def candles(side: int, rows: Sequence[Prices]) -> list[Row]:
    """Row n opens at minute n."""
    made: list[Row] = []
    for minute, row in enumerate(rows):
        if row:
            first, high, low, last = (mirrored(price, side) for price in row[:4])
            made.append((minute * MINUTE, first, max(high, low), min(high, low), last, row[4] if row[4:] else 1.0))
    return made


def says(side: int, signals: Mapping[int, Signal]) -> Strategy:
    """Answers on the candles of these minutes; an entry goes the way of `side` where it names no action."""

    def strategy(symbol: str, history: list[Row]) -> Signal | None:
        signal = signals.get(history[-1][0] // MINUTE)
        if signal is None:
            return None
        entry = {"action": "LONG" if side > 0 else "SHORT"}
        return {**entry, **signal} | {name: mirrored(signal[name], side) for name in PRICES if name in signal}

    return strategy


def play(
    side: int,
    rows: Sequence[Prices],
    signals: Mapping[Any, Any],
    instrument: Mapping[str, float] | None = None,
    strategies: Sequence[Mapping[str, Any]] = ({"id": "main"},),
    safety: Mapping[str, Any] | None = None,
    **mode: Any,
) -> Result:
    """Row n is the candle of minute n; with several strategies `signals` has those of each by its id."""
    live = {
        "symbols": [SYMBOL],
        "timeframe": "1m",
        "startup_candles": 0,
        "strategies": [{"name": "hand", **own} for own in strategies],
        "instruments": {SYMBOL: dict(instrument or {})},
    }
    config = configure(live, RISK, {**MODE, **mode, "safety": {**SAFETY, **(safety or {})}})
    of_each = signals if len(strategies) > 1 else {strategies[0]["id"]: signals}
    own = {name: says(side, answers) for name, answers in of_each.items()}
    return simulate({SYMBOL: candles(side, rows)}, config, 0, len(rows) * MINUTE, own)


def fills(result: Result, side: int) -> list[tuple[float, float, float, str]]:
    """(minute of the time stamp, price as for a long, quantity, reason) of each."""
    return [
        (row["timestamp"] / MINUTE, round(mirrored(row["price"], side), 9), round(row["quantity"], 9), row["reason"])
        for row in result.trades
    ]


def total(counts: Mapping[str, int]) -> int:
    """Of all kinds."""
    return sum(counts.values())
