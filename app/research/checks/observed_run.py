"""Runs of the one runtime in which every answer of the strategy is noted: a whole backtest, or one slice at a time.

The coroutine that the runtime asks is wrapped, and what it returned is written down. Answers in the warm-up are no
decisions and are not noted.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.errors import OnetapeError
from app.models.events import Event
from app.models.market import Candle
from app.models.orders import Line, Signal
from app.research.checks.answer_log import ANSWERS, Answer, AnswerLog, answer_of
from app.research.checks.request import Request
from app.runs.run_folder import RunFolder
from app.runtime.host import Hosted, OnCandle
from app.runtime.runtime import TradingRuntime
from app.session.building import account_of, build_runtime, host_of
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.recorded_runtime import RecordedRuntime
from app.session.session import Session
from app.settings.profile import load_settings
from app.strategies.base import View
from app.strategies.loader import LoadedStrategies, LoadedStrategy, load_strategy
from app.times import iso_ms, timeframe_ms

RUN = "run"


class StrategyFailedError(Exception):
    """What the strategy raised, and where."""

    def __init__(self, error: BaseException, where: str) -> None:
        super().__init__(str(error) if isinstance(error, OnetapeError) else f"{type(error).__name__}: {error}")
        self.where = where


def plan_of(request: Request) -> RunPlan:
    """The plan that the request was made from; the strategy is imported here."""
    settings = load_settings(request.settings)
    strategies = LoadedStrategies(tuple((spec, load_strategy(spec.name, spec.params)) for spec in settings.strategies))
    length_ms = timeframe_ms(settings.live.timeframe)
    warmup = (request.start_ms - request.warmup_start_ms) // length_ms
    period = Period(request.start_ms, request.end_ms, "of a check")
    return RunPlan(settings, strategies, period, warmup, request.warmup_start_ms)


class Listener:
    """Hears every answer of a runtime; `asked` is the line and the candle that was asked last, warm-up included."""

    def __init__(
        self, runtime: TradingRuntime, start_ms: int, note: Callable[[Answer], None], *, indicators: bool = False
    ) -> None:
        self.asked: tuple[Line, Candle] | None = None
        self._runtime = runtime
        self._start_ms = start_ms
        self._note = note
        self._indicators = indicators
        for own in runtime.host.hosted:
            for symbol, (on_candle, view) in list(own.asked.items()):
                own.asked[symbol] = (self._listening(own, on_candle), view)

    def _listening(self, own: Hosted, on_candle: OnCandle) -> OnCandle:
        account, start_ms, note, check = self._runtime.account, self._start_ms, self._note, own.check
        owner = getattr(on_candle, "__self__", None)
        values = getattr(owner, "indicator_values", None) if self._indicators else None

        async def listening(candle: Candle, view: View) -> Signal:
            self.asked = view.line, candle
            signal = await on_candle(candle, view)
            if account.time_ms > start_ms:  # it stands still in the warm-up
                checked = check(signal, candle)
                note(answer_of(candle, checked, None if values is None else values(), view.line.strategy))
            return signal

        return listening


def _where(listener: Listener | None) -> str:
    """At which candle a run is, for people; its listener exists once the strategies were made."""
    if listener is None:
        return "when it was made"
    if listener.asked is None:
        return "before the first candle"
    line, candle = listener.asked
    return f"{line}, candle closed at {iso_ms(candle.close_time_ms)}"


async def run_whole(request: Request, plan: RunPlan, folder: Path) -> None:
    """One backtest into `folder/run`, its answers into `folder/answers`. StrategyFailedError if it raises."""
    folder.mkdir(parents=True, exist_ok=True)
    log = AnswerLog(folder / ANSWERS)
    recorder = plan.recorder(_run_folder(folder))
    listener = None
    try:
        runtime = build_runtime(plan.settings, plan.strategies, recorder)
        listener = Listener(runtime, request.start_ms, log.add, indicators=request.indicators)
        await Session(request.feed(plan.settings), RecordedRuntime(runtime, recorder)).run()
    except (Exception, SystemExit) as error:
        raise StrategyFailedError(error, _where(listener)) from error
    finally:
        recorder.close()
        log.close()


def candles_asked(request: Request, plan: RunPlan, strategy: str | None = None) -> Iterator[Candle]:
    """Every candle that a strategy (None: the only one) is asked about, warm-up included, in order, as it sees it."""
    host = host_of(plan.settings, plan.strategies, account_of(plan.settings))
    for burst in request.feed(plan.settings).bursts():
        for slice_ in burst:
            closing = host.absorb(slice_)
            for own in host.hosted:
                for candle, _, view in own.asked_of(closing):
                    if strategy in (None, view.line.strategy):
                        yield candle


def has_frames(strategy: LoadedStrategy) -> bool:
    """Whether it computes with whole DataFrames, too."""
    return callable(getattr(strategy.cls, "add_indicators", None))


def _run_folder(folder: Path) -> RunFolder:
    (folder / RUN).mkdir(parents=True, exist_ok=True)
    return RunFolder(folder / RUN, RUN)


class SteppedRun:
    """The same runtime, handed one slice after the other by somebody else; it knows of no later one."""

    def __init__(self, request: Request, plan: RunPlan, folder: Path) -> None:
        self.answers: list[Answer] = []  # to the newest event
        self._recorder = plan.recorder(_run_folder(folder))
        try:
            self._runtime = build_runtime(plan.settings, plan.strategies, self._recorder)
        except (Exception, SystemExit) as error:
            self._recorder.close()
            raise StrategyFailedError(error, _where(None)) from error
        self._listener = Listener(self._runtime, request.start_ms, self.answers.append)

    async def handle(self, event: Event) -> Sequence[Answer]:
        """One event to its end; what was answered to it."""
        self.answers.clear()
        try:
            for part in self._runtime.parts_of((event,)):
                await self._runtime.handle(part)
        except (Exception, SystemExit) as error:
            self.close()
            raise StrategyFailedError(error, _where(self._listener)) from error
        self._recorder.flush_if_full()
        return self.answers

    def close(self) -> None:
        """Its files are of no use to anybody."""
        self._recorder.close()
