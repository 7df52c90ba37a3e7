"""Warm-up: the same period after warm-ups of different lengths, each compared with the longest that there is.

A length is enough if from it on every run that was made decides the same, candle by candle. A strategy depends on its
start if a run with almost the longest warm-up still decides something else. Numbers of a decision may differ: an
average never forgets its first value altogether.
"""

import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.errors import DataError
from app.research.checks.answer_log import ANSWERS, compare_logs
from app.research.checks.request import Subject, Task
from app.research.checks.strategy_process import ask
from app.strategies.loader import required_startup, settling_startup
from app.times import short_time, timeframe_ms

TOLERANCE = 1e-9  # relative: the weight of the start that `startup_candles: auto` allows
LONGEST_LEAST = 1_024
_NEXT = (1, 2, 3, 5, 7)  # starts beside a length: what counts every n-th candle agrees with itself by chance
_FEWEST = 16


@dataclass(frozen=True)
class Length:
    """One warm-up against the longest: decisions that differ, the first of them, and how far numbers are apart."""

    candles: int
    differing: int
    first: str | None
    with_longest: str
    with_this: str
    largest_difference: float

    @property
    def is_same(self) -> bool:
        """Whether every decision is the same."""
        return self.differing == 0


@dataclass(frozen=True)
class Warmup:
    """All lengths that were run, in candles of the session. `enough` and `settled` are None if none was."""

    strategy: str
    over: str
    decisions: int
    longest: int
    lengths: tuple[Length, ...]
    enough: int | None
    settled: int | None
    declared: int
    settling: int
    configured: int

    @property
    def is_clean(self) -> bool:
        """Whether the configured warm-up is enough."""
        return self.enough is not None and self.configured >= self.enough

    @property
    def witness(self) -> Length | None:
        """The longest warm-up that does not decide the same."""
        return next((one for one in reversed(self.lengths) if not one.is_same), None)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; an infinite difference (only one has the number) is null."""
        content = {**asdict(self), "clean": self.is_clean, "start_dependent": self.enough is None}
        for one in content["lengths"]:
            if one["largest_difference"] == float("inf"):
                one["largest_difference"] = None
        return content


@dataclass
class _Search:
    subject: Subject
    folder: Path
    longest: int
    tested: dict[int, Length] = field(default_factory=dict)

    def run(self, candles: int) -> Path:
        """The run after so many candles of warm-up; where its answers are."""
        plan = self.subject.plan
        begin_ms = plan.period.start_ms - candles * timeframe_ms(plan.settings.live.timeframe)
        subject = replace(self.subject, plan=replace(plan, warmup=candles, warmup_start_ms=begin_ms))
        folder = self.folder / str(candles)
        ask(subject.request(Task.RUN, folder, indicators=True))
        return folder / "0"

    def test(self, candles: int) -> bool:
        """Whether every decision is that after the longest warm-up."""
        if candles not in self.tested:
            self.subject.tell(f"{candles:,} candles of warm-up")
            run, longest = self.run(candles), self.folder / str(self.longest) / "0"
            found = compare_logs(longest / ANSWERS, run / ANSWERS, to_the_bit=False)
            shutil.rmtree(run)
            first, with_longest, with_this = found.first or (None, "", "")
            numbers = found.largest_difference
            self.tested[candles] = Length(candles, found.differing, first, with_longest, with_this, numbers)
        return self.tested[candles].is_same

    def enough(self) -> int | None:
        """The smallest length from which on every tested one decides the same; None if there is none."""
        near = [self.longest - step for step in _NEXT]
        if not all(self.test(candles) for candles in near):
            return None
        for candles in (0, *(1 << power for power in range((self.longest - 1).bit_length()))):
            self.test(candles)
        while True:
            bad = max((candles for candles, one in self.tested.items() if not one.is_same), default=-1)
            good = min(candles for candles in (*self.tested, self.longest) if candles > bad)
            if bad > self.longest // 2:
                return None
            if good > bad + 1:
                self.test((bad + good) // 2)
            elif all(self.test(candles) for candles in (good + step for step in _NEXT) if candles < self.longest):
                return good


def find_warmup(subject: Subject, longest: int | None = None) -> Warmup:
    """How long the warm-up must be; `longest` is what every other is held against, in candles of the session.

    Without it eight times what the strategy says it needs to settle, and at least 1,024; never more than the cache
    holds before the start. DataError if that is too little to tell.
    """
    plan = subject.plan
    settings, strategies = plan.settings, plan.strategies
    declared = max(required_startup(settings, spec, loaded()) for spec, loaded in strategies.of)
    settling = settling_startup(settings, strategies)
    wanted = longest or max(8 * settling, 2 * plan.warmup, LONGEST_LEAST)
    available = _available(subject, wanted)
    if available < max(_FEWEST, 2 * declared):
        raise DataError(
            f"only {available:,} candles before {short_time(plan.period.start_ms)}: too few to hold warm-ups against; "
            f"choose a later --start, {wanted:,} candles behind the first one"
        )
    with TemporaryDirectory(prefix="onetape-warmup-") as name:
        search = _Search(subject, Path(name), available)
        subject.tell(f"{available:,} candles of warm-up, the longest")
        decisions = subject.count_decisions(search.run(available))
        enough = search.enough()
    lengths = tuple(search.tested[candles] for candles in sorted(search.tested))
    return Warmup(
        subject.strategy, subject.over, decisions, available, lengths, enough, _settled(lengths), declared, settling,
        plan.warmup,
    )  # fmt: skip


def _available(subject: Subject, wanted: int) -> int:
    """Candles between the first of the symbol that begins last and the start, at most as many as wanted."""
    live, start_ms = subject.plan.settings.live, subject.plan.period.start_ms
    length_ms = timeframe_ms(live.timeframe)
    fewest = wanted
    for symbol in live.symbols:
        there = subject.cache.present(symbol, live.timeframe, start_ms - wanted * length_ms, start_ms)
        fewest = min(fewest, (start_ms - there[0][0]) // length_ms if there else 0)
    return fewest


def _settled(lengths: tuple[Length, ...]) -> int | None:
    bad = [one.candles for one in lengths if not one.is_same or one.largest_difference > TOLERANCE]
    return next((one.candles for one in lengths if one.candles > max(bad, default=-1)), None)
