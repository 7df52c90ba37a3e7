"""`python -m app search` and `walk-forward`: the best parameters, and what they were worth out of sample.

Arguments to a search, its findings to the console and into the study's or the walk's folder. Progress goes to standard
error. Ctrl-C or SIGTERM end it; the same command with the same --out goes on.
"""

import argparse
import os
import sys
from pathlib import Path

from app.cli.arguments import Parser, candle_arguments, make_runner, note, print_answer, stopping, whole
from app.errors import ConfigError, DataError, StoppedError
from app.research.research_pages import walk_page
from app.research.search import Search, SearchOptions, prepare_search
from app.research.search_report import search_lines, study_content
from app.research.study import Leader
from app.research.walk_forward import RESULT, Block, InSampleSearch, prepare_walk, walk_windows
from app.research.walk_report import default_folder, walk_content, walk_lines, window_line
from app.research.windows import WindowRule, parse_span_ms
from app.research.workbench import Workers
from app.runs.run_folder import write_json, writing

PAGE = "walk_forward.html"


def search_parser(**about: str) -> Parser:
    """The arguments of `search`."""
    parser = Parser(parents=[_search_arguments()], **about)
    parser.add_argument("--out", type=Path, metavar="STUDY", help="the study's folder; one that was stopped goes on")
    parser.add_json("print study.json alone")
    parser.set_defaults(run=run_search)
    return parser


def walk_forward_parser(**about: str) -> Parser:
    """The arguments of `walk-forward`: those of a search, and the windows."""
    parser = Parser(parents=[_search_arguments()], **about)
    parser.add_argument("--in-sample", required=True, metavar="90d", help="how long a window is optimised on")
    parser.add_argument("--out-of-sample", required=True, metavar="30d", help="how long its best trades")
    parser.add_argument("--embargo", default="0d", metavar="1d", help="left out between the two (default: 0d)")
    parser.add_argument("--anchored", action="store_true", help="every in-sample span begins at --start and grows")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the walk's folder; one that was stopped goes on")
    parser.add_json("print walk_forward.json alone")
    parser.set_defaults(run=run_walk_forward)
    return parser


def _search_arguments() -> Parser:
    """A parent: what is searched, how, where, and over which candles; with `_options` and `_workers`."""
    parser = Parser(add_help=False, parents=[candle_arguments()])
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUES", dest="params",
        help="5:20, 40:60:5 or true,false; a strategy's parameter, exits.x, strategies.ID.x, risk.x ...; repeatable",
    )  # fmt: skip
    parser.add_argument("--method", default="bayes", metavar="grid|random|bayes|genetic", help="default: bayes (TPE)")
    parser.add_argument("--objective", default="sharpe", metavar="NAME", help="sharpe, calmar, return, expectancy, ...")
    parser.add_argument("--trials", type=whole(1), metavar="N", help="default: 100, or all points of the grid")
    parser.add_argument("--min-trades", type=whole(1), default=1, metavar="N", help="fewer: no value (default: 1)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--batch", type=whole(1), metavar="N", help="trials asked at a time; part of the study")
    parser.add_argument("--workers", type=whole(1), metavar="N", help="processes here (default: one a processor)")
    parser.add_argument("--cluster", metavar="tcp://HOST:PORT", help="a Dask scheduler, instead of processes here")
    parser.add_argument("--shared-cache", metavar="URL", help="where a cluster's workers read the cache; fsspec's URLs")
    return parser


def run_search(args: argparse.Namespace) -> int:
    """Run and report; the exit status."""
    out, args.out = args.out, None
    search = prepare_search(make_runner(args), _options(args))
    workers = _workers(args, search)
    folder = search.default_folder() if out is None else out
    progress = SearchProgress()
    try:
        with stopping():
            note(f"the study is {folder}")
            found = search.run(workers, folder, progress)
    except KeyboardInterrupt:
        raise _stopped(folder) from None
    finally:
        progress.close()
        workers.close()
    best = found.study.best
    command = None if best is None else search.command(best)
    print_answer(args, study_content(found, command), search_lines(found, command))
    if workers.memory_mib and not args.json:
        note(f"memory of a worker at most {workers.memory_mib:.0f} MiB")
    if best is None:
        raise DataError("no trial has a value for the objective; see why in the report, and --min-trades")
    return 0


def run_walk_forward(args: argparse.Namespace) -> int:
    """Walk and report; the exit status."""
    rule = WindowRule(
        in_sample_ms=parse_span_ms("--in-sample", args.in_sample),
        out_of_sample_ms=parse_span_ms("--out-of-sample", args.out_of_sample),
        embargo_ms=parse_span_ms("--embargo", args.embargo),
        anchored=args.anchored,
    )
    out, args.out = args.out, None
    walk, search = prepare_walk(make_runner(args), _options(args), rule)
    progress = SearchProgress() if sys.stderr.isatty() else None

    def window_done(block: Block) -> None:
        if progress is not None:
            progress.close()
        note(window_line(block))

    workers = _workers(args, search)
    folder = default_folder(walk) if out is None else out
    try:
        with stopping():
            note(f"{len(walk.windows)} windows; the walk is {folder}")
            blocks = walk_windows(walk, InSampleSearch(search, workers, progress), folder, window_done)
            found = walk_content(walk, blocks, folder)
    except KeyboardInterrupt:
        raise _stopped(folder) from None
    finally:
        workers.close()
    page = walk_page(found, folder, walk_lines(found, Path()))
    with writing(folder / PAGE):
        (folder / PAGE).write_text(page, encoding="utf-8")
    write_json(folder / RESULT, found)
    print_answer(args, found, walk_lines(found, folder))
    return 0


def _options(args: argparse.Namespace) -> SearchOptions:
    return SearchOptions(**{name: getattr(args, name) for name in SearchOptions.__dataclass_fields__})


def _workers(args: argparse.Namespace, search: Search) -> Workers:
    if args.cluster is None and args.shared_cache is not None:
        raise ConfigError("--shared-cache belongs to --cluster: processes here read --cache")
    if args.cluster is not None and args.workers is not None:
        raise ConfigError("--workers counts processes here; a cluster has those that were started with `dask worker`")
    return search.workers(args.workers or os.cpu_count() or 1, args.cluster, args.shared_cache)


def _stopped(folder: Path) -> StoppedError:
    return StoppedError(f"stopped; the same command with --out {folder} goes on from here")


class SearchProgress:
    """Trials so far and the best of them: one line that is rewritten on a terminal, some twenty lines in a pipe."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = -1

    def __call__(self, done: int, of: int, best: Leader | None) -> None:
        """After each trial."""
        step = done * 20 // of
        if not self._terminal and step == self._shown:
            return
        self._shown = step
        so_far = "none yet" if best is None else f"{best[1]:.6g} ({', '.join(best[0])})"
        line = f"onetape: {done:,} of {of:,} trials, best so far {so_far}"
        start, end = ("\r\033[K", "") if self._terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line to what follows."""
        if self._terminal and self._shown >= 0:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
