"""A new epoch that lists other symbols: each is counted, and held from its own first open."""

from pathlib import Path

import pytest

from app.models.events import Event
from app.models.market import Candle, Slice
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS, WARMUP
from tests.parity import seeded_strategy
from tests.parity.market import made_up
from tests.scripted_paper import Feed, no_sockets, trade
from tests.unit.session.test_epochs import KEEP, broken


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


def slices_of(*symbols: str, absent: int = 0) -> list[Event]:
    """The first symbol and others beside it; the first is `absent` from the slice of this minute."""
    rows = {
        symbol: made_up(9, ["AAA/X", symbol], START_MS - WARMUP * MINUTE_MS, WARMUP + 60)[symbol] for symbol in symbols
    }
    found: list[Event] = []
    for number in range(-WARMUP, 60):
        open_ms = START_MS + number * MINUTE_MS
        candles = [Candle(one, "1m", *row) for one in symbols for row in rows[one] if row[0] == open_ms]
        candles = [one for one in candles if number != absent or one.symbol != symbols[0]]
        found.append(Slice(open_ms + MINUTE_MS, tuple(candles), number < 0))
    return [event for event in found if isinstance(event, Slice) and event.candles]


@pytest.mark.parametrize(("before", "after"), [
    (("AAA/X", "BBB/X"), ("AAA/X", "CCC/X")),
    (("AAA/X", "BBB/X", "DDD/X"), ("AAA/X", "DDD/X")),
    (("AAA/X", "BBB/X"), ("AAA/X",)),
])  # fmt: skip
async def test_a_symbol_that_is_swapped_is_counted_and_held_from_its_first_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    """The newest slice of the old epoch, in which the first symbol is absent, has candles that are listed no more."""
    monkeypatch.setattr(seeded_strategy, "toss", lambda *_: None)
    first = slices_of(*before, absent=25)
    cut_at = next(n for n, one in enumerate(first) if isinstance(one, Slice) and one.candles[0].symbol != "AAA/X") + 1
    monkeypatch.setattr(Feed, "market", first)
    await broken(tmp_path / "run", monkeypatch, cut_at, f"symbols=[{', '.join(before)}]")
    then = [one for one in slices_of(*after) if isinstance(one, Slice)]
    heard = [one for one in first if isinstance(one, Slice)][:cut_at]
    monkeypatch.setattr(Feed, "market", [*heard[:-1], Slice(heard[-1].close_time_ms, (), False), *then])
    monkeypatch.setattr(Feed, "begin_at", next(
        cut_at + n for n, one in enumerate(then) if one.close_time_ms > heard[-1].close_time_ms
    ))  # fmt: skip
    monkeypatch.setattr("tests.scripted_paper.warm_up", lambda *_: [])
    results = await trade(tmp_path / "run", KEEP, f"symbols=[{', '.join(after)}]", new_epoch=True)
    traded = [
        *(one for one in heard if not one.warmup),
        *(one for one in then if one.close_time_ms > heard[-1].close_time_ms),
    ]
    candles = [candle for one in traded for candle in one.candles]
    assert results["candles_processed"]["per_symbol"] == {
        symbol: sum(one.symbol == symbol for one in candles) for symbol in after
    }
    opens: dict[str, float] = {}
    for one in candles:
        opens.setdefault(one.symbol, one.open)
    closes = {one.symbol: one.close for one in candles}
    assert results["buy_and_hold"]["per_symbol"] == {
        symbol: pytest.approx(100 * (closes[symbol] / opens[symbol] - 1)) for symbol in opens
    }
