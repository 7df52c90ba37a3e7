"""`python -m app --mode backtest`: arguments to a runner, results to the console, and the page.

The run's own files are complete before the report is printed, and the report before the page is made.
"""

import argparse
from typing import TYPE_CHECKING

from app.candles.ranges import slots
from app.cli.arguments import make_runner, note, print_results
from app.errors import DataError
from app.log import Log, make_log
from app.report.progress import BacktestProgress, FetchBar, teller, wanted
from app.session.backtest import BacktestResults
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
        _show_fetch(log, report)

    runner.fetched = fetched
    log("run_started", config=str(runner.config), cache=str(runner.cache))
    try:
        results = runner.run()
    finally:
        fetch_bar.close()
        if bar is not None:
            bar.close()
    _log_results(log, results)
    print_results(args, results, runner.cache, results.elapsed_s)
    missing = results["missing_candles"]
    if args.max_missing is not None and missing > args.max_missing:
        raise DataError(f"{missing} candles are missing, --max-missing allows {args.max_missing}")
    return 0


def _show_fetch(log: Log, report: "FetchReport") -> None:
    """What was fetched, from where and how long it took: on standard error, the report has standard output."""
    step_ms = timeframe_ms(report.timeframe)
    for series in report.series:
        absent = slots(series.absent, step_ms)
        nothing = f", {absent:,} that {report.exchange} does not have" if absent else ""
        note(f"{series.symbol} {report.timeframe}: {series.new:,} candles fetched{nothing}")
    for line in (report.summary(), *report.notes):
        note(line)
    log(
        "candles_fetched",
        exchange=report.exchange,
        host=report.host,
        candles=report.new,
        requests=report.requests,
        elapsed_s=round(report.elapsed_s, 3),
    )


def _log_results(log: Log, results: BacktestResults) -> None:
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
