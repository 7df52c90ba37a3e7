"""`python -m app expect RUN [BACKTEST]`: the band that a session's equity should stay in, and where it lies.

With a BACKTEST the band is drawn and kept; without one the standing is renewed. The exit status is 0 inside the band
and 1 outside.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.cli.arguments import Parser, print_answer, whole
from app.report.text_table import text_table

OUTSIDE = 1
_MARKS = 8


def expect_parser(**about: str) -> Parser:
    """The arguments of `expect`."""
    parser = Parser(**about)
    parser.add_run()
    parser.add_argument(
        "backtest", type=Path, nargs="?", metavar="BACKTEST", help="a finished run it should live up to"
    )
    parser.add_argument(
        "--trials", type=whole(1), metavar="N", help="backtests it is the best of (default: its study's, else 1)"
    )
    parser.add_argument("--days", type=whole(1), metavar="N", help="how long the band is (default: 180)")
    parser.add_json("the band and the standing as JSON")
    parser.set_defaults(run=run_expect)
    return parser


def run_expect(args: argparse.Namespace) -> int:
    """Draw or renew, and print; the exit status."""
    from app.errors import ConfigError
    from app.web.expecting import DAYS, name_expectation, refresh_expectation

    if args.backtest is None:
        if args.trials is not None or args.days is not None:
            raise ConfigError("--trials and --days belong to a BACKTEST: they say what is drawn")
        content = refresh_expectation(args.run_folder)
    else:
        content = name_expectation(args.run_folder, args.backtest, args.trials, args.days or DAYS)
    print_answer(args, content, list(expectation_lines(content)))
    return OUTSIDE if content["outside"] else 0


def expectation_lines(content: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"backtest  {content['backtest']}, {content['backtest_days']:,} days"
    yield f"trials    {content['trials']:,} ({content['trials_from']})"
    yield f"standing  {content['why']}"
    if content["left"] is not None and not content["outside"]:
        yield f"          it was outside on {content['left']} and has come back"
    if content["days"] >= content["expected_days"]:
        yield "          the band has ended; what comes after it is not judged"
    yield ""
    last = content["expected_days"]
    days = sorted({round(last * part / _MARKS) for part in range(1, _MARKS + 1)} | {content["days"]})
    names = ("floor", "low", "mid", "high", "ceiling")
    live = dict(enumerate(content["live"]))
    rows = [
        [f"{day}", *(_pct(content[name][day]) for name in names), _pct(live[day]) if day in live else "-"]
        for day in days
    ]  # fmt: skip
    yield from text_table(("day", *names, "live"), rows, numbers=7).splitlines()
    yield ""
    yield "% since the start. low to high holds 90 % on a day; floor or ceiling is left by chance in 5 of 100 bands."


def _pct(growth: float) -> str:
    return f"{100.0 * (growth - 1.0):+.2f}"
