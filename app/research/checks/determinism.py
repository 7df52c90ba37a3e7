"""Determinism: the same run in other surroundings, and whether it gives the same bytes in each.

The surroundings differ in all that a strategy must not depend on: hash seed, seeds, clock, time zone and locale. Where
answers, trade log, signals or equity rows differ, the run is made again with one thing changed at a time, to name it.
"""

import filecmp
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.research.checks.answer_log import ANSWERS, compare_logs
from app.research.checks.observed_run import RUN
from app.research.checks.request import Subject, Task
from app.research.checks.strategy_process import ENVIRONMENT, ask

_DAY_S = 86_400.0
_OUTPUTS = ("run.csv", "signals.csv", "equity.parquet")


@dataclass(frozen=True)
class World:
    """One run's surroundings; `clock_shift_s` is added to every clock that Python reads."""

    name: str
    hash_seed: int = 0
    seed: int = 0
    clock_shift_s: float = 0.0
    time_zone: str = "UTC"
    locale: str = "C.UTF-8"

    def environment(self) -> Mapping[str, str]:
        """Its variables."""
        # Without the last two, Python takes UTF-8 for the plain C locale after all.
        plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        own = {"PYTHONHASHSEED": str(self.hash_seed), "TZ": self.time_zone, "LC_ALL": self.locale}
        return {**ENVIRONMENT, **plain, **own}


WORLDS = (
    World("a usual one"),
    World("another 1", 1, 1, 1000 * _DAY_S + 26_011.5, "Asia/Kathmandu", "C"),
    World("another 2", 2, 2, -1501 * _DAY_S - 52_033.25, "America/St_Johns", "tr_TR.UTF-8"),
    World("another 3", 4_294_967_295, 3, 213 * _DAY_S + 7_777.125, "Pacific/Chatham", "de_DE.UTF-8"),
    World("another 4", 77, 4, -99 * _DAY_S - 39_999.5, "Asia/Tokyo", "C"),
)
# One thing changed at a time, each as in every other world that differed; the first is the same world again.
_ASPECTS: Mapping[str, tuple[str, ...]] = {
    "nothing: it differs from run to run (os.urandom, id(), the clock's digits, an unseeded generator)": (),
    "the hash seed: it walks over a set, or calls hash()": ("hash_seed",),
    "the seed of random or numpy.random: it draws from a global generator": ("seed",),
    "the clock": ("clock_shift_s",),
    "the time zone": ("time_zone",),
    "the locale": ("locale",),
}


@dataclass(frozen=True)
class Differs:
    """The first candle that two worlds answer differently; `cause` is what alone makes a difference, if one does."""

    candle: str
    usual: str
    other: str
    world: str
    differing: int
    cause: str


@dataclass(frozen=True)
class Determinism:
    """What was run and found."""

    strategy: str
    over: str
    decisions: int
    worlds: tuple[World, ...]
    difference: Differs | None

    @property
    def is_clean(self) -> bool:
        """Whether every world gave the same bytes."""
        return self.difference is None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "clean": self.is_clean}


def find_determinism(subject: Subject, worlds: tuple[World, ...] = WORLDS) -> Determinism:
    """Run it in each world; StrategyError if it fails in one of them."""
    usual, *others = worlds
    with TemporaryDirectory(prefix="onetape-determinism-") as name:
        folder = Path(name)
        first = _run(subject, usual, folder / "usual")
        decisions = subject.count_decisions(first)
        difference = None
        for number, world in enumerate(others):
            difference = _difference(first, _run(subject, world, folder / str(number)), world.name)
            if difference is not None:
                alone = (
                    cause
                    for one, (cause, other) in enumerate(_one_at_a_time(worlds))
                    if _difference(first, _run(subject, other, folder / f"alone-{one}"), other.name) is not None
                )
                difference = replace(difference, cause=next(alone, "no one thing alone"))
                break
    return Determinism(subject.strategy, subject.over, decisions, worlds, difference)


def _run(subject: Subject, world: World, folder: Path) -> Path:
    subject.tell(f"in {world.name}" if world.name.startswith("a ") else f"in {world.name} of {len(WORLDS) - 1}")
    request = subject.request(Task.RUN, folder, seed=world.seed, clock_shift_s=world.clock_shift_s)
    ask(request, world.environment())
    return folder / "0"


def _difference(usual: Path, other: Path, world: str) -> Differs | None:
    """Of two runs; the folder of the other one is removed."""
    comparison = compare_logs(usual / ANSWERS, other / ANSWERS, to_the_bit=True)
    files = (name for name in _OUTPUTS if not filecmp.cmp(usual / RUN / name, other / RUN / name, shallow=False))
    name = next(files, None) if comparison.first is None else None
    shutil.rmtree(other)
    if comparison.first is not None:
        return Differs(*comparison.first, world, comparison.differing, "")
    if name is not None:
        return Differs("every answer is the same", f"one {name}", "another one", world, 0, "")
    return None


def _one_at_a_time(worlds: tuple[World, ...]) -> Iterator[tuple[str, World]]:
    usual, *others = worlds
    for cause, names in _ASPECTS.items():
        for other in others if names else [usual]:
            yield cause, World("a usual one but for one thing", **{name: getattr(other, name) for name in names})
