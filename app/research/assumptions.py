"""How far a result hangs on what the candles cannot tell and on the costs: the same backtest, run once per answer.

The rule: every answer is a real run of the one runtime, from the same cache over the same period; only the question
differs. The runs lie in a temporary folder: the optimistic ones answer what no setting can be set to.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.settings.profile import Settings
from app.times import parse_time_ms, short_time, timeframe_ms

COST_MULTIPLES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Answer:
    """What one run came to. `both_levels` and `targets_touched` count its trades that are open to doubt."""

    name: str
    timeframe: str
    final_equity: float
    total_return_pct: float
    total_trades: int
    both_levels: int
    targets_touched: int
    missing_candles: int


@dataclass(frozen=True)
class Doubt:
    """The result between the two answers to what candles of one timeframe cannot tell."""

    timeframe: str
    pessimistic: Answer
    optimistic: Answer

    @property
    def width_pct(self) -> float:
        """How far apart the two returns are, in percent of the starting balance."""
        return abs(self.optimistic.total_return_pct - self.pessimistic.total_return_pct)


@dataclass(frozen=True)
class Assumptions:
    """All answers of a run; `doubts` has one for the session's timeframe and, if it was asked for, a finer one."""

    start: str
    end: str
    strategy_timeframe: str  # of several: each after its id
    configured: Answer
    doubts: tuple[Doubt, ...]
    costs: tuple[Answer, ...]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        doubts = [{**asdict(doubt), "width_pct": doubt.width_pct} for doubt in self.doubts]
        return {**asdict(self), "doubts": doubts, "costs": [asdict(answer) for answer in self.costs]}


@dataclass(frozen=True)
class _Asker:
    """Runs the backtest with one thing changed; the first run settles the period of all."""

    runner: ConfigBacktestRunner
    folder: Path
    tell: Callable[[str], None]

    def ask(self, name: str, *overrides: str, target_first: bool = False) -> Answer:
        self.tell(name)
        changed = replace(
            self.runner,
            overrides=(*self.runner.overrides, *overrides),
            target_first=target_first,
            out=self.folder / f"{len(list(self.folder.iterdir()))}",
        )
        return _answer(name, changed.run())


def find_assumptions(
    runner: ConfigBacktestRunner, finer: str | None = None, tell: Callable[[str], None] = lambda name: None
) -> Assumptions:
    """Run `runner` once per answer. With `finer`, the two answers to the candles again on that session timeframe.

    A strategy keeps its own timeframe, the warm-up its length, and what waits for a number of candles its time.
    ConfigError if `finer` is not finer, DataError if the cache has no such candles. `tell` hears the name
    of each run before it starts.
    """
    settings = runner.settings()
    if finer is not None:
        _check_finer(finer, settings)
    with TemporaryDirectory(prefix="onetape-assumptions-") as folder:
        first = replace(runner, out=Path(folder) / "configured")
        tell("as configured")
        results = first.run()
        start, end = results["requested"]["start"], results["requested"]["end"]
        asker = _Asker(replace(runner, start=start, end=end), Path(folder), tell)
        if finer is not None:
            _check_cached(finer, runner, settings, start, end)
        configured = _answer("as configured", results)
        same = configured if settings.trading_mode.limit_fill == "through" else None
        doubts = [_doubt(asker, settings.live.timeframe, pessimistic=same)]
        if finer is not None:
            on_finer = replace(asker, runner=replace(asker.runner, counted_in=settings.live.timeframe))
            doubts.append(_doubt(on_finer, finer, *_on_finer(finer, settings)))
        costs = tuple(
            replace(configured, name="costs 1x")
            if times == 1
            else asker.ask(f"costs {times}x", *_costs(settings, times))
            for times in COST_MULTIPLES
        )
        return Assumptions(start, end, _timeframes(settings), configured, tuple(doubts), costs)


def _doubt(asker: _Asker, timeframe: str, *overrides: str, pessimistic: Answer | None = None) -> Doubt:
    name = f"pessimistic {timeframe}"
    if pessimistic is None:
        pessimistic = asker.ask(name, *overrides, "trading_mode.limit_fill=through")
    high = asker.ask(f"optimistic {timeframe}", *overrides, "trading_mode.limit_fill=touch", target_first=True)
    return Doubt(timeframe, replace(pessimistic, name=name), high)


def _on_finer(finer: str, settings: Settings) -> Iterator[str]:
    # A strategy sees the candles that it saw, as many of them before the start. After the user's own --set.
    yield f"live.timeframe={finer}"
    for spec in settings.strategies:
        yield f"{'.'.join(spec.path)}.timeframe={spec.timeframe}"
    if settings.live.startup_candles != "auto":
        each = timeframe_ms(settings.live.timeframe) // timeframe_ms(finer)
        yield f"live.startup_candles={settings.live.startup_candles * each}"


def _timeframes(settings: Settings) -> str:
    specs = settings.strategies
    return specs[0].timeframe if len(specs) == 1 else ", ".join(f"{spec.id} {spec.timeframe}" for spec in specs)


def _costs(settings: Settings, times: int) -> Iterator[str]:
    mode = settings.trading_mode
    yield f"trading_mode.commission_rate={mode.commission_rate * times!r}"
    yield f"trading_mode.slippage_rate={mode.slippage_rate * times!r}"
    if mode.maker_commission_rate is not None:
        yield f"trading_mode.maker_commission_rate={mode.maker_commission_rate * times!r}"


def _check_finer(finer: str, settings: Settings) -> None:
    session = settings.live.timeframe
    if timeframe_ms(session) % timeframe_ms(finer) or finer == session:
        raise ConfigError(f"--finer {finer}: name a timeframe that divides the session's, {session}, and is shorter")


def _check_cached(finer: str, runner: ConfigBacktestRunner, settings: Settings, start: str, end: str) -> None:
    cache, exchange = CandleCache(Path(runner.cache)), settings.live.exchange
    span = parse_time_ms(start), parse_time_ms(end)
    lacking = [symbol for symbol in settings.live.symbols if not cache.present(symbol, finer, *span)]
    if lacking:
        raise DataError(
            f"--finer {finer}: {runner.cache} has no {finer} candle of {lacking[0]} from {short_time(span[0])} to "
            f"{short_time(span[1])}; get them: python -m app data fetch --symbols {','.join(lacking)} "
            f"--timeframe {finer} --start {start[:10]} --end {end[:10]} --exchange {exchange} --cache {runner.cache}"
        )


def _answer(name: str, results: BacktestResults) -> Answer:
    performance, doubt = results["performance"], results["uncertainty"]
    return Answer(
        name=name,
        timeframe=results["timeframe"],
        final_equity=performance["final_equity"],
        total_return_pct=performance["total_return_pct"],
        total_trades=performance["total_trades"],
        both_levels=doubt["both_levels"],
        targets_touched=doubt["targets_touched"],
        missing_candles=results["missing_candles"],
    )
