"""A search from a backtest's own arguments: its plan and identity, its workers, and the proof that the best is real.

The best trial is run again as an ordinary backtest from the cache, with files, and must leave the same trade log, byte
for byte; otherwise the search fails.
"""

import asyncio
import hashlib
import platform
import shlex
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache
from app.errors import ConfigError
from app.research.landscape import neighbourhood
from app.research.parameters import parse_parameters
from app.research.research_pages import heat_map_page
from app.research.sampling import BATCHES, METHODS, grid_points, sampler_version
from app.research.search_report import Findings, findings_of, study_content
from app.research.study import Progress, SearchPlan, StudyRun, Trial, parse_objective
from app.research.study_file import Identity, StudyFile
from app.research.workbench import SharedCache, Workbench, Workers
from app.research.workers import LocalWorkers
from app.runs.manifest import code_sha256, sha256_json
from app.runs.run_folder import new_folder, write_json, writing
from app.session.backtest import ConfigBacktestRunner
from app.session.period import months_of_run
from app.session.plan import RunPlan, versions
from app.times import file_time, iso_ms, short_time

TRIALS = 100
STUDY, PAGE = "study.json", "heat_map.html"


@dataclass(frozen=True)
class SearchOptions:
    """What a search is asked for; `trials` None: all points of a grid, else 100; `batch` None: the method's own."""

    params: Sequence[str]
    method: str
    objective: str
    trials: int | None = None
    min_trades: int = 1
    seed: int = 1
    batch: int | None = None


@dataclass(frozen=True)
class Search:
    """A search that may begin: nothing was run or written yet."""

    runner: ConfigBacktestRunner
    run_plan: RunPlan
    plan: SearchPlan
    identity: Identity
    workbench: Workbench

    @property
    def key(self) -> str:
        """A short name of this very study."""
        return sha256_json(self.identity)[:16]

    def workers(self, count: int, cluster: str | None = None, shared_cache: str | None = None) -> Workers:
        """Processes here, or all workers of a Dask scheduler; `shared_cache`: where those read the candles."""
        if cluster is None:
            return LocalWorkers(self.workbench, count)
        try:
            from app.research.cluster import ClusterWorkers
        except ModuleNotFoundError as error:
            if error.name != "distributed":
                raise
            raise ConfigError("--cluster needs Dask: python -m pip install 'onetape[research]'") from None
        shared = None if shared_cache is None else SharedCache.of(shared_cache, self.run_plan.months)
        return ClusterWorkers(cluster, self.workbench, self.key, shared)

    def default_folder(self) -> Path:
        """A new one below logs/searches."""
        name = f"search_{file_time(self.plan.start_ms)}_{file_time(self.plan.end_ms)}"
        return new_folder(Path("logs/searches"), name)

    def command(self, best: Trial) -> str:
        """The command line that runs the best trial again."""
        start, end = short_time(self.plan.start_ms), short_time(self.plan.end_ms)
        return backtest_command(replace(self._backtest(best), start=start, end=end))

    def run(self, workers: Workers, folder: Path, progress: Progress | None = None) -> Findings:
        """Run the study, its best's neighbours and the best again; study.json and heat_map.html into the folder."""
        with closing(StudyFile(folder, self.identity)) as outcomes:
            study = StudyRun(self.plan, workers, outcomes, progress).run()
            found = findings_of(study, neighbourhood(study, workers, outcomes))
            if study.best is not None:
                self._prove(study.best, folder)
            command = None if study.best is None else self.command(study.best)
            if found.heat_map is not None:
                page = heat_map_page(found.heat_map, self.plan.objective.figure)
                with writing(folder / PAGE):
                    (folder / PAGE).write_text(page, encoding="utf-8")
            write_json(folder / STUDY, study_content(found, command))
        return found

    def _backtest(self, best: Trial) -> ConfigBacktestRunner:
        quiet = replace(self.runner, offline=True, progress=None, note="")
        overrides = (*self.runner.overrides, *best.overrides)
        return replace(quiet, start=self.plan.start_ms, end=self.plan.end_ms, overrides=overrides)

    def _prove(self, best: Trial, folder: Path) -> None:
        """Run the best trial as an ordinary backtest; RuntimeError if its trade log is another one."""
        out = folder / f"best-{best.number}"
        with writing(out):
            if out.exists():  # of the search that this one goes on with, whole or not
                shutil.rmtree(out)
        results = replace(self._backtest(best), out=out).run()
        if results["status"] != "finished":
            raise KeyboardInterrupt
        if hashlib.sha256((out / results["files"]["trades"]).read_bytes()).hexdigest() != best.outcome.trades_sha256:
            raise RuntimeError(f"trial {best.number} has another trade log than its backtest in {out}")


def prepare_search(runner: ConfigBacktestRunner, options: SearchOptions) -> Search:
    """Check everything that can be checked before the first trial; candles that are missing are fetched first."""
    if options.method not in METHODS:
        raise ConfigError(f"--method {options.method}: known are {', '.join(METHODS)}")
    run_plan = asyncio.run(runner.plan())
    settings, period = run_plan.settings, run_plan.period
    parameters = parse_parameters(options.params, settings, run_plan.strategies)
    plan = SearchPlan(
        settings=settings,
        start_ms=period.start_ms,
        end_ms=period.end_ms,
        parameters=parameters,
        method=options.method,
        objective=parse_objective(options.objective, options.min_trades, period.start_ms, period.end_ms),
        trials=options.trials or TRIALS,
        seed=options.seed,
        batch=options.batch or BATCHES[options.method],
    )
    if options.method == "grid":
        points = grid_points(parameters)
        if options.trials is not None and points > options.trials:
            raise ConfigError(
                f"the grid has {points:,} points, --trials {options.trials} runs fewer; "
                f"leave --trials out, take larger steps, or --method random"
            )
        plan = replace(plan, trials=points)
    symbols, timeframe = settings.live.symbols, settings.live.timeframe
    cache = CandleCache(Path(runner.cache))
    if settings.live.startup_candles == "auto":  # the first month that is read hangs on the parameters
        source = built_cache(cache, timeframe, run_plan.finer, period.end_ms)
        run_plan = replace(run_plan, months=months_of_run(source, symbols, timeframe, 0, period))
    first_ms = min(month.first_open_ms for month in run_plan.months)
    start_ms = min(first_ms, run_plan.warmup_start_ms)
    bench = Workbench(settings, start_ms, period.end_ms, cache.root, finer=run_plan.finer)
    return Search(runner, run_plan, plan, _identity(run_plan, plan), bench)


def _identity(run_plan: RunPlan, plan: SearchPlan) -> dict[str, Any]:
    candles: dict[str, dict[str, str]] = {}
    for month in run_plan.months:
        candles.setdefault(f"{month.symbol} {month.timeframe}", {})[month.month] = month.sha256
    return {
        "config": plan.settings.model_dump(mode="json"),
        "period": {"start": iso_ms(plan.start_ms), "end": iso_ms(plan.end_ms)},
        "param": [parameter.spec for parameter in plan.parameters],
        **plan.described,
        "candles": candles,
        "strategy_sha256": run_plan.strategies.source_sha256,
        "code_sha256": code_sha256(),
        "versions": {"python": platform.python_version(), **versions(), "optuna": sampler_version()},
    }


def backtest_command(runner: ConfigBacktestRunner) -> str:
    """`python -m app --mode backtest ...`, to be copied into a shell, of a runner whose config is a file."""
    words = ["python", "-m", "app", "--mode", "backtest", "--config", str(runner.config), "--cache", str(runner.cache)]
    words += ["--offline"] if runner.offline else []
    for option, value in (("--start", runner.start), ("--end", runner.end)):
        if value is not None:
            words += [option, iso_ms(value) if isinstance(value, int) else value]
    if runner.symbols is not None:
        words += ["--symbols", ",".join(runner.symbols)]
    if runner.interval is not None:
        words += ["--interval", runner.interval]
    if runner.strategy is not None:
        words += ["--strategy", runner.strategy]
    for override in runner.overrides:
        words += ["--set", override]
    return shlex.join(words)
