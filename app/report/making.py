"""`make_report()`: the page of a run folder, from what the folder and the candle caches still have.

The front of this package: it reads, picks and renders. The page stays below 8 MB: the candles get what is left of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.report import figures
from app.report.candle_chunks import VOLUME_OFFSET, VOLUME_STEPS, SymbolDetail, pack_symbols
from app.report.curves import curve_facts, equity_line
from app.report.formats import at, time_text
from app.report.refused_entries import RefusedTotals
from app.report.refused_run import refused_totals
from app.report.rendering import packed_columns
from app.report.run_page import PageContent, page_pieces
from app.report.stop_paths import ManagedMarks, managed_marks
from app.runs.candle_source import RunCandles, candles_of
from app.runs.fill_columns import Fills
from app.runs.run_folder import write_whole
from app.runs.run_on_disk import RunOnDisk, read_run
from app.runs.strategy_days import strategy_days
from app.runs.trade_read import TradeTable
from app.settings.shipped import RUN_CACHES
from app.times import parse_time_ms, timeframe_ms

REPORT = "report.html"
PAGE_BYTES = 7_600_000
_RESERVED_BYTES = 700_000  # charts library, styles, scripts, tables, overviews
_CONTRIBUTIONS_MAX = 20_000  # points of all strategies' lines together
_Json = dict[str, Any]


def make_report(
    folder: str | Path,
    caches: Sequence[str | Path | CandleCache] | None = None,
    out: Path | None = None,
    month: str | None = None,
    fills: Fills | None = None,
) -> Path:
    """Writes the page of a run and says where; with `month` (2025-03) only that month's candles, in full.

    The candles are looked for in `caches`; without any in the default cache and the shipped sample. `fills` are
    those of the run's whole trade log, where somebody has read it already. DataError for a folder with nothing to
    show, or a month without a candle; OutputError where it cannot be written.
    """
    folder = Path(folder)
    run = read_run(folder, fills)
    candles = candles_of(
        run, [one if isinstance(one, CandleCache) else CandleCache(Path(one)) for one in caches or RUN_CACHES]
    )
    name = REPORT
    if month is not None:
        candles, name = _only(candles, month), f"report_{month}.html"
    path = folder / name if out is None else out
    write_whole(path, page(run, candles, month))
    return path


def page(run: RunOnDisk, candles: RunCandles, month: str | None = None) -> Iterator[str]:
    """The page as text, in pieces."""
    results, trades = run.results, run.trades
    step_ms = timeframe_ms(run.timeframe or "1m")
    marks = managed_marks(trades, candles.by_symbol, run.settings, step_ms)
    is_live = results.get("mode") == "live"
    columns = trade_columns(trades, run.settings, marks, are_moments=is_live)
    trades_text = packed_columns(trades.symbols, columns)
    budget = PAGE_BYTES - _RESERVED_BYTES - len(trades_text)
    details = pack_symbols(candles.by_symbol, step_ms, trades, max(budget, 0)) if candles.by_symbol else []
    chunks: list[str] = []
    several = at(results, "per_strategy") or {}
    scatter, scatter_note = figures.scatter(trades)
    pnl, in_r = trades.pnl, trades.pnl / trades.risk
    data = {
        "starting_balance": at(results, "performance.starting_balance"),
        "halt_ms": _ms(at(results, "kill_switch.time")),
        "symbols": [_symbol_data(detail, chunks) for detail in details],
        "volume": [VOLUME_STEPS, VOLUME_OFFSET],
        "month": month,
        **_line_data(run),
        **({"live": True} if is_live else {}),
        **({"strategies": strategy_lines(run, list(several))} if several else {}),
    }
    return page_pieces(
        PageContent(
            run=run,
            title=page_title(run),
            period=period_text(results),
            month=month,
            data=data,
            trades=trades_text,
            chunks=chunks,
            has_left_out=_left_out(details),
            candle_problems=candles.problems,
            histogram=figures.histogram(pnl[np.isfinite(pnl)], "currency"),
            histogram_r=figures.histogram(in_r[np.isfinite(in_r)], "R"),
            scatter=scatter,
            scatter_note=scatter_note,
            is_managed=marks is not None,
            refused=() if month else _refused(run, candles),
        )
    )


def _refused(run: RunOnDisk, candles: RunCandles) -> Sequence[RefusedTotals]:
    try:
        return refused_totals(run.folder, run.settings, candles.by_symbol)
    except ConfigError:
        return ()  # settings that this version cannot read any more


def trade_columns(
    trades: TradeTable, settings: Mapping[str, Any], marks: ManagedMarks | None = None, *, are_moments: bool = False
) -> Iterator[tuple[str, list[Any]]]:
    """The trades by column, as the list of the page takes them; `*_at_ms` lie inside the candle of the fill, and are
    its time where times `are_moments`, as those of real orders.

    One column after the other, so that only one of them is in memory as Python's numbers. Strategies are there where
    the trades are of several, legs and steps of stops where there are any.
    """
    trading = settings.get("trading_mode") or {}
    at_close, slippage = trading.get("fill") == "close", trading.get("slippage_rate") or 0.0
    entry, exit_ms = trades.entry, trades.exit.time_ms
    place = {entry.symbol.names.index(symbol): number for number, symbol in enumerate(trades.symbols)}

    def closed(column: "np.ndarray") -> list[Any]:
        rows = zip(column.tolist(), trades.is_closed.tolist(), strict=True)
        return [value if is_closed else None for value, is_closed in rows]

    yield "trade_id", entry.trade_id.tolist()
    yield "side", entry.sign.astype(np.int64).tolist()
    yield "entry_ms", entry.time_ms.tolist()
    yield "exit_ms", closed(exit_ms)
    yield "entry_price", entry.price.tolist()
    yield "exit_price", trades.exit_price.tolist()
    yield "quantity", entry.quantity.tolist()
    yield "stop", entry.stop.tolist()
    yield "target", entry.target.tolist()
    yield "pnl", trades.pnl.tolist()
    yield "reason", trades.reasons
    yield "tag", [entry.tag.names[code] for code in entry.tag.codes.tolist()]
    yield "mae", trades.mae.tolist()
    yield "mfe", trades.mfe.tolist()
    yield "r", [round(value, 4) for value in (trades.pnl / trades.risk).tolist()]
    inside = not are_moments  # a time of paper may be the close of its candle, which is the open of the next
    yield "entry_at_ms", (entry.time_ms - (trades.entries_inside(slippage, at_close=at_close) & inside)).tolist()
    yield "exit_at_ms", closed(exit_ms - (trades.exits_inside(slippage, at_close=at_close) & inside))
    yield "symbol", [place[code] for code in entry.symbol.codes.tolist()]
    if len(entry.strategy.names) > 1:
        yield "strategy", [entry.strategy.names[code] for code in entry.strategy.codes.tolist()]
    if marks is not None:
        yield "legs", marks.legs
        yield "stops", marks.stops


def strategy_lines(run: RunOnDisk, strategies: Sequence[str]) -> _Json:
    """What each strategy had brought to the equity by the end of each day; of a long run every so many days."""
    closes = run.trades.closes
    start_ms = _ms(at(run.results, "period.start")) or int(closes.time_ms.min(initial=0))
    end_ms = _ms(at(run.results, "period.end")) or int(closes.time_ms.max(initial=start_ms))
    days = strategy_days(closes, strategies, start_ms, end_ms)
    every = -(-len(days.ends_ms) * len(strategies) // _CONTRIBUTIONS_MAX)
    shown = slice((len(days.ends_ms) - 1) % every, None, every)  # the last day is among them
    values = np.round(days.contribution[shown].T, 4)
    return {"names": strategies, "times_ms": days.ends_ms[shown].tolist(), "values": values.tolist()}


def _line_data(run: RunOnDisk) -> _Json:
    curve = run.equity
    if curve is None:
        return {"equity": None, "sharpe": None}
    starting = at(run.results, "performance.starting_balance") or curve.first
    facts = curve_facts(curve, starting, _ms(at(run.results, "period.start")) or curve.first_ms)
    line, rolling = equity_line(curve, starting, facts.rows), facts.sharpe
    return {
        "equity": {"times_ms": line.times_ms, "equity": line.equity, "drawdown_pct": line.drawdown_pct},
        "sharpe": {"times_ms": rolling.times_ms, "values": rolling.values} if rolling.values else None,
    }


def _symbol_data(detail: SymbolDetail, chunks: list[str]) -> _Json:
    def placed(chunk: Any) -> _Json:
        chunks.append(chunk.text)
        return {
            "chunk": len(chunks) - 1,
            "first_ms": chunk.first_ms,
            "step_ms": chunk.step_ms,
            "candles": chunk.candles,
        }

    return {
        "name": detail.symbol,
        "digits": detail.digits,
        "candles": detail.candles,
        "coarse": placed(detail.coarse),
        "months": [{"month": own.month, "whole": own.is_whole, **placed(own.chunk)} for own in detail.months],
    }


def _left_out(details: Sequence[SymbolDetail]) -> bool:
    return any(detail.months_left_out or not all(month.is_whole for month in detail.months) for detail in details)


def _only(candles: RunCandles, month: str) -> RunCandles:
    found = {symbol: only for symbol, own in candles.by_symbol.items() if (only := own.only(month)) is not None}
    if not found:
        why = " ".join(candles.problems) or "its period has none"
        raise DataError(f"no candle of {month} is at hand for this run: {why}")
    return RunCandles(found, candles.problems)


def page_title(run: RunOnDisk) -> str:
    """Strategy, symbols and timeframe; the folder's name where nothing says them."""
    names = ", ".join(run.symbols[:3]) + (f" and {len(run.symbols) - 3} more" if len(run.symbols) > 3 else "")
    several = at(run.settings, "live.strategies")
    strategy = ", ".join(str(own.get("id")) for own in several) if several else at(run.settings, "live.strategy.name")
    return " · ".join(str(part) for part in (strategy, names, run.timeframe) if part) or run.name


def period_text(results: Mapping[str, Any]) -> str:
    """First open to last close, UTC."""
    start, end = (time_text(at(results, f"period.{which}")) for which in ("start", "end"))
    return f"{start} to {end} UTC"


def _ms(iso: str | None) -> int | None:
    return None if iso is None else parse_time_ms(iso)
