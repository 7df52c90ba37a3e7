"""StrategyHost: gives every strategy its candles and checks what it answers.

Keeps the candles that views read; a whole slice is kept before the first strategy of it is asked. It asks in config
order and decides nothing.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import isfinite
from typing import Any

from app.errors import StrategyError
from app.models.market import Candle, Slice
from app.models.orders import Action, Signal
from app.strategies.base import Strategy, View
from app.strategies.coarse import CoarseCandles
from app.times import iso_ms
from app.trading.account import Account

OnCandle = Callable[[Candle, View], Awaitable[Signal]]


class StrategyHost:
    """One strategy instance and view per symbol. `asked[symbol]` is the coroutine function and its view."""

    def __init__(
        self,
        symbols: Sequence[str],
        session_timeframe: str,
        strategy_timeframe: str,
        create: Callable[[], Strategy],
        account: Account,
    ) -> None:
        strategies = {symbol: create() for symbol in symbols}
        declared = strategies[symbols[0]]
        kept = sorted({strategy_timeframe, *declared.timeframes}) if declared.lookback else []
        coarse = sorted({strategy_timeframe, *kept} - {session_timeframe})
        self._newest: dict[tuple[str, str], deque[Candle]] = {
            (symbol, timeframe): deque(maxlen=declared.lookback) for symbol in symbols for timeframe in kept
        }
        self._kept = kept
        self.keeps_candles = bool(kept or coarse)  # if not, the slice's candles are the strategy's: skip absorb()
        self._coarse = [CoarseCandles(symbols, timeframe, session_timeframe) for timeframe in coarse]
        self._session_timeframe = session_timeframe
        self._strategy_timeframe = strategy_timeframe
        self._name = type(declared).__name__
        self.asked: dict[str, tuple[OnCandle, View]] = {
            symbol: (strategy.on_candle, View(symbol, strategy_timeframe, account, self._newest))
            for symbol, strategy in strategies.items()
        }

    def absorb(self, slice_: Slice) -> Sequence[Candle]:
        """Keep a slice; the strategy candles that close with this slice, in config order."""
        if not self._coarse:
            if self._kept:
                self._keep(slice_.candles)
            return slice_.candles
        closing: dict[str, Sequence[Candle]] = {self._session_timeframe: slice_.candles}
        for coarse in self._coarse:
            closing[coarse.timeframe] = coarse.absorb(slice_)
        for timeframe in self._kept:
            self._keep(closing[timeframe])
        return closing[self._strategy_timeframe]

    def absorb_late(self, candle: Candle) -> Sequence[Candle]:
        """A candle that came after its slice: kept; the strategy candle that it is, if it is one.

        A coarser candle that is still being built takes it in; one that has closed stays as it went out.
        """
        for coarse in self._coarse:
            coarse.absorb_late(candle)
        if self._session_timeframe in self._kept:
            self._keep((candle,))
        return (candle,) if self._strategy_timeframe == self._session_timeframe else ()

    def check(self, signal: Signal, candle: Candle) -> Signal:
        """The signal, if it makes sense; StrategyError names the strategy, the candle and what would be right."""
        problem = _problem(signal)
        if problem:
            raise StrategyError(
                f"strategy {self._name}, {candle.symbol}, candle closed at {iso_ms(candle.close_time_ms)}: {problem}"
            )
        return signal

    def _keep(self, candles: Sequence[Candle]) -> None:
        for candle in candles:
            self._newest[candle.symbol, candle.timeframe].append(candle)


def _problem(signal: Any) -> str | None:
    if not isinstance(signal, Signal) or not isinstance(signal.action, Action):
        return f"on_candle returned {signal!r}; return FLAT, long(...), short(...) or exit_position()"
    if type(signal.tag) is not str:
        return f"tag {signal.tag!r} is no text"
    if signal.action is Action.FLAT or signal.action is Action.EXIT:
        return None
    if signal.stop is None and signal.atr is None:
        return f"{signal.action.name} without a stop: give long(atr=...) or long(stop=...)"
    for name, value in (("atr", signal.atr), ("stop", signal.stop), ("target", signal.target)):
        # A NaN ATR is an indicator that is not ready: risk refuses it. A level that is no price is a mistake.
        if value is not None and (not isinstance(value, (int, float)) or (name != "atr" and not isfinite(value))):
            return f"{signal.action.name} with {name} {value!r}, which is no number"
    factor = signal.size_factor
    if not isinstance(factor, (int, float)) or not 0.0 < factor <= 1.0:
        return f"{signal.action.name} with size_factor {factor!r}; it must be above 0 and at most 1"
    return None
