"""What the strategies of a config would ask for on the newest candles of the cache, sized against the starting balance.

Each strategy is asked for every candle through the host of a run, and each signal is sized by its RiskEngine. No
position is opened, so it says what signals bring, not what becomes of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from app import times
from app.candles.cache import CandleCache
from app.feeds.replay import ReplayFeed
from app.models.exits import Exits
from app.models.market import Candle
from app.models.orders import FLAT, Action, Bound, Refusal, Signal
from app.session.building import account_of, fill_rules, host_of, instruments, risk_config
from app.session.period import resolve_period
from app.settings.profile import Settings
from app.strategies.loader import LoadedStrategies, startup_candles
from app.times import DAY_MS, timeframe_ms
from app.trading.account import Account
from app.trading.exit_rules import FillRules
from app.trading.instruments import Instrument
from app.trading.risk import RiskEngine, RiskOutput

_PROBE_DAYS = 30  # enough signals to know what is typical, little enough to wait for


@dataclass
class ExitCounts:
    """What the managed exits of accepted entries come to; `never_*` of those whose target comes first."""

    legs: int = 0
    legs_zero: int = 0
    legs_past: int = 0
    break_even: int = 0
    never_break_even: int = 0
    trailing: int = 0
    never_trailing: int = 0
    timed: int = 0
    timed_inside: int = 0  # out before the strategy is asked again

    def note(self, exits: Exits, output: RiskOutput, instrument: Instrument, session_ms: int, own_ms: int) -> None:
        """One entry, its R from the reference to the stop."""
        side, risk = output.side, abs(output.reference - output.stop)
        target_r = side * (output.target - output.reference) / risk * (1.0 - 1e-9)
        for leg in exits.partial:
            price = instrument.round_price(output.reference + side * leg.at_r * risk, up=side > 0)
            is_nothing = instrument.round_quantity(leg.fraction * output.quantity) <= 0.0
            self.legs += 1
            self.legs_zero += is_nothing
            self.legs_past += not is_nothing and side * (output.target - price) <= 0.0
        if exits.break_even is not None:
            self.break_even += 1
            self.never_break_even += exits.break_even.at_r >= target_r
        if exits.trailing is not None:
            self.trailing += 1
            self.never_trailing += exits.trailing.from_r >= target_r
        if exits.time is not None:
            self.timed += 1
            self.timed_inside += exits.time.candles * session_ms < own_ms


@dataclass
class LimitCounts:
    """Limit entries: how far from the market, how many are through it at once, and how many a candle would reach."""

    entries: int = 0
    through: int = 0
    reached: int = 0
    away_pct: list[float] = field(default_factory=list)
    _waiting: list[tuple[str, int, float, int]] = field(default_factory=list)  # symbol, side, limit, until

    def note(self, signal: Signal, output: RiskOutput, mark: float, decided_ms: int, session_ms: int) -> None:
        """An entry at a limit, which is the reference that it was sized by."""
        limit, side = output.reference, int(output.side)
        self.entries += 1
        self.through += side * (limit - mark) >= 0.0
        self.away_pct.append(100.0 * side * (mark - limit) / mark)
        self._waiting.append((output.symbol, side, limit, decided_ms + signal.valid_candles * session_ms))

    def meet(self, candles: Sequence[Candle], rules: FillRules) -> None:
        """Candles that came after them."""
        waiting = []
        for order in self._waiting:
            symbol, side, limit, until_ms = order
            candle = next((one for one in candles if one.symbol == symbol), None)
            if candle is None:
                waiting.append(order)
            elif candle.open_time_ms < until_ms:
                near = candle.low if side > 0 else candle.high
                is_reached = candle.volume > 0.0 and rules.is_past(side * (limit - near))
                self.reached += is_reached
                waiting += [] if is_reached else [order]
        self._waiting = waiting


@dataclass
class Probe:
    """What one strategy's signals over some candles would have meant."""

    end_ms: int
    candles: int
    signals: int
    shorts: int
    refused: Counter[Refusal]
    bounds: Counter[Bound]
    target_pct: list[float]
    stop_pct: list[float]
    risked_pct: list[float]
    span_ms: int = 0  # of the slices tried
    exits: ExitCounts = field(default_factory=ExitCounts)
    limits: LimitCounts = field(default_factory=LimitCounts)

    def note(self, account: Account, signal: Signal, output: RiskOutput | Refusal) -> None:
        """An entry signal and what risk says of it."""
        self.signals += 1
        self.shorts += signal.action is Action.SHORT
        if isinstance(output, Refusal):
            self.refused[output] += 1
            return
        reference = output.reference
        self.bounds[output.sized_by] += 1
        self.target_pct.append(100.0 * abs(output.target - reference) / reference)
        self.stop_pct.append(100.0 * abs(output.stop - reference) / reference)
        self.risked_pct.append(100.0 * output.quantity * abs(output.stop - reference) / account.balance)


async def probe_async(settings: Settings, strategies: LoadedStrategies, cache: CandleCache) -> dict[str, Probe]:
    """By the strategies' ids; DataError where the cache holds no candles to try them on."""
    live, session_ms = settings.live, timeframe_ms(settings.live.timeframe)
    period = resolve_period(cache, live.symbols, live.timeframe, None, None, times.now_ms())
    start_ms = period.end_ms - _PROBE_DAYS * DAY_MS
    warmup_ms = startup_candles(settings, strategies) * session_ms
    feed = ReplayFeed(
        cache,
        live.symbols,
        live.timeframe,
        warmup_start_ms=start_ms - warmup_ms,
        start_ms=start_ms,
        end_ms=period.end_ms,
    )
    account, rules = account_of(settings), fill_rules(settings.trading_mode)
    host = host_of(settings, strategies, account)
    risks = {spec.id: RiskEngine(risk_config(settings, spec), instruments(settings)) for spec, _ in strategies.of}
    own_ms = {spec.id: timeframe_ms(spec.timeframe) for spec, _ in strategies.of}
    probes = {spec.id: Probe(period.end_ms, 0, 0, 0, Counter(), Counter(), [], [], []) for spec, _ in strategies.of}
    for slices in feed.bursts():
        for slice_ in slices:
            for candle in slice_.candles:
                account.marks[candle.symbol] = candle.close
            for probe in probes.values():
                if not slice_.warmup:
                    probe.candles += len(slice_.candles)
                    probe.span_ms += session_ms
                    probe.limits.meet(slice_.candles, rules)
            closing = host.absorb(slice_)
            for own in host.hosted:
                for candle, on_candle, view in own.asked_of(closing):
                    answer = await on_candle(candle, view)
                    if slice_.warmup or answer is FLAT:
                        continue
                    signal, line = own.check(answer, candle), view.line
                    if signal.action not in (Action.LONG, Action.SHORT):
                        continue
                    probe, risk = probes[line.strategy], risks[line.strategy]
                    output = await risk.assess(line, signal, account)
                    probe.note(account, signal, output)
                    if isinstance(output, Refusal):
                        continue
                    if signal.limit is not None:
                        mark = account.marks[line.symbol]
                        probe.limits.note(signal, output, mark, slice_.close_time_ms, session_ms)
                    if isinstance(signal.exits, Exits):
                        instrument = risk.instrument(line.symbol)
                        probe.exits.note(signal.exits, output, instrument, session_ms, own_ms[line.strategy])
    return probes
