"""`python -m app data fetch`: what the cache lacks, from an exchange, with what came of it as a table.

The rule: it says what was fetched, from where, how long it took and what is missing; stopped half-way it keeps
what came. Notes of waits and retries go to standard error, a progress bar shows on a terminal only.
"""

import argparse
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.errors import ConfigError, StoppedError
from app.report.text_table import limited, text_table
from app.settings.shipped import DEFAULT_CACHE
from app.times import TIMEFRAMES_MS, parse_time_ms, short_time, timeframe_ms

if TYPE_CHECKING:
    from app.exchange.fetch_report import FetchReport

Result = TypeVar("Result")
DEFAULT_EXCHANGE = "binanceus"


def add_fetch_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `data fetch`; the parsed namespace has `run(args) -> exit status`."""
    fetch = commands.add_parser("fetch", help="candles that the cache lacks, from an exchange")
    fetch.add_argument("--symbols", required=True, metavar="A,B", help="e.g. BTC/USDT,ETH/USDT")
    fetch.add_argument("--timeframe", required=True, metavar="1m", help=", ".join(TIMEFRAMES_MS))
    fetch.add_argument("--start", required=True, metavar="D", help="first open time, inclusive, UTC")
    fetch.add_argument("--end", metavar="D", help="end, exclusive (default: the newest closed candle)")
    fetch.add_argument("--exchange", default=DEFAULT_EXCHANGE, metavar="ID", help="ccxt's id, default %(default)s")
    fetch.add_argument("--exchange-url", metavar="URL", help="another host, e.g. the testnet's")
    fetch.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help="default %(default)s")
    fetch.set_defaults(run=run_fetch)


def run_fetch(args: argparse.Namespace) -> int:
    """The command; 0 also where the exchange has gaps, which the table names."""
    from app.report.progress import FetchBar, teller

    start_ms = parse_time_ms(args.start)
    end_ms = None if args.end is None else parse_time_ms(args.end)
    if end_ms is not None and start_ms >= end_ms:
        raise ConfigError(f"--start {args.start} is not before --end {args.end}")
    timeframe_ms(args.timeframe)
    bar = FetchBar()
    try:
        report = run_until_stopped(_fetch(args, start_ms, end_ms, bar, teller(bar)))
    finally:
        bar.close()
    print("\n".join(render_fetch(report)))
    return 0


async def _fetch(args: argparse.Namespace, start_ms: int, end_ms: int | None, bar: Any, tell: Any) -> "FetchReport":
    from app.candles.cache import CandleCache
    from app.exchange.history import HistoricalDataProvider

    symbols = list(dict.fromkeys(symbol.strip() for symbol in args.symbols.split(",")))
    provider = HistoricalDataProvider(
        CandleCache(args.cache), args.exchange, url=args.exchange_url, tell=tell, progress=bar
    )
    async with provider:
        if end_ms is None:
            length_ms = timeframe_ms(args.timeframe)
            end_ms = await provider.server_time_ms(symbols, args.timeframe) // length_ms * length_ms
            if start_ms >= end_ms:
                raise ConfigError(
                    f"no {args.timeframe} candle from --start {args.start} on has closed yet; the newest one closed at "
                    f"{short_time(end_ms)} UTC by the exchange's clock"
                )
        return await provider.fetch(symbols, args.timeframe, start_ms, end_ms)


def run_until_stopped(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs it in an event loop; Ctrl-C and SIGTERM end it in order, as StoppedError."""

    import asyncio
    import signal

    async def main() -> Result:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows: Ctrl-C cancels the task all the same
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(main())
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise StoppedError("stopped; what came so far is stored, the same command fetches the rest") from None


def render_fetch(report: "FetchReport") -> Iterator[str]:
    """The table and what a user should know, line by line."""
    step_ms = timeframe_ms(report.timeframe)
    where = report.host if report.host == report.exchange else f"{report.exchange} at {report.host}"
    yield f"{where}: {report.timeframe} candles, {short_time(report.start_ms)} to {short_time(report.end_ms)} (UTC)"
    rows = []
    for series in report.series:
        absent = sum(end - start for start, end in series.absent) // step_ms
        rows.append((series.symbol, f"{series.wanted:,}", f"{series.new:,}", f"{absent:,}"))
    yield text_table(("symbol", "missing", "fetched", "not there"), rows, numbers=3)
    yield report.summary()
    for series in report.series:
        if series.absent:
            yield f"{series.symbol}: {report.exchange} has nothing at"
            yield from limited(
                [
                    f"{short_time(start)} to {short_time(end - step_ms)}  {(end - start) // step_ms:,}"
                    for start, end in series.absent
                ]
            )
        if series.off_grid:
            yield f"{series.symbol}: {series.off_grid} rows off the {report.timeframe} grid were left out"
    for note in report.notes:
        yield f"note: {note}"
