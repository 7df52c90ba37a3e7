"""`python -m app compare A B`: whether two runs are the same, where they first part, and why.

The exit status is the answer: 0 the same or explained, 1 something has no cause, 2 (DataError) nothing to compare.
"""

import argparse
from pathlib import Path

from app.cli.arguments import Parser, caches_argument, caches_of, print_answer
from app.proof.compare_report import comparison_json, render_comparison
from app.proof.comparison import compare
from app.runs.reader import Run

UNEXPLAINED = 1


def compare_parser(**about: str) -> Parser:
    """The arguments of `compare`."""
    parser = Parser(parents=[caches_argument()], **about)
    parser.add_argument("run_a", type=Path, metavar="RUN_A")
    parser.add_argument("run_b", type=Path, metavar="RUN_B")
    parser.add_json("the whole comparison as JSON")
    parser.set_defaults(run=run_compare)
    return parser


def run_compare(args: argparse.Namespace) -> int:
    """Compare and print; the exit status."""
    comparison = compare(Run.open(args.run_a), Run.open(args.run_b), caches_of(args))
    print_answer(args, comparison_json(comparison), render_comparison(comparison).splitlines())
    return 0 if comparison.is_explained else UNEXPLAINED
