"""StrategyHost: gives every strategy its candles and checks what it answers.

Keeps the candles that views read; a whole slice is kept before the first strategy of it is asked. It asks in config
order and decides nothing.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import msgspec

from app.errors import StrategyError
from app.models.exits import CANDLES_MAX, Exits, parse_exits
from app.models.market import Candle, Slice
from app.models.orders import MAIN, Action, Line, Signal
from app.strategies.base import Strategy, View
from app.strategies.coarse import CoarseCandles
from app.times import iso_ms
from app.trading.account import Account

OnCandle = Callable[[Candle, View], Awaitable[Signal]]
_ENTRIES = (Action.LONG, Action.SHORT)


@dataclass(frozen=True)
class HostedStrategy:
    """What a host needs of a strategy of the config; `exits` are those of its signals that bring none."""

    id: str
    create: Callable[[], Strategy]
    timeframe: str
    symbols: Sequence[str]
    exits: Exits | None = None


class Hosted:
    """One strategy: an instance and a view per symbol. `asked[symbol]` is its coroutine function and its view."""

    def __init__(self, own: HostedStrategy, symbols: Sequence[str], account: Account) -> None:
        strategies = {symbol: own.create() for symbol in own.symbols}
        declared = strategies[own.symbols[0]]
        self.timeframe = own.timeframe
        self.kept = sorted({own.timeframe, *declared.timeframes}) if declared.lookback else []
        self._newest: dict[tuple[str, str], deque[Candle]] = {
            (symbol, timeframe): deque(maxlen=declared.lookback) for symbol in symbols for timeframe in self.kept
        }
        self._exits = own.exits
        name = type(declared).__name__
        self._name = name if own.id == MAIN else f"{own.id} ({name})"
        self.asked: dict[str, tuple[OnCandle, View]] = {
            symbol: (strategy.on_candle, View(Line(own.id, symbol), own.timeframe, account, self._newest))
            for symbol, strategy in strategies.items()
        }

    def asked_of(self, closing: Mapping[str, Sequence[Candle]]) -> Iterator[tuple[Candle, OnCandle, View]]:
        """What it is asked of the candles that close, by timeframe."""
        for candle in closing.get(self.timeframe, ()):
            if candle.symbol in self.asked:
                yield candle, *self.asked[candle.symbol]

    def keepers(self, timeframe: str) -> dict[str, Callable[[Candle], None]]:
        """What keeps a candle of this timeframe, by symbol."""
        return {symbol: kept.append for (symbol, of), kept in self._newest.items() if of == timeframe}

    def keep(self, closing: Mapping[str, Sequence[Candle]]) -> None:
        """What its views show."""
        for timeframe in self.kept:
            for candle in closing.get(timeframe, ()):
                self._newest[candle.symbol, timeframe].append(candle)

    def check(self, signal: Signal, candle: Candle) -> Signal:
        """The signal with its exits, if it makes sense; StrategyError names the strategy, the candle and the remedy."""
        problem = _problem(signal)
        if not problem and signal.action in _ENTRIES and (signal.exits is not None or self._exits is not None):
            try:
                exits = self._exits if signal.exits is None else parse_exits(signal.exits)
                signal = msgspec.structs.replace(signal, exits=exits)
                if exits is not None and exits.needs_atr and signal.atr is None:
                    problem = f"{signal.action.name} without an atr, which exits.trailing.distance_atr needs"
            except ValueError as error:
                problem = f"{signal.action.name}: {error}"
        if problem:
            raise StrategyError(
                f"strategy {self._name}, {candle.symbol}, candle closed at {iso_ms(candle.close_time_ms)}: {problem}"
            )
        return signal


class StrategyHost:
    """Every strategy of a session, in config order, and the coarser candles that they look at."""

    def __init__(
        self, symbols: Sequence[str], session_timeframe: str, strategies: Sequence[HostedStrategy], account: Account
    ) -> None:
        self.hosted = [Hosted(own, symbols, account) for own in strategies]
        looked_at = {timeframe for own in self.hosted for timeframe in (own.timeframe, *own.kept)}
        coarse = sorted(looked_at - {session_timeframe})
        # Without coarser candles the slice's are every strategy's: they are kept by `keeps`, and absorb() is skipped.
        self.has_coarse = bool(coarse)
        self.keeps = [] if coarse else [own.keepers(session_timeframe) for own in self.hosted if own.kept]
        self._coarse = [CoarseCandles(symbols, timeframe, session_timeframe) for timeframe in coarse]
        self._session_timeframe = session_timeframe

    def absorb(self, slice_: Slice) -> Mapping[str, Sequence[Candle]]:
        """Keep a slice; the candles that close with it, by timeframe, each in config order."""
        closing: dict[str, Sequence[Candle]] = {self._session_timeframe: slice_.candles}
        for coarse in self._coarse:
            closing[coarse.timeframe] = coarse.absorb(slice_)
        for own in self.hosted:
            if own.kept:
                own.keep(closing)
        return closing

    def absorb_late(self, candle: Candle) -> Mapping[str, Sequence[Candle]]:
        """A candle that came after its slice: kept; it is a strategy candle only in the session's timeframe.

        A coarser candle that is still being built takes it in; one that has closed stays as it went out.
        """
        for coarse in self._coarse:
            coarse.absorb_late(candle)
        closing = {self._session_timeframe: (candle,)}
        for own in self.hosted:
            own.keep(closing)
        return closing


def _problem(signal: Any) -> str | None:
    if not isinstance(signal, Signal) or not isinstance(signal.action, Action):
        return f"on_candle returned {signal!r}; return FLAT, long(...), short(...) or exit_position()"
    if type(signal.tag) is not str:
        return f"tag {signal.tag!r} is no text"
    if signal.action not in _ENTRIES:
        return None
    if signal.stop is None and signal.atr is None:
        return f"{signal.action.name} without a stop: give long(atr=...) or long(stop=...)"
    values = ("atr", signal.atr), ("stop", signal.stop), ("target", signal.target), ("limit", signal.limit)
    for name, value in values:
        # A NaN ATR is an indicator that is not ready: risk refuses it. A level that is no price is a mistake.
        if value is not None and (not isinstance(value, (int, float)) or (name != "atr" and not isfinite(value))):
            return f"{signal.action.name} with {name} {value!r}, which is no number"
    factor = signal.size_factor
    if not isinstance(factor, (int, float)) or not 0.0 < factor <= 1.0:
        return f"{signal.action.name} with size_factor {factor!r}; it must be above 0 and at most 1"
    if signal.limit is not None and signal.limit <= 0.0:
        return f"{signal.action.name} with limit {signal.limit!r}, which never fills; it must be above 0"
    if type(signal.valid_candles) is not int or not 1 <= signal.valid_candles <= CANDLES_MAX:
        return (
            f"{signal.action.name} with valid_candles {signal.valid_candles!r}; it must be a whole number, at least 1"
        )
    return None
