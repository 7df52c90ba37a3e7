"""Constraints that a strategy declares: read, named, held against values."""

import pytest

from app.errors import StrategyError
from app.strategies.constraints import first_broken, parse_constraints
from app.strategies.loader import load_strategy


@pytest.mark.parametrize(
    ("text", "fast", "slow", "holds"),
    [
        ("fast < slow", 5, 6, True),
        ("fast < slow", 6, 6, False),
        ("fast <= slow", 6, 6, True),
        ("slow > fast", 5, 5, False),
        ("slow >= fast", 5, 5, True),
        ("fast >= 5.5", 5, 9, False),
        ("fast>-1", 0, 9, True),
        ("fast < slow", None, 6, True),
        ("fast < slow", "auto", 6, True),
    ],
)
def test_comparisons(text: str, fast: object, slow: object, *, holds: bool) -> None:
    constraints = parse_constraints((text,), ["fast", "slow"], "S")
    broken = first_broken(constraints, {"fast": fast, "slow": slow})
    assert (broken is None) == holds
    assert holds or (broken is not None and broken.text == text)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("fast < slow", "write a tuple"),
        (("fast == slow",), "constraint 'fast == slow' cannot be read"),
        (("fast < slow < 3",), "cannot be read"),
        ((3,), "constraint 3 cannot be read"),
        (("fast < slwo",), "no parameter slwo; it takes fast, slow"),
    ],
)
def test_what_cannot_be_read(texts: object, told: str) -> None:
    with pytest.raises(StrategyError, match=told):
        parse_constraints(texts, ["fast", "slow"], "S")


def test_the_shipped_strategy_declares_what_its_constructor_refuses() -> None:
    loaded = load_strategy("ScalpingEMARSI")
    defaults = {name: one.default for name, one in loaded.parameters.items()}
    assert first_broken(loaded.constraints, defaults) is None
    for change in ({"ema_fast": 21}, {"rsi_long_min": 71}, {"rsi_short_max": 29}):
        assert first_broken(loaded.constraints, defaults | change) is not None
