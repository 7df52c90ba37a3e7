"""No look-ahead: cutting or scrambling the future changes no earlier decision, through the real feed and cache.

Two markets agree up to a moment and differ after it; everything decided up to that moment must be the same.
"""

import random
import tempfile
from pathlib import Path

from arro3.io import read_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from app.session.backtest import ConfigBacktestRunner
from app.times import iso_ms
from tests.candle_columns import MINUTE_MS
from tests.made_trades import read_trade_log
from tests.parity.both import SEEDED
from tests.parity.market import Market, fill_cache, made_up
from tests.parity.variants import EASY

BEGIN_MS = 1_743_361_200_000  # 2025-03-30T19:00Z
COUNT = 700
Decided = tuple[list[dict[str, str]], list[tuple[int, float, float]]]
OWN: list[dict[str, object]] = [{"name": "ScalpingEMARSI", **EASY}, {"name": SEEDED, "params": {"seed": 5}}]
STRATEGIES = st.sampled_from([{**own, "timeframe": frame} for own in OWN for frame in ("1m", "3m", "5m", "15m")])


def decided(market: Market, strategy: dict[str, object], fill: str, until_ms: int) -> Decided:
    """Fills and equity rows of the slices that close at or before `until_ms`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_cache(folder / "cache", market)
        config = {
            "live": {
                "exchange": "test", "symbols": list(market), "timeframe": "1m", "startup_candles": 345,
                "strategy": strategy,
            },
            "trading_mode": {"fill": fill},
        }  # fmt: skip
        start_ms, end_ms = BEGIN_MS + 50 * MINUTE_MS, BEGIN_MS + COUNT * MINUTE_MS
        results = ConfigBacktestRunner(
            config=config, start=start_ms, end=end_ms, cache=folder / "cache", out=folder / "run"
        ).run()
        table = read_parquet(folder / "run" / results["files"]["equity"]).read_all()
        columns = [table[column].to_pylist() for column in ("timestamp_ms", "equity", "balance")]
        rows = [row for row in zip(*columns, strict=True) if row[0] <= until_ms]
        log = read_trade_log(folder / "run" / results["files"]["trades"])
        return [row for row in log if row["timestamp"] <= iso_ms(until_ms)], rows


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(60, COUNT - 10), strategy=STRATEGIES,
       fill=st.sampled_from(("next_open", "close")))  # fmt: skip
def test_the_future_changes_no_earlier_decision(seed: int, cut: int, strategy: dict[str, object], fill: str) -> None:
    market = made_up(seed, ["AAA/X", "BBB/X"], BEGIN_MS, COUNT)
    cut_ms = BEGIN_MS + cut * MINUTE_MS
    # A fill at the open of the next candle is stamped with the moment of the cut itself: look at what is before it.
    until_ms = cut_ms - 1
    whole = decided(market, strategy, fill, until_ms)
    scrambled = decided(scramble(market, cut_ms, seed), strategy, fill, until_ms)
    assert scrambled == whole
    shortened = {symbol: [row for row in rows if row[0] < cut_ms] for symbol, rows in market.items()}
    fills, rows = decided(shortened, strategy, fill, until_ms)
    ended = [row for row in fills if row["reason"] == "end_of_data"]
    kept = [row for row in fills if row["reason"] != "end_of_data"]
    assert kept == whole[0][: len(kept)]
    if not ended:
        assert kept == whole[0]
    assert rows[:-1] == whole[1][: len(rows) - 1]


def scramble(market: Market, from_ms: int, seed: int) -> Market:
    """Other candles from this open time on: other prices, other volumes, some absent."""
    rng = random.Random(seed)
    changed: Market = {}
    for symbol, rows in market.items():
        future = [
            (t, 1.5 * first, 1.5 * high, 1.5 * low, 1.5 * last, rng.choice((0.0, volume, volume * 9)))
            for t, first, high, low, last, volume in rows
            if t >= from_ms and rng.random() > 0.1
        ]
        changed[symbol] = [row for row in rows if row[0] < from_ms] + future
    return changed
