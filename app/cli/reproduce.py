"""`python -m app reproduce RUN`: the run once more, and whether it gave the same bytes.

The exit status is the answer: 0 the same outputs, 1 others, 2 (an OnetapeError) it cannot be run.
"""

import argparse
import asyncio
from collections.abc import Iterator
from typing import Any

from app.cli.arguments import Parser, caches_argument, caches_of, print_answer
from app.proof.reproduce import MEANINGS, Reproduction, holder_of, reproduce
from app.report.text_table import text_table
from app.runs.reader import Run

DIFFERS = 1
FORMAT = 1


def reproduce_parser(**about: str) -> Parser:
    """The arguments of `reproduce`."""
    parser = Parser(parents=[caches_argument()], **about)
    parser.add_run()
    parser.add_json()
    parser.set_defaults(run=run_reproduce)
    return parser


def run_reproduce(args: argparse.Namespace) -> int:
    """Run again and print; the exit status."""
    run = Run.open(args.run_folder)
    result = asyncio.run(reproduce(run, holder_of(run, caches_of(args))))
    print_answer(args, as_json(result), lines(result))
    return 0 if result.is_same else DIFFERS


def lines(result: Reproduction) -> Iterator[str]:
    """The answer as text."""
    rows = [
        [check.name, check.before[:12], check.again[:12], "same" if check.is_same else "DIFFERS"]
        for check in result.checks
    ]
    yield f"{result.run.folder}: {'reproduced, every byte of its outputs' if result.is_same else 'NOT reproduced'}"
    yield ""
    yield text_table(("hash", "then", "now", ""), rows, numbers=0)
    first = result.first_difference
    if first is not None:
        yield ""
        yield f"first difference: {first.name}: {MEANINGS[first.name]}"
        if result.is_same:
            yield "it led to no other output"
    for note in result.notes:
        yield f"note: {note}"


def as_json(result: Reproduction) -> dict[str, Any]:
    """The answer for programs."""
    first = result.first_difference
    return {
        "format": FORMAT,
        "run": str(result.run.folder),
        "same": result.is_same,
        "first_difference": None if first is None else first.name,
        "hashes": {check.name: {"then": check.before, "now": check.again} for check in result.checks},
        "notes": list(result.notes),
    }
