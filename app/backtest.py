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

from app.feeds.cache import CandleCache
from app.feeds.replay import ReplayFeed, SeriesCoverage
from app.reporting.equity import EquityLog
from app.reporting.manifest import build_manifest
from app.reporting.recorder import Progress, RunRecorder
from app.reporting.results import RunFacts, Shortfall, build_results
from app.reporting.run_folder import RunFolder, write_json, writing
from app.reporting.trade_log import TradeLog
from app.runtime import clock
from app.runtime.period import Period, grid_candles, months_of_run, resolve_period
from app.runtime.session import Session, build_runtime
from app.settings import Settings, load_settings, settings_from
from app.strategies.loader import check_settings, startup_candles
from app.times import file_time, iso_ms, parse_time_ms, timeframe_ms

if TYPE_CHECKING:
    import pandas as pd

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

        return pd.read_csv(self.folder / self["files"]["trades"], parse_dates=["timestamp"], keep_default_na=False)

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

    config: Settings | str | Path | Mapping[str, Any] = DEFAULT_CONFIG
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

    def run(self) -> BacktestResults:
        """Run to the end; blocks, also where an event loop is running already (then in a thread of its own)."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run_async())
        return _in_thread(lambda: asyncio.run(self.run_async()))

    async def run_async(self) -> BacktestResults:
        """Run inside the caller's event loop."""
        settings = self.settings()
        strategy = check_settings(settings)
        live = settings.live
        cache = CandleCache(Path(self.cache))
        period = resolve_period(
            cache, live.symbols, live.timeframe, _time_ms(self.start), _time_ms(self.end), clock.now_ms()
        )
        warmup = startup_candles(settings, strategy())
        warmup_start_ms = period.start_ms - warmup * timeframe_ms(live.timeframe)
        months = months_of_run(cache, live.symbols, live.timeframe, warmup_start_ms, period)
        feed = ReplayFeed(
            cache,
            live.symbols,
            live.timeframe,
            warmup_start_ms=warmup_start_ms,
            start_ms=period.start_ms,
            end_ms=period.end_ms,
            speed=self.speed,
        )
        name = f"config_backtest_{file_time(period.start_ms)}_{file_time(period.end_ms)}"
        folder = RunFolder.create(name, None if self.out is None else Path(self.out))
        recorder = self._recorder(settings, folder, period)
        runtime = build_runtime(settings, strategy, recorder)
        began_s = clock.monotonic_s()
        failure: Exception | None = None
        try:
            status = await Session(feed, runtime, recorder).run()
        except Exception as error:
            failure, status = error, "failed"
        finally:
            recorder.close()
        elapsed_s = clock.monotonic_s() - began_s
        facts = RunFacts(
            status=status,
            note=self.note or period.note,
            exchange=live.exchange,
            symbols=live.symbols,
            timeframe=live.timeframe,
            start_ms=period.start_ms,
            end_ms=period.end_ms,
            warmup_candles=sum(series.warmup_candles for series in feed.coverage()),
            shortfalls=_shortfalls(feed.coverage(), recorder, period, warmup, timeframe_ms(live.timeframe)),
            trips=[(trip.time_ms, trip.why) for trip in runtime.safety.trips],
            files=folder.files(),
        )
        account = runtime.account
        results = build_results(
            facts, recorder, runtime.funnel, account.starting_balance, account.balance, account.equity()
        )
        manifest = build_manifest(
            settings=settings.model_dump(mode="json"),
            start=iso_ms(period.start_ms),
            end=iso_ms(period.end_ms),
            strategy_sha256=strategy.source_sha256,
            months=months,
            versions=_versions(),
            outputs={"trades": folder.trades, "equity": folder.equity},
        )
        write_json(folder.manifest, manifest)
        write_json(folder.results, results)
        if failure is not None:
            raise failure
        return BacktestResults(results, folder.folder, elapsed_s)

    def settings(self) -> Settings:
        """The profile with the runner's own arguments on top of it."""
        if isinstance(self.config, Settings):
            return self.config
        if isinstance(self.config, Mapping):
            return settings_from(self.config)
        overrides = list(self.overrides)
        if self.interval is not None:
            overrides.append(f"live.timeframe={self.interval}")
        if self.symbols is not None:
            overrides.append(f"live.symbols=[{', '.join(self.symbols)}]")
        if self.strategy is not None:
            overrides.append(f"live.strategy.name={self.strategy}")
        return load_settings(self.config, overrides)

    def _recorder(self, settings: Settings, folder: RunFolder, period: Period) -> RunRecorder:
        with writing(folder.folder):
            return RunRecorder(
                settings.live.symbols,
                TradeLog(folder.trades),
                EquityLog(folder.equity, settings.trading_mode.starting_balance),
                None if self.progress is None else self.progress(period),
            )


def run_config_backtest(
    start: str | int | None = None,
    end: str | int | None = None,
    interval: str | None = None,
    config: Settings | str | Path | Mapping[str, Any] = DEFAULT_CONFIG,
    **options: Any,
) -> BacktestResults:
    """Backtest a profile; `results["performance"]["total_return_pct"]`. Options are ConfigBacktestRunner's."""
    return ConfigBacktestRunner(config=config, start=start, end=end, interval=interval, **options).run()


def _shortfalls(
    series: Sequence[SeriesCoverage], recorder: RunRecorder, period: Period, warmup: int, length_ms: int
) -> list[Shortfall]:
    expected = grid_candles(period.start_ms, period.end_ms, length_ms)
    return [
        Shortfall(
            symbol=own.symbol,
            missing=expected - recorder.candles[own.symbol],
            gaps=own.gaps,
            first_open_ms=own.first_open_ms,
            last_open_ms=own.last_open_ms,
            warmup_candles=own.warmup_candles,
            warmup_wanted=warmup,
        )
        for own in series
        if recorder.candles[own.symbol] < expected or own.warmup_candles < warmup
    ]


def _time_ms(time: str | int | None) -> int | None:
    return parse_time_ms(time) if isinstance(time, str) else time


def _versions() -> dict[str, str]:
    import arro3.io
    import numpy as np
    import pydantic

    from app import __version__

    return {
        "onetape": __version__,
        "numpy": np.__version__,
        "arro3": arro3.io.___version(),
        "pydantic": pydantic.VERSION,
    }


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
