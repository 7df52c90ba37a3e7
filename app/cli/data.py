"""`python -m app data import|list|verify|resample|export`: the candle cache from the command line.

The rule: a command prints plain text about what it did and returns the exit status; a fault is an
OnetapeError, which the command line turns into one line. Nothing heavy is imported before a command runs.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError, DataError
from app.report.text_table import LISTED_MAX, limited, text_table
from app.settings.shipped import DEFAULT_CACHE
from app.times import TIME_MAX_MS, TIMEFRAMES_MS, iso_ms, parse_time_ms, short_time

if TYPE_CHECKING:
    from app.candles.cache import CandleCache, MergeReport
    from app.candles.candle_checks import CheckedCandles

_EXIT_DAMAGED = 2
_COLUMNS = ("symbol", "timeframe", "from", "to", "candles", "gaps", "missing", "not there")


def add_data_parser(subparsers: "argparse._SubParsersAction[Any]") -> "argparse._SubParsersAction[Any]":
    """Adds `data` and its commands; returns where `fetch` is added, which has a file of its own."""
    data = subparsers.add_parser("data", help="candles on disk: import, fetch, list, verify, export, resample")
    commands: argparse._SubParsersAction[Any] = data.add_subparsers(
        dest="data_command", required=True, metavar="COMMAND"
    )

    imports = commands.add_parser("import", help="candle files of other programs into the cache")
    imports.add_argument("files", nargs="+", type=Path, metavar="FILE", help="CSV, Parquet, zip, feather, json")
    _add_series(imports)
    _add_cache(imports)
    imports.add_argument(
        "--drop-off-grid",
        action="store_true",
        help="leave candles off the timeframe's grid out, and list them",
    )
    imports.add_argument("--force", action="store_true", help="also what looks like another timeframe or symbol")
    imports.set_defaults(run=run_import)

    lists = commands.add_parser("list", help="what the cache holds")
    lists.add_argument("--gaps", action="store_true", help="list every gap, and who said that nothing is there")
    _add_cache(lists)
    lists.set_defaults(run=run_list)

    verify = commands.add_parser("verify", help="reads every file to its last byte")
    _add_cache(verify)
    verify.set_defaults(run=run_verify)

    coarser = commands.add_parser("resample", help="coarser candles out of those that the cache holds")
    coarser.add_argument("--symbols", required=True, metavar="A,B")
    coarser.add_argument("--from", required=True, dest="finer", metavar="1m", help="the timeframe that is there")
    coarser.add_argument("--to", required=True, dest="coarser", metavar="5m", help="a multiple of it")
    _add_cache(coarser)
    _add_bounds(coarser)
    coarser.set_defaults(run=run_resample)

    export = commands.add_parser("export", help="candles of a series as CSV")
    _add_series(export)
    _add_cache(export)
    _add_bounds(export)
    export.add_argument("file", type=Path, metavar="FILE", help="a .csv or .csv.gz")
    export.set_defaults(run=run_export)
    return commands


def run_import(args: argparse.Namespace) -> int:
    """Reads and checks all files together, then merges them into the cache."""
    from app.candles.cache import CandleCache
    from app.candles.coverage import refuse_near_symbols
    from app.candles.importing import import_files

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


def run_list(args: argparse.Namespace) -> int:
    """A row per series; a file that cannot be read is named after the table, as a fault."""
    from app.candles.cache import CandleCache

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
    from app.candles.cache import CandleCache
    from app.candles.coverage import record_faults

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
    from app.candles.cache import CandleCache
    from app.candles.coverage import refuse_near_symbols, series_coverage
    from app.candles.exporting import export_csv

    start_ms, end_ms = _bounds(args)
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
    from app.candles.cache import CandleCache
    from app.candles.coarsening import coarsen_series
    from app.candles.coverage import refuse_near_symbols

    start_ms, end_ms = _bounds(args)
    bounds = (0 if start_ms is None else start_ms, TIME_MAX_MS if end_ms is None else end_ms)
    cache = CandleCache(args.cache)
    symbols = list(dict.fromkeys(name.strip() for name in args.symbols.split(",")))
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


def _add_bounds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", metavar="D", help="first open time, inclusive (default: all)")
    parser.add_argument("--end", metavar="D", help="end, exclusive (default: all)")


def _bounds(args: argparse.Namespace) -> tuple[int | None, int | None]:
    start_ms = None if args.start is None else parse_time_ms(args.start)
    end_ms = None if args.end is None else parse_time_ms(args.end)
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise ConfigError(f"--start {args.start} must be before --end {args.end}")
    return start_ms, end_ms


def _add_series(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--symbol", required=True, metavar="BTC/USDT")
    parser.add_argument("--timeframe", required=True, metavar="1m", help=", ".join(TIMEFRAMES_MS))


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help="default %(default)s")


def _print_import(args: argparse.Namespace, checked: "CheckedCandles", report: "MergeReport") -> None:
    from app.candles.candle_checks import find_gaps

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


def _list_row(cache: "CandleCache", symbol: str, timeframe: str) -> tuple[str, ...]:
    from app.candles.coverage import series_coverage

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


def _print_gaps(cache: "CandleCache") -> None:
    from app.candles.coverage import series_gaps

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
