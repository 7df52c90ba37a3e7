"""`python -m app serve [RUN...]`: the operator's page, in a process of its own that only reads.

It listens on this machine alone unless told otherwise, and takes no command unless told so.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from app.cli.arguments import Parser, note, whole
from app.errors import ConfigError
from app.runs.run_folder import is_owned


def serve_parser(**about: str) -> Parser:
    """The arguments of `serve`."""
    parser = Parser(**about)
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN", help="default: all below logs/paper and logs/live")
    parser.add_argument("--port", type=whole(0), default=8080, metavar="P", help="default: %(default)s; 0: a free one")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="default: %(default)s, this machine alone"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name under which a proxy is asked for it"
    )
    parser.add_argument("--allow-control", action="store_true", help="the page may kill, halt, close, resume and stop")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="made with a new token if it is not there")
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)  # of `--serve`
    parser.set_defaults(run=run_serve)
    return parser


def run_serve(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; the exit status."""
    for run in args.runs:
        if not ((run / "tape").is_dir() or is_owned(run)):
            raise ConfigError(f"{run} is no folder of a session: it holds no tape")
    if args.port > 65_535:
        raise ConfigError(f"--port {args.port}: at most 65535")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(args))
    return 0


async def _serve(args: argparse.Namespace) -> None:
    from app.session.account_lock import state_folder
    from app.web.access import Access, read_token
    from app.web.server import OperatorPage, allowed_hosts
    from app.web.sessions import ShownSessions

    path = state_folder() / "page.token" if args.token_file is None else args.token_file
    token = read_token(path)
    access = Access(token, ())
    page = OperatorPage(ShownSessions(args.runs), access, may_control=args.allow_control)

    def ready(port: int) -> None:
        with contextlib.suppress(AttributeError, OSError):  # it interrupts no session that is at work; on Linux
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        access.hosts = frozenset(allowed_hosts(args.host, port, args.allow_host))
        shown = f"[{args.host}]" if ":" in args.host else args.host
        print(f"listening on http://{shown}:{port}", flush=True)
        login = f"http://{'127.0.0.1' if args.host in ('0.0.0.0', '::') else shown}:{port}/login"  # noqa: S104
        if sys.stdout.isatty():
            note(f"open {login}#{token}")
        else:
            note(f"open {login}; the token is in {path}")
        if args.host not in ("127.0.0.1", "::1", "localhost"):
            note(f"{args.host} is reached from other machines, without encryption: put a proxy with TLS before it")

    serving = asyncio.ensure_future(page.run(args.host, args.port, ready))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, serving.cancel)
    if args.with_parent:
        loop.add_reader(sys.stdin.fileno(), serving.cancel)  # nothing is ever written there: it has ended
    try:
        await serving
    except asyncio.CancelledError:
        return
    except OSError as error:
        raise ConfigError(f"{args.host}:{args.port} cannot be listened on: {error.strerror or error}") from error
