"""Protections of the independent reference (RULES.md, 'Protections'): what the gate refuses after which trades.

Times are close times of slices; a key is the part of a line that the scope looks at.
"""

from collections.abc import Mapping
from typing import Any

from .books import STOP_REASONS, Line

Key = tuple[str, ...]


class Protection:
    """One entry of `protections:`."""

    def __init__(self, keys: Mapping[str, Any], timeframe_ms: int) -> None:
        self.kind = str(keys["kind"])
        if self.kind not in ("cooldown", "stop_guard", "losing_streak"):
            raise ValueError(f"unknown protection {self.kind!r}")
        self.keys = keys
        self.scope = keys.get("scope", "line")
        self.timeframe_ms = timeframe_ms
        self.until: dict[Key, int] = {}  # entries are refused while decided before
        self.stops: dict[Key, list[int]] = {}  # when losing trades ended by a stop
        self.row: dict[Key, int] = {}  # losing trades in a row

    def key(self, line: Line) -> Key:
        strategy, symbol = line
        return {"line": line, "symbol": (symbol,), "strategy": (strategy,), "account": ()}[self.scope]

    def refuses(self, line: Line, decided: int) -> bool:
        """ "refused while decided < closed + N * timeframe"."""
        return decided < self.until.get(self.key(line), decided)

    def trade_over(self, line: Line, pnl: float, reason: str, closed: int) -> None:
        key = self.key(line)
        if self.kind == "cooldown":
            self.pause(key, closed, self.keys["candles"])
        elif self.kind == "stop_guard":
            self.guard(key, pnl, reason, closed)
        else:
            self.streak(key, pnl, closed)

    def guard(self, key: Key, pnl: float, reason: str, closed: int) -> None:
        """ "and at least K such ended within L candles, that one included (closed > its close - L * timeframe)"."""
        if pnl < 0 and reason in STOP_REASONS:
            times = self.stops.setdefault(key, [])
            times.append(closed)
            after = closed - self.keys["lookback_candles"] * self.timeframe_ms
            if sum(time > after for time in times) >= self.keys["stops"]:
                self.pause(key, closed, self.keys["pause_candles"])

    def streak(self, key: Key, pnl: float, closed: int) -> None:
        """ "the row starts anew at that moment". Decision: a trade that ends at zero ends the row."""
        self.row[key] = self.row.get(key, 0) + 1 if pnl < 0 else 0
        if self.row[key] >= self.keys["trades"]:
            self.row[key] = 0
            self.pause(key, closed, self.keys["pause_candles"])

    def pause(self, key: Key, closed: int, candles: int) -> None:
        self.until[key] = closed + candles * self.timeframe_ms


class Protections:
    """The list, in its order."""

    def __init__(self, protections: list[dict[str, Any]], timeframe_ms: int) -> None:
        self.all = [Protection(keys, timeframe_ms) for keys in protections]

    def refusal(self, line: Line, decided: int) -> str | None:
        """ "the first that refuses is counted"."""
        return next((one.kind for one in self.all if one.refuses(line, decided)), None)

    def trade_over(self, line: Line, pnl: float, reason: str, closed: int) -> None:
        for one in self.all:
            one.trade_over(line, pnl, reason, closed)
