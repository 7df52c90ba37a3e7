"""`python -m app lookahead|warmup|determinism [STRATEGY]`: a strategy checked over a period, and the answer as text.

The exit status is the answer: 0 nothing found, 1 something found, its first candle named, 2 it cannot be checked.
"""

import argparse
from collections.abc import Iterator
from math import inf
from pathlib import Path

from app.cli.arguments import Parser, candle_arguments, make_runner, note, print_answer, whole
from app.errors import ConfigError
from app.report.text_table import text_table
from app.research.checks.determinism import Determinism, find_determinism
from app.research.checks.lookahead import ROWS_MAX, Lookahead, find_lookahead
from app.research.checks.request import Subject, subject_of
from app.research.checks.warmup import Warmup, find_warmup

FOUND = 1


def lookahead_parser(**about: str) -> Parser:
    """The arguments of `lookahead`."""
    parser = _check_parser(about)
    parser.add_argument(
        "--rows", type=whole(1), default=ROWS_MAX, metavar="N",
        help="of DataFrame strategies: rows to cut right behind themselves (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--allow", "--trust", type=Path, action="append", default=[], metavar="FILE",
        help="a file or folder of the strategy's own that knows nothing of the future; may be repeated",
    )  # fmt: skip
    parser.set_defaults(run=run_lookahead)
    return parser


def warmup_parser(**about: str) -> Parser:
    """The arguments of `warmup`."""
    parser = _check_parser(about)
    parser.add_argument(
        "--longest", type=whole(1), metavar="N", help="the warm-up that every other is held against, in candles"
    )
    parser.set_defaults(run=run_warmup)
    return parser


def determinism_parser(**about: str) -> Parser:
    """The arguments of `determinism`."""
    parser = _check_parser(about)
    parser.set_defaults(run=run_determinism)
    return parser


def _check_parser(about: dict[str, str]) -> Parser:
    parser = Parser(parents=[candle_arguments()], **about)
    parser.add_argument("checked", nargs="?", metavar="STRATEGY", help="as for --strategy; default: the config's")
    parser.add_json()
    return parser


def run_lookahead(args: argparse.Namespace) -> int:
    """Check and print; the exit status."""
    for path in args.allow:
        if not path.exists():
            raise ConfigError(f"--allow {path}: there is no such file or folder")
    found = find_lookahead(_subject(args), rows_max=args.rows, allowed=args.allow)
    return _answer(args, found, lookahead_lines(found))


def run_warmup(args: argparse.Namespace) -> int:
    """Check and print; the exit status."""
    found = find_warmup(_subject(args), args.longest)
    return _answer(args, found, warmup_lines(found))


def run_determinism(args: argparse.Namespace) -> int:
    """Check and print; the exit status."""
    found = find_determinism(_subject(args))
    return _answer(args, found, determinism_lines(found))


def lookahead_lines(found: Lookahead) -> Iterator[str]:
    """For people: one line if nothing was found, else the first candle of each pass that found something."""
    title = f"{found.strategy} on {found.over}"
    if found.is_clean:
        yield f"{title}: no look-ahead: {found.decisions:,} decisions, each the same {_frames(found)}"
        for one in found.reached_for:
            yield f"note: it looks for {one}; without it every answer was the same"
        for one in found.parameter_files:
            yield f"note: it reads {one}: taken for its parameters, a few values without a time of the run"
        if not found.is_confined:
            yield "note: this system has no Landlock: a file that compiled code opens by itself was not hidden"
        return
    if not found.is_deterministic:
        yield f"{title}: it answers differently when nothing was changed, so nothing can be said about the future"
        yield "    python -m app determinism names what it depends on"
    elif found.may_be_parameters:
        yield f"{title}: LOOK-AHEAD, unless its files below know nothing of the future; if so: --allow FILE"
    else:
        yield f"{title}: LOOK-AHEAD"
    for finding in found.findings:
        yield ""
        yield f"    {finding.candle}"
        yield f"    with the future:    {finding.with_future}"
        yield f"    without the future: {finding.without}"
        if finding.differing is not None:
            yield f"    {finding.differing:,} of {found.decisions:,} decisions differ"
        yield f"    seen with {finding.how}"
        yield from (f"    it looks for {one}" for one in finding.reached_for)


def warmup_lines(found: Warmup) -> Iterator[str]:
    """For people: the lengths that were run, and what they say."""
    yield f"{found.strategy} on {found.over}: {found.decisions:,} decisions after warm-ups of different lengths,"
    yield f"each held against the one of {found.longest:,} candles"
    yield ""
    rows = []
    for one in found.lengths:
        apart = {0.0: "0", inf: "-"}.get(one.largest_difference, f"{one.largest_difference:.1e}")
        rows.append((f"{one.candles:,}", f"{one.differing:,} of {found.decisions:,}", apart))
    yield text_table(("warm-up", "decisions that differ", "numbers differ by"), rows, numbers=3)
    yield ""
    declared = f"the strategy declares {found.declared:,} (settled after {found.settling:,})"
    configured = f"startup_candles is {found.configured:,}"
    witness = found.witness
    if found.enough is None:
        yield f"START-DEPENDENT: no warm-up up to {found.longest:,} candles is enough; {declared}, {configured}"
    else:
        yield f"from {found.enough:,} candles on every decision is the same; {declared}, {configured}"
        if found.settled is None:
            yield "its numbers never agree to 1e-9"
        else:
            yield f"from {found.settled:,} candles on its numbers agree too, to 1e-9"
    if not found.is_clean and found.enough is not None:
        yield f"TOO SHORT: set startup_candles: {found.enough}, or more"
    if witness is not None and not found.is_clean:
        yield f"    {witness.first}"
        yield f"    after {found.longest:,} candles of warm-up: {witness.with_longest}"
        yield f"    after {witness.candles:,} candles of warm-up: {witness.with_this}"


def determinism_lines(found: Determinism) -> Iterator[str]:
    """For people: one line if nothing was found."""
    title = f"{found.strategy} on {found.over}"
    one = found.difference
    if one is None:
        worlds = f"{len(found.worlds)} processes of other hash seed, seeds, clock, time zone and locale"
        yield f"{title}: deterministic: {found.decisions:,} decisions and all files are the same bytes in {worlds}"
        return
    yield f"{title}: NOT DETERMINISTIC"
    yield f"    {one.candle}"
    yield f"    in a usual world: {one.usual}"
    yield f"    in {one.world}: {one.other}"
    if one.differing:
        yield f"    {one.differing:,} of {found.decisions:,} decisions differ"
    yield f"    what alone makes a difference: {one.cause}"


def _frames(found: Lookahead) -> str:
    streamed = "without any future, with a scrambled one, and in a second run of the same process"
    frames = found.frames
    if frames is None:
        return streamed
    rows = f"all {frames.rows:,}" if frames.checked == frames.rows else f"{frames.checked:,} of {frames.rows:,}"
    signals = "" if frames.has_signals else " (there is no generate_signal)"
    return f"{streamed}; add_indicators: {rows} rows cut behind themselves, {frames.cuts} cuts of the whole{signals}"


def _subject(args: argparse.Namespace) -> Subject:
    if args.checked is not None:
        if args.strategy not in (None, args.checked):
            raise ConfigError(f"{args.checked} and --strategy {args.strategy}: name one strategy to check")
        args.strategy = args.checked
    return subject_of(make_runner(args), note)


def _answer(args: argparse.Namespace, found: Lookahead | Warmup | Determinism, lines: Iterator[str]) -> int:
    print_answer(args, found.as_dict(), lines)
    return 0 if found.is_clean else FOUND
