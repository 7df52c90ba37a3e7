"""Sizing, levels and their refusals in the independent reference (RULES.md, 'Risk and gate', 'Limit entries')."""

from collections.abc import Mapping
from typing import Any

from .books import Books, Entry
from .config import Exits, StrategyConfig, exits_of
from .result import BOUNDS
from .rounding import round_to_multiple, round_to_tick


class Risk:
    """One strategy's entries: an order or a refusal."""

    def __init__(self, books: Books, strategy: StrategyConfig) -> None:
        self.books = books
        self.strategy = strategy
        self.risk = strategy.risk

    def order(self, symbol: str, side: int, signal: Mapping[str, Any]) -> tuple[Entry, str] | None:
        """The distance, the quantity and the two levels, and which bound held; or None, counted.

        Decision: without a mark a limit entry is refused, too, though it has a price of its own.
        """
        config = self.books.config
        mark = self.books.marks.get(symbol)
        if mark is None:
            return self.refuse("no_mark")
        instrument = config.instruments.get(symbol, {})
        tick = instrument.get("price_tick")
        limit = self.limit(side, signal, tick)
        # "It is the reference of sizing (quantity bounds, minimum notional), stop and target"
        reference = mark if limit is None else limit
        distance = self.stop_distance(reference, side, signal)
        if not distance > 0:
            return self.refuse("stop_distance")
        stop, target = self.levels(reference, distance, side, signal, tick)
        # Decision: a level on the wrong side is a refusal, judged where it comes to lie on the tick.
        if not side * (reference - stop) > 0:
            return self.refuse("stop_distance")
        if not side * (target - reference) > 0:
            return self.refuse("target_side")
        quantity, bound = self.size(reference, distance, signal)
        quantity = round_to_multiple(quantity, instrument.get("quantity_step", 1e-8), up=False)
        if quantity <= 0:
            return self.refuse("no_quantity")
        if quantity < instrument.get("min_quantity", 0.0):
            return self.refuse("min_quantity")
        if quantity * reference < instrument.get("min_notional", 0.0):
            return self.refuse("min_notional")
        entry = Entry(
            line=(self.strategy.id, symbol),
            side=side,
            quantity=quantity,
            stop=stop,
            target=target,
            decided=self.books.time,
            exits=self.exits(symbol, signal),
            atr=signal.get("atr"),
        )
        if limit is not None:
            valid = int(signal.get("valid_candles") or 1)
            # "open_time < signal's slice close + valid_candles * timeframe"
            entry.limit, entry.expires = limit, self.books.time + valid * config.timeframe_ms
        return entry, bound

    def refuse(self, reason: str) -> tuple[Entry, str] | None:
        """Counted, and nothing to hand on to the gate."""
        self.books.result.refused_by_risk[reason] += 1
        return None

    def limit(self, side: int, signal: Mapping[str, Any], tick: float | None) -> float | None:
        """ "rounded to the price tick away from the market: down for a LONG, up for a SHORT"."""
        if signal.get("limit") is None:
            return None
        limit = round_to_tick(float(signal["limit"]), tick, up=side < 0)
        if not limit > 0:  # Decision: an error
            raise ValueError(f"limit {signal['limit']} can never fill")
        return limit

    def stop_distance(self, reference: float, side: int, signal: Mapping[str, Any]) -> float:
        """`atr_stop_multiplier * ATR`, or the distance of the stop that the signal brings."""
        if signal.get("stop") is not None:
            return side * (reference - float(signal["stop"]))  # Decision: zero or less on the wrong side
        if signal.get("atr") is None:
            return 0.0
        return self.risk["atr_stop_multiplier"] * float(signal["atr"])

    def size(self, reference: float, distance: float, signal: Mapping[str, Any]) -> tuple[float, str]:
        """The least of the three bounds; ties go to the first. A size factor multiplies it.

        "with E = allocation * equity; room = max_exposure * equity - exposure ... those of the whole account"
        """
        equity = self.books.equity()
        own = self.strategy.allocation * equity
        room = self.books.config.max_exposure * equity - self.books.exposure()
        bounds = {
            "risk": own * self.risk["risk_per_trade"] / distance,
            "position": own * self.risk["max_position_pct"] / reference,
            "room": room / reference,
        }
        bound = min(BOUNDS, key=lambda name: bounds[name])
        factor = signal.get("size_factor")
        if factor is None:
            return bounds[bound], bound
        if not 0 < factor <= 1:
            raise ValueError(f"size factor {factor!r}")
        return bounds[bound] * float(factor), bound

    def levels(
        self, reference: float, distance: float, side: int, signal: Mapping[str, Any], tick: float | None
    ) -> tuple[float, float]:
        """`reference -/+ distance` and `reference +/- ratio * distance`, "rounded away from the entry".

        "An absolute stop or target of the signal stays."
        """
        own_stop, own_target = signal.get("stop"), signal.get("target")
        stop = reference - side * distance if own_stop is None else float(own_stop)
        reward = self.risk["reward_risk_ratio"] * distance
        target = reference + side * reward if own_target is None else float(own_target)
        stop = round_to_tick(stop, tick, up=side < 0)
        target = round_to_tick(target, tick, up=side > 0)
        return stop, target

    def exits(self, symbol: str, signal: Mapping[str, Any]) -> Exits:
        """ "`exits` of the signal, which replaces it". Decision: as a whole; an empty one takes all away."""
        own = signal.get("exits")
        exits = self.strategy.exits if own is None else exits_of(own)
        if exits.trailing is not None and exits.trailing[0] == "distance_atr" and signal.get("atr") is None:
            raise ValueError(f"{self.strategy.id}, {symbol}: distance_atr, and the signal has no ATR")
        return exits
