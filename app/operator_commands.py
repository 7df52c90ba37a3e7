"""`python -m app kill|resume|status RUN`: what an operator wants of a paper session, from another shell.

The rule: kill and resume are left in the run folder and go onto the tape in the session's own order, at once if it
runs, with its next start if not. Status only reads.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.times import short_time


def add_operator_parsers(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `kill`, `resume` and `status`."""
    for kind, text in (
        ("kill", "trip the kill switch: close everything, accept no entry until resumed"),
        ("resume", "release the kill switch; the peak becomes the equity of that moment"),
    ):
        parser = commands.add_parser(kind, help=text)
        parser.add_argument("run_folder", type=Path, metavar="RUN")
        parser.add_argument("--why", default="", help="the reason; it is written on the tape")
        parser.set_defaults(run=run_command, kind=kind)
    status = commands.add_parser("status", help="where a session stands")
    status.add_argument("run_folder", type=Path, metavar="RUN")
    status.add_argument("--json", action="store_true", help="the status as it is written")
    status.set_defaults(run=run_status)


def run_command(args: argparse.Namespace) -> int:
    """Leave the command; says whether a session hears it now."""
    from app.runtime.control import is_running, send_command

    send_command(args.run_folder, args.kind, args.why)
    hears = is_running(args.run_folder)
    print(f"{args.kind}: {'given to the running session' if hears else 'takes effect with the next start'}")
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Print it."""
    import json

    from app.runtime.control import is_running, read_status

    content = read_status(args.run_folder)
    content["running"] = is_running(args.run_folder)
    print(json.dumps(content, indent=1) if args.json else "\n".join(status_lines(content)))
    return 0


def status_lines(content: dict[str, Any]) -> Iterator[str]:
    """For people."""
    state = "running" if content["running"] else f"not running ({content.get('ended', 'it broke off')})"
    last = content["last_slice_ms"]
    yield f"session     {state}"
    yield f"last slice  {'none yet' if last is None else short_time(last) + ' UTC'}"
    link = content["link"] or {}
    yield "feed        " + (", ".join(f"{name} {value}" for name, value in link.items()) or "not connected yet")
    yield f"equity      {content['equity']:,.2f} (balance {content['balance']:,.2f}, peak {content['peak']:,.2f})"
    drawdown = 100.0 * (1.0 - content["equity"] / content["peak"]) if content["peak"] > 0 else 0.0
    yield f"drawdown    {drawdown:.2f} %"
    if content["halted"]:
        yield f"HALTED      {content['halts'][-1]['why']}; `python -m app resume RUN --why ...` releases it"
    for one in content["positions"]:
        yield (
            f"position    {one['symbol']} {one['side']} {one['quantity']:g} from {one['entry']:,.8g}, mark "
            f"{one['mark']:,.8g}, stop {one['stop']:,.8g}, target {one['target']:,.8g}"
        )
    for symbol in content["pending"]:
        yield f"pending     {symbol}"
    signals = sum(content["funnel"]["signals"].values())
    yield f"funnel      {signals:,} signals, {content['funnel']['orders_submitted']:,} orders"
    if content["feed"]:
        yield "late        " + ", ".join(f"{name} {count}" for name, count in sorted(content["feed"].items()))
