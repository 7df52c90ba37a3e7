"""What a worker process holds of a study, and how it answers one task with it.

Candles are loaded once and reused by every task. A task is answered from its own settings alone, so it does not matter
which worker gets it, after what, or how often. Workers of a cluster may copy the candles from shared storage.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache, MonthFile
from app.errors import ConfigError, DataError, OnetapeError
from app.research.loaded_candles import LoadedCandles
from app.research.trial import Outcome, Task, outcome_of, run_trial
from app.settings.profile import Settings, load_settings


class Workers(Protocol):
    """Whatever can answer tasks: processes of this machine, or of a cluster."""

    memory_mib: float  # the largest peak of a worker so far

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """The outcome of each task by its number, in any order; a task whose worker died is given to another."""

    def close(self) -> None:
        """End them; idempotent."""


@dataclass(frozen=True)
class SharedCache:
    """A cache at any `url` that fsspec opens, and the files to be read: symbol, timeframe, month and sha256 of each."""

    url: str
    months: tuple[tuple[str, str, str, str], ...]

    @classmethod
    def of(cls, url: str, months: Sequence[MonthFile]) -> "SharedCache":
        """For the months of a study."""
        return cls(url, tuple((one.symbol, one.timeframe, one.month, one.sha256) for one in months))

    def copy_to(self, folder: Path) -> Path:
        """A cache below `folder` with these months; DataError for one that is absent there or another one."""
        import fsspec

        cache = CandleCache(folder)
        try:
            storage, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError, OSError) as error:
            raise ConfigError(f"--shared-cache {self.url}: {error}") from error
        for symbol, timeframe, month, sha256 in self.months:
            path = cache.path(symbol, timeframe, month)
            place = f"{root.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.write_bytes(storage.cat_file(place))
            except OSError as error:
                raise DataError(f"--shared-cache {self.url}: {place} cannot be read: {error}") from error
            if cache.describe(symbol, timeframe, month).sha256 != sha256:
                raise DataError(f"--shared-cache {self.url}: {place} holds other candles than the study's")
        return folder


@dataclass
class Workbench:
    """Settings (complete) and where the candles come from: `cache`, or the candles themselves."""

    settings: Settings
    start_ms: int
    end_ms: int
    cache: Path | None = None
    candles: LoadedCandles | None = None
    finer: Mapping[str, str] = field(default_factory=dict)  # of which timeframe a symbol's candles are built
    strategy_files: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)
    # on its way to where the files are not: of which strategy, the file's name and what is in it

    def answer(self, task: Task) -> Outcome:
        """Run one task; an OnetapeError says which."""
        try:
            settings = load_settings(self.settings, task.overrides)
            return outcome_of(run_trial(self.loaded(), settings, task.start_ms, task.end_ms))
        except OnetapeError as error:
            raise type(error)(f"{task.label}: {error}") from error

    def loaded(self) -> LoadedCandles:
        """The candles, read when they are wanted first."""
        if self.candles is None:
            if self.cache is None:
                raise DataError("a workbench needs candles, or a cache to read them from")
            live = self.settings.live
            cache = built_cache(CandleCache(self.cache), live.timeframe, self.finer, self.end_ms)
            self.candles = LoadedCandles.load(cache, live.symbols, live.timeframe, self.start_ms, self.end_ms)
        return self.candles

    def packed(self, *, with_candles: bool) -> "Workbench":
        """For another machine: with strategies that lie in files of this one, and with the candles if wanted."""
        files = {}
        for place, spec in enumerate(self.settings.strategies):
            path = Path(_file_and_class(spec.name)[0])
            if path.suffix == ".py" and path.is_file():
                files[place] = (path.name, path.read_bytes())
        candles = self.loaded().detached() if with_candles else None
        return replace(self, cache=None, candles=candles, strategy_files=files)

    def unpacked(self, folder: Path, shared: SharedCache | None) -> "Workbench":
        """On the other machine: the strategies' files below `folder`, candles from shared storage, if that is given."""
        cache = None if shared is None else shared.copy_to(folder / "candles")
        moved = []
        for place, (file, content) in self.strategy_files.items():
            path, spec = folder / "strategy" / str(place) / file, self.settings.strategies[place]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            moved.append(f"{'.'.join(spec.path)}.name={path}{_file_and_class(spec.name)[1]}")
        return replace(self, cache=cache, settings=load_settings(self.settings, moved) if moved else self.settings)


def _file_and_class(name: str) -> tuple[str, str]:
    """`dir/own.py:Class` as its file and `:Class`; of a module or a built-in the file is no `.py`."""
    place, suffix, class_name = name.partition(".py")
    return place + suffix, class_name


def packed_answer(workbench: Workbench, task: Sequence[Any]) -> tuple[bytes, float]:
    """The outcome as JSON and this process's peak memory: what travels back over a wire."""
    return msgspec.json.encode(workbench.answer(Task(*task))), peak_memory_mib()


def peak_memory_mib() -> float:
    """Of this process so far; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
