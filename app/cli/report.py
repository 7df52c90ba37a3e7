"""`python -m app report RUN`: the page of a run built again; of two runs: one page with both side by side.

It prints where the page is. Nothing is changed in a run folder but the page itself.
"""

import argparse
import re
from pathlib import Path

from app.cli.arguments import Parser, caches_argument
from app.errors import ConfigError
from app.report.making import make_report
from app.report.versus import make_versus


def report_parser(**about: str) -> Parser:
    """The arguments of `report`."""
    parser = Parser(parents=[caches_argument()], **about)
    parser.add_argument("run_a", type=Path, metavar="RUN")
    parser.add_argument("run_b", type=Path, metavar="RUN_B", nargs="?", help="another one, to see both side by side")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: report.html in RUN)")
    parser.add_argument("--month", metavar="2025-03", help="a page with the candles of this month in full")
    parser.set_defaults(run=run_report)
    return parser


def run_report(args: argparse.Namespace) -> int:
    """Build, and print the path; the exit status."""
    if args.month is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", args.month, re.ASCII):
        raise ConfigError(f"--month {args.month}: write a year and a month, for example 2025-03")
    if args.out is not None and args.out.is_dir():
        raise ConfigError(f"--out {args.out}: it is a folder; name the file of the page")
    if args.run_b is not None:
        if args.month is not None:
            raise ConfigError("--month belongs to the page of one run")
        print(make_versus(args.run_a, args.run_b, args.out))
    else:
        print(make_report(args.run_a, args.caches, args.out, args.month))
    return 0
