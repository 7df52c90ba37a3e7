"""Allocation as a config asks for it: by which method the equity is shared among strategies, and how often anew.

The methods themselves are arithmetic of trading/weights.py.
"""

from enum import StrEnum

import msgspec


class Method(StrEnum):
    """What the weights follow."""

    EQUAL = "equal"
    INVERSE_VOLATILITY = "inverse_volatility"
    RISK_PARITY = "risk_parity"


class Allocation(msgspec.Struct, frozen=True):
    """Anew at every midnight (UTC) that is a multiple of `every_days`, by the complete days of the lookback."""

    method: Method
    every_days: int
    lookback_days: int
