"""What results.json has of real orders, in rows for the console and the page: a label, a figure, what is said besides.

The same rows in both places; none is computed here but sums of counts.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.report.formats import counts_text, figure, money

OrderRow = tuple[str, str, str]


def real_order_rows(real: Mapping[str, Any]) -> Iterator[OrderRow]:
    """From what an operator must know first to what explains the costs."""
    for line, place in real["stops"].items():
        yield f"stop of {line}", place, ""
    for kind, label in (("entry", "entries"), ("protection", "protections"), ("sale", "sales")):
        states = real["orders"].get(kind, {})
        yield label, f"{sum(states.values()):,}", counts_text(states)
    if real["open"]:
        yield "not over", f"{real['open']:,}", f"{real['unknown']['now']:,} unknown"
    refused = real["refused"]
    yield "refused", f"{sum(refused.values()):,}", "; ".join(f"{why}: {count:,}" for why, count in refused.items())
    unknown = real["unknown"]
    longest = f"longest {unknown['longest_s']:,.1f} s" if unknown["orders"] else ""
    yield "outcome unknown", f"{unknown['orders']:,}", longest
    if real["never_arrived"]:
        yield "never arrived", f"{real['never_arrived']:,}", "proved, see why RUN ORDER"
    yield "without its stop", f"{real['unprotected_longest_s']:,.1f} s", "the longest that a position was"
    for name, label in (("decision_to_sent", "decision to sent"), ("decision_to_filled", "decision to filled")):
        found = real["latency_ms"][name]
        yield label, f"{figure(found['p50'], '{:,.0f}')} ms", f"p99 {figure(found['p99'], '{:,.0f}')} ms"
    for kind, worse in real["worse_than_mark"].items():
        yield (
            f"{kind} below mark" if kind == "sale" else f"{kind} above mark",
            money(worse["quote"], "+"),
            (f"{figure(worse['bp'], '{:+.2f}')} bp of what was traded, against the mark of the decision"),
        )
    for asset, amount in real["fees"].items():
        yield "fees", f"{amount:,.8g}", asset
    for symbol, dust in real["dust"].items():
        yield "dust", f"{dust['quantity']:,.8g}", f"{symbol}, cost {money(dust['cost'])}"
    differences = "; ".join(real["differences"])
    yield "reconciliations", f"{real['reconciliations']:,}", differences or "no difference at the last"
    for what, count in real["strange"].items():
        yield "STRANGE", f"{count:,}", what
