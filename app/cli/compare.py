"""`python -m app compare A B`: whether two runs are the same, where they first part, and why.

The exit status is the answer: 0 the same or explained, 1 something has no cause, 2 (DataError) nothing to compare.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.candles.cache import CandleCache

UNEXPLAINED = 1


def add_compare_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `compare`."""
    parser = commands.add_parser("compare", help="where two runs part, and why")
    parser.add_argument("run_a", type=Path, metavar="RUN_A")
    parser.add_argument("run_b", type=Path, metavar="RUN_B")
    add_caches(parser)
    parser.add_argument("--json", action="store_true", help="the whole comparison as JSON")
    parser.set_defaults(run=run_compare)


def add_caches(parser: argparse.ArgumentParser) -> None:
    """`--cache`, which may be given again: candles are looked for in each, by their hash."""
    parser.add_argument(
        "--cache", type=Path, action="append", metavar="DIR", dest="caches",
        help="where the candles of a run are (default: data/backtest_cache, and the shipped sample); may be repeated",
    )  # fmt: skip


def caches_of(folders: Sequence[Path] | None) -> "list[CandleCache]":
    """The caches that `--cache` names, or the default one and the shipped sample."""
    from app.candles.cache import CandleCache
    from app.settings.shipped import DEFAULT_CACHE, SAMPLE_CACHE

    return [CandleCache(folder) for folder in folders or (DEFAULT_CACHE, SAMPLE_CACHE)]


def run_compare(args: argparse.Namespace) -> int:
    """Compare and print; the exit status."""
    from app.proof.compare_report import comparison_json, render_comparison
    from app.proof.comparison import compare
    from app.runs.run_files import Run
    from app.runs.run_folder import to_json

    comparison = compare(Run.open(args.run_a), Run.open(args.run_b), caches_of(args.caches))
    sys.stdout.write(to_json(comparison_json(comparison)) if args.json else render_comparison(comparison))
    return 0 if comparison.is_explained else UNEXPLAINED
