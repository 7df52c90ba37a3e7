"""A run as a plotly figure for a notebook: candles with entries and exits, equity under them, drawdown at the bottom.

What is drawn is thinned so that a browser stays quick (coarser candles, of equity the extremes), never smoothed: no
peak and no drawdown is lost. plotly is an extra of the installation, asked for only here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.candles.resample import resample
from app.errors import ConfigError, DataError
from app.runs.fill_columns import Fills
from app.runs.frames import equity_columns, read_fills_whole
from app.runs.manifest import written_sha256
from app.runs.quotients import Bools, Floats, Ints
from app.runs.run_folder import EQUITY
from app.runs.trade_table import Trades, legs_among, trades_of
from app.settings.shipped import DEFAULT_CACHE, SAMPLE_CACHE
from app.times import TIMEFRAMES_MS, parse_time_ms, short_time, timeframe_ms

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from app.runs.run_results import RunResults

CANDLES_MOST = 1_500
POINTS_MOST = 4_000
_SVG_TRADES_MOST = 2_000  # above, the browser's graphics card draws the markers
_LARGE_TRADES_MOST = 60  # above, large markers hide the candles and each other
_UP, _DOWN, _LONG, _SHORT, _LINE, _GREY = "#26a69a", "#ef5350", "#2979ff", "#ab47bc", "#1e88e5", "#8d99a6"


@dataclass(frozen=True)
class Picture:
    """What is drawn, thinned: times in ms UTC, prices and equity in quote currency, drawdown in percent, 0 or less."""

    title: str
    timeframe: str
    candles: CandleColumns | None
    trades: Trades
    legs: Fills
    times_ms: Ints
    equity: Floats
    drawdown_pct: Floats
    note: str = ""


def figure(
    run: "RunResults", symbol: str | None, start: str | int | None, end: str | int | None, cache: Path | None
) -> "go.Figure":
    """The figure; see RunResults.plot()."""
    try:
        import plotly.graph_objects as go
        from plotly.subplots import make_subplots
    except ImportError:
        raise ConfigError(
            "run.plot() needs plotly, which is not installed; in the checkout: pip install -e '.[notebook]'"
        ) from None
    picture = picture_of(run, symbol, start, end, cache)
    rows: go.Figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, row_heights=[0.56, 0.26, 0.18], vertical_spacing=0.03
    )
    if picture.candles is not None:
        rows.add_trace(_candlestick(go, picture.candles, picture.timeframe), 1, 1)
    for trace in [*_trade_traces(go, picture.trades), *_leg_traces(go, picture.legs)]:
        rows.add_trace(trace, 1, 1)
    times = _times(picture.times_ms)
    rows.add_trace(go.Scatter(x=times, y=picture.equity, name="equity", line={"color": _LINE, "width": 1.5}), 2, 1)
    rows.add_trace(
        go.Scatter(
            x=times, y=picture.drawdown_pct, name="drawdown %", fill="tozeroy", line={"color": _DOWN, "width": 1}
        ), 3, 1,
    )  # fmt: skip
    for number, title in enumerate(("price", "equity", "drawdown %"), 1):
        rows.update_yaxes(title_text=title, row=number, col=1)
    rows.update_xaxes(rangeslider_visible=False)
    rows.update_layout(
        title=escape(picture.title), height=760, margin={"l": 70, "r": 20, "t": 70, "b": 30},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1.0, "xanchor": "right"},
    )  # fmt: skip
    if picture.note:
        rows.add_annotation(
            text=escape(picture.note), showarrow=False, xref="paper", yref="paper", x=0.0, y=1.0, align="left"
        )
    return rows


def picture_of(
    run: "RunResults", symbol: str | None, start: str | int | None, end: str | int | None, cache: Path | None
) -> Picture:
    """The data of the figure, without plotly; errors as RunResults.plot()."""
    symbols = list(run.get("symbols", []))
    if not symbols:
        raise DataError(f"{run.folder}: its results name no symbol, there is nothing to draw")
    chosen = symbols[0] if symbol is None else symbol
    if chosen not in symbols:
        raise ConfigError(f"{chosen} is no symbol of {run.folder}; it has {', '.join(symbols)}")
    span = _span_ms(start, end)
    times_ms, equity, drawdown_pct = _equity(run, span)
    log = run.folder / str(run["files"]["trades"])
    fills = read_fills_whole(log)
    trades, legs = trades_of(fills, log), fills.only(legs_among(fills))
    legs = legs.only(_both(legs.symbol.equal(chosen), _both(legs.time_ms >= span[0], legs.time_ms < span[1])))
    in_span = trades.only(_both(trades.entry.symbol.equal(chosen), trades.exit.time_ms >= span[0]))
    in_span = in_span.only(in_span.entry.time_ms < span[1])
    candles, note = _candles(run, chosen, cache)
    timeframe = str(run.get("timeframe", "1d"))
    if candles is not None:
        begin, stop = candles.open_time_ms.searchsorted(span).tolist()
        timeframe = coarse_timeframe(stop - begin, timeframe)
        candles = resample(candles.take(slice(begin, stop)), str(run["timeframe"]), timeframe)
    about = f"{chosen} {timeframe}" if candles is not None else chosen
    earned = run.get("performance", {}).get("total_return_pct")
    title = about if earned is None else f"{about}: {earned:+.2f} % over the run"
    return Picture(title, timeframe, candles, in_span, legs, times_ms, equity, drawdown_pct, note)


def coarse_timeframe(candles: int, timeframe: str) -> str:
    """The finest timeframe that leaves at most 1,500 of so many candles; 1d where none does."""
    length_ms = timeframe_ms(timeframe)
    for name, coarser_ms in TIMEFRAMES_MS.items():
        if coarser_ms % length_ms == 0 and candles * length_ms <= CANDLES_MOST * coarser_ms:
            return name
    return "1d"


def thinned(values: Floats, most: int) -> Ints:
    """Places of at most `most` values, ascending: first, last, lowest and highest of equal stretches; all if few."""
    count = len(values)
    if count <= most:
        return np.arange(count)
    bounds = np.linspace(0, count, most // 4 + 1).astype(np.int64)
    places = [
        (begin, end - 1, begin + int(values[begin:end].argmin()), begin + int(values[begin:end].argmax()))
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]
    return np.unique(np.array(places, np.int64))


def kept_rows(equity: Floats, drawdown_pct: Floats, most: int) -> Ints:
    """Places of at most `most` rows with the extremes of both: the lowest equity is not always the deepest drawdown."""
    return np.union1d(thinned(equity, most // 2), thinned(drawdown_pct, most // 2))


def drawdowns_pct(equity: Floats, starting_balance: float | None) -> Floats:
    """Percent, 0 or less, under the peak so far; the starting balance is the first peak where it is known."""
    first = [] if starting_balance is None else [starting_balance]
    peaks = np.maximum.accumulate(np.concatenate((first, equity)))[len(first) :]
    under: Floats = 100.0 * (equity / peaks - 1.0)
    return under


def _span_ms(start: str | int | None, end: str | int | None) -> tuple[int, int]:
    begin_ms = 0 if start is None else parse_time_ms(start) if isinstance(start, str) else start
    end_ms = 1 << 62 if end is None else parse_time_ms(end) if isinstance(end, str) else end
    return begin_ms, end_ms


def _equity(run: "RunResults", span: tuple[int, int]) -> tuple[Ints, Floats, Floats]:
    columns = equity_columns(run.folder / EQUITY, written_sha256(run.manifest, "equity"))
    times_ms, equity = columns["timestamp_ms"], columns["equity"]
    first = run.get("performance", {}).get("starting_balance")
    drawdown_pct = drawdowns_pct(equity, first)
    begin, stop = times_ms.searchsorted(span).tolist()
    if begin == stop:
        raise DataError(f"{run.folder}: the run has no row of equity in this span, there is nothing to draw")
    times_ms, equity, drawdown_pct = times_ms[begin:stop], equity[begin:stop], drawdown_pct[begin:stop]
    kept = kept_rows(equity, drawdown_pct, POINTS_MOST)
    return times_ms[kept], equity[kept], drawdown_pct[kept]


def _candles(run: "RunResults", symbol: str, cache: Path | None) -> tuple[CandleColumns | None, str]:
    from app.runs.candle_source import candles_of
    from app.runs.run_on_disk import NO_TRADES, RunOnDisk

    places = (cache,) if cache is not None else (DEFAULT_CACHE, SAMPLE_CACHE)
    on_disk = RunOnDisk(run.folder, dict(run), run.manifest, NO_TRADES, None, ())
    found = candles_of(on_disk, [CandleCache(place) for place in places])
    own = found.by_symbol.get(symbol)
    return (None, " ".join(found.problems)) if own is None else (own.whole(), "")


def _candlestick(go: Any, candles: CandleColumns, timeframe: str) -> Any:
    # A body lies over the time that it covers, so that fills, which have their own times, fall inside it.
    middles = candles.open_time_ms + timeframe_ms(timeframe) // 2
    texts = [
        f"{short_time(time_ms)}<br>open {open_:,.8g}<br>high {high:,.8g}<br>low {low:,.8g}<br>close {close:,.8g}"
        for time_ms, open_, high, low, close in zip(*(column.tolist() for column in candles[:5]), strict=True)
    ]
    return go.Candlestick(
        x=_times(middles), open=candles.open, high=candles.high, low=candles.low, close=candles.close, name="candles",
        hovertext=texts, hoverinfo="text", showlegend=False,
        increasing={"line": {"color": _UP, "width": 1}}, decreasing={"line": {"color": _DOWN, "width": 1}},
    )  # fmt: skip


def _trade_traces(go: Any, trades: Trades) -> list[Any]:
    if not len(trades):
        return []
    scatter = go.Scatter if len(trades) <= _SVG_TRADES_MOST else go.Scattergl
    held_x, held_y = np.full(3 * len(trades), np.datetime64("NaT", "ms")), np.full(3 * len(trades), np.nan)
    for place, fills in enumerate((trades.entry, trades.exit)):
        held_x[place::3], held_y[place::3] = _times(fills.time_ms), fills.price
    traces = [
        scatter(
            x=held_x, y=held_y, mode="lines", name="held", line={"color": _GREY, "width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    ]  # fmt: skip
    size, edge = (9, 1) if len(trades) <= _LARGE_TRADES_MOST else (5, 0)
    longs, won = trades.entry.sign > 0.0, trades.pnl > 0.0
    for name, at_entry, which, shape, colour in (
        ("long", True, longs, "triangle-up", _LONG),
        ("short", True, ~longs, "triangle-down", _SHORT),
        ("won", False, won, "circle", _UP),
        ("lost", False, ~won, "x", _DOWN),
    ):
        own = trades.only(which)
        if not len(own):
            continue
        fills = own.entry if at_entry else own.exit
        traces.append(
            scatter(
                x=_times(fills.time_ms), y=fills.price, mode="markers", name=name,
                text=_hovers(own, at_entry), hoverinfo="text",
                marker={"symbol": shape, "color": colour, "size": size, "line": {"color": "#ffffff", "width": edge}},
            )
        )  # fmt: skip
    return traces


def _leg_traces(go: Any, legs: Fills) -> list[Any]:
    if not len(legs.price):
        return []
    columns = (
        column.tolist() for column in (legs.trade_id, legs.time_ms, legs.quantity, legs.price, legs.realized_pnl)
    )
    texts = [
        f"trade {trade_id}, {short_time(time_ms)}<br>{quantity:,.8g} at {price:,.8g}<br>leg, PnL {pnl:+,.2f}"
        for trade_id, time_ms, quantity, price, pnl in zip(*columns, strict=True)
    ]
    return [
        go.Scatter(
            x=_times(legs.time_ms), y=legs.price, mode="markers", name="leg", text=texts, hoverinfo="text",
            marker={"symbol": "diamond", "color": _UP, "size": 7},
        )
    ]  # fmt: skip


def _hovers(trades: Trades, at_entry: bool) -> Sequence[str]:
    entry, exit_ = trades.entry, trades.exit
    fills = entry if at_entry else exit_
    reasons = exit_.reason.names
    texts = []
    for i, time_ms in enumerate(fills.time_ms.tolist()):
        side = "long" if entry.sign[i] > 0.0 else "short"
        what = (
            f"{side}, stop {entry.stop[i]:,.8g}, target {entry.target[i]:,.8g}" if at_entry
            else f"{reasons[exit_.reason.codes[i]]}, PnL {trades.pnl[i]:+,.2f}"
        )  # fmt: skip
        price, quantity = fills.price[i], fills.quantity[i]
        texts.append(f"trade {fills.trade_id[i]}, {short_time(time_ms)}<br>{quantity:,.8g} at {price:,.8g}<br>{what}")
    return texts


def _times(times_ms: Ints) -> Any:
    return times_ms.astype("datetime64[ms]")


def _both(one: Bools, other: Bools) -> Bools:
    both: Bools = one & other
    return both
