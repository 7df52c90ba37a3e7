"""Whether two runs are the same; if not, where they first part, and which difference of what went in explains it.

A divergence is explained by a difference of settings, code or inputs that comes before it, and by nothing else. What
has none is unexplained, whatever kind of divergence it is: a class then says where, not why.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.candles.cache import CandleCache
from app.candles.manifest_candles import Series
from app.errors import DataError
from app.models.orders import Reason, Refusal
from app.proof.differences import NAMES, Cause, Difference, InputComparison
from app.proof.shortfall import Shortfall
from app.proof.shortfall_trades import shortfall_of
from app.proof.static_causes import static_differences
from app.report.pairing import LEVEL_EXITS, Divergence, Kind, Outputs, compare_outputs
from app.runs.reader import FillRow, Run
from app.runs.run_inputs import Inputs, inputs_of, named
from app.times import month_bounds_ms

_GATE = (
    Refusal.HALTED, Refusal.MAX_OPEN_POSITIONS, Refusal.COOLDOWN, Refusal.STOP_GUARD, Refusal.LOSING_STREAK,
)  # fmt: skip
_FEED = (Refusal.LATE, Refusal.STALE)
_LEVELS = ("side", "stop_loss", "take_profit")


@dataclass
class Comparison:
    """Two runs held against each other.

    `cause` is the class of the first divergence, `evidence` what shows it; `also_before` counts other differences
    that come before it, `later` those after it that are no consequence of it, by class.
    """

    a: Run
    b: Run
    outputs: Outputs
    differences: Sequence[Difference]
    notes: list[str]
    cause: Cause | None = None
    evidence: str = ""
    is_first_explained: bool = True
    also_before: Counter[Cause] = field(default_factory=Counter)
    later: Counter[Cause] = field(default_factory=Counter)
    shortfall: Shortfall | None = None  # where the orders of one of them were real

    @property
    def is_same(self) -> bool:
        """Trade logs and signals byte for byte, every equity row."""
        return self.outputs.are_same

    @property
    def is_explained(self) -> bool:
        """Whether nothing is left that no difference of the inputs explains."""
        if self.is_same:
            return True
        if self.shortfall is not None:
            return self.shortfall.is_explained
        return self.is_first_explained and not self.later[Cause.FILL]


def compare(a: Run, b: Run, caches: Sequence[CandleCache]) -> Comparison:
    """The whole comparison; candles are looked for in these caches."""
    static = static_differences(a, b)
    timed, notes = _input_differences(a, b, caches)
    later_fills = _LaterFills([] if static else timed, a.length_ms, unknown=bool(static))
    outputs = compare_outputs(a, b, later_fills.judge)
    differences = sorted([*static, *timed], key=lambda one: -1 if one.time_ms is None else one.time_ms)
    comparison = Comparison(a, b, outputs, differences, notes)
    if not outputs.are_same:
        comparison.shortfall = shortfall_of(a, b, differences)
        _explain(comparison)
        if comparison.shortfall is None:
            comparison.later[Cause.FILL] += later_fills.after(outputs.first)
    return comparison


def _explain(comparison: Comparison) -> None:
    first = comparison.outputs.first
    if first is None:
        comparison.cause, comparison.is_first_explained = Cause.UNEXPLAINED, False
        comparison.evidence = "the trade logs have the same rows in another order or another spelling"
        return
    before = [one for one in comparison.differences if _precedes(one, first)]
    chosen = _nearest(before, first)
    if chosen is None and comparison.shortfall is not None:
        comparison.cause = Cause.REAL_ORDERS
        comparison.evidence = f"the orders of {comparison.shortfall.live_name} were real; what that came to is below"
    elif chosen is None:
        comparison.cause, comparison.is_first_explained = _symptom(first), False
        comparison.evidence = "; ".join(_no_cause(comparison))
    else:
        comparison.cause, comparison.evidence = chosen.cause, chosen.said
    comparison.also_before = Counter(one.cause for one in before if one is not chosen)
    comparison.later = Counter(one.cause for one in comparison.differences if not _precedes(one, first))


def _precedes(difference: Difference, first: Divergence) -> bool:
    """Whether what differs was there when it was decided: the candle had begun for a fill, closed for a decision."""
    if difference.time_ms is None:
        return True
    if difference.of_candle and first.kind is not Kind.FILL:
        return difference.time_ms < first.time_ms
    return difference.time_ms <= first.time_ms


def _nearest(before: Sequence[Difference], first: Divergence) -> Difference | None:
    """What holds from the start, in the order config, code, warm-up; else the last one, if possible of the symbol."""
    if not before or before[0].time_ms is None:
        return before[0] if before else None
    own = [one for one in before if not first.symbol or one.symbol in ("", first.symbol)]
    return (own or before)[-1]


def _symptom(first: Divergence) -> Cause:
    outcomes = {row["outcome"] for row in (first.a, first.b) if row is not None and "outcome" in row}
    reasons = {row["reason"] for row in (first.a, first.b) if row is not None and "reason" in row}
    if outcomes & set(_GATE) or reasons & {Reason.KILL_SWITCH, Reason.OPERATOR}:
        return Cause.SAFETY
    if outcomes & set(_FEED):
        return Cause.TIMING
    return Cause.FILL if first.kind is Kind.FILL else Cause.UNEXPLAINED


def _no_cause(comparison: Comparison) -> Iterator[str]:
    yield "nothing that went in before it differs, as far as it is recorded"
    for name, run in zip(NAMES, (comparison.a, comparison.b), strict=True):
        for key in ("trades", "signals", "equity"):
            if not run.is_untouched(key):
                yield f"{run.file(key).name} of {name} is not the file that its run wrote (outputs_sha256.{key})"


def _input_differences(a: Run, b: Run, caches: Sequence[CandleCache]) -> tuple[list[Difference], list[str]]:
    symbols = [symbol for symbol in a.symbols if symbol in b.symbols]
    if a.timeframe != b.timeframe or not symbols:
        return [], ["the candles were not compared: the runs have no symbol and timeframe in common"]
    try:
        inputs = [inputs_of(run, caches) for run in (a, b)]
    except DataError as error:
        return [], [f"the candles were not compared: {error}"]
    unknown = [name for name, own in zip(NAMES, inputs, strict=True) if not own.are_known]
    if unknown:
        return [], [f"the inputs of {' and '.join(unknown)} are not known: no tape, and no candles in its manifest"]
    lost = _hide_what_cannot_differ(*inputs)
    notes = [
        f"candles of {name} that are in no cache under their hash were not compared: {named(series)}; --cache names "
        "another"
        for name, series in zip(NAMES, lost, strict=True)
        if series
    ]
    if all(own.candles is not None and not own.candles.any_months for own in inputs):
        return [], notes
    unread = [(symbol, *month_bounds_ms(month)) for series in lost for symbol, _, month in series]
    ends = a.period_ms[1] != b.period_ms[1]
    merged = InputComparison(symbols, Cause.CONFIG if ends else Cause.GAP, unread)
    return merged.run(inputs[0].events(), inputs[1].events()), notes


def _hide_what_cannot_differ(a: Inputs, b: Inputs) -> list[list[Series]]:
    """Leaves out months of one hash, which are equal wherever they are; the months that are lost to each run."""
    candles = [own.candles for own in (a, b)]
    hashes = [{} if own is None else own.hashes for own in candles]
    equal: list[Series] = []
    # Of one month runs of other periods may have read other parts, and a month that only one names is a gap.
    if a.run.period_ms == b.run.period_ms and hashes[0].keys() == hashes[1].keys():
        equal = [series for series, sha256 in hashes[0].items() if hashes[1][series] == sha256]
    lost = [[] if own is None else [series for series in own.lost if series not in equal] for own in candles]
    for own in candles:
        if own is not None:
            own.hide([*equal, *lost[0], *lost[1]])
    return lost


class _LaterFills:
    """Fills that cannot be a consequence of the account's past: their price follows from the candle and the levels.

    Sizes follow from the equity, so they differ once anything did; a price or a time does so only if the candles or
    the levels do.
    """

    def __init__(self, timed: Sequence[Difference], length_ms: int, *, unknown: bool) -> None:
        self._times: dict[str, list[int]] = {}
        for one in timed:
            if one.time_ms is not None:
                self._times.setdefault(one.symbol, []).append(one.time_ms)
        self._length_ms = length_ms
        self._unknown = unknown
        self._found: list[int] = []

    def judge(self, a: FillRow, b: FillRow) -> None:
        """Note a pair that no difference of its own candles explains."""
        if self._unknown or any(a.row[name] != b.row[name] for name in (*_LEVELS, "reason")):
            return
        if a.row["reason"] == Reason.PARTIAL_TARGET:  # how many legs there are depends on the size
            return
        if (a.time_ms, a.row["price"]) == (b.time_ms, b.row["price"]):
            return
        if a.time_ms != b.time_ms and a.row["reason"] not in LEVEL_EXITS:
            return
        begin_ms = min(a.decided_ms, a.time_ms, b.time_ms) - self._length_ms
        if not self._differ(a.row["symbol"], begin_ms, max(a.time_ms, b.time_ms)):
            self._found.append(min(a.time_ms, b.time_ms))

    def after(self, first: Divergence | None) -> int:
        """How many there are after the first divergence, which was judged already."""
        return sum(1 for time_ms in self._found if first is not None and time_ms > first.time_ms)

    def _differ(self, symbol: str, begin_ms: int, end_ms: int) -> bool:
        for name in (symbol, ""):
            times_ms = self._times.get(name, [])
            at = bisect_left(times_ms, begin_ms)
            if at < len(times_ms) and times_ms[at] <= end_ms:
                return True
        return False
