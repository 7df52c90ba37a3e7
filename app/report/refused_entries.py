"""What refused entries would have done: each run alone through the fills, so that it can be said what a limit costs.

Each has an account of its own with the equity of its moment, the run's rules and costs, and the simulator that fills
everything else; its stop, its target, its exits, its time or an EXIT of its strategy end it. Sums over entries are not
what the account would have made: they would have shared it. EXITs that a strategy gives only while it holds a
position were never given.
"""

from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NamedTuple

from app.models.market import Candle
from app.models.orders import Fill, Line, Reason
from app.runs.refused_log import ROOM, RefusedEntry
from app.session.building import fill_rules, instruments, risk_config
from app.settings.profile import Settings
from app.times import timeframe_ms
from app.trading.account import Account
from app.trading.execution import ExecutionEngine
from app.trading.exit_rules import FillRules
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from app.trading.risk import RiskEngine

MOST = 5_000  # entries that are run; the others are counted


@dataclass
class RefusedTotals:
    """Of one limit. `entries` were run, `left_out` were not; PnL in quote currency, after costs; what is `open` counts
    with its result at the last price.
    """

    limit: str
    entries: int = 0
    filled: int = 0
    winners: int = 0
    pnl: float = 0.0
    r: float = 0.0  # the sum over trades of PnL over initial risk
    open: int = 0
    left_out: int = 0


class RefusedEntries:
    """Takes entries, candles and EXITs in the order of time, and has totals at any moment.

    A candle is met by the entries that were decided before it opened. `most` entries are run at all.
    """

    def __init__(self, settings: Settings, most: int = MOST) -> None:
        live, known = settings.live, instruments(settings)
        self._rules = _Rules(timeframe_ms(live.timeframe), fill_rules(settings.trading_mode), known)
        configs = {spec.id: risk_config(settings, spec) for spec in settings.strategies}
        self._risks = {one: RiskEngine(config, known) for one, config in configs.items()}
        self._without_room = {one: RiskEngine(replace(own, max_exposure=inf), known) for one, own in configs.items()}
        self._most, self._taken = most, 0
        self._open: dict[str, list[_Alone]] = defaultdict(list)
        self._totals: dict[str, RefusedTotals] = {}

    def add(self, entry: RefusedEntry, mark: float | None, since: Iterable[Candle] = ()) -> None:
        """An entry with the symbol's price at its decision, and the candles after it that the others have met already.

        Without a price it is left out, like what its strategy's settings are not known of.
        """
        risk = (self._without_room if entry.limit_name == ROOM else self._risks).get(entry.strategy)
        if risk is None or mark is None or self._taken >= self._most:
            self._of(entry).left_out += 1
            return
        alone = _Alone(entry, mark, risk, self._rules)
        if alone.is_over:  # too small by itself: no limit of the account is the reason
            return
        self._taken += 1
        self._of(entry).entries += 1
        self._open[entry.symbol].append(alone)
        for candle in since:
            alone.on_candle(candle)
        self._sift(entry.symbol)

    def on_candle(self, candle: Candle) -> None:
        """The symbol's next one."""
        own = self._open.get(candle.symbol)
        if own:
            for alone in own:
                alone.on_candle(candle)
            self._sift(candle.symbol)

    def on_exit(self, line: Line, time_ms: int) -> None:
        """The strategy wanted to be out, at the close of the slice of this time."""
        for alone in self._open.get(line.symbol, ()):
            if alone.line == line and alone.entry.time_ms < time_ms:
                alone.on_exit(time_ms)
        self._sift(line.symbol)

    def is_idle(self, symbol: str) -> bool:
        """Whether the symbol's next candle would meet nothing."""
        return not self._open.get(symbol)

    def totals(self) -> list[RefusedTotals]:
        """By limit, the most entries first."""
        found = {limit: RefusedTotals(**vars(own)) for limit, own in self._totals.items()}
        for alone in (one for own in self._open.values() for one in own):
            alone.count(found[alone.entry.limit_name])
        return sorted(found.values(), key=lambda one: (-one.entries - one.left_out, one.limit))

    def _of(self, entry: RefusedEntry) -> RefusedTotals:
        return self._totals.setdefault(entry.limit_name, RefusedTotals(entry.limit_name))

    def _sift(self, symbol: str) -> None:
        own = self._open.get(symbol, [])
        over = [one for one in own if one.is_over]
        if over:
            self._open[symbol] = [one for one in own if not one.is_over]
            for alone in over:
                alone.count(self._of(alone.entry))


class _Rules(NamedTuple):
    """Of the run."""

    timeframe_ms: int
    fills: FillRules
    instruments: Mapping[str, Instrument]


class _Alone:
    """One entry; `is_over` once it holds nothing and waits for nothing."""

    def __init__(self, entry: RefusedEntry, mark: float, risk: RiskEngine, rules: _Rules) -> None:
        self.line = Line(entry.strategy, entry.symbol)
        self.entry, self.fills = entry, list[Fill]()
        self.account = account = Account(entry.equity, {entry.symbol: (self.line,)})
        account.marks[entry.symbol], account.time_ms = mark, entry.time_ms
        ledger = Ledger(account, self.fills.append, rules.timeframe_ms, rules.instruments)
        self.trader = PaperTrader(ledger, rules.fills)
        self._engine = ExecutionEngine(self.trader, account, rules.timeframe_ms)
        output = risk.size(self.line, entry.signal, account).output
        if output is not None:
            order = self._engine.create_order_from_risk_output(output, entry.signal, entry.time_ms)
            _now(self._engine.submit_order(order))

    @property
    def is_over(self) -> bool:
        return not (self.account.positions or self.account.pending)

    def on_candle(self, candle: Candle) -> None:
        self.account.time_ms = candle.close_time_ms
        self.trader.update_positions(candle)

    def on_exit(self, time_ms: int) -> None:
        if self.line not in self.account.positions:
            _now(self.trader.cancel_entry(self.line, Reason.SIGNAL_EXIT.value))
        elif self.line not in self.account.closing:
            _now(self.trader.submit(self._engine.create_close_order(self.line, Reason.SIGNAL_EXIT, time_ms)))

    def count(self, totals: RefusedTotals) -> None:
        entry = next((fill for fill in self.fills if fill.opens), None)
        if entry is None:
            return
        pnl, risk = self.account.equity() - self.entry.equity, abs(entry.price - entry.stop) * entry.quantity
        totals.filled += 1
        totals.winners += pnl > 0.0
        totals.pnl += pnl
        totals.r += pnl / risk if risk > 0.0 else 0.0
        totals.open += not self.is_over


def _now(work: Coroutine[Any, Any, Any]) -> None:
    """The simulator answers at once: nothing here ever waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("the simulator waits")
