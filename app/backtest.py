"""Backtests for programs and notebooks: `run_config_backtest()` and `ConfigBacktestRunner`.

The same session as the command line's, the same numbers, as a mapping; trades and equity as DataFrames on demand
(pandas is imported only then). Works inside a notebook that already runs an event loop.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import arro3.io
import msgspec
import numpy as np
import pydantic

import app
from app.candle_supply import Supply
from app.errors import OutputError
from app.feeds.cache import CandleCache, MonthFile
from app.feeds.replay import ReplayFeed
from app.feeds.series import SeriesCoverage
from app.reporting.equity import EquityLog
from app.reporting.manifest import build_manifest
from app.reporting.recorder import Progress, RunRecorder
from app.reporting.results import RunFacts, Shortfall, build_results
from app.reporting.run_folder import RunFolder, write_json, writing
from app.reporting.signal_log import SignalLog
from app.reporting.trade_log import TradeLog
from app.runtime import clock
from app.runtime.period import Period, grid_candles, months_of_run
from app.runtime.runtime import TradingRuntime
from app.runtime.session import Session, build_runtime
from app.settings import Profile, Settings, load_settings
from app.strategies.loader import LoadedStrategy, check_settings, startup_candles
from app.times import file_time, iso_ms, parse_time_ms, timeframe_ms

if TYPE_CHECKING:
    import pandas as pd

    from app.feeds.history import FetchProgress, FetchReport

DEFAULT_CONFIG = Path("config/live.yaml")
DEFAULT_CACHE = Path("data/backtest_cache")
_PROJECT = Path(__file__).resolve().parents[1]
SAMPLE_CONFIG, SAMPLE_CACHE = _PROJECT / "config/sample/live.yaml", _PROJECT / "data/sample"


class BacktestResults(Mapping[str, Any]):
    """The content of results.json as a mapping, with the run's folder and its rows."""

    def __init__(self, content: Mapping[str, Any], folder: Path, elapsed_s: float) -> None:
        self._content = content
        self.folder = folder
        self.elapsed_s = elapsed_s

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        earned, trades = self["performance"]["total_return_pct"], self["performance"]["total_trades"]
        return f"<BacktestResults {earned:+.2f} %, {trades} trades, {self.folder}>"

    @property
    def trades(self) -> "pd.DataFrame":
        """The trade log, one row a fill, `timestamp` as UTC datetimes."""
        import pandas as pd

        return pd.read_csv(
            self.folder / self["files"]["trades"],
            parse_dates=["timestamp"],
            keep_default_na=False,  # a tag may read NA
            na_values={"order_id": [""]},
            dtype={"order_id": "Int64"},
        )

    @property
    def equity(self) -> "pd.DataFrame":
        """Columns equity and balance, indexed by the close time of each slice (UTC)."""
        import pandas as pd
        from arro3.io import read_parquet

        table = read_parquet(self.folder / self["files"]["equity"]).read_all()
        columns = {name: table[name].to_numpy() for name in table.column_names}
        index = pd.to_datetime(columns.pop("timestamp_ms"), unit="ms", utc=True).rename("timestamp")
        return pd.DataFrame(columns, index=index)


@dataclass
class ConfigBacktestRunner:
    """A backtest of a profile. Times are text as on the command line, or ms since the epoch; None as there."""

    config: Profile = DEFAULT_CONFIG
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

    def run(self) -> BacktestResults:
        """Run to the end; blocks, also where an event loop is running already (then in a thread of its own)."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run_async())
        return _in_thread(lambda: asyncio.run(self.run_async()))

    async def run_async(self) -> BacktestResults:
        """Run inside the caller's event loop."""
        plan = await self._plan()
        live = plan.settings.live
        feed = ReplayFeed(
            plan.cache,
            live.symbols,
            live.timeframe,
            warmup_start_ms=plan.warmup_start_ms,
            start_ms=plan.period.start_ms,
            end_ms=plan.period.end_ms,
            speed=self.speed,
        )
        name = f"config_backtest_{file_time(plan.period.start_ms)}_{file_time(plan.period.end_ms)}"
        folder = RunFolder.create(name, None if self.out is None else Path(self.out))
        recorder = self._recorder(plan.settings, folder, plan.period)
        runtime = build_runtime(plan.settings, plan.strategy, recorder)
        began_s = clock.monotonic_s()
        failure: Exception | SystemExit | None = None
        try:
            status = await Session(feed, runtime, recorder).run()
        except OutputError:
            raise  # the disk took no more: what is written stays, but it is no finished run
        except (Exception, SystemExit) as error:  # sys.exit() in a strategy must not pass for the end of a run
            failure, status = error, "failed"
        finally:
            recorder.close()
        elapsed_s = clock.monotonic_s() - began_s
        results = plan.results(status, self.note, feed, runtime, recorder, folder)
        write_json(folder.manifest, plan.manifest(folder))
        write_json(folder.results, results)
        if isinstance(failure, SystemExit):
            raise RuntimeError("the strategy called sys.exit()") from failure
        if failure is not None:
            raise failure
        return BacktestResults(results, folder.folder, elapsed_s)

    async def _plan(self) -> "_Plan":
        settings = self.settings()
        strategy = check_settings(settings)
        live = settings.live
        cache = CandleCache(Path(self.cache))
        supply = Supply(cache, self.offline, self.exchange_url, self.tell, self.fetch_progress, self.fetched)
        period = await supply.period(settings, _time_ms(self.start), _time_ms(self.end))
        warmup = startup_candles(settings, strategy())
        warmup_start_ms = period.start_ms - warmup * timeframe_ms(live.timeframe)
        await supply.fill(settings, period, warmup_start_ms)
        months = months_of_run(cache, live.symbols, live.timeframe, warmup_start_ms, period)
        return _Plan(supply.complete(settings), strategy, cache, period, warmup, warmup_start_ms, months)

    def settings(self) -> Settings:
        """The profile with the runner's own arguments on top of it."""
        return load_settings(
            self.config, self.overrides, symbols=self.symbols, strategy=self.strategy, interval=self.interval
        )

    def _recorder(self, settings: Settings, folder: RunFolder, period: Period) -> RunRecorder:
        progress = None if self.progress is None else self.progress(period)
        with writing(folder.folder):
            equity_log = EquityLog(folder.equity, settings.trading_mode.starting_balance)
            try:
                logs = TradeLog(folder.trades), equity_log, progress, SignalLog(folder.signals)
                return RunRecorder(settings.live.symbols, *logs)
            except OSError:
                equity_log.close()
                raise


@dataclass(frozen=True)
class _Plan:
    """What a backtest will do, settled before anything is written."""

    settings: Settings
    strategy: LoadedStrategy
    cache: CandleCache
    period: Period
    warmup: int
    warmup_start_ms: int
    months: Sequence[MonthFile]

    def results(
        self,
        status: str,
        note: str,
        feed: ReplayFeed,
        runtime: TradingRuntime,
        recorder: RunRecorder,
        folder: RunFolder,
    ) -> dict[str, Any]:
        live, account = self.settings.live, runtime.account
        facts = RunFacts(
            status=status,
            note=note or self.period.note,
            exchange=live.exchange,
            symbols=live.symbols,
            timeframe=live.timeframe,
            start_ms=self.period.start_ms,
            end_ms=self.period.end_ms,
            warmup_candles=sum(series.warmup_candles for series in feed.coverage()),
            shortfalls=self._shortfalls(status, feed.coverage(), recorder),
            trips=[(trip.time_ms, trip.why) for trip in runtime.safety.trips],
            files=folder.files(),
        )
        return build_results(
            facts, recorder, runtime.funnel, account.starting_balance, account.balance, account.equity()
        )

    def manifest(self, folder: RunFolder) -> dict[str, Any]:
        return build_manifest(
            settings=self.settings.model_dump(mode="json"),
            start=iso_ms(self.period.start_ms),
            end=iso_ms(self.period.end_ms),
            strategy_sha256=self.strategy.source_sha256,
            months=self.months,
            versions=_versions(),
            outputs={"trades": folder.trades, "equity": folder.equity, "signals": folder.signals},
        )

    def _shortfalls(self, status: str, series: Sequence[SeriesCoverage], recorder: RunRecorder) -> list[Shortfall]:
        length_ms = timeframe_ms(self.settings.live.timeframe)
        # After a stop or a fault, what was never replayed is not missing.
        end_ms = self.period.end_ms if status == "finished" else recorder.last_close_ms or self.period.start_ms
        expected = grid_candles(self.period.start_ms, end_ms, length_ms)
        return [
            Shortfall(
                symbol=own.symbol,
                missing=expected - recorder.candles[own.symbol],
                gaps=own.gaps,
                first_open_ms=own.first_open_ms,
                last_open_ms=own.last_open_ms,
                warmup_candles=own.warmup_candles,
                warmup_wanted=self.warmup,
            )
            for own in series
            if recorder.candles[own.symbol] < expected or own.warmup_candles < self.warmup
        ]


def run_config_backtest(
    start: str | int | None = None,
    end: str | int | None = None,
    interval: str | None = None,
    config: Profile = DEFAULT_CONFIG,
    **options: Any,
) -> BacktestResults:
    """Backtest a profile; `results["performance"]["total_return_pct"]`. Options are ConfigBacktestRunner's."""
    return ConfigBacktestRunner(config=config, start=start, end=end, interval=interval, **options).run()


def _time_ms(time: str | int | None) -> int | None:
    return parse_time_ms(time) if isinstance(time, str) else time


def _versions() -> dict[str, str]:
    packages = {"numpy": np, "arro3": arro3.io, "pydantic": pydantic, "msgspec": msgspec}
    return {"onetape": app.__version__, **{name: str(module.__version__) for name, module in packages.items()}}


def _in_thread(work: Callable[[], BacktestResults]) -> BacktestResults:
    outcome: list[BacktestResults] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="onetape-backtest")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
