"""`python -m app indicators RUN SYMBOL`: what a strategy's indicators were, candle by candle.

Rebuilds the run through the same runtime, of several epochs the newest; it writes nothing.
"""

import argparse
import asyncio
import math
from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.arguments import Parser, caches_argument, caches_of, print_answer, whole
from app.proof.indicators import Trail, trails
from app.proof.rebuild import changes, source_of
from app.report.text_table import text_table
from app.session.epochs import UNENDED_MS
from app.times import short_time

FORMAT = 1
_SHOWN = 20


def indicators_parser(**about: str) -> Parser:
    """The arguments of `indicators`."""
    parser = Parser(parents=[caches_argument()], **about)
    parser.add_run()
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument(
        "--candles", type=whole(1), default=_SHOWN, metavar="N", help="the last N of the symbol (default: %(default)s)"
    )
    parser.add_json()
    parser.set_defaults(run=run_indicators)
    return parser


def run_indicators(args: argparse.Namespace) -> int:
    """Rebuild and print."""
    source = source_of(args.run_folder, caches_of(args), UNENDED_MS)
    found, notes = asyncio.run(trails(source, args.symbol, args.candles)), changes(source)
    lines = [_plain(one.as_dict()) for one in found]
    content = {"format": FORMAT, "symbol": args.symbol, "lines": lines, "notes": notes}
    print_answer(args, content, _render(args.symbol, found, notes))
    return 0


def _render(symbol: str, found: Sequence[Trail], notes: Sequence[str]) -> Iterator[str]:
    yield from (f"note: {note}" for note in notes)
    if not found:
        yield f"no strategy on {symbol} says its indicators (docs/strategies.md, `indicator_values`)"
    for one in found:
        yield f"{one.strategy} on {symbol}, after the candle that opened at"
        rows = [
            [short_time(time_ms), *(_text(row.get(name)) for name in one.names)]
            for time_ms, row in zip(one.times_ms, one.rows, strict=True)
        ]
        yield from text_table(("UTC", *one.names), rows, numbers=len(one.names)).splitlines()


def _text(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:,.8g}"


def _plain(trail: dict[str, Any]) -> dict[str, Any]:
    """JSON has no number that is none."""
    values = {
        name: [None if one is None or not math.isfinite(one) else one for one in own]
        for name, own in trail["values"].items()
    }
    return {**trail, "values": values}
