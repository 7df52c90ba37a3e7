"""`python -m app compare A B`: whether two runs are the same, where they first part, and why.

The exit status is the answer: 0 the same or explained, 1 something has no cause, 2 (DataError) nothing to compare.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from app.cli.arguments import caches_argument, caches_of

UNEXPLAINED = 1


def add_compare_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `compare`."""
    parser = commands.add_parser("compare", parents=[caches_argument()], help="where two runs part, and why")
    parser.add_argument("run_a", type=Path, metavar="RUN_A")
    parser.add_argument("run_b", type=Path, metavar="RUN_B")
    parser.add_argument("--json", action="store_true", help="the whole comparison as JSON")
    parser.set_defaults(run=run_compare)


def run_compare(args: argparse.Namespace) -> int:
    """Compare and print; the exit status."""
    from app.proof.compare_report import comparison_json, render_comparison
    from app.proof.comparison import compare
    from app.runs.reader import Run
    from app.runs.run_folder import to_json

    comparison = compare(Run.open(args.run_a), Run.open(args.run_b), caches_of(args.caches))
    sys.stdout.write(to_json(comparison_json(comparison)) if args.json else render_comparison(comparison))
    return 0 if comparison.is_explained else UNEXPLAINED
