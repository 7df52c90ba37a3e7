"""`python -m app --mode backtest`: arguments to a runner, results to the console.

Chooses the shipped sample where there is neither a config nor a candle, as the first line of the report says.
"""

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.candles.cache import CandleCache
from app.candles.ranges import slots
from app.cli.report import report_line
from app.errors import ConfigError, DataError
from app.log import Log, make_log
from app.report.console import report_text
from app.report.fetch_progress import FetchBar, teller
from app.report.progress import BacktestProgress, wanted
from app.runs.run_folder import to_json
from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.settings.shipped import (
    DEFAULT_CACHE,
    DEFAULT_CONFIG,
    SAMPLE_CACHE,
    SAMPLE_CONFIG,
    SAMPLE_PERIOD,
    default_config,
)
from app.times import timeframe_ms

if TYPE_CHECKING:
    from app.exchange.fetch_report import FetchReport


def run_backtest(args: argparse.Namespace) -> int:
    """Run and report; the exit status."""
    runner = make_runner(args)
    log = make_log(as_json=args.log_json, file=args.log_file)
    bar = BacktestProgress() if wanted() and not args.json else None
    runner.progress = bar
    fetch_bar = FetchBar()
    runner.tell, runner.fetch_progress = teller(fetch_bar), fetch_bar

    def fetched(report: "FetchReport") -> None:
        fetch_bar.close()
        _tell_fetch(log, report)

    runner.fetched = fetched
    log("run_started", config=str(runner.config), cache=str(runner.cache))
    try:
        results = runner.run()
    finally:
        fetch_bar.close()
        if bar is not None:
            bar.close()
    _tell(log, results)
    if args.json:
        sys.stdout.write(to_json(dict(results)))
    else:
        sys.stdout.write(report_text(results, results.folder, results.elapsed_s))
    if not args.no_report:
        sys.stdout.flush()  # the figures first, the page takes a moment
        line = report_line(results.folder, [runner.cache], results.fill_table)
        sys.stdout.write("" if args.json else line)
    missing = results["missing_candles"]
    if args.max_missing is not None and missing > args.max_missing:
        raise DataError(f"{missing} candles are missing, --max-missing allows {args.max_missing}")
    return 0


def make_runner(args: argparse.Namespace) -> ConfigBacktestRunner:
    """The runner that the arguments describe."""
    config, cache, note = args.config, args.cache, ""
    start, end = args.start, args.end
    nothing_asked = config is None and cache is None and start is None and end is None and args.exchange_url is None
    nothing_asked = nothing_asked and args.symbols in (None, "BTC/USDT")  # what the sample holds
    if nothing_asked and not CandleCache(DEFAULT_CACHE).series():
        # A first run in an empty place: the sample with its own profile, all of it.
        config, cache, note = (
            SAMPLE_CONFIG,
            SAMPLE_CACHE,
            "the shipped sample (the cache is empty, no --config)",
        )
        start, end = SAMPLE_PERIOD
    return ConfigBacktestRunner(
        config=config_of(config),
        start=start,
        end=end,
        interval=args.interval,
        symbols=symbols_of(args.symbols),
        strategy=args.strategy,
        overrides=args.overrides,
        cache=cache or DEFAULT_CACHE,
        out=args.out,
        speed=_speed(args.speed),
        note=note,
        offline=args.offline,
        exchange_url=args.exchange_url,
        tell=lambda text: print(f"onetape: {text}", file=sys.stderr),
    )


def config_of(named: Path | None) -> Path:
    """The profile that was named; else the one where the user stands; else the one of the package, which is said."""
    if named is not None:
        return named
    found = default_config()
    if found != DEFAULT_CONFIG:
        print(f"onetape: no {DEFAULT_CONFIG} here: taking the package's own, {found}", file=sys.stderr)
    return found


def symbols_of(text: str | None) -> list[str] | None:
    """`--symbols A,B`; None without it."""
    return None if text is None else [symbol.strip() for symbol in text.split(",")]


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.0 < speed < math.inf:
        raise ConfigError(f"--speed {text}: write max, or how many times real time, for example 60")
    return speed


def _tell_fetch(log: Log, report: "FetchReport") -> None:
    """What was fetched, from where and how long it took: on standard error, the report has standard output."""
    step_ms = timeframe_ms(report.timeframe)
    for series in report.series:
        absent = slots(series.absent, step_ms)
        nothing = f", {absent:,} that {report.exchange} does not have" if absent else ""
        print(f"onetape: {series.symbol} {report.timeframe}: {series.new:,} candles fetched{nothing}", file=sys.stderr)
    print(f"onetape: {report.summary()}", file=sys.stderr)
    for note in report.notes:
        print(f"onetape: {note}", file=sys.stderr)
    log(
        "candles_fetched",
        exchange=report.exchange,
        host=report.host,
        candles=report.new,
        requests=report.requests,
        elapsed_s=round(report.elapsed_s, 3),
    )


def _tell(log: Log, results: BacktestResults) -> None:
    for shortfall in results["shortfalls"]:
        log("candles_missing", **shortfall)
    if results["kill_switch"]:
        log("kill_switch_tripped", **results["kill_switch"])
    log(
        "run_finished",
        status=results["status"],
        candles=results["candles_processed"]["total"],
        elapsed_s=round(results.elapsed_s, 3),
        folder=str(results.folder),
    )
