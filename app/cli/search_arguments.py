"""What the commands of research share: arguments as parent parsers, SIGTERM as Ctrl-C, a line of progress.

It is no command, so that no command imports another one.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from app.errors import ConfigError

if TYPE_CHECKING:
    from app.research.search import Search, SearchOptions
    from app.research.study import Leader
    from app.research.workbench import Workers


def candle_arguments() -> argparse.ArgumentParser:
    """A parent: over which candles a command runs its backtests."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--start", metavar="D", help="first open time, inclusive, UTC: a date or an ISO time")
    parser.add_argument("--end", metavar="D", help="end, exclusive, UTC")
    parser.add_argument("--offline", action="store_true", help="never open a connection")
    parser.add_argument("--exchange-url", metavar="URL", help="another host for the exchange, e.g. the testnet's")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="candles (default: data/backtest_cache)")
    parser.set_defaults(speed="max")
    return parser


def search_arguments() -> argparse.ArgumentParser:
    """A parent: what is searched, how, where, and over which candles; with `options_of` and `workers_of`."""
    parser = argparse.ArgumentParser(add_help=False, parents=[candle_arguments()])
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUES", dest="params",
        help="5:20, 40:60:5 or true,false; a strategy's parameter, risk.x, safety.x or trading.x; may be repeated",
    )  # fmt: skip
    parser.add_argument("--method", default="bayes", metavar="grid|random|bayes|genetic", help="default: bayes (TPE)")
    parser.add_argument("--objective", default="sharpe", metavar="NAME", help="sharpe, calmar, return, expectancy, ...")
    parser.add_argument("--trials", type=_positive, metavar="N", help="default: 100, or all points of the grid")
    parser.add_argument("--min-trades", type=_positive, default=1, metavar="N", help="fewer: no value (default: 1)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--batch", type=_positive, metavar="N", help="trials asked at a time; part of the study")
    parser.add_argument("--workers", type=_positive, metavar="N", help="processes here (default: one a processor)")
    parser.add_argument("--cluster", metavar="tcp://HOST:PORT", help="a Dask scheduler, instead of processes here")
    parser.add_argument("--shared-cache", metavar="URL", help="where a cluster's workers read the cache; fsspec's URLs")
    return parser


def options_of(args: argparse.Namespace) -> "SearchOptions":
    """What the arguments ask for."""
    from app.research.search import SearchOptions

    return SearchOptions(**{name: getattr(args, name) for name in SearchOptions.__dataclass_fields__})


def workers_of(args: argparse.Namespace, search: "Search") -> "Workers":
    """Where the arguments want the trials to be run."""
    if args.cluster is None and args.shared_cache is not None:
        raise ConfigError("--shared-cache belongs to --cluster: processes here read --cache")
    if args.cluster is not None and args.workers is not None:
        raise ConfigError("--workers counts processes here; a cluster has those that were started with `dask worker`")
    return search.workers(args.workers or os.cpu_count() or 1, args.cluster, args.shared_cache)


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM as Ctrl-C: a KeyboardInterrupt, so that workers end and the study is whole."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class SearchProgress:
    """Trials so far and the best of them: one line that is rewritten on a terminal, some twenty lines in a pipe."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = -1

    def __call__(self, done: int, of: int, best: "Leader | None") -> None:
        """After each trial."""
        step = done * 20 // of
        if not self._terminal and step == self._told:
            return
        self._told = step
        told = "none yet" if best is None else f"{best[1]:.6g} ({', '.join(best[0])})"
        line = f"onetape: {done:,} of {of:,} trials, best so far {told}"
        start, end = ("\r\033[K", "") if self._terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line to what follows."""
        if self._terminal and self._told >= 0:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; write a whole number, 1 or more")
    return int(text)
