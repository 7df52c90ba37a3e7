"""Division as reports do it: what is undefined is None, never 0, infinity or NaN, and never a warning.

Everything that reaches results.json as a number of the metrics passes through here.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_NOISE = 1e-12  # a spread below this share of the values themselves is rounding, not a spread


def defined(value: float) -> float | None:
    """The number; None for NaN and infinity."""
    number = float(value)
    return number if math.isfinite(number) else None


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`; None where the whole is zero or the quotient is no finite number."""
    if whole == 0.0:
        return None
    return defined(float(part) / float(whole))


def mean(values: Floats) -> float | None:
    """None without a value."""
    return defined(values.mean()) if values.size else None


def spread(values: Floats) -> float | None:
    """Standard deviation of a sample (ddof 1); None for fewer than two values, or where they do not differ."""
    if values.size < 2:
        return None
    deviation = float(values.std(ddof=1))
    return defined(deviation) if deviation > _NOISE * float(np.abs(values).max()) else None


def quantiles(values: Floats, shares: Sequence[float]) -> dict[str, float | None]:
    """`p10` for a share of 0.1 (linear interpolation), and `max`; None each without a value."""
    names = [f"p{100.0 * share:g}" for share in shares]
    if not values.size:
        return dict.fromkeys([*names, "max"])
    ascending = np.sort(values)
    found = [defined(quantile(ascending, share)) for share in shares]
    return {**dict(zip(names, found, strict=True)), "max": defined(ascending[-1])}


def quantile(ascending: Floats, share: float) -> float:
    """Linear interpolation between the two nearest of the sorted values: np.quantile, which imports for 10 ms first."""
    place = share * (ascending.size - 1)
    below = int(place)
    above = min(below + 1, ascending.size - 1)
    return float(ascending[below] + (place - below) * (ascending[above] - ascending[below]))
