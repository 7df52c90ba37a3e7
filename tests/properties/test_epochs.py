"""A session that is cut at any event and goes on as a new epoch, its settings as good as the same, changes no byte."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import UnavailableError
from app.models.events import Event
from app.models.market import Candle, Slice
from app.session.tape_replay import TapeRunner
from tests.candle_columns import MINUTE_MS
from tests.golden.make_tape import START_MS, WARMUP
from tests.golden.make_tape import SYMBOLS as GOLDEN
from tests.live_sessions import market
from tests.parity.market import made_up
from tests.parity.variants import EASY
from tests.scripted_paper import Feed, no_sockets, trade, trades_of
from tests.unit.session.test_allocated_sessions import config as allocated
from tests.unit.session.test_allocated_sessions import slices as hours

KEEP, LONG_WARMUP, COUNT = "on_stop=keep", 300, 150
SCALPING: dict[str, Any] = {
    "live": {
        "exchange": "test", "symbols": GOLDEN, "timeframe": "1m", "startup_candles": LONG_WARMUP,
        "strategy": {"name": "ScalpingEMARSI", **EASY},
        "instruments": {symbol: {"quantity_step": 0.001, "price_tick": 0.01} for symbol in GOLDEN},
    },
    "trading_mode": {"safety": {"max_drawdown": None, "max_exposure": 0.5}},
}  # fmt: skip


def trends() -> list[Event]:
    """Two symbols for ScalpingEMARSI, with a warm-up after which its values no longer depend on where it began."""
    rows = made_up(3, GOLDEN, START_MS - LONG_WARMUP * MINUTE_MS, LONG_WARMUP + COUNT)
    candles: dict[int, list[Candle]] = {}
    for symbol in GOLDEN:
        for row in rows[symbol]:
            candles.setdefault(row[0], []).append(Candle(symbol, "1m", *row))
    return [Slice(time_ms + MINUTE_MS, tuple(candles[time_ms]), time_ms < START_MS) for time_ms in sorted(candles)]


def run_cut(run: Path, cuts: Sequence[int], *, breaks: bool, config: Any) -> list[str]:
    """Every cut begins another epoch; whether each ended with a stop or broke off. The files as text and bytes."""
    with pytest.MonkeyPatch.context() as patch:
        for number, cut in enumerate([*cuts, None]):
            patch.setattr(Feed, "stop_after", cut)
            patch.setattr(Feed, "breaks", breaks)
            change = (f"feed.silence_s={11 + number}",)
            try:
                asyncio.run(trade(run, KEEP, *change, config=config, new_epoch=number > 0))
            except UnavailableError:
                assert breaks
            patch.setattr(Feed, "begin_at", cut)
    refused = run / "refused.jsonl"
    texts = [trades_of(run), (run / "signals.csv").read_text(), refused.read_text() if refused.exists() else ""]
    return [*texts, (run / "equity.parquet").read_bytes().hex()]


def check(config: Any, events: Sequence[Event], cuts: Sequence[int], *, breaks: bool) -> int:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        no_sockets(patch)
        patch.setattr(Feed, "market", events)
        folder = Path(name)
        whole = run_cut(folder / "whole", (), breaks=False, config=config)
        assert run_cut(folder / "cut", cuts, breaks=breaks, config=config) == whole
        asyncio.run(TapeRunner(folder / "cut", folder / "tape").run_async())
        again = (folder / "tape" / next((folder / "cut").glob("paper_*.csv")).name).read_text()
        assert again == whole[0]
        return whole[0].count("\n") - 1


@settings(max_examples=12, deadline=None)
@example(cuts=[29], breaks=False)  # between a slice and the late candle of a symbol that was never heard before
@example(cuts=[16], breaks=True)  # halted
@given(
    cuts=st.lists(st.integers(WARMUP + 1, len(market()) - 1), min_size=1, max_size=3, unique=True).map(sorted),
    breaks=st.booleans(),
)
def test_a_cut_changes_no_byte(cuts: list[int], breaks: bool) -> None:
    from tests.golden.make_tape import CONFIG

    assert check(CONFIG, market(), cuts, breaks=breaks) >= 8


@settings(max_examples=6, deadline=None)
@given(cut=st.integers(LONG_WARMUP + 1, LONG_WARMUP + COUNT - 20), breaks=st.booleans())
def test_indicators_that_were_warmed_up_anew_decide_the_same(cut: int, breaks: bool) -> None:
    assert check(SCALPING, trends(), [cut], breaks=breaks) > 3


@settings(max_examples=8, deadline=None)
@example(cuts=[101, 102], breaks=True)  # before and after the first slice with new weights
@given(cuts=st.lists(st.integers(2, 370), min_size=1, max_size=3, unique=True).map(sorted), breaks=st.booleans())
def test_weights_of_strategies_go_on(cuts: list[int], breaks: bool) -> None:
    assert check(allocated(), hours(), cuts, breaks=breaks) > 100
