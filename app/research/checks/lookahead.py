"""Look-ahead: compares the answers of an ordinary backtest with those of a process in which the future does not exist.

Every decision of the run is made a second time by the same runtime, in a process that was handed nothing later than
its candle, and once more where a scrambled future lies in the cache. A difference is a finding, unless two runs with
nothing changed differ too: then the strategy is not deterministic, and that is said instead.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.errors import StrategyError
from app.research.checks.answer_log import (
    ANSWERS,
    NOT_ASKED,
    Answer,
    Difference,
    compare_logs,
    difference_of,
    read_answers,
)
from app.research.checks.observed_run import has_frames
from app.research.checks.past_cache import PastCache
from app.research.checks.request import PAST, Access, FrameCheck, Future, Reply, Request, Subject, Task
from app.research.checks.strategy_process import ANSWER_TIMEOUT_S, StrategyProcess, ask
from app.times import iso_ms

ROWS_MAX = 4_000
_PASSES = {
    Future.CUT: "the future cut: one candle at a time, the cache ends at it, other files and the network hidden",
    Future.SCRAMBLED: "the future scrambled in the cache, everything else as with the future cut",
}
_SECOND_RUN = "a second run in the same process: what the first left in a module or class was used"


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
    """What was checked and found: what the strategy looked for outside of the runtime, and its parameter files.

    `hidden_files` are those of its own that it asked for and did not get.
    """

    strategy: str
    over: str
    decisions: int
    is_deterministic: bool
    findings: tuple[Finding, ...]
    reached_for: tuple[str, ...]
    frames: FrameCheck | None
    is_confined: bool = True  # whether compiled code could be kept from opening files
    parameter_files: tuple[str, ...] = ()
    hidden_files: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return self.is_deterministic and not self.findings

    @property
    def may_be_parameters(self) -> bool:
        """Whether the findings may come from hidden files alone, which perhaps know nothing of the future."""
        return all(one.reached_for and set(one.reached_for) <= set(self.hidden_files) for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        frames = None if self.frames is None else {"rows": self.frames.rows, "checked": self.frames.checked}
        return {**asdict(self), "clean": self.is_clean, "frames": frames}


@dataclass
class _Pass:
    """One run in which the future does not exist, compared with the answers of the run that had it."""

    truth: Iterator[Answer]
    differing: int = 0
    first: Difference | None = None
    accesses: list[Access] = field(default_factory=list)
    is_confined: bool = False

    def hold(self, reply: Reply) -> bool:
        """Compare what was answered; False once the strategy has failed."""
        self.accesses += reply.accesses
        for answer in reply.answers:
            self._compare(next(self.truth, None), answer)
        if reply.failure is not None:
            self.fail(f"fails: {reply.failure}")
        return reply.failure is None

    def fail(self, how: str) -> None:
        """The strategy gives no answer any more: the next one is missing, and so are all after it."""
        for real in self.truth:
            self._compare(real, None, how)

    def finding(self, how: str) -> Finding | None:
        """What was found in it."""
        return self.first and Finding(*self.first, how, self.differing, _in_words(self.accesses, is_hidden=True))

    def _compare(self, real: Answer | None, answer: Answer | None, instead: str = NOT_ASKED) -> None:
        if real is None or answer is None or not real.is_same(answer):
            self.differing += 1
            self.first = self.first or difference_of(real, answer, instead)


def find_lookahead(subject: Subject, *, rows_max: int = ROWS_MAX, allowed: Sequence[Path] = ()) -> Lookahead:
    """Check every decision of the run, and whole DataFrames where the strategy makes them.

    `allowed`: files and folders of the strategy's own that know nothing of the future. StrategyError if it fails in
    an ordinary run.
    """
    with TemporaryDirectory(prefix="onetape-lookahead-") as name:
        folder = Path(name)
        subject.tell("with the future, twice in one process")
        ask(subject.request(Task.RUN, folder / "with", runs=2))
        truth = folder / "with" / "0" / ANSWERS
        decisions = subject.count_decisions(truth.parent)
        second = compare_logs(folder / "with" / "1" / ANSWERS, truth, to_the_bit=True)
        found = [second.first and Finding(*second.first, _SECOND_RUN, second.differing)]
        passes: list[_Pass] = []
        for future, how in _PASSES.items():
            subject.tell(f"{how} ({decisions:,} decisions)")
            passes.append(_without_future(subject, future, folder / future, truth, allowed))
            found.append(passes[-1].finding(how))
        is_deterministic = True
        if any(found):
            subject.tell("with the future once more, to see whether it answers the same twice")
            ask(subject.request(Task.RUN, folder / "again"))
            is_deterministic = compare_logs(truth, folder / "again" / "0" / ANSWERS, to_the_bit=True).first is None
        frames = None
        if any(has_frames(loaded) for _, loaded in subject.plan.strategies.of):
            subject.tell("whole DataFrames")
            frames = ask(subject.request(Task.FRAMES, folder / "frames", rows_max=rows_max)).frames
            if frames is not None and (one := frames.difference) is not None:
                candle = f"{one.symbol}, candle closed at {iso_ms(one.close_time_ms)}"
                how = f"whole DataFrames, {one.how}: {one.what}"
                found.append(Finding(candle, one.with_future, one.without, how, None))
    accesses = [access for one in passes for access in one.accesses]
    hidden = [one for one in accesses if one.is_hidden and Path(one.what).is_file()]
    return Lookahead(
        subject.strategy, subject.over, decisions, is_deterministic, tuple(filter(None, found)),
        _in_words(accesses, is_hidden=True), frames, all(one.is_confined or one.first for one in passes),
        _in_words(accesses, is_hidden=False), _in_words(hidden, is_hidden=True),
    )  # fmt: skip


def past_of(subject: Subject, request: Request) -> PastCache:
    """The cache that a stepped run finds, as it is before the first candle."""
    is_scrambled = request.future is Future.SCRAMBLED
    folder = Path(request.folder) / PAST
    return PastCache(subject.cache, folder, request.warmup_start_ms, scrambled_future=is_scrambled)


def _in_words(accesses: Iterable[Access], *, is_hidden: bool) -> tuple[str, ...]:
    """What was opened or asked for, and when first; each once."""
    found = (
        f"{one.what}, first {'while it was made' if one.time_ms is None else f'at {iso_ms(one.time_ms)}'}"
        for one in accesses
        if one.is_hidden == is_hidden
    )
    return tuple(dict.fromkeys(found))


def _without_future(subject: Subject, future: Future, folder: Path, truth: Path, allowed: Sequence[Path]) -> _Pass:
    names = tuple(str(path.absolute()) for path in allowed)
    request = subject.request(Task.STEP, folder, future=future, allowed=names)
    one = _Pass(read_answers(truth))
    with StrategyProcess(request, past=past_of(subject, request)) as process:
        try:
            made = process.reply(ANSWER_TIMEOUT_S)
            one.is_confined = made.is_confined
            if one.hold(made):
                all(one.hold(process.step(slice_)) for slice_ in subject.slices())  # until it fails
        except TimeoutError:
            one.fail(f"no answer within {ANSWER_TIMEOUT_S:g} s")
        except StrategyError as error:
            one.fail(str(error))
    return one
