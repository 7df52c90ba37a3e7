"""`python -m app check`: validates the configs, says what a run would do, and what in them would hurt.

The warnings come from the candles in the cache: the strategy is asked for each of them through the same host, and
every signal is sized by the same RiskEngine against the starting balance. It opens no position and writes no file.
"""

import argparse
import asyncio
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from app import times
from app.candles.cache import CandleCache
from app.candles.coverage import refuse_near_symbols
from app.cli.arguments import Parser, cache_argument, profile_arguments, profile_of
from app.errors import DataError
from app.feeds.replay import ReplayFeed
from app.models.orders import FLAT, Action, Bound, Refusal
from app.session.building import account_of, host_of, instruments, risk_config
from app.session.candle_supply import Supply
from app.session.period import resolve_period, what_is_there
from app.settings.profile import Settings, load_settings
from app.settings.shipped import DEFAULT_CACHE
from app.strategies.loader import LoadedStrategies, check_settings, required_startup, startup_candles
from app.times import DAY_MS, short_time, timeframe_ms
from app.trading.account import Account
from app.trading.risk import RiskEngine, RiskOutput

_PROBE_DAYS = 30  # enough signals to know what is typical, little enough to wait for


@dataclass
class Probe:
    """What the strategy's signals over some candles would have meant."""

    end_ms: int
    candles: int
    signals: int
    shorts: int
    refused: Counter[Refusal]
    bounds: Counter[Bound]
    target_pct: list[float]
    stop_pct: list[float]
    risked_pct: list[float]


async def run_check_async(settings: Settings, strategies: LoadedStrategies, cache: CandleCache) -> Probe:
    """Ask the strategy for the newest candles in the cache and size what it answers; DataError without any."""
    live = settings.live
    period = resolve_period(cache, live.symbols, live.timeframe, None, None, times.now_ms())
    start_ms = period.end_ms - _PROBE_DAYS * DAY_MS
    warmup_ms = startup_candles(settings, strategies) * timeframe_ms(live.timeframe)
    feed = ReplayFeed(
        cache,
        live.symbols,
        live.timeframe,
        warmup_start_ms=start_ms - warmup_ms,
        start_ms=start_ms,
        end_ms=period.end_ms,
    )
    account = account_of(settings)
    host = host_of(settings, strategies, account)
    risks = {spec.id: RiskEngine(risk_config(settings, spec), instruments(settings)) for spec, _ in strategies.of}
    probe = Probe(period.end_ms, 0, 0, 0, Counter(), Counter(), [], [], [])
    for slices in feed.bursts():
        for slice_ in slices:
            for candle in slice_.candles:
                account.marks[candle.symbol] = candle.close
            closing = host.absorb(slice_)
            for own in host.hosted:
                for candle, on_candle, view in own.asked_of(closing):
                    answer = await on_candle(candle, view)
                    if slice_.warmup or answer is FLAT:
                        continue
                    signal = own.check(answer, candle)
                    if signal.action in (Action.LONG, Action.SHORT):
                        _note(probe, account, await risks[view.line.strategy].assess(view.line, signal, account))
                        probe.shorts += signal.action is Action.SHORT
            probe.candles += 0 if slice_.warmup else len(slice_.candles)
    return probe


def _note(probe: Probe, account: Account, output: RiskOutput | Refusal) -> None:
    probe.signals += 1
    if isinstance(output, Refusal):
        probe.refused[output] += 1
        return
    reference = output.reference
    probe.bounds[output.sized_by] += 1
    probe.target_pct.append(100.0 * abs(output.target - reference) / reference)
    probe.stop_pct.append(100.0 * abs(output.stop - reference) / reference)
    probe.risked_pct.append(100.0 * output.quantity * abs(output.stop - reference) / account.balance)


def check_parser(**about: str) -> Parser:
    """The arguments of `check`."""
    parser = Parser(parents=[profile_arguments(), cache_argument()], **about)
    parser.set_defaults(run=run_check)
    return parser


def run_check(args: argparse.Namespace) -> int:
    """The command; the exit status is 0 also where something would hurt."""
    profile = profile_of(args)
    cache = CandleCache(args.cache or DEFAULT_CACHE)
    settings = load_settings(**profile)
    refuse_near_symbols(cache, settings.live.symbols)
    strategies = check_settings(settings)
    print(f"{profile['config']}: valid")
    supply = Supply(cache, offline=True, tell=lambda text: print(f"  {text}")).with_finer(settings, None, None)
    settings, candles = supply.complete(settings), supply.candles(settings)
    for line in describe(settings, strategies):
        print(f"  {line}")
    try:
        probe = asyncio.run(run_check_async(settings, strategies, candles))
    except DataError:
        print(f"Nothing to try the strategy on: {what_is_there(cache)}")
        return 0
    print(
        f"Tried on the newest {probe.candles:,} candles to {short_time(probe.end_ms)}: {probe.signals:,} entry signals"
    )
    for warning in warnings(settings, probe):
        print(f"  ! {warning}")
    return 0


def describe(settings: Settings, strategies: LoadedStrategies) -> Iterator[str]:
    """What a run would do, a line each."""
    live, mode, risk, safety = settings.live, settings.trading_mode, settings.risk, settings.trading_mode.safety
    yield f"trades {', '.join(live.symbols)} on {live.timeframe} candles of {live.exchange}"
    for spec, loaded in strategies.of:
        yield (
            f"strategy {spec.name} on {spec.timeframe}; warm-up {startup_candles(settings, strategies):,} candles "
            f"(it needs {required_startup(settings, spec, loaded()):,})"
        )
    entries = "next open" if mode.fill == "next_open" else "close"
    targets = "passed" if mode.limit_fill == "through" else "touched"
    yield f"starts with {mode.starting_balance:,.2f}; fills at the {entries}, targets when {targets}"
    yield f"commission {mode.commission_rate:.4%} a side, slippage {mode.slippage_rate:.4%} on market and stop fills"
    yield (
        f"risks {risk.risk_per_trade:.2%} a trade, at most {risk.max_position_pct:.0%} in one position and "
        f"{safety.max_exposure:.0%} in all; at most {safety.max_open_positions} positions"
    )
    drawdown = "off" if safety.max_drawdown is None else f"at {safety.max_drawdown:.0%} drawdown"
    daily = "" if safety.max_daily_loss is None else f" or {safety.max_daily_loss:.0%} loss in a day"
    yield f"kill switch {drawdown}{daily}"


def round_trip_pct(settings: Settings) -> float:
    """In and out at the market, in percent of the position."""
    mode = settings.trading_mode
    return 200.0 * (mode.commission_rate + mode.slippage_rate)


def winner_cost_pct(settings: Settings) -> float:
    """In at the market, out at the target: a limit order, without slippage and perhaps at the maker's rate."""
    mode = settings.trading_mode
    maker = mode.commission_rate if mode.maker_commission_rate is None else mode.maker_commission_rate
    return 100.0 * (mode.commission_rate + mode.slippage_rate + maker)


def warnings(settings: Settings, probe: Probe) -> Iterator[str]:
    """What would hurt, with the numbers; nothing where all is well."""
    if probe.signals == 0:
        yield "no entry signal at all: nothing would be traded"
        return
    for refusal, count in probe.refused.most_common():
        yield f"risk refuses {_share(count, probe.signals)}: {refusal}"
    if not probe.target_pct:
        return
    target, stop = statistics.median(probe.target_pct), statistics.median(probe.stop_pct)
    cost, gained = round_trip_pct(settings), target - winner_cost_pct(settings)
    if gained <= 0.0:
        yield f"a typical target is {target:.2f} % away, a round trip costs {cost:.2f} %: a typical winner loses"
    else:
        lost = stop + cost
        yield (
            f"a typical target is {target:.2f} % away, a stop {stop:.2f} %, a round trip costs {cost:.2f} %: "
            f"{lost / (gained + lost):.0%} of the trades must win to break even"
        )
    sized = sum(probe.bounds.values())
    for bound in (Bound.POSITION, Bound.ROOM):
        if probe.bounds[bound]:
            yield (
                f"quantity is capped by {bound} in {_share(probe.bounds[bound], sized)}: "
                f"{settings.risk.risk_per_trade:.2%} risk is really {statistics.median(probe.risked_pct):.2g} %"
            )
    if probe.shorts:
        yield f"{_share(probe.shorts, probe.signals)} are shorts, which a spot exchange cannot place"


def _share(count: int, total: int) -> str:
    return f"all of {total:,} signals" if count == total else f"{count:,} of {total:,} signals"
