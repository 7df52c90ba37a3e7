"""`python -m app why RUN SYMBOL TIME`: what one candle led to, and why: a trade, a refusal, or no signal at all;
`why RUN ORDER`: the life of one real order.

Rebuilds the run up to that candle through the same runtime; what it says is what the stages held there. It writes
nothing.
"""

import argparse
import asyncio
import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from app.cli.arguments import Parser, caches_argument, caches_of, print_answer
from app.errors import ConfigError
from app.models.orders import MAIN
from app.proof.observation import look
from app.proof.order_life import OrderLife, is_order, life_of
from app.proof.order_words import life_json, life_sections
from app.proof.rebuild import Source, changes, source_of, source_of_epoch
from app.proof.seen import Seen
from app.proof.why import Section, sections
from app.times import parse_time_ms

_LABEL_WIDTH = 30
FORMAT = 1
Told = tuple[Seen, Sequence[Section]]


def why_parser(**about: str) -> Parser:
    """The arguments of `why`."""
    parser = Parser(parents=[caches_argument()], **about)
    parser.add_run()
    parser.add_argument("symbol", metavar="SYMBOL|ORDER", help="a symbol; or the number or a client id of a real order")
    parser.add_argument("time", metavar="TIME", nargs="?", help="the slice that closes then, or contains it; UTC, ISO")
    parser.add_argument("--strategy", metavar="ID", help="of several strategies on the symbol; default: all asked then")
    parser.add_json()
    parser.set_defaults(run=run_why)
    return parser


def run_why(args: argparse.Namespace) -> int:
    """Rebuild, look and print."""
    if args.time is None:
        return _run_order(args)
    time_ms = parse_time_ms(args.time)
    source = source_of(args.run_folder, caches_of(args), time_ms)
    told = [(seen, sections(source, seen)) for seen in asyncio.run(look(source, args.symbol, time_ms, args.strategy))]
    notes = changes(source)
    print_answer(args, as_json(source, told, notes), render(source, told, notes))
    return 0


def _run_order(args: argparse.Namespace) -> int:
    if not is_order(args.symbol):
        raise ConfigError(f"{args.symbol}: give a symbol with a TIME, or the number or a client id of a real order")
    life = asyncio.run(life_of(args.run_folder, args.symbol))
    source = source_of_epoch(life.folder, life.epoch)
    told = life_sections(life, _decided(source, life))
    print_answer(args, _plain(life_json(life, told) | {"notes": changes(source)}), _render_life(source, life, told))
    return 0


def _decided(source: Source, life: OrderLife) -> Sequence[Section]:
    """Signal, sizing and gate of an entry."""
    decision = life.decision
    if decision is None or life.kind != "entry":
        return ()
    found = asyncio.run(look(source, decision.symbol, decision.time_ms, decision.strategy))
    titles = ("Candle", "Signal", "Sizing", "Gate")
    return [section for seen in found for section in sections(source, seen) if section.title in titles]


def _render_life(source: Source, life: OrderLife, told: Sequence[Section]) -> Iterator[str]:
    yield f"{life.folder}: order {life.order_id}"
    yield from (f"note: {note}" for note in changes(source))
    yield from _section_lines(told)


def _section_lines(told: Sequence[Section]) -> Iterator[str]:
    for section in told:
        yield from ("", section.title)
        yield from (f"  {label.ljust(_LABEL_WIDTH)}{value}" for label, value in section.lines)


def render(source: Source, told: Sequence[Told], notes: Sequence[str]) -> Iterator[str]:
    """The answer as text, one strategy after the other."""
    for number, (seen, found) in enumerate(told):
        if number:
            yield ""
        yield f"{source.folder}: {seen.symbol}, strategy {_strategy(source, seen)}"
        yield from (f"note: {note}" for note in notes if not number)
        yield from _section_lines(found)


def _strategy(source: Source, seen: Seen) -> str:
    name = next(loaded.name for spec, loaded in source.strategies.of if spec.id == seen.line.strategy)
    return name if seen.line.strategy == MAIN else f"{seen.line.strategy} ({name})"


def as_json(source: Source, told: Sequence[Told], notes: Sequence[str]) -> dict[str, Any]:
    """The same facts for programs: each section's lines, and the stages' own numbers to the last digit.

    Of one strategy they stand beside the run's; of several in `strategies`, one after the other.
    """
    lines = [_facts(seen, found) for seen, found in told]
    facts = {
        "format": FORMAT,
        "run": str(source.folder),
        "symbol": told[0][0].symbol,
        "notes": list(notes),
        **(lines[0] if len(lines) == 1 else {"strategies": lines}),
    }
    plain: dict[str, Any] = _plain(facts)
    return plain


def _facts(seen: Seen, found: Sequence[Section]) -> dict[str, Any]:
    return {
        "strategy": seen.line.strategy,
        "outcome": None if seen.decision is None else seen.decision.outcome,
        "sections": {section.title: [list(line) for line in section.lines] for section in found},
        "candle": msgspec.to_builtins(seen.candle),
        "signal": msgspec.to_builtins(seen.signal),
        "indicators": seen.indicators,
        "conditions": [condition._asdict() for condition in seen.conditions],
        "sizing": msgspec.to_builtins(seen.sizing),
        "fills": [msgspec.to_builtins(one.fill) for one in [*seen.fills, *([seen.later] if seen.later else [])]],
    }


def _plain(value: Any) -> Any:
    # JSON knows no NaN: what is undefined is null.
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
