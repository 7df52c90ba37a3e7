"""The strategy of a finished run over made-up histories, one path a history, in this process or in several.

A path depends on the seed and its number alone. The run itself is repeated first: only if it gives the trade log that
it wrote are the paths those of the same strategy, settings and code.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from app.candles.cache import CandleCache, CandleColumns
from app.candles.manifest_candles import ManifestCandles
from app.errors import DataError
from app.research.bootstrap import draws_of
from app.research.loaded_candles import LoadedCandles
from app.research.path_bands import Outcomes, bands
from app.research.resampled_candles import CandleMoves, moves_of
from app.research.resampled_ledger import Block, Method, Question
from app.research.trial import TrialResult, run_trial
from app.research.workers import LocalWorkers
from app.runs.reader import Run
from app.runs.run_inputs import named, settings_of, warmup_of
from app.settings.profile import Settings, load_settings

CANDLES = Method(
    "candles",
    3,
    "candle",
    keeps="each candle's moves and volume in blocks, all symbols together; strategy, fills and costs are the real ones",
    tells="what the same strategy would have come to in other histories with the same kind of candles: a run far above "
    "the paths owes its result to the order in which things happened",
    cannot="anything about markets unlike this one; trends, seasons and hours of the day longer than a block are lost, "
    "so a strategy that lives on them fails here although nothing is wrong with it",
)


class PathTask(NamedTuple):
    """A path to be made."""

    number: int
    seed: int

    @property
    def label(self) -> str:
        """For messages."""
        return f"path {self.number}"


class PathOutcome(NamedTuple):
    """What one history came to; `max_drawdown` is a fraction, `lowest` the lowest equity of any slice."""

    final_equity: float
    max_drawdown: float
    lowest: float
    trades: int
    halted: bool


@dataclass(frozen=True)
class CandlePaths:
    """Everything a process needs to make a path: `settings` as a mapping, since it crosses to other processes."""

    moves: CandleMoves
    settings: Mapping[str, Any]
    start_ms: int
    end_ms: int

    def answer(self, task: PathTask) -> PathOutcome:
        """One path."""
        settings = load_settings(self.settings)
        history = self.moves.history(draws_of(task.seed, CANDLES.number, task.number))
        candles = LoadedCandles.of(settings.live.timeframe, history)
        return _outcome(run_trial(candles, settings, self.start_ms, self.end_ms))


def candle_block(
    run: Run, caches: Sequence[CandleCache], question: Question, workers: int, tell: Callable[[int], None]
) -> Block:
    """The bands over `question.runs` histories. DataError where the run cannot be repeated from these caches.

    `tell` hears how many paths are done.
    """
    if run.is_live or run.tape is not None:
        raise DataError("its candles came from an exchange, not from a cache: backtest that period, and ask that run")
    settings, (start_ms, end_ms) = settings_of(run), run.period_ms
    series = _candles_of(run, caches)
    observed = _repeated(run, settings, series)
    paths = CandlePaths(moves_of(series, question.mean_block), run.settings, start_ms, end_ms)
    found = _answers(paths, question, workers, tell)
    level = settings.trading_mode.starting_balance * question.ruin
    answer = bands(_outcomes(found, level), _outcomes([observed], level), settings.trading_mode.starting_balance)
    return {
        **CANDLES.block(question.runs, len(paths.moves.times_ms), paths.moves.mean_block),
        **answer,
        "trades": {"p50": float(np.median([one.trades for one in found])), "observed": observed.trades},
        "halted_pct": 100.0 * sum(one.halted for one in found) / len(found),
    }


def _candles_of(run: Run, caches: Sequence[CandleCache]) -> dict[str, CandleColumns]:
    found = ManifestCandles(run.manifest["data"], caches)
    if found.lost or not found.any_months:
        roots = ", ".join(str(cache.root) for cache in caches)
        lost = f"the candles of {named(found.lost)}" if found.lost else "its candles"
        raise DataError(f"{lost} that the run read are not in {roots} any more; name the cache with --cache")
    start_ms, end_ms = run.period_ms
    first_ms = start_ms - warmup_of(run) * run.length_ms
    source, series = found.of_session(run.timeframe, end_ms), {}
    for symbol in run.symbols:
        months = [source.read(symbol, run.timeframe, month) for month in source.months(symbol, run.timeframe)]
        whole = CandleColumns(*(np.concatenate(column) for column in zip(*months, strict=True)))
        begin, end = whole.open_time_ms.searchsorted((first_ms, end_ms))
        series[symbol] = whole.take(slice(int(begin), int(end)))
    return series


def _repeated(run: Run, settings: Settings, series: Mapping[str, CandleColumns]) -> PathOutcome:
    result = run_trial(LoadedCandles.of(run.timeframe, series), settings, *run.period_ms)
    if result.trades_sha256 != run.manifest["outputs_sha256"]["trades"]:
        raise DataError(
            "run again it gives other trades, so its paths would be those of another strategy; "
            f"`python -m app reproduce {run.folder}` says what differs"
        )
    return _outcome(result)


def _outcome(result: TrialResult) -> PathOutcome:
    performance = result.results["performance"]
    return PathOutcome(
        final_equity=performance["final_equity"],
        max_drawdown=performance["max_drawdown_pct"] / 100.0,
        lowest=float(result.rows.equity.min()),
        trades=performance["total_trades"],
        halted=result.halted,
    )


def _outcomes(found: Sequence[PathOutcome], level: float) -> Outcomes:
    final_equity, max_drawdown, lowest, *_ = (np.array(column) for column in zip(*found, strict=True))
    return Outcomes(final_equity, max_drawdown, lowest < level)


def _answers(paths: CandlePaths, question: Question, workers: int, tell: Callable[[int], None]) -> list[PathOutcome]:
    """In the order of the paths, whichever process made them."""
    found: dict[int, PathOutcome] = {}
    tasks = [PathTask(number, question.seed) for number in range(question.runs)]
    pool = LocalWorkers(paths, workers)
    here = ((task.number, paths.answer(task)) for task in tasks)
    with closing(pool):
        for number, outcome in here if workers == 1 else pool.run(tasks):
            found[number] = outcome
            tell(len(found))
    return [found[task.number] for task in tasks]
