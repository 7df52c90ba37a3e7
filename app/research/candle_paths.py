"""The strategy of a finished run over made-up histories, one path a history, in this process or in several.

The rule: a path depends on the seed and its number alone, and the run itself is repeated first: only if it gives the
trade log that it wrote are the paths those of the same strategy, settings and code. It writes no file.
"""

import signal
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from app.candles.cache import CandleCache, CandleColumns
from app.candles.manifest_candles import ManifestCandles
from app.errors import DataError
from app.research.bootstrap import draws_of
from app.research.path_bands import Outcomes, bands
from app.research.resampled_candles import CandleMoves, moves_of
from app.research.resampled_ledger import Block, Method, Question
from app.research.trial import LoadedCandles, TrialResult, run_trial
from app.runs.run_files import Run
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
_TRIES = 3  # of a set of paths whose worker died


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

    def outcome(self, seed: int, number: int) -> PathOutcome:
        """Path `number` of a seed."""
        settings = load_settings(self.settings)
        history = self.moves.history(draws_of(seed, CANDLES.number, number))
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
    found = []
    with closing(_in_order(paths, question, workers)) as outcomes:  # after a stop no process stays behind
        for outcome in outcomes:
            found.append(outcome)
            tell(len(found))
    level = settings.trading_mode.starting_balance * question.ruin
    answer = bands(_outcomes(found, level), _outcomes([observed], level), settings.trading_mode.starting_balance)
    trades = np.array([outcome.trades for outcome in found])
    return (
        CANDLES.block(question.runs, len(paths.moves.times_ms), paths.moves.mean_block)
        | answer
        | {
            "trades": {"p50": float(np.median(trades)), "observed": observed.trades},
            "halted_pct": 100.0 * sum(outcome.halted for outcome in found) / len(found),
        }
    )


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
    lowest = np.array([outcome.lowest for outcome in found])
    return Outcomes(
        np.array([outcome.final_equity for outcome in found]),
        np.array([outcome.max_drawdown for outcome in found]),
        lowest < level,
    )


def _in_order(paths: CandlePaths, question: Question, workers: int) -> Generator[PathOutcome, None, None]:
    if workers == 1:
        # In a thread a session hears no signals: a stop is for all paths, not for the one that runs.
        with ThreadPoolExecutor(1) as pool:
            for number in range(question.runs):
                yield pool.submit(paths.outcome, question.seed, number).result()
        return
    done, tries = 0, 0
    while done < question.runs:
        try:
            with closing(_in_processes(paths, question.seed, range(done, question.runs), workers)) as outcomes:
                for outcome in outcomes:
                    done += 1
                    yield outcome
        except BrokenProcessPool:
            tries += 1  # its paths are made again: they depend on their numbers alone
            if tries == _TRIES:
                raise DataError(f"a worker died {tries} times; try --workers 1, or fewer of them") from None


def _in_processes(
    paths: CandlePaths, seed: int, numbers: Iterable[int], workers: int
) -> Generator[PathOutcome, None, None]:
    # Spawned, since a fork would copy locks and a running loop.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (paths,))
    try:
        yield from pool.map(_in_worker, ((seed, number) for number in numbers))
    finally:
        pool.shutdown(cancel_futures=True)


_own_paths: list[CandlePaths] = []  # of a worker process: sent once, not with every path


def _begin(paths: CandlePaths) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair: it ends the workers
    _own_paths[:] = [paths]


def _in_worker(seed_and_number: tuple[int, int]) -> PathOutcome:
    return _own_paths[0].outcome(*seed_and_number)
