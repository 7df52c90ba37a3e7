"""`python -m app watch RUN...`: alerts of sessions, by a process that outlives them.

It tells what lasts, once, by the addresses of the environment or of a file, and pings a heartbeat address while all is
well. It ends with Ctrl-C or SIGTERM, or when every session has finished.
"""

import argparse
import os
import select
import signal
import sys
import threading
from pathlib import Path

from app.cli.arguments import Parser, note
from app.errors import ConfigError
from app.runs.run_folder import is_owned

_LAST_S = 30.0  # for what still waits when the watch ends


def watch_parser(**about: str) -> Parser:
    """The arguments of `watch`."""
    parser = Parser(**about)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the folders of sessions")
    parser.add_argument("--alerts", type=Path, metavar="FILE", help="alerts.yaml: what is told, and when")
    parser.add_argument("--test", action="store_true", help="send one message and end")
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)  # of `--alerts` of a session
    parser.set_defaults(run=run_watch)
    return parser


def run_watch(args: argparse.Namespace) -> int:
    """Watch; the exit status."""
    from app.runs.reader import Run
    from app.settings.alerts import HEARTBEAT, read_alerts, read_urls
    from app.web.alert_sender import AlertSender, apprise_sends
    from app.web.expecting import returns_of
    from app.web.watching import WatchedSession, ping_of, watch

    wanted = read_alerts(args.alerts)
    if wanted.expect is not None:
        returns_of(Run.open(Path(wanted.expect).expanduser()))
    try:
        sends = apprise_sends(read_urls(wanted, os.environ))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if args.test:
        if sum(send("Onetape", "a test: alerts come here") for send in sends) < len(sends):
            raise ConfigError("the message was not delivered by every address")
        return 0
    for run in args.runs:
        if not ((run / "tape").is_dir() or is_owned(run)):
            raise ConfigError(f"{run} is no folder of a session: it holds no tape")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    sessions = [WatchedSession(run, wanted) for run in args.runs]
    address = os.environ.get(HEARTBEAT, "").strip()
    ping = None if not address else ping_of(address, note)
    sender = AlertSender(sends, note)

    def goes_on() -> bool:
        if args.with_parent and select.select([sys.stdin], [], [], 0)[0]:  # the session's process is gone
            return not ended.is_set() and not all(session.has_told_its_end for session in sessions)
        return not ended.is_set() and not all(session.is_finished for session in sessions)

    note(f"watching {', '.join(map(str, args.runs))}")
    try:
        watch(sessions, sender, goes_on, ended.wait, ping, wanted.ping_s)
    finally:
        sender.close(_LAST_S)
        for session in sessions:
            session.close()
    return 0
