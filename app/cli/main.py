"""The command line: arguments in, exit status out (0 done, 1 a bug, 2 bad input or an expected fault).

Every OnetapeError becomes one line on standard error. Heavy modules are imported by the command that needs them.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from app.cli.arguments import Parser, cache_argument, candle_arguments, profile_arguments
from app.errors import ConfigError, OnetapeError

_MODES = ("backtest", "paper", "live")


COMMANDS = (
    "data", "testnet", "kill", "resume", "status", "compare", "why", "reproduce", "report", "monte-carlo",
    "assumptions", "search", "walk-forward", "lookahead", "warmup", "determinism", "check", "new",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        first = arguments[0] if arguments else ""
        if first in _MODES or first == "demo":
            args = _mode_parser(first).parse_args(arguments[1:])
        else:
            parser = _command_parser() if first and not first.startswith("-") else _mode_parser()
            args = parser.parse_args(arguments)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except OnetapeError as error:
        print(f"onetape: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone (`| head`)
        _drop_output()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print(f"onetape: cannot write {error.filename or 'the output'}: the disk is full", file=sys.stderr)
        return 2
    except Exception as error:
        told = _own_failure(error)
        if told is None:
            raise
        print(told, file=sys.stderr)
        return 1


def _own_failure(error: Exception) -> str | None:
    loader = sys.modules.get("app.strategies.loader")
    if loader is None or not loader.own_code:
        return None
    from app.strategies.own_failure import own_failure

    return own_failure(error, loader.own_code)


def _drop_output() -> None:
    # What is still in the buffer would raise once more when the interpreter closes standard output.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - os.devnull is no path to work with
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no count; write a whole number, 0 or more")
    return int(text)


def _mode_parser(first: str = "") -> argparse.ArgumentParser:
    """The arguments of a run; `first`: the mode where it is the first word, or `demo`."""
    parser = Parser(
        prog=f"python -m app {first}".strip(),
        parents=[profile_arguments(), candle_arguments()],
        description="Replay candles through the runtime that trades; what the cache lacks is fetched first.",
        epilog=f"Other commands: {', '.join(('demo', *COMMANDS))}; for example `python -m app data --help`.",
    )
    if not first:
        parser.add_argument("--mode", choices=_MODES, required=True, help="may also be the first word")
    parser.add_argument("--speed", default="max", metavar="max|N", help="N: N times real time (default: max)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder itself")
    parser.add_argument("--tape", metavar="RUN", help="replay the tape of a paper session instead of the cache")
    parser.add_argument(
        "--new-epoch", action="store_true", help="paper: go on with the session in --out after a change"
    )
    parser.add_argument("--max-missing", type=_count, metavar="N", help="fail (status 2) if more candles are missing")
    parser.add_argument("--json", action="store_true", help="print results.json alone")
    parser.add_argument("--no-report", action="store_true", help="make no report.html")
    parser.add_argument("--log-json", action="store_true", help="events as JSON lines on standard error")
    parser.add_argument(
        "--log-file", type=Path, metavar="FILE", help="events as JSON lines, appended, e.g. logs/onetape.jsonl"
    )
    parser.set_defaults(run=_run_mode)
    if first == "demo":
        from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG, SAMPLE_PERIOD

        start, end = SAMPLE_PERIOD
        parser.description = "Replay the sample that comes with the package: six years of BTC/USDT in hours."
        parser.set_defaults(
            mode="backtest", config=SAMPLE_CONFIG, cache=SAMPLE_CACHE, start=start, end=end, offline=True
        )
    elif first:
        parser.set_defaults(mode=first)
    return parser


def _command_parser() -> argparse.ArgumentParser:
    from app.cli.assumptions import add_assumptions_parser
    from app.cli.checks import add_checks_parsers
    from app.cli.compare import add_compare_parser
    from app.cli.data import add_data_parser
    from app.cli.fetch import add_fetch_parser
    from app.cli.monte_carlo import add_monte_carlo_parser
    from app.cli.operator import add_operator_parsers
    from app.cli.report import add_report_parser
    from app.cli.reproduce import add_reproduce_parser
    from app.cli.search import add_search_parser
    from app.cli.testnet import add_testnet_parser
    from app.cli.walk_forward import add_walk_forward_parser
    from app.cli.why import add_why_parser

    parser = Parser(prog="python -m app", description="Onetape")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    add_fetch_parser(add_data_parser(commands))
    add_testnet_parser(commands)
    add_operator_parsers(commands)
    add_compare_parser(commands)
    add_why_parser(commands)
    add_reproduce_parser(commands)
    add_report_parser(commands)
    add_monte_carlo_parser(commands)
    add_assumptions_parser(commands)
    add_search_parser(commands)
    add_walk_forward_parser(commands)
    add_checks_parsers(commands)
    check = commands.add_parser(
        "check",
        parents=[profile_arguments(), cache_argument()],
        help="validate the configs and say what a run would do",
    )
    check.set_defaults(run=_run_check)
    new = commands.add_parser("new", help="write a commented strategy that runs at once")
    new.add_argument("file", type=Path, metavar="my_strategy.py")
    new.set_defaults(run=_run_new)
    return parser


def _run_mode(args: argparse.Namespace) -> int:
    if args.mode == "live":
        raise ConfigError("--mode live places no real orders yet; use --mode backtest or paper")
    if args.mode == "paper":
        if args.tape is not None:
            raise ConfigError("--tape belongs to --mode backtest; a paper session is continued with --out RUN")
        from app.cli.paper import run_paper

        return run_paper(args)
    if args.new_epoch:
        raise ConfigError("--new-epoch belongs to --mode paper: it goes on with a session after a change")
    if args.tape is not None:
        from app.cli.paper import run_tape

        return run_tape(args)
    from app.cli.backtest import run_backtest

    return run_backtest(args)


def _run_check(args: argparse.Namespace) -> int:
    from app.cli.check import run_check

    return run_check(args)


def _run_new(args: argparse.Namespace) -> int:
    from app.cli.new import write_template

    write_template(args.file)
    print(f"{args.file} written; run it with: python -m app --mode backtest --strategy {args.file}")
    return 0
