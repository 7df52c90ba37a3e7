"""A session: builds every part for a mode in one place, runs it, and ends it in order.

Live or replay is chosen here and nowhere else. The end of the data and an operator's stop flatten; after a fault or a
bug nothing more is traded. The files are completed in any case. It computes no trading rule.
"""

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from app.errors import first_cause
from app.feeds.base import QUEUE_BURSTS, EventQueue, Feed
from app.models.events import EndOfData, Stop
from app.runs.recorder import RunRecorder
from app.runs.run_folder import writing
from app.runtime.funnel import Funnel
from app.runtime.host import StrategyHost
from app.runtime.runtime import TradingRuntime
from app.settings.profile import Settings, TradingModeSettings
from app.strategies.loader import LoadedStrategy
from app.trading.account import Account
from app.trading.execution import ExecutionEngine
from app.trading.instruments import Instrument
from app.trading.paper_trader import FillRules, PaperTrader
from app.trading.risk import RiskConfig, RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Session:
    """The parts of one session; `feed` is the only one that knows whether this is history."""

    feed: Feed
    runtime: TradingRuntime
    recorder: RunRecorder
    hears_signals: bool = True  # not a trial among many: Ctrl-C is meant for all of them

    async def run(self) -> str:
        """Until the end of the data (`finished`) or an operator's stop (`stopped`).

        A fault of the feed or of a stage is raised after the files were completed; positions stay as they were.
        """
        queue: EventQueue = asyncio.Queue(QUEUE_BURSTS)
        stops: list[Stop] = []
        try:
            with _rare_garbage_collection():
                async with asyncio.TaskGroup() as tasks:
                    feeding = tasks.create_task(self._feed(queue))
                    with _stop_signals(queue, tasks, feeding, stops) if self.hears_signals else nullcontext():
                        while not self.runtime.ended:
                            await self.runtime.handle(await queue.get())
                            self.recorder.flush_if_full()
                    feeding.cancel()
        except BaseException as error:
            self._finish_files()
            raise first_cause(error) from None
        self._finish_files()
        return "stopped" if stops else "finished"

    async def _feed(self, queue: EventQueue) -> None:
        await self.feed.run(queue)
        await queue.put((EndOfData(),))

    def _finish_files(self) -> None:
        with writing(self.recorder.trade_log.path.parent):
            self.recorder.finish()


def build_runtime(
    settings: Settings, strategy: LoadedStrategy, recorder: RunRecorder, target_first: bool = False
) -> TradingRuntime:
    """The stages and their books, from settings; the same for every feed. `target_first`: see FillRules."""
    live, mode = settings.live, settings.trading_mode
    account = Account(mode.starting_balance)
    broker = PaperTrader(account, fill_rules(mode, target_first), recorder.on_fill)
    safety = SafetyMonitor(
        account,
        SafetyLimits(
            max_drawdown=mode.safety.max_drawdown,
            max_daily_loss=mode.safety.max_daily_loss,
            max_open_positions=mode.safety.max_open_positions,
        ),
        recorder.rows,
    )
    return TradingRuntime(
        account=account,
        broker=broker,
        safety=safety,
        host=StrategyHost(live.symbols, live.timeframe, settings.strategy_timeframe, strategy, account),
        risk=RiskEngine(risk_config(settings), instruments(settings)),
        execution=ExecutionEngine(broker, live.symbols),
        funnel=Funnel(),
        rows=recorder.rows,
        decisions=recorder.decisions,
        flatten_on_stop=mode.on_stop == "flatten",
    )


def fill_rules(mode: TradingModeSettings, target_first: bool = False) -> FillRules:
    """The broker's rules and costs."""
    return FillRules(
        commission_rate=mode.commission_rate,
        maker_commission_rate=mode.maker_commission_rate,
        slippage_rate=mode.slippage_rate,
        fill_at_close=mode.fill == "close",
        target_on_touch=mode.limit_fill == "touch",
        target_first=target_first,
    )


def risk_config(settings: Settings) -> RiskConfig:
    """risk.json with the exposure limit of trading_mode.yaml."""
    return RiskConfig(**settings.risk.model_dump(), max_exposure=settings.trading_mode.safety.max_exposure)


def instruments(settings: Settings) -> Mapping[str, Instrument]:
    """The configured overrides; every other symbol has the defaults."""
    return {symbol: Instrument(**values.model_dump()) for symbol, values in settings.live.instruments.items()}


@contextmanager
def _stop_signals(
    queue: EventQueue, tasks: asyncio.TaskGroup, feeding: asyncio.Task[None], stops: list[Stop]
) -> Iterator[None]:
    # Ctrl-C and SIGTERM become a command in the queue like any other. Only the first: a second one has its usual
    # effect. The feed ends first: one that is always ready would keep the queue full and the command out of it.
    # In a thread (a notebook) there are no signals to hear.
    loop = asyncio.get_running_loop()
    heard: dict[signal.Signals, Any] = {}  # and what they did before, which they do again afterwards

    def stop(received: signal.Signals) -> None:
        release()
        if feeding.cancel():  # if not, the end of the data is in the queue already
            stops.append(Stop(received.name))
            tasks.create_task(queue.put((stops[0],)))

    def release() -> None:
        while heard:
            number, before = heard.popitem()
            loop.remove_signal_handler(number)
            if before is not None:  # asyncio would leave the system's own behaviour
                signal.signal(number, before)

    with suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.getsignal(number)
            loop.add_signal_handler(number, stop, number)
            heard[number] = before
    try:
        yield
    finally:
        release()


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    # What flows through the queue has no cycles and is freed by counting; the collector would look at every
    # tuple of every candle for nothing. It still runs, a hundred times less often.
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def outside_of_a_loop(work: Callable[[], Answer]) -> Answer:
    """What `work` gives, which may call asyncio.run(): inside a running loop (a notebook) in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="onetape")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]
