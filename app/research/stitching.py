"""One account out of the windows of a walk-forward: their trades in one log, their equity in one curve, its metrics.

A row is that of its window's own run; only trade and order ids count on, so that they stay unique. A window that did
not trade leaves one row at its end, with the balance as it was. The metrics are those of every run.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from arro3.io import read_parquet

from app.candles.cache import CandleCache
from app.research.windows import Span
from app.runs.equity import EquityLog
from app.runs.fill_columns import COLUMNS
from app.runs.metrics import RunFiles, run_metrics
from app.runs.run_folder import EQUITY, writing
from app.runs.tally import TradeTotals
from app.runs.trade_table import read_fills, trades_of
from app.settings.profile import Settings
from app.times import parse_time_ms

Block = dict[str, Any]
Files = Sequence[Path | None]  # of the windows in order; None: it did not trade


def stitch(blocks: Sequence[Block], folder: Path, name: str, settings: Settings, cache: CandleCache) -> Block:
    """Write `<name>.csv` and `equity.parquet` into `folder`; `performance` and the other blocks of results.json."""
    start_balance = float(blocks[0]["out_of_sample"]["starting_balance"])
    trades, equity = folder / f"{name}.csv", folder / EQUITY
    with writing(folder):
        with trades.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            rows.writerows(_trade_rows([_file(block, folder, "trades") for block in blocks]))
        log = EquityLog(equity, start_balance)
        try:
            for block in blocks:
                _append_equity(log, block, _file(block, folder, "equity"))
            log.finish()
        finally:
            log.close()
    final = float(blocks[-1]["out_of_sample"]["final_balance"])
    span, live = Span(_ms(blocks[0], "start"), _ms(blocks[-1], "end")), settings.live
    first_opens, last_closes = _outer_prices(cache, live.symbols, live.timeframe, span)
    metrics = run_metrics(
        RunFiles(
            trades=trades, equity=equity,
            starting_balance=start_balance, final_equity=final, start_ms=span.start_ms,
            symbols=live.symbols, first_opens=first_opens, last_closes=last_closes,
            target_rate=settings.trading_mode.maker_commission_rate,
        )
    )  # fmt: skip
    pnl = trades_of(read_fills(trades), trades).pnl
    return {
        "files": {"trades": trades.name, "equity": equity.name},
        "performance": {
            "starting_balance": start_balance,
            "final_balance": final,
            "final_equity": final,
            "total_return_pct": 100.0 * (final / start_balance - 1.0),
            "peak_equity": log.peak,
            "max_drawdown_pct": 100.0 * log.max_drawdown,
            **TradeTotals(len(pnl), int((pnl > 0.0).sum()), float(pnl.sum())).as_dict(),
            **metrics.performance,
        },
        **{name: getattr(metrics, name) for name in ("monthly", "buy_and_hold", "costs", "per_symbol")},
    }


def _trade_rows(files: Files) -> Iterator[list[str]]:
    trades_before, orders_before = 0, 0
    for path in files:
        if path is None:
            continue
        trade, order = trades_before, orders_before
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                row["trade_id"] = str(int(row["trade_id"]) + trades_before)
                trade = max(trade, int(row["trade_id"]))
                if row["order_id"]:
                    row["order_id"] = str(int(row["order_id"]) + orders_before)
                    order = max(order, int(row["order_id"]))
                yield [row[column] for column in COLUMNS]
        trades_before, orders_before = trade, order


def _append_equity(log: EquityLog, block: Block, path: Path | None) -> None:
    if path is None:
        balance = float(block["out_of_sample"]["final_balance"])
        log.append([_ms(block, "end")], [balance], [balance])
        return
    for batch in read_parquet(path):
        columns = (batch[name].to_numpy().tolist() for name in ("timestamp_ms", "equity", "balance"))
        log.append(*columns)


def _outer_prices(
    cache: CandleCache, symbols: Sequence[str], timeframe: str, span: Span
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    # The first open and the last close of each symbol in all of the span: what buying and holding would have got.
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for symbol in symbols:
        months = cache.months_between(symbol, timeframe, span.start_ms, span.end_ms)
        for month in months:
            columns = cache.read(symbol, timeframe, month)
            begin, end = columns.open_time_ms.searchsorted((span.start_ms, span.end_ms)).tolist()
            if begin < end:
                first.setdefault(symbol, float(columns.open[begin]))
                last[symbol] = float(columns.close[end - 1])
    return first, last


def _file(block: Block, folder: Path, key: str) -> Path | None:
    files = block["files"]
    return None if files is None else folder / files[key]


def _ms(block: Block, key: str) -> int:
    return parse_time_ms(block["out_of_sample"][key])
