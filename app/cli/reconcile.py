"""`python -m app reconcile RUN`: the ledger of a session with real orders, held against its account at the exchange.

It prints every difference and changes nothing; exit status 0 where there is none, 1 where there is one.
"""

import argparse
import asyncio
from collections.abc import Iterator

from app.cli.arguments import Parser, note, print_answer
from app.runs.run_folder import is_owned
from app.session.reconcile import Reconciled, reconcile
from app.times import short_time


def reconcile_parser(**about: str) -> Parser:
    """The arguments of `reconcile`."""
    parser = Parser(**about)
    parser.add_run()
    parser.add_argument("--exchange-url", metavar="URL", help="another host for the exchange, e.g. the testnet's")
    parser.add_json()
    parser.set_defaults(run=run_reconcile)
    return parser


def run_reconcile(args: argparse.Namespace) -> int:
    """Ask, compare, print."""
    found = asyncio.run(reconcile(args.run_folder, args.exchange_url, note))
    print_answer(args, found.content(), reconciled_lines(found))
    if is_owned(args.run_folder):
        note("the session is running: what happened while this was asked may show as a difference")
    return 1 if found.differences else 0


def reconciled_lines(found: Reconciled) -> Iterator[str]:
    """For people."""
    snapshot = found.snapshot
    yield f"account     {short_time(snapshot.time_ms)} UTC by the exchange's clock"
    yield f"fills       {found.fills:,} on the tape, {len(snapshot.trades):,} in the exchange's history"
    others = f", {snapshot.foreign_orders:,} of somebody else" if snapshot.foreign_orders else ""
    yield f"orders      {len(snapshot.open_orders):,} open at the exchange{others}"
    for asset, least in found.expected.items():
        held = snapshot.balances.get(asset, 0.0)
        yield f"{asset:<11} {held:.8f} at the exchange, {least:.8f} in the ledger"
    for text in found.differences:
        yield f"DIFFERS     {text}"
    yield "no difference" if not found.differences else f"{len(found.differences)} differences"
