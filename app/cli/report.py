"""`python -m app report RUN`: the page of a run built again; of two runs: one page with both side by side.

It prints where the page is. Nothing is changed in a run folder but the page itself.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError, OnetapeError

if TYPE_CHECKING:
    from app.runs.trade_table import Fills


def add_report_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `report`."""
    parser = commands.add_parser("report", help="build the page of a run again, or of two side by side")
    parser.add_argument("run_a", type=Path, metavar="RUN")
    parser.add_argument("run_b", type=Path, metavar="RUN_B", nargs="?", help="another one, to see both side by side")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: report.html in RUN)")
    parser.add_argument("--month", metavar="2025-03", help="a page with the candles of this month in full")
    parser.add_argument(
        "--cache", type=Path, action="append", metavar="DIR", dest="caches",
        help="where the candles of a run are (default: data/backtest_cache, and the shipped sample); may be repeated",
    )  # fmt: skip
    parser.set_defaults(run=run_report)


def run_report(args: argparse.Namespace) -> int:
    """Build, and print the path; the exit status."""
    from app.candles.cache import CandleCache
    from app.settings.shipped import DEFAULT_CACHE, SAMPLE_CACHE

    if args.month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", args.month, re.ASCII):
        raise ConfigError(f"--month {args.month}: write a year and a month, for example 2025-03")
    if args.out is not None and args.out.is_dir():
        raise ConfigError(f"--out {args.out}: it is a folder; name the file of the page")
    if args.run_b is not None:
        if args.month is not None:
            raise ConfigError("--month belongs to the page of one run")
        from app.report.versus import make_versus

        print(make_versus(args.run_a, args.run_b, args.out))
        return 0
    from app.report.making import make_report

    # Month files count by their hash, so the shipped sample may be asked as well.
    caches = [CandleCache(folder) for folder in args.caches or (DEFAULT_CACHE, SAMPLE_CACHE)]
    print(make_report(args.run_a, caches, args.out, args.month))
    return 0


def report_line(folder: Path, caches: Sequence[str | Path], fills: "Fills | None" = None) -> str:
    """Makes the page of a run that has just ended; the line that says where. Why there is none, on standard error.

    The run's own files are complete by then, so a disk that takes no page does not fail the run.
    """
    from app.candles.cache import CandleCache
    from app.report.making import make_report

    try:
        path = make_report(folder, [CandleCache(Path(cache)) for cache in caches], fills=fills)
    except OnetapeError as error:
        print(f"onetape: no report was made: {error}", file=sys.stderr)
        return ""
    return f"\n{'Report saved:':<22}{path}\n"
