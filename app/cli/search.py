"""`python -m app search`: which parameters did best, what that is worth, and the command line that runs it again.

Arguments to a search, its findings to the console. Progress and where the study lies go to standard error. Ctrl-C or
SIGTERM end it; the same command with the same --out goes on.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from app.cli.arguments import SearchProgress, make_runner, options_of, search_arguments, stopping, workers_of
from app.errors import DataError, StoppedError


def add_search_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `search`."""
    parser = commands.add_parser(
        "search", parents=[search_arguments()], help="search parameters on the runtime that trades"
    )
    parser.add_argument("--out", type=Path, metavar="STUDY", help="the study's folder; one that was stopped goes on")
    parser.add_argument("--json", action="store_true", help="print study.json alone")
    parser.set_defaults(run=run_search)


def run_search(args: argparse.Namespace) -> int:
    """Run and report; the exit status."""
    from app.research.search import prepare_search
    from app.research.search_report import search_lines, study_content
    from app.runs.run_folder import to_json

    out = args.out
    args.out = None
    search = prepare_search(make_runner(args), options_of(args))
    with stopping():
        workers = workers_of(args, search)
        folder = search.default_folder() if out is None else out
        print(f"onetape: the study is {folder}", file=sys.stderr, flush=True)
        progress = SearchProgress()
        try:
            found = search.run(workers, folder, progress)
        except KeyboardInterrupt:
            raise StoppedError(f"stopped; the same command with --out {folder} goes on from here") from None
        finally:
            progress.close()
            workers.close()
    best = found.study.best
    command = None if best is None else search.command(best)
    if args.json:
        sys.stdout.write(to_json(study_content(found, command)))
    else:
        sys.stdout.write("\n".join(search_lines(found, command)) + "\n")
        if workers.memory_mib:
            print(f"onetape: memory of a worker at most {workers.memory_mib:.0f} MiB", file=sys.stderr)
    if best is None:
        raise DataError("no trial has a value for the objective; see why in the report, and --min-trades")
    return 0
