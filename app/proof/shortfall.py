"""Implementation shortfall: what a session with real orders earned less than the same session on paper, by cause.

Each trade's difference is in parts, and what is left between the balances is the residual: nothing named explains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.proof.traded import Key, Trade


class Part(StrEnum):
    """What a difference is due to."""

    SLIPPAGE = "slippage"
    LATENCY = "latency"
    FEES = "fees"
    BASE_FEES = "fees in the base asset"
    PARTIAL_FILLS = "partial fills"
    DUST = "dust and open rests"
    REFUSALS = "refusals"
    TIMING = "timing"
    SIZING = "sizing"
    INPUTS = "inputs"


@dataclass
class TradeShortfall:
    """One trade: `parts` in quote currency, positive where live is ahead. `notes` say what was seen."""

    key: Key
    live: Trade | None
    paper: Trade | None
    parts: dict[Part, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unexplained: str = ""

    @property
    def difference(self) -> float:
        """Of the realised PnL."""
        return (0.0 if self.live is None else self.live.pnl) - (0.0 if self.paper is None else self.paper.pnl)

    @property
    def latency_ms(self) -> int | None:
        """From the decision to the first fill."""
        return None if self.live is None else self.live.entries[0].time_ms - self.live.decided_ms

    def add(self, part: Part, value: float, note: str = "") -> None:
        """What a part is worth."""
        if value:
            self.parts[part] = self.parts.get(part, 0.0) + value
        if note and note not in self.notes:
            self.notes.append(note)


@dataclass(frozen=True)
class Shortfall:
    """Two runs held against each other; `live_name` is A or B, the one whose orders were real."""

    live_name: str
    trades: Sequence[TradeShortfall]
    live_pnl: float
    paper_pnl: float
    rows: tuple[int, int]  # of fills: live, paper
    fees: Mapping[str, float]  # of the live run, by asset

    @property
    def difference(self) -> float:
        """Of the balances at the end."""
        return self.live_pnl - self.paper_pnl

    @property
    def parts(self) -> dict[Part, float]:
        """Summed."""
        return {part: sum(one.parts.get(part, 0.0) for one in self.trades) for part in Part}

    @property
    def residual(self) -> float:
        """What no part explains."""
        return self.difference - sum(self.parts.values())

    @property
    def tolerance(self) -> float:
        """Of sums of doubles: a millionth of the currency, more where the amounts are large."""
        return 1e-6 * max(1.0, 1e-6 * max(abs(self.live_pnl), abs(self.paper_pnl)))

    @property
    def unexplained(self) -> Sequence[TradeShortfall]:
        """Trades with something that nothing accounts for."""
        return [one for one in self.trades if one.unexplained]

    @property
    def is_explained(self) -> bool:
        """Whether nothing is left."""
        return not self.unexplained and abs(self.residual) <= self.tolerance
