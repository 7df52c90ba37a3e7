"""RiskEngine: from an entry signal to a quantity, a stop and a target, or to a refusal with its reason.

Pure arithmetic of RULES.md (Risk and gate) on the account of this moment; it places nothing and remembers
nothing. A check that is not passed refuses: there is no default approval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import msgspec

from app.models.exits import Exits
from app.models.orders import MAIN, Action, Bound, Line, Refusal, Side, Signal
from app.trading.account import Account
from app.trading.instruments import Instrument


@dataclass(frozen=True, slots=True)
class RiskConfig:
    """The numbers of risk.json and the exposure limit of trading_mode.yaml; fractions of equity, not percent.

    `allocation` is the part of the equity that a strategy sizes its orders by.
    """

    risk_per_trade: float = 0.01
    atr_stop_multiplier: float = 1.5
    reward_risk_ratio: float = 2.0
    max_position_pct: float = 0.10
    max_exposure: float = 0.20
    allocation: float = 1.0

    @classmethod
    def from_file(cls, path: str | Path, max_exposure: float = 0.20) -> "RiskConfig":
        """Read a risk.json; ConfigError names the file, the key and what would be right."""
        from app.settings.profile import load_risk

        risk = load_risk(Path(path))
        return cls(**risk.model_dump(), max_exposure=max_exposure)


class RiskOutput(msgspec.Struct, frozen=True):
    """An approved entry: what to buy or sell, how much, and where it is protected."""

    symbol: str
    side: Side
    quantity: float
    reference: float
    stop: float
    target: float
    sized_by: Bound
    strategy: str = MAIN


class Sizing(msgspec.Struct, gc=False):
    """Every number between an entry signal and its order, in the order in which they are computed.

    None is what was not computed any more because a check before it refused. `limit` is the least of the three bounds,
    `quantity` it times the size factor, rounded down to the step.
    """

    symbol: str
    side: Side
    size_factor: float
    reference: float | None = None
    distance: float | None = None
    stop: float | None = None
    target: float | None = None
    equity: float | None = None
    allocation: float | None = None
    own_equity: float | None = None  # E of RULES.md: the strategy's allocation of it
    exposure: float | None = None
    room: float | None = None
    by_risk: float | None = None
    by_position: float | None = None
    by_room: float | None = None
    sized_by: Bound | None = None
    limit: float | None = None
    quantity: float | None = None
    notional: float | None = None
    refusal: Refusal | None = None
    output: RiskOutput | None = None


class RiskEngine:
    """Sizes the entries of one strategy; one instance serves all symbols. An Allocator may replace its `config`."""

    def __init__(self, config: RiskConfig, instruments: Mapping[str, Instrument] | None = None) -> None:
        self.config = config
        self._instruments = dict(instruments or {})
        self._default = Instrument()

    async def assess(self, line: Line, signal: Signal, account: Account) -> RiskOutput | Refusal:
        """Quantity, stop and target for a LONG or SHORT signal at its limit or the symbol's mark, or why none."""
        sizing = self.size(line, signal, account)
        return sizing.output or sizing.refusal or Refusal.NO_QUANTITY  # size() sets one of the first two

    def size(self, line: Line, signal: Signal, account: Account) -> Sizing:
        """The whole arithmetic of an entry, kept for people who ask why; either `output` or `refusal` is set."""
        side = Side.LONG if signal.action is Action.LONG else Side.SHORT
        sizing = Sizing(line.symbol, side, signal.size_factor)
        sizing.refusal = self._fill_in(sizing, line.strategy, signal, account)
        return sizing

    def instrument(self, symbol: str) -> Instrument:
        """What the exchange accepts for the symbol."""
        return self._instruments.get(symbol, self._default)

    def _fill_in(self, sizing: Sizing, strategy: str, signal: Signal, account: Account) -> Refusal | None:
        side, instrument = sizing.side, self.instrument(sizing.symbol)
        mark = account.marks.get(sizing.symbol)
        if mark is None:
            return Refusal.NO_MARK
        reference = sizing.reference = mark
        if signal.limit is not None:  # rounded away from the market: a long's down, a short's up
            reference = sizing.reference = instrument.round_price(signal.limit, up=side is Side.SHORT)
            if not reference > 0.0:
                return Refusal.LIMIT_PRICE
        distance = sizing.distance = self._stop_distance(signal, side, reference)
        if not 0.0 < distance < inf or (signal.exits is not None and not _can_trail(signal)):  # NaN too
            return Refusal.STOP_DISTANCE
        stop, target = sizing.stop, sizing.target = self._protection(signal, side, reference, distance, instrument)
        # A distance so small that the subtraction loses it is no distance either.
        if not side * (reference - stop) > 0.0:
            return Refusal.STOP_DISTANCE
        if not side * (target - reference) > 0.0:
            return Refusal.TARGET_SIDE
        most, bound = self._bound(sizing, account, reference, distance)
        quantity = sizing.quantity = instrument.round_quantity(most * sizing.size_factor)
        if quantity <= 0.0:
            return Refusal.NO_QUANTITY
        if quantity < instrument.min_quantity:
            return Refusal.MIN_QUANTITY
        notional = sizing.notional = quantity * reference
        if notional < instrument.min_notional:
            return Refusal.MIN_NOTIONAL
        sizing.output = RiskOutput(sizing.symbol, side, quantity, reference, stop, target, bound, strategy)
        return None

    def _stop_distance(self, signal: Signal, side: Side, reference: float) -> float:
        if signal.stop is not None:
            return side * (reference - signal.stop)
        # StrategyHost.check lets no entry through that has neither a stop nor an ATR.
        return self.config.atr_stop_multiplier * signal.atr if signal.atr is not None else 0.0

    def _protection(
        self, signal: Signal, side: Side, reference: float, distance: float, instrument: Instrument
    ) -> tuple[float, float]:
        # Rounded away from the entry, both farther: a long's stop down and its target up, a short's mirrored.
        stop = signal.stop if signal.stop is not None else reference - side * distance
        target = signal.target
        if target is None:
            target = reference + side * self.config.reward_risk_ratio * distance
        long = side is Side.LONG
        return instrument.round_price(stop, up=not long), instrument.round_price(target, up=long)

    def _bound(self, sizing: Sizing, account: Account, reference: float, distance: float) -> tuple[float, Bound]:
        config = self.config
        equity = sizing.equity = account.equity()
        exposure = sizing.exposure = account.exposure()
        room = sizing.room = config.max_exposure * equity - exposure
        sizing.allocation = config.allocation
        own = sizing.own_equity = config.allocation * equity
        by_risk = sizing.by_risk = own * config.risk_per_trade / distance
        by_position = sizing.by_position = own * config.max_position_pct / reference
        by_room = sizing.by_room = room / reference
        limit = sizing.limit = min(by_risk, by_position, by_room)
        bound = Bound.RISK if limit == by_risk else Bound.POSITION if limit == by_position else Bound.ROOM
        sizing.sized_by = bound
        return limit, bound


def _can_trail(signal: Signal) -> bool:
    # An ATR that is not ready is no distance to trail by.
    needs_atr = isinstance(signal.exits, Exits) and signal.exits.needs_atr
    return not needs_atr or 0.0 < (signal.atr or 0.0) < inf
