"""What commands share: arguments as parent parsers, what they become, and a few lines that several commands print.

It is no command, and no command imports another one. It is imported before it is known which command runs, so what
only some commands need is imported in the functions.
"""

import argparse
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from app.errors import ConfigError, OnetapeError
from app.settings.shipped import (
    DEFAULT_CACHE,
    DEFAULT_CONFIG,
    RUN_CACHES,
    SAMPLE_CACHE,
    SAMPLE_CONFIG,
    SAMPLE_PERIOD,
    default_config,
)

if TYPE_CHECKING:
    from app.candles.cache import CandleCache
    from app.research.search import Search, SearchOptions
    from app.research.study import Leader
    from app.research.workbench import Workers
    from app.runs.fill_columns import Fills
    from app.session.backtest import ConfigBacktestRunner


class Parser(argparse.ArgumentParser):
    """argparse with one line per error instead of a usage text; options are written out in full."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"onetape: {message}; see `{self.prog} --help`\n")


# Parent parsers.


def profile_arguments() -> Parser:
    """A parent: the profile, and what replaces parts of it."""
    parser = Parser(add_help=False)
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="live.yaml of a profile (default: config/live.yaml, or what is shipped)",
    )  # fmt: skip
    parser.add_argument("--symbols", metavar="A,B", help="instead of the config's")
    parser.add_argument("--interval", metavar="TF", help="the session's timeframe, instead of the config's")
    parser.add_argument("--strategy", metavar="NAME", help="built-in name, module:Class or file.py:Class")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="any key of the three files, e.g. risk.reward_risk_ratio=1.5; may be repeated",
    )  # fmt: skip
    return parser


def cache_argument() -> Parser:
    """A parent: the one cache that a command reads, None for the default."""
    parser = Parser(add_help=False)
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"candles (default: {DEFAULT_CACHE})")
    return parser


def caches_argument() -> Parser:
    """A parent: where the candles of a finished run are looked for, by their hash; with `caches_of`."""
    parser = Parser(add_help=False)
    parser.add_argument(
        "--cache", type=Path, action="append", metavar="DIR", dest="caches",
        help=f"where the candles of a run are (default: {DEFAULT_CACHE}, and the shipped sample); may be repeated",
    )  # fmt: skip
    return parser


def candle_arguments() -> Parser:
    """A parent: over which candles a command runs its backtests."""
    parser = Parser(add_help=False, parents=[cache_argument()])
    parser.add_argument("--start", metavar="D", help="first open time, inclusive, UTC: a date or an ISO time")
    parser.add_argument("--end", metavar="D", help="end, exclusive, UTC")
    parser.add_argument("--offline", action="store_true", help="never open a connection")
    parser.add_argument("--exchange-url", metavar="URL", help="another host for the exchange, e.g. the testnet's")
    parser.set_defaults(speed="max")
    return parser


def search_arguments() -> Parser:
    """A parent: what is searched, how, where, and over which candles; with `options_of` and `workers_of`."""
    parser = Parser(add_help=False, parents=[profile_arguments(), candle_arguments()])
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


# What the arguments become.


def make_runner(args: argparse.Namespace) -> "ConfigBacktestRunner":
    """The runner that the arguments describe; the shipped sample where nothing is asked for and nothing is there."""
    from app.candles.cache import CandleCache
    from app.session.backtest import ConfigBacktestRunner

    config, cache, note = args.config, args.cache, ""
    start, end = args.start, args.end
    nothing_asked = config is None and cache is None and start is None and end is None and args.exchange_url is None
    nothing_asked = nothing_asked and args.symbols in (None, "BTC/USDT")  # what the sample holds
    if nothing_asked and not CandleCache(DEFAULT_CACHE).series():
        # A first run in an empty place: the sample with its own profile, all of it.
        config, cache, note = (
            SAMPLE_CONFIG,
            SAMPLE_CACHE,
            "the shipped sample (the cache is empty, no --config)",
        )
        start, end = SAMPLE_PERIOD
    return ConfigBacktestRunner(
        config=config_of(config),
        start=start,
        end=end,
        interval=args.interval,
        symbols=symbols_of(args.symbols),
        strategy=args.strategy,
        overrides=args.overrides,
        cache=cache or DEFAULT_CACHE,
        out=args.out,
        speed=_speed(args.speed),
        note=note,
        offline=args.offline,
        exchange_url=args.exchange_url,
        tell=lambda text: print(f"onetape: {text}", file=sys.stderr),
    )


def config_of(named: Path | None) -> Path:
    """The profile that was named; else the one where the user stands; else the one of the package, which is said."""
    if named is not None:
        return named
    found = default_config()
    if found != DEFAULT_CONFIG:
        print(f"onetape: no {DEFAULT_CONFIG} here: taking the package's own, {found}", file=sys.stderr)
    return found


def symbols_of(text: str | None) -> list[str] | None:
    """`--symbols A,B`; None without it."""
    return None if text is None else [symbol.strip() for symbol in text.split(",")]


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.0 < speed < math.inf:
        raise ConfigError(f"--speed {text}: write max, or how many times real time, for example 60")
    return speed


def caches_of(folders: Sequence[Path] | None) -> "list[CandleCache]":
    """The caches that `--cache` names, or the default one and the shipped sample."""
    from app.candles.cache import CandleCache

    return [CandleCache(folder) for folder in folders or RUN_CACHES]


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


# What several commands do.


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


def report_line(folder: Path, caches: Sequence[str | Path], fills: "Fills | None" = None) -> str:
    """Makes the page of a run that has just ended; the line that says where. Why there is none, on standard error.

    The run's own files are complete by then, so a disk that takes no page does not fail the run.
    """
    from app.report.making import make_report

    try:
        path = make_report(folder, caches, fills=fills)
    except OnetapeError as error:
        print(f"onetape: no report was made: {error}", file=sys.stderr)
        return ""
    return f"\n{'Report saved:':<22}{path}\n"


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
