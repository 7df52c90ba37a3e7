"""Constraints between a strategy's parameters, as it declares them: `constraints = ("ema_fast < ema_slow",)`.

A constraint compares a parameter with another one or with a number. A search does not run values that break one.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import StrategyError

_FORM = re.compile(r"\s*(?P<left>[A-Za-z_]\w*)\s*(?P<sign><=|>=|<|>)\s*(?P<right>[A-Za-z_]\w*|-?\d+(?:\.\d+)?)\s*")
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Constraint:
    """`left sign right`; `right` is the name of a parameter or a number."""

    text: str
    left: str
    sign: str
    right: str | float

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it speaks of."""
        return (self.left, self.right) if isinstance(self.right, str) else (self.left,)

    def holds(self, params: Mapping[str, Any]) -> bool:
        """For these values; a parameter without one, or with one that has no order, breaks nothing."""
        left = params.get(self.left)
        right = params.get(self.right) if isinstance(self.right, str) else self.right
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            return True
        return _SIGNS[self.sign](left, right)


def parse_constraints(texts: object, params: Sequence[str], strategy: str) -> tuple[Constraint, ...]:
    """StrategyError for one that cannot be read, or that names no parameter of the strategy."""
    if not isinstance(texts, (tuple, list)):
        raise StrategyError(f'strategy {strategy}: constraints is {texts!r}; write a tuple, like ("fast < slow",)')
    found = []
    for text in texts:
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise StrategyError(
                f"strategy {strategy}: constraint {text!r} cannot be read; compare a parameter with another one or "
                "with a number, by <, <=, > or >="
            )
        right = match["right"]
        is_name = right[0].isalpha() or right[0] == "_"
        constraint = Constraint(text.strip(), match["left"], match["sign"], right if is_name else float(right))
        for name in constraint.names:
            if name not in params:
                known = ", ".join(params) or "none"
                raise StrategyError(f"strategy {strategy}: constraint {text!r}: no parameter {name}; it takes {known}")
        found.append(constraint)
    return tuple(found)


def first_broken(constraints: Sequence[Constraint], params: Mapping[str, Any]) -> Constraint | None:
    """The first that does not hold, in the order in which they are declared."""
    return next((constraint for constraint in constraints if not constraint.holds(params)), None)
