"""The page of a session with real orders, in Chromium: LIVE at the top, and fills at their moments in the chart."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.report.making import make_report
from tests.browser.conftest import Open
from tests.live_twins import SYMBOLS, Venue, live, slices
from tests.parity.market import fill_cache

PLACES = """
() => {
  const marks = new TradeMarks();
  marks.chart = { timeScale: () => ({ logicalToCoordinate: (index) => 10 * index }) };
  marks.show([], [0, 60, 120, 240].map((time) => ({ time })));
  const at = [60_000, 75_000, 119_999, 180_000].map((ms) => marks.xOf(ms));
  marks.isLive = true;
  return [at, [60_000, 75_000, 119_999, 180_000].map((ms) => Math.round(100 * marks.xOf(ms)) / 100)];
}
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, market = tmp_path_factory.mktemp("live"), slices()
    run = live(folder, "live", Venue(delay_ms=15_000, parts=2), market=market)
    rows = {
        symbol: [
            (one.open_time_ms, one.open, one.high, one.low, one.close, one.volume)
            for slice_ in market
            for one in slice_.candles
            if one.symbol == symbol
        ]
        for symbol in SYMBOLS
    }
    return make_report(run, [CandleCache(fill_cache(folder / "cache", rows).root)])


def test_fills_stand_at_their_moments(report: Path, opened: Open) -> None:
    page = opened(report)
    assert page.errors == []
    assert page.page.get_by_role("alert").first.inner_text().startswith("LIVE: the orders of this session were real")
    on_paper, real = page.evaluate(PLACES)
    assert on_paper == [10, 10, 10, 20], "the middle of the candle"
    assert real == [5, 7.5, 15, 25], "from its left edge to its right one"
    assert page.evaluate("page.live") is True
    firsts = page.evaluate("readTrades().then((trades) => trades.map((one) => one.entry_at_ms % 60000))")
    assert set(firsts) == {15_000}
