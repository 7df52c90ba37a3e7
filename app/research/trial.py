"""A trial: one backtest over candles that are in memory already, through the one runtime, with its figures.

`run_trial` answers what `--mode backtest` of the same settings and period writes: the content of results.json and the
SHA-256 of the trade log. No file is written. An `Outcome` is what a search keeps of it: plain numbers, no time and no
place, so it is the same from another machine and after a journey as JSON.
"""

import asyncio
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from app.errors import DataError
from app.research.loaded_candles import LoadedCandles
from app.runs.daily import EquityPath, EquityScan, EquitySeries
from app.runs.fill_columns import Fills
from app.runs.memory_log import MemoryEquityLog, MemoryTradeLog
from app.runs.quotients import Floats
from app.runs.recorder import RunRecorder
from app.runs.run_folder import RunFolder
from app.runs.trade_table import Trades, trades_of
from app.session.building import build_runtime
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session, outside_of_a_loop
from app.settings.profile import Settings
from app.strategies.loader import LoadedStrategies, check_settings, startup_candles
from app.times import file_time, short_time, timeframe_ms

PERIOD_NOTE = "the period of --start and --end"
_one_at_a_time = threading.Lock()  # a session tunes the garbage collector of its whole process


@dataclass(frozen=True)
class TrialResult:
    """What one run came to. `results` is the content of results.json; the arrays are in quote currency and ms UTC."""

    results: dict[str, Any]
    trades_sha256: str
    fills: Fills
    rows: EquitySeries
    balances: Floats
    start_ms: int

    @cached_property
    def trades(self) -> Trades:
        """The closed trades, in the order in which they were closed."""
        return trades_of(self.fills, Path("trades"))

    @cached_property
    def daily(self) -> EquityPath:
        """Equity at each UTC midnight: `daily.returns` is one return a day, None where nothing was left."""
        scan = EquityScan(self.results["performance"]["starting_balance"], self.start_ms)
        scan.add(self.rows.times_ms, self.rows.equity)
        return scan.path()

    @property
    def halted(self) -> bool:
        """Whether the kill switch tripped."""
        return self.results["kill_switch"] is not None


def run_trial(
    candles: LoadedCandles,
    settings: Settings,
    start_ms: int,
    end_ms: int,
    *,
    strategies: LoadedStrategies | None = None,
    note: str = PERIOD_NOTE,
) -> TrialResult:
    """Run `start <= open time < end`, with the warm-up that the settings ask for, from the candles before.

    `settings` are complete (with the exchange's market data, as `Supply.complete` gives them). `strategies` are the
    settings' own, if they were loaded and checked already. Raises what a backtest raises; Ctrl-C is a
    KeyboardInterrupt, never the end of a run. Works inside a running event loop, too.
    """
    loaded = strategies or check_settings(settings)
    live = settings.live
    warmup = startup_candles(settings, loaded)
    warmup_start_ms = start_ms - warmup * timeframe_ms(live.timeframe)
    plan = RunPlan(settings, loaded, Period(start_ms, end_ms, note), warmup, warmup_start_ms)
    trade_log, equity_log = MemoryTradeLog(), MemoryEquityLog(settings.trading_mode.starting_balance)
    recorder = RunRecorder(live.symbols, trade_log, equity_log, strategies=[spec.id for spec in settings.strategies])
    feed = candles.feed(live.symbols, (warmup_start_ms, start_ms, end_ms))
    runtime = build_runtime(settings, loaded, recorder)
    with _one_at_a_time:
        session = Session(feed, RecordedRuntime(runtime, recorder), hears_signals=False)
        status = outside_of_a_loop(lambda: _run(session))
    for series in feed.coverage():
        if not series.candles:
            between = f"from {short_time(start_ms)} to {short_time(end_ms)}"
            raise DataError(f"no candle of {series.symbol} {live.timeframe} {between} was loaded")
    folder = RunFolder(Path(), f"config_backtest_{file_time(start_ms)}_{file_time(end_ms)}")
    results = plan.results(status, note, feed.coverage(), runtime, recorder, folder)
    first_ms = recorder.first_open_ms
    return TrialResult(
        results=results,
        trades_sha256=trade_log.sha256(),
        fills=trade_log.source(),
        rows=equity_log.source(),
        balances=equity_log.balances(),
        start_ms=start_ms if first_ms is None else first_ms,
    )


def _run(session: Session) -> str:
    running = session.run()
    try:
        return asyncio.run(running)
    finally:
        running.close()  # one that a stop kept from beginning would be warned of on the terminal


class Task(NamedTuple):
    """A run to be made: its number in the study, what is laid over the settings, and its period."""

    number: int
    overrides: tuple[str, ...]
    start_ms: int
    end_ms: int

    @property
    def label(self) -> str:
        """For messages."""
        return f"trial {self.number} ({' '.join(f'--set {override}' for override in self.overrides)})"


class Outcome(msgspec.Struct, frozen=True):
    """`performance` is that of results.json; `returns` one a day (None where nothing was left); `halted` the time."""

    performance: dict[str, Any]
    trades_sha256: str
    returns: list[float] | None
    halted: str | None
    missing_candles: int

    @property
    def daily(self) -> Floats | None:
        """The returns as an array."""
        return None if self.returns is None else np.array(self.returns, np.float64)


def outcome_of(result: TrialResult) -> Outcome:
    """What is kept of a trial."""
    returns, tripped = result.daily.returns, result.results["kill_switch"]
    return Outcome(
        performance=result.results["performance"],
        trades_sha256=result.trades_sha256,
        returns=None if returns is None else returns.tolist(),
        halted=None if tripped is None else tripped["time"],
        missing_candles=result.results["missing_candles"],
    )
