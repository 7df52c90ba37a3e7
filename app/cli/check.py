"""`python -m app check`: validates the configs, says what a run would do, and what in them would hurt.

The warnings come from the candles in the cache (session/probe.py). It opens no position and writes no file.
"""

import argparse
import asyncio
import statistics
from collections.abc import Iterator

from app.candles.cache import CandleCache
from app.candles.coverage import refuse_near_symbols
from app.cli.arguments import Parser, cache_argument, profile_arguments, profile_of
from app.errors import DataError
from app.models.exits import Exits
from app.models.orders import MAIN, Bound
from app.models.protections import Kind
from app.report.formats import counts_text, duration_text
from app.session.candle_supply import Supply
from app.session.period import what_is_there
from app.session.probe import Probe, probe_async
from app.settings.profile import OrderSettings, Settings, load_settings
from app.settings.shipped import DEFAULT_CACHE
from app.settings.strategies import ProtectionSettings, RiskSettings, StrategySpec
from app.strategies.loader import LoadedStrategies, check_settings, required_startup, startup_candles
from app.times import short_time


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
        probes = asyncio.run(probe_async(settings, strategies, candles))
    except DataError:
        print(f"Nothing to try the strategy on: {what_is_there(cache)}")
        return 0
    tried, signals = next(iter(probes.values())), sum(one.signals for one in probes.values())
    print(f"Tried on the newest {tried.candles:,} candles to {short_time(tried.end_ms)}: {signals:,} entry signals")
    for spec, _ in strategies.of:
        whose = f"{spec.id}: " if len(strategies.of) > 1 else ""
        for line in asks(probes[spec.id]):
            print(f"  {whose}{line}")
        for warning in warnings(settings, probes[spec.id], spec):
            print(f"  ! {whose}{warning}")
    for warning in protection_warnings(settings, tried):
        print(f"  ! {warning}")
    return 0


def describe(settings: Settings, strategies: LoadedStrategies) -> Iterator[str]:
    """What a run would do, a line each."""
    live, mode, risk, safety = settings.live, settings.trading_mode, settings.risk, settings.trading_mode.safety
    yield f"trades {', '.join(live.symbols)} on {live.timeframe} candles of {live.exchange}"
    for spec, loaded in strategies.of:
        yield f"{_strategy(spec)}; {_warm_up(settings, strategies, required_startup(settings, spec, loaded()))}"
        if spec.allocation != 1.0 or spec.risk != risk:
            yield f"  sizes by {spec.allocation:.4g} of the equity, risks {_risk(spec.risk)}"
        if spec.exits is not None:
            yield f"  exits: {exits_words(spec.exits)}"
    entries = "next open" if mode.fill == "next_open" else "close"
    targets = "passed" if mode.limit_fill == "through" else "touched"
    yield f"starts with {mode.starting_balance:,.2f}; fills at the {entries}, targets when {targets}"
    yield f"commission {mode.commission_rate:.4%} a side, slippage {mode.slippage_rate:.4%} on market and stop fills"
    yield (f"risks {_risk(risk)} and {safety.max_exposure:.0%} in all; at most {safety.max_open_positions} positions")
    drawdown = "off" if safety.max_drawdown is None else f"at {safety.max_drawdown:.0%} drawdown"
    daily = "" if safety.max_daily_loss is None else f" or {safety.max_daily_loss:.0%} loss in a day"
    yield f"kill switch {drawdown}{daily}"
    for one in mode.protections or ():
        yield f"protection {one.kind} ({one.scope}): {_protection(one)}"
    yield f"real orders (--mode live): {orders_words(mode.orders or OrderSettings())}"


def orders_words(orders: OrderSettings) -> str:
    """The limits and times of real orders in a line."""
    notional, daily = orders.max_order_notional, orders.max_daily_orders
    return (
        f"{'any size' if notional is None else f'at most {notional:,.8g} an entry'}, "
        f"{'any number' if daily is None else f'{daily:,}'} a day, halt after {orders.refusals_in_a_row} refusals in a "
        f"row; recvWindow {orders.recv_window_ms:,} ms, answers within {orders.answer_s:g} s, reconciled every "
        f"{orders.reconcile_s:g} s, no stop for {orders.protection_gap_s:g} s at most, {orders.self_trade_prevention}"
    )


def _strategy(spec: StrategySpec) -> str:
    on = f"{spec.name} on {spec.timeframe}"
    return f"strategy {on}" if spec.id == MAIN else f"strategy {spec.id}: {on} candles of {', '.join(spec.symbols)}"


def _warm_up(settings: Settings, strategies: LoadedStrategies, needed: int) -> str:
    return f"warm-up {startup_candles(settings, strategies):,} candles (it needs {needed:,})"


def _risk(risk: RiskSettings) -> str:
    return f"{risk.risk_per_trade:.2%} a trade, at most {risk.max_position_pct:.0%} in one position"


def exits_words(exits: Exits) -> str:
    """Managed exits of a config in a line."""
    words = []
    if (one := exits.break_even) is not None:
        words.append(f"stop to {one.offset_pct:+.4%} of the entry at {one.at_r:g} R")
    if (trailing := exits.trailing) is not None:
        distance = (
            f"{trailing.distance_r:g} R" if trailing.distance_r is not None else
            f"{trailing.distance_pct:.4%}" if trailing.distance_pct is not None else f"{trailing.distance_atr:g} ATR"
        )  # fmt: skip
        words.append(f"stop trails by {distance} from {trailing.from_r:g} R on")
    words += [f"{leg.fraction:.4g} of it out at {leg.at_r:g} R" for leg in exits.partial]
    if exits.time is not None:
        words.append(f"out after {exits.time.candles:,} candles")
    return ", ".join(words) or "none"


def _protection(one: ProtectionSettings) -> str:
    if one.kind == Kind.COOLDOWN:
        return f"no entry for {one.candles:,} candles after a trade"
    what = f"{one.trades} losing trades in a row"
    if one.kind == Kind.STOP_GUARD:
        what = f"{one.stops} losing stops within {one.lookback_candles:,} candles"
    return f"no entry for {one.pause_candles:,} candles after {what}"


def asks(probe: Probe) -> Iterator[str]:
    """What the signals bring beside a stop: limits, legs, stops that move."""
    limits, exits, sized = probe.limits, probe.exits, sum(probe.bounds.values())
    if limits.entries:
        away = statistics.median(limits.away_pct)
        yield (
            f"{_share(limits.entries, sized)} bring a limit, typically {away:.2f} % from the market; candles reach "
            f"{limits.reached:,} of them in time, {limits.through:,} are through the market at once"
        )
    counted = {
        "legs": exits.legs, "break-even stops": exits.break_even, "trailing stops": exits.trailing,
        "time exits": exits.timed,
    }  # fmt: skip
    if any(counted.values()):
        yield f"managed exits: {counts_text(counted)}"


def _exit_warnings(probe: Probe) -> Iterator[str]:
    exits = probe.exits
    for count, why in ((exits.legs_zero, "nothing after rounding to the step"), (exits.legs_past, "past the target")):
        if count:
            yield f"{_share(count, exits.legs, 'legs')} would be dropped: {why}"
    for name, key, count, total in (
        ("break_even", "at_r", exits.never_break_even, exits.break_even),
        ("trailing", "from_r", exits.never_trailing, exits.trailing),
    ):
        if count:
            yield f"exits.{name} can never act in {_share(count, total)}: the target comes before its {key}"
    if exits.timed_inside:
        yield (
            f"exits.time takes {_share(exits.timed_inside, exits.timed, 'entries')} out before the strategy's next "
            "candle closes"
        )


def protection_warnings(settings: Settings, probe: Probe) -> Iterator[str]:
    """Protections that would refuse everything after they first acted."""
    for one in settings.trading_mode.protections or ():
        pause_ms = one.protection(settings.live.timeframe).pause_ms
        if pause_ms >= probe.span_ms:
            after = "the first trade" if one.kind == Kind.COOLDOWN else "it first acts"
            yield (
                f"protection {one.kind} ({one.scope}) refuses everything after {after}: it pauses for "
                f"{duration_text(pause_ms / 1000.0)}, tried were {duration_text(probe.span_ms / 1000.0)}"
            )


def round_trip_pct(settings: Settings) -> float:
    """In and out at the market, in percent of the position."""
    mode = settings.trading_mode
    return 200.0 * (mode.commission_rate + mode.slippage_rate)


def winner_cost_pct(settings: Settings) -> float:
    """In at the market, out at the target: a limit order, without slippage and perhaps at the maker's rate."""
    mode = settings.trading_mode
    maker = mode.commission_rate if mode.maker_commission_rate is None else mode.maker_commission_rate
    return 100.0 * (mode.commission_rate + mode.slippage_rate + maker)


def warnings(settings: Settings, probe: Probe, spec: StrategySpec | None = None) -> Iterator[str]:
    """What would hurt of a strategy (None: the only one), with the numbers; nothing where all is well."""
    risk = (spec or settings.strategy).risk
    if probe.signals == 0:
        yield "no entry signal at all: nothing would be traded"
        return
    for refusal, count in probe.refused.most_common():
        yield f"risk refuses {_share(count, probe.signals)}: {refusal}"
    if not probe.target_pct:
        return
    yield from _exit_warnings(probe)
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
                f"{risk.risk_per_trade:.2%} risk is really {statistics.median(probe.risked_pct):.2g} %"
            )
    if probe.shorts:
        yield f"{_share(probe.shorts, probe.signals)} are shorts, which a spot exchange cannot place"


def _share(count: int, total: int, what: str = "signals") -> str:
    return f"all of {total:,} {what}" if count == total else f"{count:,} of {total:,} {what}"
