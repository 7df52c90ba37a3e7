"""Look-ahead: the answers of an ordinary backtest against those of a process in which the future does not exist.

The rule: every decision of the run is made a second time by the same runtime, in a process that was handed nothing
later than its candle, and once more where a scrambled future lies in the cache. A difference is a finding, unless two
runs with nothing changed differ too: then the strategy is not deterministic, and that is said instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.errors import StrategyError
from app.models.market import Slice
from app.research.checks.answer_log import Answer, compare_logs, read_answers
from app.research.checks.observed_run import ANSWERS
from app.research.checks.past_cache import PastCache
from app.research.checks.request import PAST, FrameCheck, Future, Reply, Request, Task, Touched
from app.research.checks.strategy_process import ANSWER_TIMEOUT_S, StrategyProcess, ask
from app.research.checks.subject import Subject
from app.times import iso_ms

ROWS_MAX = 4_000
_PASSES = {
    Future.CUT: "the future cut: one candle at a time, the cache ends at it, other files and the network hidden",
    Future.SCRAMBLED: "the future scrambled in the cache, everything else as with the future cut",
}
_NO_ANSWER = "it is not asked"


@dataclass(frozen=True)
class Finding:
    """The first candle whose answer depends on what came later; `how` names the pass that showed it."""

    candle: str
    with_future: str
    without: str
    how: str
    differing: int | None
    reached_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lookahead:
    """What was checked and found. `reached_for`: what the strategy looked for beside the runtime."""

    strategy: str
    over: str
    decisions: int
    is_deterministic: bool
    findings: tuple[Finding, ...]
    reached_for: tuple[str, ...]
    frames: FrameCheck | None
    is_confined: bool = True  # whether compiled code could be kept from opening files

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return self.is_deterministic and not self.findings

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        frames = None if self.frames is None else {"rows": self.frames.rows, "checked": self.frames.checked}
        return {**asdict(self), "clean": self.is_clean, "frames": frames}


@dataclass
class _Pass:
    """One run in which the future does not exist, held against the answers with it."""

    truth: Iterator[Answer]
    differing: int = 0
    first: tuple[str, str, str] | None = None  # candle, with, without
    touched: list[Touched] = field(default_factory=list)
    is_confined: bool = False

    def hold(self, reply: Reply) -> bool:
        """Compare what was answered; False once the strategy has failed."""
        self.touched += reply.touched
        for answer in reply.answers:
            self._differ(next(self.truth, None), answer)
        if reply.failure is not None:
            self.fail(f"fails: {reply.failure}")
        return reply.failure is None

    def fail(self, how: str) -> None:
        """The strategy gives no answer any more: the next one is missing, and so are all after it."""
        for real in self.truth:
            self._differ(real, None, how)

    def finding(self, how: str) -> Finding | None:
        """What was found in it."""
        if self.first is None:
            return None
        return Finding(*self.first, how, self.differing, tuple(map(reached_for, self.touched)))

    def _differ(self, real: Answer | None, answer: Answer | None, instead: str = _NO_ANSWER) -> None:
        if real is not None and answer is not None and real.is_same(answer):
            return
        self.differing += 1
        named = real or answer
        if self.first is None and named is not None:
            self.first = (named.candle, str(real or _NO_ANSWER), str(answer or instead))


def find_lookahead(subject: Subject, *, rows_max: int = ROWS_MAX, trusted: Sequence[Path] = ()) -> Lookahead:
    """Check every decision of the run, and whole DataFrames where the strategy makes them.

    `trusted`: files and folders of the strategy's own that know nothing of the future. StrategyError if it fails in
    an ordinary run.
    """
    with TemporaryDirectory(prefix="onetape-lookahead-") as name:
        folder = Path(name)
        subject.tell("with the future, twice in one process")
        ask(subject.request(Task.RUN, folder / "with", runs=2))
        truth = folder / "with" / "0"
        decisions = subject.count_decisions(truth)
        found = [_second_run(folder / "with")]
        touched: list[Touched] = []
        is_confined = True
        for future, how in _PASSES.items():
            subject.tell(f"{how} ({decisions:,} decisions)")
            one = _without_future(subject, future, folder, trusted)
            found.append(one.finding(how))
            touched += one.touched
            is_confined = is_confined and (one.is_confined or one.first is not None)
        is_deterministic = not any(found) or _answers_twice(subject, truth, folder)
        frames = None
        if callable(getattr(subject.plan.strategy.cls, "add_indicators", None)):
            subject.tell("whole DataFrames")
            frames = ask(subject.request(Task.FRAMES, folder / "frames", rows_max=rows_max)).frames
            found.append(_of_frames(frames))
    findings = tuple(one for one in found if one is not None)
    looked_for = tuple(dict.fromkeys(map(reached_for, touched)))
    return Lookahead(
        subject.strategy, subject.over, decisions, is_deterministic, findings, looked_for, frames, is_confined
    )


def reached_for(touched: Touched) -> str:
    """For people: what, and when first."""
    when = "while it was made" if touched.time_ms is None else f"at {iso_ms(touched.time_ms)}"
    return f"{touched.what}, first {when}"


def _second_run(folder: Path) -> Finding | None:
    comparison = compare_logs(folder / "0" / ANSWERS, folder / "1" / ANSWERS, to_the_bit=True)
    if comparison.first is None:
        return None
    first, second = comparison.first
    named = first or second
    candle = "" if named is None else named.candle
    how = "a second run in the same process: what the first left in a module or class was used"
    return Finding(candle, str(second or _NO_ANSWER), str(first or _NO_ANSWER), how, comparison.differing)


def _without_future(subject: Subject, future: Future, folder: Path, trusted: Sequence[Path]) -> _Pass:
    names = tuple(str(path.absolute()) for path in trusted)
    request = subject.request(Task.STEP, folder / future, future=future, trusted=names)
    held = _Pass(read_answers(folder / "with" / "0" / ANSWERS))
    past = past_of(subject, request)
    with StrategyProcess(request, past=past) as process:
        try:
            _walk(process, subject.slices(), held)
        except TimeoutError:
            held.fail(f"no answer within {ANSWER_TIMEOUT_S:g} s")
        except StrategyError as error:
            held.fail(str(error))
    return held


def past_of(subject: Subject, request: Request) -> PastCache:
    """The cache that a stepped run finds, as it is before the first candle."""
    is_scrambled = request.future is Future.SCRAMBLED
    folder = Path(request.folder) / PAST
    return PastCache(subject.cache, folder, request.warmup_start_ms, scrambled_future=is_scrambled)


def _walk(process: StrategyProcess, slices: Iterator[Slice], held: _Pass) -> None:
    made = process.reply(ANSWER_TIMEOUT_S)
    held.is_confined = made.is_confined
    if not held.hold(made):
        return
    for slice_ in slices:
        if not held.hold(process.step(slice_)):
            return


def _answers_twice(subject: Subject, truth: Path, folder: Path) -> bool:
    """Whether a fresh process with nothing changed gives the same answers."""
    subject.tell("with the future once more, to see whether it answers the same twice")
    ask(subject.request(Task.RUN, folder / "again"))
    return compare_logs(truth / ANSWERS, folder / "again" / "0" / ANSWERS, to_the_bit=True).first is None


def _of_frames(frames: FrameCheck | None) -> Finding | None:
    if frames is None or frames.difference is None:
        return None
    one = frames.difference
    candle = f"{one.symbol}, candle closed at {iso_ms(one.close_time_ms)}"
    how = f"whole DataFrames, {one.how}: {one.what}"
    return Finding(candle, one.with_future, one.without, how, None)
