"""What a run is, whatever feeds it: its settings, strategy, period and warm-up; its files, results and manifest.

A backtest, a paper session and a replayed tape are described by the same plan and end in the same files, so that they
can be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import arro3.io
import msgspec
import numpy as np
import pydantic

from app.candles.cache import MonthFile
from app.candles.series import SeriesCoverage
from app.errors import DataError
from app.models.events import Event, LateCandle
from app.models.market import Slice
from app.runs.equity import EquityLog, kept_rows
from app.runs.manifest import VERSION, build_manifest
from app.runs.recorder import LogLengths, Progress, RunRecorder
from app.runs.results import RunFacts, Shortfall, build_results
from app.runs.run_folder import RunFolder, writing
from app.runs.trade_log import SignalLog, TradeLog
from app.runtime.runtime import TradingRuntime
from app.session.building import OrderNames
from app.session.period import Period, grid_candles
from app.settings.profile import Settings
from app.strategies.loader import LoadedStrategies, LoadedStrategy
from app.times import iso_ms, timeframe_ms


@dataclass(frozen=True)
class RunPlan:
    """Settled before anything is written; `months` are the cache's files that the run reads, none for a live one."""

    settings: Settings
    strategies: LoadedStrategies
    period: Period
    warmup: int
    warmup_start_ms: int
    months: Sequence[MonthFile] = ()
    finer: Mapping[str, str] = field(default_factory=dict)  # of which timeframe a symbol's candles are built
    mode: str = "backtest"
    epochs: Sequence[Mapping[str, Any]] = ()  # of a session or a tape: what began, when, and what had changed
    tape: Mapping[str, Any] | None = None  # which tape was replayed, if one was
    orders: OrderNames | None = None  # of a session whose orders are real, and of its tape
    paper_from_ms: int | None = None  # of a what-if of one: the slice from which on its fills are on paper

    @property
    def strategy(self) -> LoadedStrategy:
        """The only strategy; ConfigError where there are several."""
        return self.strategies.only

    def recorder(
        self, folder: RunFolder, progress: Progress | None = None, *, kept: LogLengths | None = None
    ) -> RunRecorder:
        """The observer that writes the run's files; OutputError if the folder cannot be written.

        `kept`: how much of the files that are there stays, for a new epoch; otherwise they begin anew.
        """
        trades_bytes, signals_bytes, rows = (None, None, 0) if kept is None else kept
        with writing(folder.folder):
            earlier = kept_rows(folder.equity, rows)
            equity_log = EquityLog(folder.equity, self.settings.trading_mode.starting_balance)
            try:
                if self.mode != "backtest" or self.epochs:
                    equity_log.keep_rows(earlier)
                logs = TradeLog(folder.trades, trades_bytes), equity_log, progress
                ids = [spec.id for spec in self.settings.strategies]
                return RunRecorder(self.settings.live.symbols, *logs, SignalLog(folder.signals, signals_bytes), ids)
            except (OSError, DataError):
                equity_log.close()
                raise

    def results(
        self,
        status: str,
        note: str,
        coverage: Sequence[SeriesCoverage],
        runtime: TradingRuntime,
        recorder: RunRecorder,
        folder: RunFolder,
    ) -> dict[str, Any]:
        """The content of results.json."""
        live, account = self.settings.live, runtime.account
        facts = RunFacts(
            status=status,
            note=note or self.period.note,
            exchange=live.exchange,
            symbols=live.symbols,
            timeframe=live.timeframe,
            start_ms=self.period.start_ms,
            end_ms=self.period.end_ms,
            warmup_candles=sum(series.warmup_candles for series in coverage),
            shortfalls=self._shortfalls(status, coverage, recorder),
            trips=[(trip.time_ms, trip.why) for trip in runtime.safety.trips],
            files=folder.files(),
            feed=dict(runtime.feed_counts),
            mode=self.mode,
            strategies=[one.id for one in live.strategies or ()],
            marks=dict(account.marks),
            allocations=[] if runtime.allocator is None else runtime.allocator.applied,
            target_rate=self.settings.trading_mode.maker_commission_rate,
        )
        content = build_results(
            facts, recorder, runtime.funnel, account.starting_balance, account.balance, account.equity()
        )
        if self.epochs:
            content["epochs"] = [{key: one[key] for key in ("number", "start", "changed")} for one in self.epochs]
        return content

    def manifest(self, folder: RunFolder) -> dict[str, Any]:
        """The content of manifest.json."""
        content = build_manifest(
            settings=self.settings.model_dump(mode="json"),
            start=iso_ms(self.period.start_ms),
            end=iso_ms(self.period.end_ms),
            strategy_sha256=self.strategies.source_sha256,
            months=self.months,
            versions=versions(),
            outputs={"trades": folder.trades, "equity": folder.equity, "signals": folder.signals},
        )
        content |= {"epochs": list(self.epochs)} if self.epochs else {}
        return content | ({"tape": dict(self.tape)} if self.tape is not None else {})

    def _shortfalls(self, status: str, series: Sequence[SeriesCoverage], recorder: RunRecorder) -> list[Shortfall]:
        length_ms = timeframe_ms(self.settings.live.timeframe)
        # After a stop or a fault, what was never replayed is not missing.
        end_ms = self.period.end_ms if status == "finished" else recorder.last_close_ms or self.period.start_ms
        expected = grid_candles(self.period.start_ms, end_ms, length_ms)
        there = {own.symbol: recorder.candles[own.symbol] + own.late_candles for own in series}
        return [
            Shortfall(
                symbol=own.symbol,
                missing=max(0, expected - there[own.symbol]),
                gaps=own.gaps,
                first_open_ms=own.first_open_ms,
                last_open_ms=own.last_open_ms,
                warmup_candles=own.warmup_candles,
                warmup_wanted=self.warmup,
            )
            for own in series
            if there[own.symbol] < expected or own.warmup_candles < self.warmup
        ]


@dataclass
class EventCoverage:
    """Which candles of each symbol the events of a live session or a tape held, in config order."""

    symbols: Sequence[str]
    timeframe: str
    series: dict[str, SeriesCoverage] = field(init=False)

    def __post_init__(self) -> None:
        self.series = {symbol: SeriesCoverage(symbol) for symbol in self.symbols}

    def note(self, event: Event) -> None:
        """Count the candles of a slice, or the one that came after it."""
        if not isinstance(event, (Slice, LateCandle)):
            return
        length_ms = timeframe_ms(self.timeframe)
        for candle in event.candles if isinstance(event, Slice) else (event.candle,):
            own = self.series[candle.symbol]
            if event.warmup:
                own.warmup_candles += 1
                continue
            own.gaps += own.last_open_ms is not None and candle.open_time_ms != own.last_open_ms + length_ms
            own.candles += isinstance(event, Slice)
            own.late_candles += isinstance(event, LateCandle)
            own.first_open_ms = candle.open_time_ms if own.first_open_ms is None else own.first_open_ms
            own.last_open_ms = candle.open_time_ms


def versions() -> Mapping[str, str]:
    """Of everything that computes."""
    packages = {"numpy": np, "arro3": arro3.io, "pydantic": pydantic, "msgspec": msgspec}
    return {"onetape": VERSION, **{name: str(module.__version__) for name, module in packages.items()}}
