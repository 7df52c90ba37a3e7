"""What commands share: arguments as parent parsers, what they become, and a few lines that several commands print.

It is no command, and no command imports another one. Every start of the program imports it, so what only some commands
need is imported in the functions.
"""

import argparse
import math
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from app.times import TIMEFRAMES_MS, parse_time_ms

if TYPE_CHECKING:
    from app.candles.cache import CandleCache
    from app.session.backtest import BacktestResults, ConfigBacktestRunner

_HEARD = (signal.SIGINT, signal.SIGTERM, *(() if sys.platform == "win32" else (signal.SIGALRM,)))
_AGAIN_S = 1.0


class Parser(argparse.ArgumentParser):
    """argparse with one line per error instead of a usage text; options are written out in full."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"onetape: {message}; see `{self.prog} --help`\n")

    def add_json(self, what: str = "print the answer as JSON") -> None:
        """`--json`, with `print_answer`."""
        self.add_argument("--json", action="store_true", help=what)

    def add_run(self) -> None:
        """The folder of a run."""
        self.add_argument("run_folder", type=Path, metavar="RUN")


def whole(least: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number from `least` on."""

    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no count; write a whole number, {least} or more")
        return int(text)

    return count


# Parent parsers.


def profile_arguments() -> Parser:
    """The profile, and what replaces parts of it; with `profile_of`."""
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
    """The one cache that a command reads or writes."""
    parser = Parser(add_help=False)
    parser.add_argument("--cache", type=Path, metavar="DIR", help=f"candles (default: {DEFAULT_CACHE})")
    return parser


def caches_argument() -> Parser:
    """Where the candles of a finished run are looked for, by their hash; with `caches_of`."""
    parser = Parser(add_help=False)
    parser.add_argument(
        "--cache", type=Path, action="append", metavar="DIR", dest="caches",
        help=f"where the candles of a run are (default: {DEFAULT_CACHE}, and the shipped sample); may be repeated",
    )  # fmt: skip
    return parser


def candle_arguments() -> Parser:
    """The profile, and over which candles a command runs its backtests; with `make_runner`."""
    parser = Parser(add_help=False, parents=[profile_arguments(), cache_argument()])
    parser.add_argument("--start", metavar="D", help="first open time, inclusive, UTC: a date or an ISO time")
    parser.add_argument("--end", metavar="D", help="end, exclusive, UTC")
    parser.add_argument("--offline", action="store_true", help="never open a connection")
    parser.add_argument("--exchange-url", metavar="URL", help="another host for the exchange, e.g. the testnet's")
    parser.set_defaults(speed="max", out=None)
    return parser


def series_arguments(*, several: bool) -> Parser:
    """Candles of the cache by symbol and timeframe; `several` symbols or one."""
    parser = Parser(add_help=False)
    if several:
        parser.add_argument("--symbols", required=True, metavar="A,B", help="e.g. BTC/USDT,ETH/USDT")
    else:
        parser.add_argument("--symbol", required=True, metavar="BTC/USDT")
    parser.add_argument("--timeframe", required=True, metavar="1m", help=", ".join(TIMEFRAMES_MS))
    return parser


# What the arguments become.


def profile_of(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a profile as a runner takes them; says where the profile of the package is taken."""
    config = args.config
    if config is None and (config := default_config()) != DEFAULT_CONFIG:
        note(f"no {DEFAULT_CONFIG} here: taking the package's own, {config}")
    return {
        "config": config,
        "interval": args.interval,
        "symbols": None if args.symbols is None else symbols_of(args.symbols),
        "strategy": args.strategy,
        "overrides": args.overrides,
    }


def symbols_of(text: str) -> list[str]:
    """`A,B` as names."""
    return [symbol.strip() for symbol in text.split(",")]


def bounds_ms(args: argparse.Namespace) -> tuple[int | None, int | None]:
    """`--start` and `--end`; ConfigError where nothing lies between them."""
    start_ms, end_ms = (None if text is None else parse_time_ms(text) for text in (args.start, args.end))
    if start_ms is not None and end_ms is not None and start_ms >= end_ms:
        raise ConfigError(f"--start {args.start} is not before --end {args.end}")
    return start_ms, end_ms


def make_runner(args: argparse.Namespace) -> "ConfigBacktestRunner":
    """The runner that the arguments describe; the shipped sample where nothing is asked for and nothing is there."""
    from app.candles.cache import CandleCache
    from app.session.backtest import ConfigBacktestRunner

    cache, start, end, text = args.cache or DEFAULT_CACHE, args.start, args.end, ""
    nothing_asked = all(one is None for one in (args.config, args.cache, start, end, args.exchange_url))
    nothing_asked = nothing_asked and args.symbols in (None, "BTC/USDT")  # what the sample holds
    if nothing_asked and not CandleCache(DEFAULT_CACHE).series():
        args.config, cache, (start, end) = SAMPLE_CONFIG, SAMPLE_CACHE, SAMPLE_PERIOD
        text = "the shipped sample (the cache is empty, no --config)"
    return ConfigBacktestRunner(
        **profile_of(args),
        start=start,
        end=end,
        cache=cache,
        out=args.out,
        speed=_speed(args.speed),
        note=text,
        offline=args.offline,
        exchange_url=args.exchange_url,
        tell=note,
    )


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


def caches_of(args: argparse.Namespace) -> "list[CandleCache]":
    """The caches that `--cache` names, or the default one and the shipped sample."""
    from app.candles.cache import CandleCache

    return [CandleCache(folder) for folder in args.caches or RUN_CACHES]


# What several commands do.


def note(text: str) -> None:
    """A line on standard error; the answer has standard output."""
    print(f"onetape: {text}", file=sys.stderr, flush=True)


def print_answer(args: argparse.Namespace, content: Mapping[str, Any], lines: Iterable[str]) -> None:
    """The answer on standard output: the content as JSON where `--json` asks for it, else the lines for people."""
    from app.runs.run_folder import to_json

    sys.stdout.write(to_json(content) if args.json else "".join(f"{line}\n" for line in lines))


def print_results(
    args: argparse.Namespace, results: "BacktestResults", cache: str | Path, elapsed_s: float | None = None
) -> None:
    """A run that has just ended: its report, or results.json alone, then its page and where that is.

    The figures come first, as the page takes a moment. The page is made also where the reader of the figures has gone.
    """
    from app.report.console import report_text
    from app.runs.run_folder import to_json

    try:
        sys.stdout.write(to_json(dict(results)) if args.json else report_text(results, results.folder, elapsed_s))
        sys.stdout.flush()
    finally:
        path = None if args.no_report else _page_of(results, cache)
    if path is not None and not args.json:
        sys.stdout.write(f"\n{'Report saved:':<22}{path}\n")


def _page_of(results: "BacktestResults", cache: str | Path) -> Path | None:
    from app.report.making import make_report

    try:
        return make_report(results.folder, [cache], fills=results.fill_table)
    except OnetapeError as error:  # the run's own files are complete: a disk that takes no page does not fail it
        note(f"no report was made: {error}")
        return None


@contextmanager
def stopping() -> Iterator[None]:
    """Ctrl-C and SIGTERM as a KeyboardInterrupt that is never lost.

    Libraries drop one that comes inside of them (numpy while it is imported) or tell it as an error of their own
    (pydantic). So it comes again until the block is left, and the block ends with it in any case.
    """
    heard = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard = True
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in _HEARD}
    try:
        yield
    except Exception:
        if not heard:
            raise
    finally:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt
