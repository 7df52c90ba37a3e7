"""Sampling: which values a search tries next, by Optuna (grid, random, TPE, NSGA-II), in batches of a fixed size.

What is asked depends on the seed, the number of the batch and what was told before, and on nothing else, so the number
of workers, a stop and a resumption change nothing. Values are places on a grid, or doubles, as text.
"""

import hashlib
import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from app.errors import ConfigError
from app.research.parameters import Parameter

if TYPE_CHECKING:
    import optuna

# How many trials are asked before one of them is told. What does not learn needs no pause; NSGA-II is told a whole
# generation; TPE is told often.
BATCHES = {"grid": 64, "random": 64, "bayes": 8, "genetic": 24}
METHODS = tuple(BATCHES)
_POPULATION = 24


class Sample(NamedTuple):
    """One point: Optuna's trial, and the values by the parameters' names."""

    trial: "optuna.trial.Trial"
    values: Mapping[str, str]


class Sampling:
    """One study of Optuna's, in memory."""

    def __init__(self, method: str, parameters: Sequence[Parameter], seed: int) -> None:
        optuna = _optuna()
        self._method, self._parameters, self._seed = method, parameters, seed
        self._study = optuna.create_study(direction="maximize")
        self._left = grid_points(parameters) if method == "grid" else None

    def begin_batch(self, number: int) -> None:
        """Batches count from 0; each has a sampler with a seed of its own."""
        digest = hashlib.sha256(f"{self._seed} {number}".encode()).digest()
        self._study.sampler = self._sampler(int.from_bytes(digest[:4], "big"))

    def ask(self) -> Sample | None:
        """The next point; None where a grid has no more."""
        if self._left is not None:
            if self._left == 0:
                return None
            self._left -= 1
        trial = self._study.ask()
        return Sample(trial, {parameter.name: _suggest(trial, parameter) for parameter in self._parameters})

    def tell(self, sample: Sample, value: float | None) -> None:
        """More is better; None is told as the worst there is."""
        self._study.tell(sample.trial, -math.inf if value is None else value)

    def drop(self, sample: Sample) -> None:
        """The point was not run: nothing is learnt from it."""
        self._study.tell(sample.trial, state=_optuna().trial.TrialState.FAIL)

    def _sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        from optuna import samplers

        if self._method == "grid":  # one order for the whole grid
            places = {parameter.name: list(range(parameter.count or 0)) for parameter in self._parameters}
            grid = samplers.GridSampler(places, seed=self._seed)
            # After the last point it would stop a loop of Optuna's own, which there is not, and raise.
            grid.after_trial = lambda *_: None  # type: ignore[method-assign]
            return grid
        if self._method == "random":
            return samplers.RandomSampler(seed=seed)
        if self._method == "bayes":
            return samplers.TPESampler(seed=seed, constant_liar=True)
        return samplers.NSGAIISampler(seed=seed, population_size=_POPULATION)


def grid_points(parameters: Sequence[Parameter]) -> int:
    """How many points the grid has; ConfigError where a range has no steps."""
    for parameter in parameters:
        if parameter.count is None:
            raise ConfigError(f"--method grid needs a step: write {parameter.name}=LOW:HIGH:STEP, not {parameter.spec}")
    return math.prod(parameter.count or 0 for parameter in parameters)


def sampler_version() -> str:
    """Another version may ask for other values."""
    _optuna()
    return importlib.metadata.version("optuna")


def _suggest(trial: "optuna.trial.Trial", parameter: Parameter) -> str:
    if parameter.texts:
        return parameter.text(trial.suggest_categorical(parameter.name, list(range(len(parameter.texts)))))
    if parameter.count is not None:
        return parameter.text(trial.suggest_int(parameter.name, 0, parameter.count - 1))
    return repr(trial.suggest_float(parameter.name, float(parameter.low), float(parameter.high)))


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ConfigError("search needs Optuna: python -m pip install 'onetape[research]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
