"""`python -m app --mode paper`: arguments to a runner, what happens to the console, the report at the end.

The rule: on a terminal a live view, in a pipe a plain line for each thing that happened; the report is that of a
backtest. It decides nothing.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from app.backtest import DEFAULT_CACHE, DEFAULT_CONFIG
from app.backtest_command import symbols_of
from app.errors import ConfigError
from app.models import Decision, Event, Fill, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle, Stop
from app.paper import PaperRunner
from app.reporting.console import render_report
from app.reporting.run_folder import to_json
from app.session_view import SessionView
from app.times import iso_ms, parse_time_ms


def run_paper(args: argparse.Namespace) -> int:
    """Trade on paper and report; the exit status."""
    if args.start is not None:
        raise ConfigError("--mode paper starts now; --start belongs to a backtest")
    if args.offline:
        raise ConfigError("--mode paper needs the exchange; --offline belongs to a backtest")
    runner = PaperRunner(
        config=args.config or DEFAULT_CONFIG,
        end_ms=None if args.end is None else parse_time_ms(args.end),
        interval=args.interval,
        symbols=symbols_of(args.symbols),
        strategy=args.strategy,
        overrides=args.overrides,
        cache=args.cache or DEFAULT_CACHE,
        out=args.out,
        exchange_url=args.exchange_url,
        tell=lambda text: print(f"onetape: {text}", file=sys.stderr),
        on_event=None if args.json else tell_event,
    )
    results = asyncio.run(runner.run_async())
    sys.stdout.write(to_json(dict(results)) if args.json else render_report(results, results.folder))
    return 0


def tell_event(view: SessionView, event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> None:
    """A line for each thing that happened, on standard output, at once."""
    for line in event_lines(event, fills, decisions):
        print(f"{iso_ms(view.books.runtime.account.time_ms)} {line}", flush=True)


def event_lines(event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> list[str]:
    """What an event brought, in words; nothing for a slice on which nothing was done."""
    lines = []
    if isinstance(event, MarkedSlice) and event.late:
        lines.append("late slice: no entry is accepted on it")
    if isinstance(event, LateCandle):
        lines.append(f"{event.candle.symbol} late candle of {iso_ms(event.candle.open_time_ms)}")
    if isinstance(event, RevisedCandle):
        lines.append(f"{event.candle.symbol} revised by the exchange: candle of {iso_ms(event.candle.open_time_ms)}")
    if isinstance(event, (Kill, Resume, Stop)):
        lines.append(f"{type(event).__name__.lower()}: {event.why}")
    for fill in fills:
        what = "opened" if fill.opens else f"closed ({fill.reason}), {fill.realized_pnl:+,.2f}"
        lines.append(f"{fill.symbol} {fill.side.name} {what}: {fill.quantity:g} at {fill.price:,.8g}")
    lines += [f"{one.symbol} {one.action} -> {one.outcome}" for one in decisions]
    return lines


def run_tape(args: argparse.Namespace) -> int:
    """Replay the tape of a run and report; the exit status."""
    from app.tape_replay import TapeRunner

    for option in ("config", "start", "end", "interval", "symbols", "strategy", "exchange_url"):
        if getattr(args, option) is not None:
            raise ConfigError(f"--{option.replace('_', '-')} does not go with --tape: the tape has its own")
    results = asyncio.run(TapeRunner(Path(args.tape), args.out).run_async())
    sys.stdout.write(to_json(dict(results)) if args.json else render_report(results, results.folder))
    return 0
