"""Where a session has left the band that it was expected to stay in: whether candles, fills or code made it do so.

The other run of a comparison answers, if it is of the same period: where it leaves the band, too, nothing that differs
is the cause; where it stays inside, what differs is.
"""

from typing import Any

from app.proof.comparison import Comparison
from app.proof.differences import Cause
from app.runs.expectation_file import growth_of_run, read_expectation, standing
from app.times import DAY_MS, iso_ms

_GROUPS = {
    Cause.DATA: "candles", Cause.GAP: "candles", Cause.WARM_UP: "candles", Cause.TIMING: "candles",
    Cause.FILL: "fills", Cause.REAL_ORDERS: "fills",
    Cause.CODE: "code", Cause.CONFIG: "settings", Cause.SAFETY: "commands and limits",
}  # fmt: skip


def expectation_json(comparison: Comparison) -> dict[str, Any] | None:
    """`outside`, `left`, `cause` and `said`; None where neither run has an expectation."""
    for name, run, other in (("B", comparison.a, comparison.b), ("A", comparison.b, comparison.a)):
        band = read_expectation(run.folder)
        if band is None:
            continue
        start_ms = run.period_ms[0]
        own = standing(band, start_ms, growth_of_run(run))
        cause, said = None, str(own["why"])
        if own["outside"]:
            replayed = growth_of_run(other)
            if other.period_ms[0] // DAY_MS != start_ms // DAY_MS or len(replayed) <= own["days"]:
                period = f"--start {iso_ms(start_ms)} --end {iso_ms(run.period_ms[1])}"
                said += f"; whether candles, fills or code, a backtest of its own period says: {period}"
            else:
                there = standing(band, start_ms, replayed[: own["days"] + 1])
                cause, verdict = _verdict(comparison, name, same_side=there["side"] == own["side"])
                said += f"; {verdict}"
        return {"outside": own["outside"], "left": own["left"], "cause": cause, "said": said}
    return None


def _verdict(comparison: Comparison, name: str, *, same_side: bool) -> tuple[str, str]:
    if same_side:
        return "edge", f"{name} is outside there, too: neither candles nor fills nor code, but the edge itself, or luck"
    first = _GROUPS.get(comparison.cause) if comparison.cause is not None else None
    if first is None:
        return "unexplained", f"{name} stays inside, and nothing that went in differs: the cause is not known"
    counted = comparison.also_before + comparison.later
    others = sorted({_GROUPS[cause] for cause in counted if counted[cause] and cause in _GROUPS} - {first})
    also = f" (these differ as well: {', '.join(others)})" if others else ""
    return first, f"{name} stays inside: the cause is {first}{also}"
