"""What a comparison says, as aligned text for people and as JSON for programs: the same facts, none computed here.

Both name the runs A and B, the first divergence with the columns that differ, its class, and the evidence.
"""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from app.models.orders import MAIN
from app.proof.comparison import Comparison
from app.proof.differences import Difference
from app.proof.expected import expectation_json
from app.proof.shortfall_report import shortfall_blocks, shortfall_json
from app.report.formats import counts_text
from app.report.pairing import Divergence, Kind
from app.report.text_table import text_table
from app.runs.reader import Run
from app.times import iso_ms

FORMAT = 1
_LABEL_WIDTH = 19
_LISTED_MAX = 20
_NOTHING = "none"
_PLACES = {
    Kind.SIGNAL: "signal of {symbol}, slice that closes {time}",
    Kind.ORDER: "order of {symbol}, slice that closes {time}",
    Kind.FILL: "fill of {symbol} at {time}",
    Kind.EQUITY: "equity row of the slice that closes {time}",
}


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """For `--json`; a difference of the inputs each, a divergence once."""
    outputs, first, expected = comparison.outputs, comparison.outputs.first, expectation_json(comparison)
    return {
        "format": FORMAT,
        "a": str(comparison.a.folder),
        "b": str(comparison.b.folder),
        "same": comparison.is_same,
        "explained": comparison.is_explained,
        "class": comparison.cause,
        "evidence": comparison.evidence or None,
        "first": None if first is None else _divergence_json(first),
        "identical_bytes": dict(outputs.identical),
        "compared": {"signals": outputs.signals, "fills": outputs.fills, "equity_rows": outputs.equity_rows},
        "differing": _counts(outputs.differing),
        "also_before": _counts(comparison.also_before),
        "later": _counts(comparison.later),
        "inputs": [_difference_json(one) for one in comparison.differences],
        "notes": comparison.notes,
        **({} if comparison.shortfall is None else {"shortfall": shortfall_json(comparison.shortfall)}),
        **({} if expected is None else {"expectation": expected}),
    }


def render_comparison(comparison: Comparison) -> str:
    """The whole text, lines ended with newlines."""
    blocks = [list(_head(comparison))]
    if not comparison.is_same:
        blocks += [list(_first(comparison)), list(_verdict(comparison))]
    if comparison.shortfall is not None:
        blocks += shortfall_blocks(comparison.shortfall)
    blocks.append(list(_inputs(comparison)))
    expected = expectation_json(comparison)
    blocks.append([] if expected is None else [_line("Expectation", expected["said"])])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _head(comparison: Comparison) -> Iterator[str]:
    outputs = comparison.outputs
    for name, run in (("A", comparison.a), ("B", comparison.b)):
        yield _line(name, f"{run.folder}, {_kind(run)}, {run.results['status']}")
    counted = f"{outputs.fills:,} fills, {outputs.signals:,} signals, {outputs.equity_rows:,} equity rows"
    if comparison.is_same:
        yield _line("Result", f"the same: {counted}; the trade logs byte for byte")
    else:
        parts = [_counted(kind, outputs.differing[kind]) for kind in Kind if outputs.differing[kind]]
        differing = ", ".join(parts) or "nothing but the order of rows"
        yield _line("Result", f"not the same: of {counted} these differ: {differing}")


def _first(comparison: Comparison) -> Iterator[str]:
    first = comparison.outputs.first
    if first is None:
        return
    whose = first.line
    of = first.symbol if whose is None or whose.strategy == MAIN else f"{whose.strategy} on {whose.symbol}"
    yield _line("First divergence", _PLACES[first.kind].format(symbol=of, time=iso_ms(first.time_ms)))
    if first.a is None or first.b is None:
        yield _line("", f"it is there in {'A' if first.b is None else 'B'} only")
    names = first.fields
    rows = [[name, *((row or {}).get(name, "") or "-" for row in (first.a, first.b))] for name in names]
    for line in text_table(("", "A", "B"), rows, numbers=2).splitlines():
        yield f"  {line}"


def _verdict(comparison: Comparison) -> Iterator[str]:
    yield _line("Class", str(comparison.cause))
    yield _line("Evidence", comparison.evidence)
    yield _line("Also before it", counts_text(comparison.also_before) or _NOTHING)
    yield _line("Later, by itself", counts_text(comparison.later) or _NOTHING)
    why_not = "NO: something has no cause in what went in"
    if comparison.shortfall is not None:
        why_not = "NO: something has no cause in what went in or in what the exchange did"
    yield _line("Explained", "yes" if comparison.is_explained else why_not)


def _inputs(comparison: Comparison) -> Iterator[str]:
    listed = comparison.differences[:_LISTED_MAX]
    if listed:
        yield f"What went in and differs ({len(comparison.differences):,}):"
    for one in listed:
        yield f"  {one.cause.value.ljust(8)}  {one.said}"
    if len(comparison.differences) > len(listed):
        yield f"  and {len(comparison.differences) - len(listed):,} more; --json lists all"
    for note in comparison.notes:
        yield f"note: {note}"


def _kind(run: Run) -> str:
    return "a session with a tape" if run.is_live else "a replay"


def _counted(kind: Kind, count: int) -> str:
    name = "equity row" if kind is Kind.EQUITY else kind.value
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _counts(counts: "Counter[Any]") -> dict[str, int]:
    return {name.value if isinstance(name, StrEnum) else str(name): n for name, n in sorted(counts.items()) if n}


def _divergence_json(first: Divergence) -> dict[str, Any]:
    return {
        "kind": first.kind,
        "time": iso_ms(first.time_ms),
        "symbol": first.symbol or None,
        "strategy": None if first.line is None else first.line.strategy,
        "fields": first.fields,
        "a": None if first.a is None else dict(first.a),
        "b": None if first.b is None else dict(first.b),
    }


def _difference_json(one: Difference) -> dict[str, Any]:
    time = None if one.time_ms is None else iso_ms(one.time_ms)
    return {"class": one.cause, "time": time, "symbol": one.symbol or None, "what": one.said}


def _line(label: str, text: str) -> str:
    return f"{label.ljust(_LABEL_WIDTH)}{text}"
