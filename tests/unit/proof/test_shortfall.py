"""The sums of a shortfall: by part, the residual, and when it is explained."""

from app.models.orders import Line
from app.proof.shortfall import Part, Shortfall, TradeShortfall

KEY = (Line("main", "A/X"), 60_000)


def shortfall(*trades: TradeShortfall, live: float, paper: float = 0.0) -> Shortfall:
    return Shortfall("A", trades, live, paper, (2, 2), {})


def one(**parts: float) -> TradeShortfall:
    found = TradeShortfall(KEY, None, None)
    for name, value in parts.items():
        found.add(Part[name], value, "seen")
    return found


def test_parts_are_summed_over_trades_and_the_rest_is_the_residual() -> None:
    both = shortfall(one(FEES=-1.0, LATENCY=0.5), one(FEES=-2.0), live=-2.4)
    assert (both.parts[Part.FEES], both.parts[Part.LATENCY], both.parts[Part.DUST]) == (-3.0, 0.5, 0)
    assert abs(both.residual - 0.1) < 1e-12
    assert not both.is_explained
    assert shortfall(one(FEES=-1.0), live=4.0, paper=5.0).is_explained


def test_a_trade_without_a_cause_is_not_explained_whatever_the_sum() -> None:
    strange = one()
    strange.unexplained = "nothing accounts for it"
    told = shortfall(strange, live=0.0)
    assert told.residual == 0.0
    assert not told.is_explained


def test_what_is_nothing_is_no_part_and_a_note_is_said_once() -> None:
    found = one(FEES=0.0)
    found.add(Part.FEES, 1.0, "seen")
    assert found.parts == {Part.FEES: 1.0}
    assert found.notes == ["seen"]
    assert found.latency_ms is None
    assert found.difference == 0.0
