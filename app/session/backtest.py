"""Backtests for programs and notebooks: `run_config_backtest()` and `ConfigBacktestRunner`.

The same session as the command line's, the same numbers, as a mapping; trades and equity as DataFrames on demand
(pandas is imported only then). Works inside a notebook that already runs an event loop.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import times
from app.candles.built_candles import built_cache
from app.candles.cache import CandleCache
from app.candles.coverage import refuse_near_symbols
from app.errors import OutputError
from app.feeds.replay import ReplayFeed
from app.runs.recorder import Progress
from app.runs.run_folder import RunFolder, write_json
from app.runs.run_results import RunResults
from app.session.building import build_runtime
from app.session.candle_supply import Supply
from app.session.period import Period, months_of_run
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session, outside_of_a_loop
from app.settings.profile import Profile, Settings, load_settings
from app.settings.shipped import DEFAULT_CACHE, default_config
from app.strategies.loader import check_settings, startup_candles
from app.times import file_time, parse_time_ms, timeframe_ms

if TYPE_CHECKING:
    from app.exchange.fetch_report import FetchProgress, FetchReport
    from app.runs.fill_columns import Fills


class BacktestResults(RunResults):
    """What `load_run()` gives, of a run that has just ended; `elapsed_s` is what the replay took."""

    def __init__(
        self, content: Mapping[str, Any], folder: Path, elapsed_s: float, fill_table: "Fills | None" = None
    ) -> None:
        super().__init__(content, folder)
        self.elapsed_s = elapsed_s
        self.fill_table = fill_table  # the trade log's columns, for the page: so it is not read again


@dataclass
class ConfigBacktestRunner:
    """A backtest of a profile. Times are text as on the command line, or ms since the epoch; None as there."""

    config: Profile = field(default_factory=default_config)
    start: str | int | None = None
    end: str | int | None = None
    interval: str | None = None
    symbols: Sequence[str] | None = None
    strategy: str | None = None
    overrides: Sequence[str] = ()
    cache: str | Path = DEFAULT_CACHE
    out: str | Path | None = None
    speed: float | None = None
    note: str = ""
    progress: Callable[[Period], Progress] | None = None
    offline: bool = False
    exchange_url: str | None = None
    tell: Callable[[str], None] | None = None
    fetch_progress: "Callable[[FetchProgress], None] | None" = None
    fetched: "Callable[[FetchReport], None] | None" = None
    finer: Mapping[str, str] | None = None  # of which timeframe candles are built; None: as the cache has them
    # For app/research/assumptions.py alone, no setting and no manifest knows of them: see build_runtime.
    target_first: bool = False
    counted_in: str | None = None

    def run(self) -> BacktestResults:
        """Run to the end; blocks, also where an event loop is running already (then in a thread of its own)."""
        return outside_of_a_loop(lambda: asyncio.run(self.run_async()))

    async def run_async(self) -> BacktestResults:
        """Run inside the caller's event loop."""
        plan = await self.plan()
        live = plan.settings.live
        feed = ReplayFeed(
            built_cache(CandleCache(Path(self.cache)), live.timeframe, plan.finer, plan.period.end_ms),
            live.symbols,
            live.timeframe,
            warmup_start_ms=plan.warmup_start_ms,
            start_ms=plan.period.start_ms,
            end_ms=plan.period.end_ms,
            speed=self.speed,
        )
        name = f"config_backtest_{file_time(plan.period.start_ms)}_{file_time(plan.period.end_ms)}"
        with RunFolder.claim(name, None if self.out is None else Path(self.out)) as folder:
            return await self._replay(plan, feed, folder)

    async def _replay(self, plan: RunPlan, feed: ReplayFeed, folder: RunFolder) -> BacktestResults:
        recorder = plan.recorder(folder, None if self.progress is None else self.progress(plan.period))
        runtime = build_runtime(
            plan.settings, plan.strategies, recorder, target_first=self.target_first, counted_in=self.counted_in
        )
        began_s = times.monotonic_s()
        failure: Exception | SystemExit | None = None
        try:
            status = await Session(feed, RecordedRuntime(runtime, recorder)).run()
        except OutputError:
            raise  # the disk took no more: what is written stays, but it is no finished run
        except (Exception, SystemExit) as error:  # sys.exit() in a strategy must not pass for the end of a run
            failure, status = error, "failed"
        finally:
            recorder.close()
        elapsed_s = times.monotonic_s() - began_s
        results = plan.results(status, self.note, feed.coverage(), runtime, recorder, folder)
        write_json(folder.manifest, plan.manifest(folder))
        write_json(folder.results, results)
        if isinstance(failure, SystemExit):
            raise RuntimeError("the strategy called sys.exit()") from failure
        if failure is not None:
            raise failure
        return BacktestResults(results, folder.folder, elapsed_s, recorder.trade_log.source())

    async def plan(self) -> RunPlan:
        """What would be run: settings, strategy, period, warm-up; candles that are missing are fetched first."""
        settings = self.settings()
        strategies = check_settings(settings)
        live = settings.live
        cache = CandleCache(Path(self.cache))
        refuse_near_symbols(cache, live.symbols)
        supply = Supply(cache, self.offline, self.exchange_url, self.tell, self.fetch_progress, self.fetched)
        start_ms, end_ms = _time_ms(self.start), _time_ms(self.end)
        if self.finer is None:
            supply = supply.with_finer(settings, start_ms, end_ms)
        else:
            supply = replace(supply, finer=self.finer)
        period = await supply.period(settings, start_ms, end_ms)
        warmup = startup_candles(settings, strategies)
        warmup_start_ms = period.start_ms - warmup * timeframe_ms(live.timeframe)
        await supply.fill(settings, period, warmup_start_ms)
        candles = supply.candles(settings, period.end_ms)
        months = months_of_run(candles, live.symbols, live.timeframe, warmup_start_ms, period)
        return RunPlan(supply.complete(settings), strategies, period, warmup, warmup_start_ms, months, supply.finer)

    def settings(self) -> Settings:
        """The profile with the runner's own arguments on top of it."""
        return load_settings(
            self.config, self.overrides, symbols=self.symbols, strategy=self.strategy, interval=self.interval
        )


def run_config_backtest(
    start: str | int | None = None,
    end: str | int | None = None,
    interval: str | None = None,
    config: Profile | None = None,
    **options: Any,
) -> BacktestResults:
    """Backtest a profile; `results["performance"]["total_return_pct"]`. Options are ConfigBacktestRunner's."""
    if config is None:
        config = default_config()
    return ConfigBacktestRunner(config=config, start=start, end=end, interval=interval, **options).run()


def _time_ms(time: str | int | None) -> int | None:
    return parse_time_ms(time) if isinstance(time, str) else time
