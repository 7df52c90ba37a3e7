"""`python -m app assumptions`: one backtest, once per answer to what it had to assume, as a table.

Takes the flags of `--mode backtest` and `--finer TF`; what it prints, app/research/assumptions.py found.
"""

import argparse
from collections.abc import Iterator

from app.cli.arguments import Parser, candle_arguments, make_runner, note, print_answer
from app.report.formats import value_text
from app.report.text_table import text_table
from app.research.assumptions import Answer, Assumptions, find_assumptions
from app.times import parse_time_ms, short_time


def assumptions_parser(**about: str) -> Parser:
    """The arguments of `assumptions`."""
    parser = Parser(parents=[candle_arguments()], **about)
    parser.add_argument(
        "--finer", metavar="TF", help="ask again on finer candles, e.g. 1m; the strategy stays on its own"
    )
    parser.add_json("print the answers as JSON")
    parser.set_defaults(run=run_assumptions)
    return parser


def run_assumptions(args: argparse.Namespace) -> int:
    """Run and print; the exit status."""
    found = find_assumptions(make_runner(args), args.finer, note)
    print_answer(args, found.as_dict(), assumptions_lines(found))
    return 0


def assumptions_lines(found: Assumptions) -> Iterator[str]:
    """For people: the table, the ranges, and what makes them doubtful themselves."""
    start, end = (short_time(parse_time_ms(time)) for time in (found.start, found.end))
    yield f"{start} to {end} UTC, strategy on {found.strategy_timeframe}; each line is a run of its own"
    yield ""
    answers = [
        found.configured,
        *(answer for doubt in found.doubts for answer in (doubt.pessimistic, doubt.optimistic)),
    ]
    header = ("answer", "session", "trades", "both levels", "touched", "final equity", "return")
    yield text_table(header, [_row(answer) for answer in (*answers, *found.costs)], numbers=5)
    yield ""
    yield "pessimistic: the stop comes first where both levels lie in one candle, a target must be passed"
    yield "optimistic: the target comes first, and it is enough to touch it"
    for doubt in found.doubts:
        low, high = doubt.pessimistic.total_return_pct, doubt.optimistic.total_return_pct
        between = f"between {low:+.2f} and {high:+.2f} %: {doubt.width_pct:.2f} wide"
        yield f"{doubt.timeframe} candles leave the return {between}"
    if len(found.doubts) > 1:
        yield _comparison(found)
    for answer in answers:
        if answer.missing_candles:
            yield f"{answer.name}: {answer.missing_candles:,} candles of the period are missing"


def _comparison(found: Assumptions) -> str:
    coarse, fine = found.doubts
    if coarse.width_pct == 0.0:
        return f"{coarse.timeframe} candles left nothing open"
    share = 100.0 * fine.width_pct / coarse.width_pct
    return f"{fine.timeframe} candles leave {share:.0f} % of the doubt that {coarse.timeframe} candles leave"


def _row(answer: Answer) -> tuple[str, ...]:
    figures = ("total_trades", "both_levels", "targets_touched", "final_equity", "total_return_pct")
    return answer.name, answer.timeframe, *(value_text(key, getattr(answer, key)) for key in figures)
