"""`python -m app why RUN SYMBOL TIME`: what one candle led to, and why: a trade, a refusal, or no signal at all.

Rebuilds the run up to that candle through the same runtime; what it says is what the stages held there. It writes
nothing.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.arguments import caches_argument, caches_of

if TYPE_CHECKING:
    from app.proof.observation import Seen
    from app.proof.rebuild import Source
    from app.proof.why import Section

_LABEL_WIDTH = 30
FORMAT = 1


def add_why_parser(commands: "argparse._SubParsersAction[Any]") -> None:
    """Adds `why`."""
    parser = commands.add_parser("why", parents=[caches_argument()], help="what a candle led to, with every number")
    parser.add_argument("run_folder", type=Path, metavar="RUN")
    parser.add_argument("symbol", metavar="SYMBOL")
    parser.add_argument("time", metavar="TIME", help="the slice that closes then, or contains it; UTC, ISO")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=run_why)


def run_why(args: argparse.Namespace) -> int:
    """Rebuild, look and print."""
    import asyncio

    from app.proof.observation import look
    from app.proof.rebuild import source_of
    from app.proof.why import sections
    from app.runs.run_folder import to_json
    from app.times import parse_time_ms

    time_ms = parse_time_ms(args.time)
    source = source_of(args.run_folder, caches_of(args.caches), time_ms)
    seen = asyncio.run(look(source, args.symbol, time_ms))
    told = sections(source, seen)
    notes = changes(source)
    sys.stdout.write(to_json(as_json(source, seen, told, notes)) if args.json else render(source, seen, told, notes))
    return 0


def changes(source: "Source") -> list[str]:
    """What is not as it was when the run was made, so that this may not be what happened."""
    from app.runs.manifest import code_sha256

    found = []
    if source.about.get("strategy_sha256") != source.strategy.source_sha256:
        found.append("the strategy's file has changed since the run: this is what it would do now")
    if source.about.get("code_sha256") != code_sha256():
        found.append("the code of Onetape has changed since the run: this is what it would do now")
    return found


def render(source: "Source", seen: "Seen", told: "Sequence[Section]", notes: Sequence[str]) -> str:
    """The answer as text, lines ended with newlines."""
    lines = [f"{source.folder}: {seen.symbol}, strategy {source.strategy.name}"]
    lines += [f"note: {note}" for note in notes]
    for section in told:
        lines += ["", section.title]
        lines += [f"  {label.ljust(_LABEL_WIDTH)}{value}" for label, value in section.lines]
    return "\n".join(lines) + "\n"


def as_json(source: "Source", seen: "Seen", told: "Sequence[Section]", notes: Sequence[str]) -> dict[str, Any]:
    """The same facts for programs: each section's lines, and the stages' own numbers to the last digit."""
    import msgspec

    facts = {
        "format": FORMAT,
        "run": str(source.folder),
        "symbol": seen.symbol,
        "notes": list(notes),
        "outcome": None if seen.decision is None else seen.decision.outcome,
        "sections": {section.title: [list(line) for line in section.lines] for section in told},
        "candle": msgspec.to_builtins(seen.candle),
        "signal": msgspec.to_builtins(seen.signal),
        "indicators": seen.indicators,
        "conditions": [condition._asdict() for condition in seen.conditions],
        "sizing": msgspec.to_builtins(seen.sizing),
        "fills": [msgspec.to_builtins(one.fill) for one in [*seen.fills, *([seen.later] if seen.later else [])]],
    }
    plain: dict[str, Any] = _plain(facts)
    return plain


def _plain(value: Any) -> Any:
    # JSON knows no NaN: what is undefined is null.
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
