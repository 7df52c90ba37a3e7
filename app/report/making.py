"""`make_report()`: the page of a run folder, from what the folder and the candle caches still have.

The front of this package: it reads, picks and renders. The page stays below 8 MB: the candles get what is left of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.errors import DataError
from app.report import figures, sections
from app.report.candle_chunks import VOLUME_OFFSET, VOLUME_STEPS, SymbolDetail, pack_symbols
from app.report.curves import equity_line, sharpe_line
from app.report.formats import at, time_text
from app.report.rendering import packed_json, render, write_page
from app.runs.candle_source import RunCandles, candles_of
from app.runs.run_read import RunOnDisk, read_run
from app.runs.trade_read import Trade, exits_inside
from app.times import month_bounds_ms, parse_time_ms, timeframe_ms

REPORT = "report.html"
PAGE_BYTES = 7_600_000
_RESERVED_BYTES = 700_000  # charts library, styles, scripts, tables, overviews
_Json = dict[str, Any]


def make_report(folder: Path, caches: Sequence[CandleCache], out: Path | None = None, month: str | None = None) -> Path:
    """Writes the page of a run and says where; with `month` (2025-03) only that month's candles, in full.

    DataError for a folder with nothing to show, or a month without a candle; OutputError where it cannot be written.
    """
    run = read_run(folder)
    candles = candles_of(run, caches)
    name = REPORT
    if month is not None:
        candles, name = _only(candles, month), f"report_{month}.html"
    path = folder / name if out is None else out
    write_page(path, page(run, candles, month))
    return path


def page(run: RunOnDisk, candles: RunCandles, month: str | None = None) -> str:
    """The page as text."""
    results = run.results
    trades_text = packed_json(trade_columns(run.trades, run.settings))
    step_ms = timeframe_ms(run.timeframe or "1m")
    budget = PAGE_BYTES - _RESERVED_BYTES - len(trades_text)
    details = pack_symbols(candles.by_symbol, step_ms, run.trades, max(budget, 0)) if candles.by_symbol else []
    chunks: list[str] = []
    scatter, scatter_note = figures.scatter(run.trades)
    with_r = [trade.pnl_r for trade in run.trades if trade.pnl_r is not None]
    data = {
        "starting_balance": at(results, "performance.starting_balance"),
        "halt_ms": _ms(at(results, "kill_switch.time")),
        "symbols": [_symbol_data(detail, chunks) for detail in details],
        "volume": [VOLUME_STEPS, VOLUME_OFFSET],
        "month": month,
        **_line_data(run),
    }
    return render(
        "report.html.jinja",
        {
            "run": run,
            "title": page_title(run),
            "period": period_text(results),
            "notices": sections.notices(run),
            "month": month,
            "tiles": sections.tiles(results),
            "metrics": sections.metrics(results),
            "halt": sections.halt_table(results),
            "sides": sections.groups(results, "long", "short", first="side"),
            "symbols": sections.groups(results, "per_symbol", first="symbol"),
            "exits": sections.groups(results, "exits", first="reason"),
            "tags": _tags(results),
            "funnel": sections.funnel(results),
            "costs": sections.costs(results),
            "limits": sections.candle_limits(results),
            "limit_sentences": sections.candle_sentences(results),
            "heat_map": sections.heat_map(results),
            "histogram": figures.histogram([t.pnl for t in run.trades if t.pnl is not None], "currency"),
            "histogram_r": figures.histogram(with_r, "R"),
            "scatter": scatter,
            "scatter_note": scatter_note,
            "candle_problems": candles.problems,
            "left_out": _left_out(details),
            "settings": list(sections.settings_rows(run.settings)),
            "manifest": list(sections.settings_rows(_without(run.manifest, ("settings", "data")))),
            "months": _month_files(run.manifest),
            "data": data,
            "chunks": chunks,
            "trades": trades_text,
        },
    )  # fmt: skip


def trade_columns(trades: Sequence[Trade], settings: Mapping[str, Any]) -> _Json:
    """The trades by column, as the list of the page takes them; `*_at_ms` lie inside the candle of the fill."""
    trading = settings.get("trading_mode") or {}
    symbols = list(dict.fromkeys(trade.symbol for trade in trades))
    place = {symbol: number for number, symbol in enumerate(symbols)}
    columns: _Json = {
        name: [getattr(trade, name) for trade in trades]
        for name in (
            "trade_id", "side", "entry_ms", "exit_ms", "entry_price", "exit_price", "quantity", "stop", "target", "pnl",
            "reason", "tag", "mae", "mfe",
        )
    }  # fmt: skip
    columns["r"] = [None if trade.pnl_r is None else round(trade.pnl_r, 4) for trade in trades]
    at_close, slippage = trading.get("fill") == "close", trading.get("slippage_rate") or 0.0
    columns["entry_at_ms"] = [trade.entry_ms - at_close for trade in trades]
    columns["exit_at_ms"] = [
        None if trade.exit_ms is None else trade.exit_ms - exits_inside(trade, slippage, at_close=at_close)
        for trade in trades
    ]
    columns["symbol"] = [place[trade.symbol] for trade in trades]
    return {"symbols": symbols, "columns": columns}


def _line_data(run: RunOnDisk) -> _Json:
    if run.equity is None:
        return {"equity": None, "sharpe": None}
    starting = at(run.results, "performance.starting_balance") or float(run.equity.equity[0])
    start_ms = _ms(at(run.results, "period.start")) or int(run.equity.times_ms[0])
    line = equity_line(run.equity, starting)
    rolling = sharpe_line(run.equity, starting, start_ms)
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
    begin_ms, end_ms = month_bounds_ms(month)
    found: dict[str, CandleColumns] = {}
    for symbol, columns in candles.by_symbol.items():
        begin, end = columns.open_time_ms.searchsorted((begin_ms, end_ms)).tolist()
        if begin < end:
            found[symbol] = columns.take(slice(begin, end))
    if not found:
        why = " ".join(candles.problems) or "its period has none"
        raise DataError(f"no candle of {month} is at hand for this run: {why}")
    return RunCandles(found, candles.problems)


def page_title(run: RunOnDisk) -> str:
    """Strategy, symbols and timeframe; the folder's name where nothing says them."""
    names = ", ".join(run.symbols[:3]) + (f" and {len(run.symbols) - 3} more" if len(run.symbols) > 3 else "")
    strategy = at(run.settings, "live.strategy.name")
    return " · ".join(str(part) for part in (strategy, names, run.timeframe) if part) or run.name


def period_text(results: Mapping[str, Any]) -> str:
    """First open to last close, UTC."""
    start, end = (time_text(at(results, f"period.{which}")) for which in ("start", "end"))
    return f"{start} to {end} UTC"


def _month_files(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (series, month, sha256) for series, own in (manifest.get("data") or {}).items() for month, sha256 in own.items()
    ]


def _without(content: Mapping[str, Any], keys: Sequence[str]) -> _Json:
    return {key: value for key, value in content.items() if key not in keys}


def _ms(iso: str | None) -> int | None:
    return None if iso is None else parse_time_ms(iso)


def _tags(results: Mapping[str, Any]) -> sections.Table | None:
    own = set(results.get("per_tag") or {}) - {""}
    return sections.groups(results, "per_tag", first="tag") if own else None
