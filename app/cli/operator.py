"""`python -m app kill|halt|close|resume|stop|status RUN`: what an operator wants of a session, from another shell.

All but status are left in the run folder and go onto the tape in the session's own order, at once if it
runs, with its next start if not. Status only reads.
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from app import times
from app.cli.arguments import Parser
from app.models.orders import MAIN, Line
from app.report.formats import duration_text
from app.runs.run_folder import is_owned
from app.session.closing import send_close
from app.session.control import STATUS, read_status, send_command
from app.times import short_time

_OLD_S = 10.0
_WHY = "the reason; it is written on the tape"


def order_parser(**about: str) -> Parser:
    """The arguments of `kill`, `halt`, `resume` and `stop`."""
    parser = Parser(**about)
    parser.add_run()
    parser.add_argument("--why", default="", help=_WHY)
    parser.set_defaults(run=run_order)
    return parser


def close_parser(**about: str) -> Parser:
    """The arguments of `close`."""
    parser = Parser(**about)
    parser.add_run()
    parser.add_argument("symbol", metavar="SYMBOL", help="whose position is closed, or whose pending entry cancelled")
    parser.add_argument("--strategy", metavar="ID", help="of several strategies on the symbol; default: all of them")
    parser.add_argument("--why", default="", help=_WHY)
    parser.set_defaults(run=run_close)
    return parser


def status_parser(**about: str) -> Parser:
    """The arguments of `status`."""
    parser = Parser(**about)
    parser.add_run()
    parser.add_json("the status as it is written")
    parser.set_defaults(run=run_status)
    return parser


def run_order(args: argparse.Namespace) -> int:
    """Leave the command; says whether a session hears it now."""
    print(send_command(args.run_folder, args.command, args.why))
    return 0


def run_close(args: argparse.Namespace) -> int:
    """The same of a close."""
    print(send_close(args.run_folder, args.symbol, args.strategy, args.why))
    return 0


def run_status(args: argparse.Namespace) -> int:
    """Print it."""
    content = read_status(args.run_folder)
    content["running"] = is_owned(args.run_folder)
    content["age_s"] = round(max(0.0, times.now_ms() / 1000.0 - (args.run_folder / STATUS).stat().st_mtime), 1)
    print(json.dumps(content, indent=1) if args.json else "\n".join(status_lines(content)))
    return 0


def status_lines(content: dict[str, Any]) -> Iterator[str]:
    """For people."""
    real = content.get("real_orders")
    yield f"session     {_state(content)}"
    sent: list[dict[str, Any]] = [] if real is None else real["open"]
    for record in sent:
        if record["unknown"]:
            yield f"UNKNOWN     {_real_order(record)}"
    if content.get("epoch", 1) > 1:
        yield f"epoch       {content['epoch']}"
    yield f"status      {duration_text(content['age_s'])} old{_doubt(content)}"
    last = content["last_slice_ms"]
    yield f"last slice  {'none yet' if last is None else short_time(last) + ' UTC'}"
    if content["running"]:
        yield f"feed        {_feed(content['link'])}"
    yield f"equity      {content['equity']:,.2f} (balance {content['balance']:,.2f}, peak {content['peak']:,.2f})"
    drawdown = 100.0 * (1.0 - content["equity"] / content["peak"]) if content["peak"] > 0 else 0.0
    yield f"drawdown    {drawdown:.2f} %"
    if content["halted"]:
        yield f"HALTED      {content['halts'][-1]['why']}; `python -m app resume RUN --why ...` releases it"
    if content.get("closing"):
        left = f"{len(content['positions'])} positions, {len(content['pending'])} entries"
        there = "" if real is None else f", {len(sent)} orders at the exchange"
        yield f"CLOSING     still open: {left}{there}"
    if real is not None:
        yield from _account_lines(real)
    for held in content["positions"]:
        yield f"position    {_position(held)}{_stop_place(held, real)}"
    for record in sent:
        if not record["unknown"]:
            yield f"order       {_real_order(record)}"
    orders = content.get("orders")  # a session of an older Onetape told only whose they are
    for text in content["pending"] if orders is None else map(_order, orders):
        yield f"pending     {text}"
    signals = sum(content["funnel"]["signals"].values())
    yield f"funnel      {signals:,} signals, {content['funnel']['orders_submitted']:,} orders"
    late = {name: count for name, count in sorted(content["feed"].items()) if count}
    if late:
        yield "late        " + ", ".join(f"{name} {count:,}" for name, count in late.items())


def _account_lines(real: dict[str, Any]) -> Iterator[str]:
    """The stream of the account, and how it and the ledger compare."""
    unresolved, oldest_s = real["unresolved"], real["oldest_unresolved_s"]
    waiting = f"; {unresolved} orders unresolved" if unresolved else ""
    waiting += f", the oldest for {duration_text(oldest_s)}" if unresolved and oldest_s is not None else ""
    up = "up" if real["stream"] == "up" else f"DOWN: {real['stream']}"
    yield f"account     user stream {up}{waiting}; longest without a stop at the exchange {real['longest_gap_s']:g} s"
    checked_s, differences = real["reconciled_s"], real["differences"]
    when = "not yet" if checked_s is None else f"{duration_text(checked_s)} ago"
    yield f"reconciled  {when}, {'no difference' if not differences else f'{len(differences)} differences'}"
    for text in differences:
        yield f"DIFFERS     {text}"
    if real["not_trading"]:
        yield f"not trading {', '.join(real['not_trading'])}"
    if real["foreign_orders"]:
        yield f"foreign     {real['foreign_orders']} open orders of somebody else, not touched"


def _real_order(one: dict[str, Any]) -> str:
    states = ", ".join(f"{leg} {state}" for leg, state in one["states"].items())
    cancelling = ", being cancelled" if one["cancelling"] else ""
    whose = Line(one["strategy"], one["symbol"])
    return f"{one['client_id']} {one['kind']} {whose} {one['filled']:g} of {one['quantity']:g}: {states}{cancelling}"


def _stop_place(one: dict[str, Any], real: dict[str, Any] | None) -> str:
    stop = None if real is None else real["stops"].get(str(_line(one)))
    if stop is None:
        return ""
    for_s = f" for {stop['bare_s']:g} s" if stop["bare_s"] else ""
    return f"; stop {stop['place']}{for_s}"


def _position(one: dict[str, Any]) -> str:
    moved = f" (moved by {one['moved_by']})" if one.get("moved_by") else ""
    legs = one.get("legs") or ()
    left = f", {len(legs)} leg{'' if len(legs) == 1 else 's'} left, the next at {legs[0][0]:,.8g}" if legs else ""
    until = one.get("time_exit_ms")
    timed = "" if until is None else f", until {short_time(until)} at most"
    timed += f", being closed ({one['closing']})" if one.get("closing") else ""
    return (
        f"{_line(one)} {one['side']} {one['quantity']:g} from {one['entry']:,.8g}, mark {one['mark']:,.8g}, "
        f"stop {one['stop']:,.8g}{moved}, target {one['target']:,.8g}{left}{timed}, {one['unrealised']:+,.2f}"
    )


def _order(one: dict[str, Any]) -> str:
    if one["limit"] is None:
        return f"{_line(one)} {one['side']} {one['quantity']:g}, at the next open"
    rests = ", resting" if one["rests"] else ""
    until = short_time(one["valid_until_ms"])
    return f"{_line(one)} {one['side']} {one['quantity']:g} at the limit {one['limit']:,.8g} until {until}{rests}"


def _line(one: dict[str, Any]) -> Line:
    return Line(one.get("strategy", MAIN), one["symbol"])


def _state(content: dict[str, Any]) -> str:
    ended = content.get("ended")
    if content["running"]:
        return "running"
    if ended is None:
        return "broke off (killed, or the machine went down); the same command continues it"
    if ended == "failed":
        return f"broke off: {content['why']}; the same command continues it"
    if ended == "gave_up":
        return "ended before all was closed: look below; the same command goes on closing"
    if ended == "kept":
        return "stopped, its positions are kept; the same command continues it"
    return "stopped by the operator, finished" if ended == "stopped" else ended


def _doubt(content: dict[str, Any]) -> str:
    if content["running"] and content["age_s"] > _OLD_S:
        return "; a running session writes it every second: it hangs, is suspended, or the disk is full"
    return ""


def _feed(link: dict[str, Any] | None) -> str:
    if link is None:
        return "not connected yet"
    lag = "" if link["lag_ms"] is None else f", lag {link['lag_ms']:,} ms"
    parts = f"{'up' if link['connected'] else 'DOWN'}{lag}, {max(0, link['connections'] - 1):,} reconnects"
    parts += f", {link['rest_faults']:,} REST faults, {link['backfilled']:,} candles by REST"
    parts += "".join(f", {link[name]:,} {name}" for name in ("damaged", "ahead", "doubted") if link.get(name))
    named = [
        f"{name} {', '.join(link[key])}" for name, key in (("late", "late"), ("asked for", "missing")) if link[key]
    ]
    return "; ".join([parts, *named])
