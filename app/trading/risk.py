"""RiskEngine: from an entry signal to a quantity, a stop and a target, or to a refusal with its reason.

Pure arithmetic of RULES.md (Risk and gate) on the account of this moment; it places nothing and remembers
nothing. A check that is not passed refuses: there is no default approval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import msgspec

from app.models import Action, Bound, Refusal, Side, Signal
from app.trading.account import Account
from app.trading.instruments import Instrument


@dataclass(frozen=True, slots=True)
class RiskConfig:
    """The numbers of risk.json and the exposure limit of trading_mode.yaml; fractions of equity, not percent."""

    risk_per_trade: float = 0.01
    atr_stop_multiplier: float = 1.5
    reward_risk_ratio: float = 2.0
    max_position_pct: float = 0.10
    max_exposure: float = 0.20

    @classmethod
    def from_file(cls, path: str | Path, max_exposure: float = 0.20) -> "RiskConfig":
        """Read a risk.json; ConfigError names the file, the key and what would be right."""
        from app.settings import load_risk  # a leaf reads no files itself; kept for users of the old system

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


class RiskEngine:
    """Sizes entries; one instance serves all symbols."""

    def __init__(self, config: RiskConfig, instruments: Mapping[str, Instrument] | None = None) -> None:
        self.config = config
        self._instruments = dict(instruments or {})
        self._default = Instrument()

    async def assess(self, symbol: str, signal: Signal, account: Account) -> RiskOutput | Refusal:
        """Quantity, stop and target for a LONG or SHORT signal at the symbol's mark, or why there is none."""
        reference = account.marks.get(symbol)
        if reference is None:
            return Refusal.NO_MARK
        side = Side.LONG if signal.action is Action.LONG else Side.SHORT
        distance = self._stop_distance(signal, side, reference)
        if not 0.0 < distance < inf:  # NaN too
            return Refusal.STOP_DISTANCE
        instrument = self._instruments.get(symbol, self._default)
        stop, target = self._protection(signal, side, reference, distance, instrument)
        # A distance so small that the subtraction loses it is no distance either.
        if not side * (reference - stop) > 0.0:
            return Refusal.STOP_DISTANCE
        if not side * (target - reference) > 0.0:
            return Refusal.TARGET_SIDE
        bound, limit = self._bound(account, reference, distance)
        quantity = instrument.round_quantity(limit * signal.size_factor)
        if quantity <= 0.0:
            return Refusal.NO_QUANTITY
        if quantity < instrument.min_quantity:
            return Refusal.MIN_QUANTITY
        if quantity * reference < instrument.min_notional:
            return Refusal.MIN_NOTIONAL
        return RiskOutput(symbol, side, quantity, reference, stop, target, bound)

    def _stop_distance(self, signal: Signal, side: Side, reference: float) -> float:
        if signal.stop is not None:
            return side * (reference - signal.stop)
        # SignalCheck (strategies/host.py) lets no entry through that has neither a stop nor an ATR.
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

    def _bound(self, account: Account, reference: float, distance: float) -> tuple[Bound, float]:
        config = self.config
        equity = account.equity()
        room = config.max_exposure * equity - account.exposure()
        bound, limit = Bound.RISK, equity * config.risk_per_trade / distance
        by_position = equity * config.max_position_pct / reference
        if by_position < limit:
            bound, limit = Bound.POSITION, by_position
        if room / reference < limit:
            bound, limit = Bound.ROOM, room / reference
        return bound, limit
