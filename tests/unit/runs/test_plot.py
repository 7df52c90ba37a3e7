"""The picture of a run: what is drawn is what the files hold, thinned without losing an extreme."""

import builtins
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app import RunResults, load_run, run_config_backtest
from app.errors import ConfigError, DataError
from app.runs.plot import CANDLES_MOST, POINTS_MOST, coarse_timeframe, drawdowns_pct, kept_rows, picture_of, thinned
from tests.proof_runs import market, replay

ROOT = Path(__file__).resolve().parents[3]
CONFIG, CACHE = ROOT / "config/sample/live.yaml", ROOT / "data/sample"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    out = tmp_path_factory.mktemp("plot") / "run"
    return run_config_backtest("2023-03-01", "2023-04-10", config=CONFIG, cache=CACHE, out=out)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    return load_run(replay(tmp_path_factory.mktemp("two"), "run", market()))


def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


def test_candles_entries_exits_equity_and_drawdown(run: RunResults) -> None:
    drawn = traces(run.plot(cache=CACHE))
    trades, equity = run.closed_trades, run.equity
    assert list(drawn) == ["candles", "held", "long", "short", "won", "lost", "equity", "drawdown %"]
    assert [drawn[name].yaxis for name in ("candles", "long", "equity", "drawdown %")] == ["y", "y", "y2", "y3"]
    assert len(drawn["candles"].x) == run["candles_processed"]["total"]
    longs, won = trades.side == "LONG", trades.realized_pnl > 0
    for name, which, column, time in (
        ("long", longs, "entry_price", "entry_time"),
        ("short", ~longs, "entry_price", "entry_time"),
        ("won", won, "exit_price", "exit_time"),
        ("lost", ~won, "exit_price", "exit_time"),
    ):
        assert list(drawn[name].y) == trades[which][column].tolist(), name
        assert pd.DatetimeIndex(drawn[name].x, tz="UTC").tolist() == trades[which][time].tolist(), name
    assert "take_profit, PnL +" in drawn["won"].text[0]
    assert drawn["long"].text[0].startswith("trade ")
    assert list(drawn["equity"].y) == equity.equity.tolist()
    assert min(drawn["drawdown %"].y) == pytest.approx(-run["performance"]["max_drawdown_pct"], rel=1e-12)


def test_a_body_lies_over_its_own_time_and_fills_inside_it(run: RunResults) -> None:
    drawn = traces(run.plot(cache=CACHE, start="2023-03-01", end="2023-03-02"))["candles"]
    assert drawn.x[0] == np.datetime64("2023-03-01T00:30")
    assert drawn.hovertext[0].startswith("2023-03-01<br>open ")
    assert len(drawn.x) == 24


def test_a_span_shows_what_touches_it(run: RunResults) -> None:
    start, end = pd.Timestamp("2023-03-10", tz="UTC"), pd.Timestamp("2023-03-20", tz="UTC")
    by_text = picture_of(run, None, "2023-03-10", "2023-03-20", CACHE)
    by_ms = picture_of(run, None, start.value // 10**6, end.value // 10**6, CACHE)
    trades = run.closed_trades
    expected = trades[(trades.exit_time >= start) & (trades.entry_time < end)].index.tolist()
    assert 0 < len(expected) < len(trades)
    for picture in (by_text, by_ms):
        assert picture.trades.exit.trade_id.tolist() == expected
        assert picture.candles is not None
        assert picture.candles.open_time_ms[[0, -1]].tolist() == [1_678_406_400_000, 1_679_266_800_000]
        assert picture.equity.tolist() == run.equity.loc[start : end - pd.Timedelta(1, "ms")].equity.tolist()
    assert by_text.drawdown_pct[0] < 0.0, "the peak before the span counts"
    with pytest.raises(DataError, match="no row of equity in this span"):
        run.plot(start="2024-01-01")
    with pytest.raises(ConfigError, match="'soon' is not a date"):
        run.plot(start="soon")


@pytest.mark.parametrize(
    ("candles", "timeframe", "coarse"),
    [
        (10, "1h", "1h"), (CANDLES_MOST, "1h", "1h"), (CANDLES_MOST + 1, "1h", "2h"), (55_818, "1h", "1d"),
        (525_600, "1m", "6h"), (5_000, "1d", "1d"), (3 * CANDLES_MOST, "3m", "15m"),
    ],
)  # fmt: skip
def test_the_finest_timeframe_that_a_browser_draws_quickly(candles: int, timeframe: str, coarse: str) -> None:
    assert coarse_timeframe(candles, timeframe) == coarse


def test_a_long_run_has_coarser_candles_and_loses_no_extreme(tmp_path: Path) -> None:
    year = run_config_backtest("2022-01-01", "2023-01-01", config=CONFIG, cache=CACHE, out=tmp_path / "year")
    picture = picture_of(year, None, None, None, CACHE)
    assert picture.timeframe == "6h"
    assert picture.candles is not None
    assert len(picture.candles.close) <= CANDLES_MOST
    assert len(picture.equity) <= POINTS_MOST < len(year.equity)
    assert picture.equity.max() == year.equity.equity.max()
    assert picture.drawdown_pct.min() == pytest.approx(-year["performance"]["max_drawdown_pct"], rel=1e-12)
    assert year.plot(cache=CACHE).layout.title.text.startswith("BTC/USDT 6h: ")


def test_thinning_keeps_ends_and_extremes() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=10_007).cumsum()
    kept = thinned(values, 400)
    assert len(kept) <= 400
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert np.all(np.diff(kept) > 0)
    assert {values.argmin(), values.argmax()} <= set(kept.tolist())
    assert thinned(values[:400], 400).tolist() == list(range(400))
    assert thinned(values[:0], 400).tolist() == []


def test_the_deepest_drawdown_of_a_stretch_stays_where_equity_was_lower_before_it() -> None:
    equity = np.array([100.0, 200.0, 150.0, 190.0, 195.0, 195.0] + [195.0] * 94)
    under = drawdowns_pct(equity, None)
    kept = kept_rows(equity, under, 40)
    assert len(kept) <= 40
    assert under[kept].min() == under.min() == -25.0
    assert (equity[kept].min(), equity[kept].max()) == (100.0, 200.0)


def test_the_starting_balance_is_the_first_peak() -> None:
    assert drawdowns_pct(np.array([90.0, 120.0, 60.0]), 100.0) == pytest.approx([-10.0, 0.0, -50.0])
    assert drawdowns_pct(np.array([90.0, 45.0]), None) == pytest.approx([0.0, -50.0])


def test_a_trade_that_is_held_over_an_end_of_the_span_is_drawn(run: RunResults) -> None:
    trades = run.closed_trades
    longs = trades[(trades.side == "LONG") & (trades.holding > pd.Timedelta("3h"))]
    for entry, exit_ in zip(longs.entry_time, longs.exit_time, strict=True):
        inside = entry + pd.Timedelta("1h"), exit_ - pd.Timedelta("1h")
        figure = run.plot(cache=CACHE, start=inside[0].isoformat(), end=inside[1].isoformat())
        assert {"long", "held"} <= set(traces(figure))
        assert "short" not in traces(figure), "one position of a symbol at a time"


def test_one_symbol_at_a_time(two: RunResults) -> None:
    cache = two.folder.with_name("run_cache")
    trades = two.closed_trades
    for symbol, asked in (("AAA/X", None), ("BBB/X", "BBB/X")):
        picture = picture_of(two, asked, None, None, cache)
        assert picture.title.startswith(f"{symbol} 1m: ")
        assert picture.trades.exit.trade_id.tolist() == trades[trades.symbol == symbol].index.tolist() != []
    with pytest.raises(ConfigError, match=r"CCC/X is no symbol of .*; it has AAA/X, BBB/X"):
        two.plot("CCC/X")


def test_candles_that_are_gone_are_told_and_the_rest_is_drawn(two: RunResults, tmp_path: Path) -> None:
    figure = two.plot(cache=tmp_path / "empty")
    assert "candles" not in traces(figure)
    assert {"held", "equity", "drawdown %"} <= set(traces(figure))
    assert "no longer in" in figure.layout.annotations[0].text
    assert not two.plot(cache=two.folder.with_name("run_cache")).layout.annotations


def test_a_run_without_a_trade_and_a_name_with_html(run: RunResults, tmp_path: Path) -> None:
    none = run_config_backtest(
        "2023-03-01", "2023-03-01T01:00", config=CONFIG, cache=CACHE, out=tmp_path / "one",
        overrides=["strategy.params.volume_factor=1e9"],
    )  # fmt: skip
    drawn = traces(none.plot(cache=CACHE))
    assert list(drawn) == ["candles", "equity", "drawdown %"]
    assert len(drawn["equity"].x) == len(drawn["candles"].x) == 1
    folder = Path(shutil.copytree(none.folder, tmp_path / "odd"))
    content = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps({**content, "symbols": ["<a href='x'>B</a>"]}))
    assert load_run(folder).plot().layout.title.text.startswith("&lt;a href=")
    (folder / "results.json").write_text(json.dumps({**content, "symbols": []}))
    with pytest.raises(DataError, match="its results name no symbol"):
        load_run(folder).plot()


def test_without_plotly_one_line_says_what_to_install(run: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("plotly"):
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"run.plot\(\) needs plotly, which is not installed; .*\[notebook\]"):
        run.plot()
