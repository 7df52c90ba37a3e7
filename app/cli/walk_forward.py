"""`python -m app walk-forward`: optimise in sample, trade out of sample, window after window, as a table and a folder.

Takes the flags of `search` and those of the windows. Progress goes to standard error, the report to standard output.
Ctrl-C or SIGTERM end it; the same command with the same --out goes on after the last window that was done.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.arguments import SearchProgress, make_runner, options_of, search_arguments, stopping, workers_of
from app.errors import StoppedError

if TYPE_CHECKING:
    from app.research.walk_forward import Block
    from app.research.windows import WindowRule

PAGE = "walk_forward.html"


def add_walk_forward_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `walk-forward`."""
    parser = commands.add_parser(
        "walk-forward", parents=[search_arguments()], help="search in sample, trade out of sample, window after window"
    )
    parser.add_argument("--in-sample", required=True, metavar="90d", help="how long a window is optimised on")
    parser.add_argument("--out-of-sample", required=True, metavar="30d", help="how long its best trades")
    parser.add_argument("--embargo", default="0d", metavar="1d", help="left out between the two (default: 0d)")
    parser.add_argument("--anchored", action="store_true", help="every in-sample span begins at --start and grows")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the walk's folder; one that was stopped goes on")
    parser.add_argument("--json", action="store_true", help="print walk_forward.json alone")
    parser.set_defaults(run=run_walk_forward)


def run_walk_forward(args: argparse.Namespace) -> int:
    """Walk and report; the exit status."""
    from app.research.research_pages import walk_page
    from app.research.walk_forward import RESULT, InSampleSearch, prepare_walk, walk_windows
    from app.research.walk_report import default_folder, walk_content, walk_lines, window_line
    from app.runs.run_folder import to_json, write_json, writing

    rule, out = _rule(args), args.out
    args.out = None
    walk, search = prepare_walk(make_runner(args), options_of(args), rule)
    progress = SearchProgress() if sys.stderr.isatty() else None

    def tell(block: "Block") -> None:
        if progress is not None:
            progress.close()
        print(f"onetape: {window_line(block)}", file=sys.stderr, flush=True)

    with stopping():
        workers = workers_of(args, search)
        folder = default_folder(walk) if out is None else out
        try:
            print(f"onetape: {len(walk.windows)} windows; the walk is {folder}", file=sys.stderr, flush=True)
            blocks = walk_windows(walk, InSampleSearch(search, workers, progress), folder, tell)
            found = walk_content(walk, blocks, folder)
        except KeyboardInterrupt:
            raise StoppedError(f"stopped; the same command with --out {folder} goes on from here") from None
        finally:
            workers.close()
    page = walk_page(found, folder, walk_lines(found, Path()))
    with writing(folder / PAGE):
        (folder / PAGE).write_text(page, encoding="utf-8")
    write_json(folder / RESULT, found)
    sys.stdout.write(to_json(found) if args.json else "\n".join(walk_lines(found, folder)) + "\n")
    return 0


def _rule(args: argparse.Namespace) -> "WindowRule":
    from app.research.windows import WindowRule, parse_span_ms

    return WindowRule(
        in_sample_ms=parse_span_ms("--in-sample", args.in_sample),
        out_of_sample_ms=parse_span_ms("--out-of-sample", args.out_of_sample),
        embargo_ms=parse_span_ms("--embargo", args.embargo),
        anchored=args.anchored,
    )
