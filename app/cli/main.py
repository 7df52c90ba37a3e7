"""The command line: arguments in, exit status out (0 done, 1 a bug, 2 bad input or an expected fault).

Every OnetapeError becomes one line on standard error. Only the file of the command that runs is imported.
"""

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from app.cli.arguments import Parser, candle_arguments, note, whole
from app.errors import ConfigError, OnetapeError

_MODES = ("backtest", "paper", "live")
# Each command: the function in app/cli that makes its parser, and what the command is for.
COMMANDS = {
    "data": ("data.data_parser", "candles on disk: import, fetch, list, verify, export, resample"),
    "testnet": ("testnet.testnet_parser", "a local exchange that speaks Binance's protocol, for trying things out"),
    "kill": ("operator.order_parser", "trip the kill switch: close everything, accept no entry until resumed"),
    "halt": ("operator.order_parser", "accept no entry until resumed; positions and their protection stay"),
    "close": ("operator.close_parser", "close one symbol's position, or cancel its entry; the session goes on"),
    "resume": ("operator.order_parser", "release the kill switch; the peak becomes the equity of that moment"),
    "stop": ("operator.order_parser", "end a session as Ctrl-C does; with on_stop: keep its positions stay"),
    "reconcile": ("reconcile.reconcile_parser", "a session's ledger against its account at the exchange"),
    "status": ("operator.status_parser", "where a session stands"),
    "serve": ("serve.serve_parser", "the operator's page: all sessions of this machine in a browser"),
    "watch": ("watch.watch_parser", "alerts of sessions, from a process that outlives them"),
    "expect": ("expect.expect_parser", "the band that a session's equity should stay in by its backtest"),
    "keys": ("keys.keys_parser", "what the API key of this environment may do at the exchange"),
    "compare": ("compare.compare_parser", "where two runs part, and why"),
    "indicators": ("indicators.indicators_parser", "what a strategy's indicators were, candle by candle"),
    "why": ("why.why_parser", "what a candle led to, with every number"),
    "reproduce": ("reproduce.reproduce_parser", "run a run again and check its hashes"),
    "report": ("report.report_parser", "build the page of a run again, or of two side by side"),
    "monte-carlo": ("monte_carlo.monte_carlo_parser", "what the result of a run might as well have been"),
    "assumptions": (
        "assumptions.assumptions_parser", "how far a result hangs on what candles cannot tell, and on the costs"
    ),
    "search": ("search.search_parser", "search parameters on the runtime that trades"),
    "walk-forward": ("search.walk_forward_parser", "search in sample, trade out of sample, window after window"),
    "lookahead": ("checks.lookahead_parser", "whether a decision depends on candles after its own"),
    "warmup": ("checks.warmup_parser", "how many warm-up candles until decisions do not depend on the start"),
    "determinism": ("checks.determinism_parser", "the same run in other worlds: clock, hash seed, time zone"),
    "check": ("check.check_parser", "validate the configs and say what a run would do"),
    "new": ("new.new_parser", "write a commented strategy that runs at once"),
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        first = arguments[0] if arguments else ""
        if not first or first.startswith("-"):
            args = _mode_parser().parse_args(arguments)
        elif first in _MODES or first == "demo":
            args = _mode_parser(first).parse_args(arguments[1:])
        else:
            args = command_parser(first).parse_args(arguments[1:])
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except OnetapeError as error:
        note(" ".join(str(error).split()))
        return 2
    except BrokenPipeError:  # the reader of our output has gone (`| head`)
        _drop_output()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        note(f"cannot write {error.filename or 'the output'}: the disk is full")
        return 2
    except Exception as error:
        lines = _own_failure(error)
        if lines is None:
            raise
        print(lines, file=sys.stderr)
        return 1


def command_parser(name: str) -> Parser:
    """The parser of a command; its namespace has `command` and `run(args) -> exit status`."""
    if name not in COMMANDS:
        names = ", ".join(map(repr, COMMANDS))
        Parser(prog="python -m app").error(f"argument COMMAND: invalid choice: {name!r} (choose from {names})")
    place, about = COMMANDS[name]
    module, _, function = place.partition(".")
    make_parser = getattr(import_module(f"app.cli.{module}"), function)
    parser: Parser = make_parser(prog=f"python -m app {name}", description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(command=name)
    return parser


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


def _mode_parser(first: str = "") -> Parser:
    """The arguments of a run; `first`: the mode where it is the first word, or `demo`."""
    others = [("demo", "replay the sample that comes with the package")]
    others += [(name, about) for name, (_, about) in COMMANDS.items()]
    parser = Parser(
        prog=f"python -m app {first}".strip(),
        parents=[candle_arguments()],
        description="Replay candles through the runtime that trades; what the cache lacks is fetched first.",
        epilog="other commands, each with --help:\n" + "\n".join(f"  {name:<14}{about}" for name, about in others),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if not first:
        parser.add_argument("--mode", choices=_MODES, required=True, help="may also be the first word")
    parser.add_argument("--speed", default="max", metavar="max|N", help="N: N times real time (default: max)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder itself")
    parser.add_argument("--tape", metavar="RUN", help="replay the tape of a session instead of the cache")
    parser.add_argument(
        "--new-epoch", action="store_true", help="paper, live: go on with the session in --out after a change"
    )
    parser.add_argument("--i-know-this-is-real-money", action="store_true", help="live: orders go to a real account")
    parser.add_argument(
        "--serve",
        type=whole(0),
        nargs="?",
        const=8080,
        metavar="PORT",
        help="paper, live: its page, beside it",
    )
    parser.add_argument("--allow-control", action="store_true", help="with --serve: the page takes commands")
    parser.add_argument("--alerts", type=Path, metavar="FILE", help="paper, live: alerts.yaml; a watch beside it")
    parser.add_argument("--max-missing", type=whole(0), metavar="N", help="fail (status 2) if more candles are missing")
    parser.add_json("print results.json alone")
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


def _run_mode(args: argparse.Namespace) -> int:
    if args.mode in ("paper", "live"):
        if args.allow_control and args.serve is None:
            raise ConfigError("--allow-control belongs to --serve")
        if args.tape is not None:
            raise ConfigError(f"--tape belongs to --mode backtest; a {args.mode} session is continued with --out RUN")
        from app.cli.paper import run_paper

        return run_paper(args)
    if args.new_epoch:
        raise ConfigError("--new-epoch belongs to --mode paper or live: it goes on with a session after a change")
    if args.serve is not None or args.alerts is not None or args.allow_control:
        raise ConfigError("--serve, --allow-control and --alerts belong to --mode paper or live")
    if args.i_know_this_is_real_money:
        raise ConfigError("--i-know-this-is-real-money belongs to --mode live")
    if args.tape is not None:
        from app.cli.paper import run_tape

        return run_tape(args)
    from app.cli.backtest import run_backtest

    return run_backtest(args)
