"""`python -m app data import|fetch|list|verify|resample|export`: the candle cache from the command line.

Each prints what it did. A fetch says what it brought, from where, how long it took and what is missing; stopped
half-way it keeps what came. Notes of waits and retries go to standard error, a progress bar shows on a terminal only.
"""

import argparse
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.candles.cache import CandleCache, MergeReport
from app.candles.candle_checks import CheckedCandles, find_gaps
from app.candles.coarsening import coarsen_series
from app.candles.coverage import record_faults, refuse_near_symbols, series_coverage, series_gaps
from app.candles.exporting import export_csv
from app.candles.importing import import_files
from app.cli.arguments import Parser, bounds_ms, cache_argument, series_arguments, symbols_of
from app.errors import ConfigError, DataError, StoppedError
from app.report.progress import FetchBar, fetch_lines, teller
from app.report.text_table import LISTED_MAX, limited, text_table
from app.settings.shipped import DEFAULT_CACHE
from app.times import TIME_MAX_MS, iso_ms, short_time, timeframe_ms

if TYPE_CHECKING:
    from app.exchange.fetch_report import FetchReport

Result = TypeVar("Result")
_EXIT_DAMAGED = 2
_COLUMNS = ("symbol", "timeframe", "from", "to", "candles", "gaps", "missing", "not there")


def data_parser(**about: str) -> Parser:
    """The arguments of `data` and of its commands."""
    data = Parser(**about)
    commands = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str, *parents: Parser) -> Parser:
        parser: Parser = commands.add_parser(name, parents=[*parents, cache_argument()], help=text)
        parser.set_defaults(run=run, cache=DEFAULT_CACHE)
        return parser

    one, several = series_arguments(several=False), series_arguments(several=True)
    imports = add("import", run_import, "candle files of other programs into the cache", one)
    imports.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, Parquet, zip, feather, json")
    imports.add_argument(
        "--drop-off-grid", action="store_true", help="leave candles off the timeframe's grid out, and list them"
    )
    imports.add_argument("--force", action="store_true", help="also what looks like another timeframe or symbol")

    fetch = add("fetch", run_fetch, "candles that the cache lacks, from an exchange", several)
    fetch.add_argument("--start", required=True, metavar="D", help="first open time, inclusive, UTC")
    fetch.add_argument("--end", metavar="D", help="end, exclusive (default: the newest closed candle)")
    fetch.add_argument("--exchange", default="binanceus", metavar="ID", help="ccxt's id, default %(default)s")
    fetch.add_argument("--exchange-url", metavar="URL", help="another host, e.g. the testnet's")

    lists = add("list", run_list, "what the cache holds")
    lists.add_argument("--gaps", action="store_true", help="list every gap, and who said that nothing is there")

    add("verify", run_verify, "reads every file to its last byte")

    coarser = add("resample", run_resample, "coarser candles out of those that the cache holds")
    coarser.add_argument("--symbols", required=True, metavar="A,B")
    coarser.add_argument("--from", required=True, dest="finer", metavar="1m", help="the timeframe that is there")
    coarser.add_argument("--to", required=True, dest="coarser", metavar="5m", help="a multiple of it")

    export = add("export", run_export, "candles of a series as CSV", one)
    export.add_argument("file", type=Path, metavar="FILE", help="a .csv or .csv.gz")
    for parser in (coarser, export):
        parser.add_argument("--start", metavar="D", help="first open time, inclusive (default: all)")
        parser.add_argument("--end", metavar="D", help="end, exclusive (default: all)")
    return data


def run_import(args: argparse.Namespace) -> int:
    """Reads and checks all files together, then merges them into the cache."""
    cache = CandleCache(args.cache)
    # A symbol or timeframe that cannot be stored should say so before a long file is read.
    if not args.force:
        refuse_near_symbols(cache, [args.symbol])
    cache.months(args.symbol, args.timeframe)
    checked = import_files(args.files, args.timeframe, drop_off_grid=args.drop_off_grid, force=args.force)
    if len(checked.columns.open_time_ms) == 0:
        raise DataError(f"{args.files[0]}: no candle is left to import")
    report = cache.merge(args.symbol, args.timeframe, checked.columns)
    _print_import(args, checked, report)
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    """What the cache lacks, from an exchange; 0 also where that has gaps, which the table names."""
    start_ms, end_ms = bounds_ms(args)
    timeframe_ms(args.timeframe)
    bar = FetchBar()
    try:
        report = run_until_stopped(_fetch(args, start_ms or 0, end_ms, bar))
    finally:
        bar.close()
    print("\n".join(fetch_lines(report)))
    return 0


async def _fetch(args: argparse.Namespace, start_ms: int, end_ms: int | None, bar: FetchBar) -> "FetchReport":
    from app.exchange.history import HistoricalDataProvider

    symbols = list(dict.fromkeys(symbols_of(args.symbols)))
    cache = CandleCache(args.cache)
    async with HistoricalDataProvider(
        cache, args.exchange, url=args.exchange_url, tell=teller(bar), progress=bar
    ) as provider:
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


def run_list(args: argparse.Namespace) -> int:
    """A row per series; a file that cannot be read is named after the table, as a fault."""
    cache = CandleCache(args.cache)
    rows = []
    faults = []
    for symbol, timeframe in cache.series():
        try:
            rows.append(_list_row(cache, symbol, timeframe))
        except DataError as error:
            rows.append((symbol, timeframe, "damaged", "", "", "", "", ""))
            faults.append(error)
    if not rows:
        print(f"no candles in {args.cache}; `python -m app data import` or `data fetch` puts some there")
        return 0
    print(text_table(_COLUMNS, rows, numbers=4))
    if args.gaps:
        _print_gaps(cache)
    if faults:
        raise faults[0]
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Every file, every byte; 2 if one of them cannot be trusted."""
    cache = CandleCache(args.cache)
    files = 0
    damaged = 0
    for symbol, timeframe in cache.series():
        for month in cache.months(symbol, timeframe):
            files += 1
            fault = cache.fault(symbol, timeframe, month)
            if fault is not None:
                damaged += 1
                print(fault)
    for path in cache.strangers()[:LISTED_MAX]:
        print(f"{path} is not part of the cache (its place or name is none of a month's); it is not used")
    for path in sorted(args.cache.rglob("*.parquet.damaged")):
        print(f"{path} was set aside as damaged and its candles fetched again; it can be deleted")
    records = record_faults(cache)
    for fault in records:
        print(f"{fault}; nothing in it is believed, delete it and it is written anew by the next fetch")
    if damaged:
        print(f"{damaged} of {files} files damaged; delete them and import or fetch those months again")
    if damaged or records:
        return _EXIT_DAMAGED
    if files:
        print(text_table(_COLUMNS, [_list_row(cache, *one) for one in cache.series()], numbers=4))
    print(f"{files} files in {args.cache}, all intact" if files else f"no candles in {args.cache}")
    return 0


def run_export(args: argparse.Namespace) -> int:
    """A series, or a part of it, as CSV that reads back to the same doubles."""
    start_ms, end_ms = bounds_ms(args)
    cache = CandleCache(args.cache)
    refuse_near_symbols(cache, [args.symbol])
    count = export_csv(cache, args.symbol, args.timeframe, args.file, start_ms=start_ms, end_ms=end_ms)
    print(f"{args.symbol} {args.timeframe}: {count:,} candles written to {args.file}")
    coverage = series_coverage(cache, args.symbol, args.timeframe, start_ms, end_ms)
    if coverage.gaps:
        known = f", {coverage.confirmed:,} known not to exist" if coverage.confirmed else ""
        print(f"  gaps            {coverage.gaps:,} ({coverage.missing:,} candles missing{known})")
    return 0


def run_resample(args: argparse.Namespace) -> int:
    """Coarser candles of each symbol, and how many could not be made."""
    start_ms, end_ms = bounds_ms(args)
    bounds = (0 if start_ms is None else start_ms, TIME_MAX_MS if end_ms is None else end_ms)
    cache = CandleCache(args.cache)
    symbols = list(dict.fromkeys(symbols_of(args.symbols)))
    refuse_near_symbols(cache, symbols)
    for symbol in symbols:
        report = coarsen_series(cache, symbol, args.finer, args.coarser, *bounds)
        print(f"{symbol} {args.coarser} of {args.finer}: {report.new:,} new, {report.already_there:,} already there")
        if report.first_incomplete_ms is not None:
            print(
                f"  left out        {report.incomplete:,}, the first at {short_time(report.first_incomplete_ms)}: "
                f"{args.finer} candles are missing there; `data fetch` asks for them"
            )
    return 0


def _print_import(args: argparse.Namespace, checked: CheckedCandles, report: MergeReport) -> None:
    times = checked.columns.open_time_ms
    gaps = find_gaps(times, args.timeframe)
    missing = sum(gap.candles for gap in gaps)
    span = f"{short_time(int(times[0]))} to {short_time(int(times[-1]))}"
    print(f"{args.symbol} {args.timeframe}: {len(times):,} candles, {span} (UTC open times)")
    print(f"  new             {report.new:,}")
    print(f"  already there   {report.already_there:,}")
    if checked.duplicates_merged:
        print(f"  duplicates      {checked.duplicates_merged:,} that agreed were merged")
    if checked.off_grid_ms:
        print(f"  off the grid    {len(checked.off_grid_ms):,} left out")
        _print_lines([iso_ms(time_ms) for time_ms in checked.off_grid_ms])
    print(f"  gaps            {len(gaps):,} ({missing:,} candles missing)")
    _print_lines([f"{short_time(gap.first_ms)} to {short_time(gap.last_ms)}  {gap.candles:,}" for gap in gaps])


def _print_lines(lines: list[str]) -> None:
    for line in limited(lines):
        print(line)


def _list_row(cache: CandleCache, symbol: str, timeframe: str) -> tuple[str, ...]:
    coverage = series_coverage(cache, symbol, timeframe)
    return (
        symbol,
        timeframe,
        short_time(coverage.first_open_ms),
        short_time(coverage.last_open_ms),
        f"{coverage.candles:,}",
        f"{coverage.gaps:,}",
        f"{coverage.missing:,}",
        f"{coverage.confirmed:,}",
    )


def _print_gaps(cache: CandleCache) -> None:
    rows = [
        (
            symbol,
            timeframe,
            short_time(gap.first_ms),
            short_time(gap.last_ms),
            f"{', '.join(gap.exchanges)} has nothing" if gap.exchanges else "nobody was asked",
            f"{gap.candles:,}",
        )
        for symbol, timeframe in cache.series()
        for gap in series_gaps(cache, symbol, timeframe)
    ]
    print(f"\n{len(rows):,} gaps" + (":" if rows else ""))
    if rows:
        print(text_table(("symbol", "timeframe", "first", "last", "who was asked", "candles"), rows, numbers=1))
