"""`python -m app reproduce RUN`: the run once more, and whether it gave the same bytes.

The exit status is the answer: 0 the same outputs, 1 others, 2 (an OnetapeError) it cannot be run.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.arguments import caches_argument, caches_of

if TYPE_CHECKING:
    from app.proof.reproduce import Reproduction

DIFFERS = 1
FORMAT = 1


def add_reproduce_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `reproduce`."""
    parser = commands.add_parser("reproduce", parents=[caches_argument()], help="run a run again and check its hashes")
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=run_reproduce)


def run_reproduce(args: argparse.Namespace) -> int:
    """Run again and print; the exit status."""
    import asyncio

    from app.proof.reproduce import holder_of, reproduce
    from app.runs.reader import Run
    from app.runs.run_folder import to_json

    run = Run.open(args.run_folder)
    result = asyncio.run(reproduce(run, holder_of(run, caches_of(args.caches))))
    sys.stdout.write(to_json(as_json(result)) if args.json else "\n".join(lines(result)) + "\n")
    return 0 if result.is_same else DIFFERS


def lines(result: "Reproduction") -> Iterator[str]:
    """The answer as text."""
    from app.proof.reproduce import MEANINGS
    from app.report.text_table import text_table

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


def as_json(result: "Reproduction") -> dict[str, Any]:
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
