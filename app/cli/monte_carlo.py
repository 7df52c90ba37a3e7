"""`python -m app monte-carlo RUN`: what a finished run's result might as well have been, as a table and a file.

Prints what app/research/monte_carlo.py found, with what each method can and cannot tell, and writes monte_carlo.json
and monte_carlo.html into the run folder or --out. It computes nothing.
"""

import argparse
import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.cli.arguments import Parser, caches_argument, caches_of, note, print_answer, stopping
from app.errors import ConfigError, StoppedError
from app.report.formats import figure
from app.report.text_table import text_table
from app.research.monte_carlo import METHODS, Asked, monte_carlo
from app.research.research_pages import monte_carlo_page
from app.runs.reader import Run
from app.runs.run_folder import write_json, writing

FILE, PAGE = "monte_carlo.json", "monte_carlo.html"
_TEXT_WIDTH, _SHARE = 110, "{:.1f} %"


def monte_carlo_parser(**about: str) -> Parser:
    """The arguments of `monte-carlo`."""
    parser = Parser(parents=[caches_argument()], **about)
    parser.add_run()
    parser.add_argument(
        "--method", default="all", metavar="M[,M]", help="shuffle, trades, days, candles, or all (default)"
    )
    parser.add_argument("--runs", type=int, metavar="N", help="paths a method (default: 1000, and 100 of candles)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same bytes (default: 1)")
    parser.add_argument(
        "--ruin", type=float, default=0.5, metavar="SHARE", help="ruined: below this share of the start (default: 0.5)"
    )
    parser.add_argument("--block", type=float, metavar="N", help="mean block, in trades, days or candles")
    parser.add_argument("--workers", type=int, metavar="N", help="processes for candles (default: one a processor)")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"folder for {FILE} (default: RUN)")
    parser.add_json()
    parser.set_defaults(run=run_monte_carlo)
    return parser


def run_monte_carlo(args: argparse.Namespace) -> int:
    """Draw, write and print; the exit status."""
    methods = METHODS if args.method == "all" else [name.strip() for name in args.method.split(",")]
    asked = Asked(methods, args.runs, args.seed, args.ruin, args.block)
    workers = (os.cpu_count() or 1) if args.workers is None else args.workers
    if workers < 1:
        raise ConfigError(f"--workers {workers}: at least one process is needed")
    run = Run.open(args.run_folder)
    try:
        with stopping():
            found = monte_carlo(run, asked, caches_of(args), workers, _progress)
    except KeyboardInterrupt:
        raise StoppedError("stopped; nothing was written") from None
    folder = run.folder if args.out is None else args.out
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, found)
    with writing(folder / PAGE):
        (folder / PAGE).write_text(monte_carlo_page(found, lines(found, Path(FILE))), encoding="utf-8")
    print_answer(args, found, lines(found, folder / FILE))
    return 0


def lines(found: Mapping[str, Any], file: Path) -> Iterator[str]:
    """The answer as text."""
    answers = {name: answer for name, answer in found["methods"].items() if "not_possible" not in answer}
    yield (
        f"Monte Carlo: {found['total_trades']:,} trades, from {found['starting_balance']:,.2f} to "
        f"{found['final_equity']:,.2f}, seed {found['seed']}; ruin is equity below {found['ruin_below_pct']:g} %"
    )
    for title, key, form in (
        ("Final equity", "final_equity", "{:,.2f}"),
        ("Maximum drawdown %", "max_drawdown_pct", "{:.2f}"),
    ):
        rows = [_band_row(name, answer, key, form) for name, answer in answers.items()]
        header = (title, "paths", "block", "5 %", "25 %", "50 %", "75 %", "95 %", "the run", "rank")
        yield ""
        yield text_table(header, rows, numbers=9)
    yield ""
    rows = [
        (name, *(figure(answer[f"{what}_probability_pct"], _SHARE, "-") for what in ("loss", "ruin")))
        for name, answer in answers.items()
    ]
    yield text_table(("Probability", "a loss", "ruin"), rows, numbers=2)
    for name, answer in found["methods"].items():
        yield ""
        if "not_possible" in answer:
            yield f"{name}: not possible: {answer['not_possible']}"
            continue
        worth = f"{name} keeps {answer['keeps']}. It tells {answer['tells']}. It cannot tell {answer['cannot_tell']}."
        yield from textwrap.wrap(worth, _TEXT_WIDTH, subsequent_indent="  ")
    yield ""
    yield "rank: the share of paths that came to no more than the run itself, measured in the same steps"
    yield f"written: {file}"


def _band_row(name: str, answer: Mapping[str, Any], key: str, form: str) -> tuple[str, ...]:
    band = answer[key]
    return (
        name,
        f"{answer['runs']:,}",
        figure(answer["mean_block"], "{:.1f}", "-"),
        *(form.format(band[share]) for share in ("p5", "p25", "p50", "p75", "p95")),
        form.format(band["observed"]),
        figure(band["observed_rank_pct"], _SHARE, "-"),
    )


def _progress(method: str, runs: int, done: int) -> None:
    # A line a tenth of the way: enough for an hour of candles, and the same in a pipe.
    if done == runs or done * 10 // runs != (done - 1) * 10 // runs:
        note(f"{method}: {done:,} of {runs:,} paths")
