"""Independent reference simulator: what one session must compute, fill by fill.

Written from RULES.md alone (and the configuration keys of DESIGN.md); it shares no code with the project
and imports the standard library only. Every block cites the paragraph of RULES.md that it mirrors. Where
the rules are silent, "Decision:" marks the reading taken. Clarity comes before speed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .books import Books, Position
from .broker import Broker
from .candles import Coarser, Row, slices_of
from .config import Config, StrategyConfig
from .protections import Protections
from .result import ACTIONS, Result
from .risk import Risk
from .scalping import ScalpingEMARSI

Signal = dict[str, Any]  # action, atr, stop, target, size_factor, limit, valid_candles, exits
Strategy = Callable[[str, list[Row]], Signal | None]
Event = tuple[Any, ...]  # ("slice", [(symbol, row), ...], close time), ("late", symbol, row), ("kill",), ("resume",)


class Running:
    """One strategy of the session: its indicators or its function, its coarser candles, its risk."""

    def __init__(self, own: StrategyConfig, config: Config, books: Books, function: Strategy | None) -> None:
        self.id = own.id
        self.symbols = own.symbols
        self.timeframe_ms = own.timeframe_ms
        self.risk = Risk(books, own)
        self.function = function
        self.history: dict[str, list[Row]] = {symbol: [] for symbol in own.symbols}
        self.coarser = {symbol: Coarser(own.timeframe_ms) for symbol in own.symbols}  # in config order
        self.scalping: dict[str, ScalpingEMARSI] = {}
        if function is None:
            self.scalping = {symbol: ScalpingEMARSI(own.params, config.ta_lib_fused) for symbol in own.symbols}

    def ask(self, symbol: str, row: Row, in_run: bool) -> Signal | None:
        """A strategy is asked for every candle of the run; warm-up candles only update indicators."""
        if self.function is None:
            return self.scalping[symbol].update(row)
        self.history[symbol].append(row)
        return self.function(symbol, self.history[symbol]) if in_run else None


class Session:
    """The state of one run; one method per paragraph of the rules."""

    def __init__(self, config: Config, functions: Mapping[str, Strategy]) -> None:
        self.config = config
        self.result = Result(candles_processed=dict.fromkeys(config.symbols, 0))
        self.protections = Protections(config.protections, config.timeframe_ms)
        self.books = Books(config, self.result, self.protections.trade_over)
        self.broker = Broker(self.books)
        self.strategies = [Running(own, config, self.books, functions.get(own.id)) for own in config.strategies]
        self.peak = config.starting_balance
        self.halted = False
        self.late = False  # what is in hand came after its slice

    # One slice, three steps, always in this order

    def handle_slice(self, candles: list[tuple[str, Row]], close_time: int, in_run: bool) -> None:
        self.books.time = close_time
        if in_run:
            for symbol, row in candles:
                self.result.candles_processed[symbol] += 1
                self.candle(symbol, row)
            self.guard()
        else:
            # "Warm-up candles update indicators and nothing else" (Decision: no marks either).
            self.result.warmup_candles += len(candles)
        # "Step 3: strategies in config order, within one the symbols in config order."
        for strategy in self.strategies:
            for symbol, row in self.strategy_candles(strategy, candles):
                self.answer(strategy, symbol, row, in_run)

    def candle(self, symbol: str, row: Row) -> None:
        """Step 1: "the candle's lines in the config's order of strategies ... then the mark"."""
        for strategy in self.strategies:
            if symbol in strategy.symbols:
                self.broker.handle((strategy.id, symbol), row)
        self.books.marks[symbol] = row[4]

    # What the world brings between two slices

    def handle_late(self, symbol: str, row: Row) -> None:
        """Rules, 'Live': exits are checked on it, indicators updated, no entry is decided on it.

        Decision: of a coarser candle that has closed it is no part any more; the last equity row holds what follows.
        """
        self.candle(symbol, row)
        self.late = True
        for strategy in self.strategies:
            timeframe = strategy.timeframe_ms
            if symbol not in strategy.symbols:
                continue
            if timeframe == self.config.timeframe_ms:
                self.answer(strategy, symbol, row, in_run=True)
            elif (row[0] // timeframe + 1) * timeframe > self.books.time:
                strategy.coarser[symbol].add(row)
        self.late = False
        self.rewrite_last_row()

    def kill(self) -> None:
        """An operator's kill: as if a limit had been reached. Decision: nothing while halted."""
        if not self.halted:
            self.trip()

    def resume(self) -> None:
        """ "until an operator resumes, which sets the peak to the equity of that moment"."""
        self.halted = False
        self.peak = self.books.equity()

    # Step 2: guard

    def guard(self) -> None:
        """One equity row per slice; the peak; the kill switch."""
        equity = self.books.equity()
        self.result.equity.append((self.books.time, equity, self.books.balance))
        self.peak = max(self.peak, equity)
        limit = self.config.max_drawdown
        if limit is not None and not self.halted and 1 - equity / self.peak >= limit:
            self.trip()

    def trip(self) -> None:
        """Pending entries are cancelled, each open position gets a close order, no entry is accepted."""
        self.halted = True
        self.result.kill_switch_time_ms = self.books.time
        for line in list(self.books.entries):
            self.books.cancel(line, "kill_switch")
        for position in list(self.books.positions.values()):
            self.order_close(position, "kill_switch")
        self.rewrite_last_row()  # "Likewise a kill switch under fill: close."

    def order_close(self, position: Position, reason: str) -> None:
        """A close order; `fill: close`: "it fills at once, at the symbol's mark"."""
        self.books.order_close(position, self.books.marks[position.entry.symbol], self.books.time, reason)

    def rewrite_last_row(self) -> None:
        if self.result.equity:
            self.result.equity[-1] = (self.result.equity[-1][0], self.books.equity(), self.books.balance)

    # Step 3: decide

    def strategy_candles(self, strategy: Running, candles: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
        """The strategy candles that close with this slice, symbols in config order (also absent symbols)."""
        own = [(symbol, row) for symbol, row in candles if symbol in strategy.symbols]
        if strategy.timeframe_ms == self.config.timeframe_ms:
            return own
        for symbol, row in own:
            strategy.coarser[symbol].add(row)
        coarser = strategy.coarser
        return [(symbol, row) for symbol in coarser for row in coarser[symbol].close(self.books.time)]

    def answer(self, strategy: Running, symbol: str, row: Row, in_run: bool) -> None:
        signal = strategy.ask(symbol, row, in_run)
        if in_run and signal is not None:
            self.decide(strategy, symbol, signal)

    def decide(self, strategy: Running, symbol: str, signal: Signal) -> None:
        """Strategy -> risk -> safety gate -> execution."""
        action, line = signal["action"], (strategy.id, symbol)
        if action not in ACTIONS:
            raise ValueError(f"{line}: unknown action {action!r}")
        self.result.signals[action] += 1  # "counts every LONG, SHORT and EXIT of the run, whatever follows"
        if action == "EXIT":
            self.exit_signal(line)
        elif line in self.books.positions or line in self.books.entries:
            self.result.ignored_entries += 1  # "... a position or a pending order is ignored"
        else:
            sized = strategy.risk.order(symbol, 1 if action == "LONG" else -1, signal)
            if sized is None:
                return
            entry, bound = sized
            refusal = self.gate(line)
            if refusal is not None:
                self.result.refused_by_gate[refusal] += 1
                return
            self.result.orders_submitted += 1  # "entries that the gate accepted"
            self.result.sized_by[bound] += 1
            if self.config.fill == "close" and entry.limit is None:  # "it fills at once, at the symbol's mark"
                position = self.books.open_at_market(entry, self.books.marks[symbol], self.books.time)
                self.broker.place_legs(position)
            else:  # "a limit waits for the next candle all the same"
                self.books.entries[line] = entry

    def exit_signal(self, line: tuple[str, str]) -> None:
        """EXIT passes no risk or gate limit. Decision: ignored while a close order is pending."""
        position = self.books.positions.get(line)
        if position is not None and position.close_reason is None:
            self.order_close(position, "signal_exit")
        elif line in self.books.entries:
            self.books.cancel(line, "signal_exit")
        else:
            self.result.ignored_exits += 1

    def gate(self, line: tuple[str, str]) -> str | None:
        """Not late; not halted; open positions + pending entries below the limit; then the protections."""
        if self.late:
            return "late"
        if self.halted:
            return "halted"
        if not len(self.books.positions) + len(self.books.entries) < self.config.max_open_positions:
            return "max_open_positions"
        return self.protections.refusal(line, self.books.time)

    # The end

    def flatten(self) -> None:
        """Rules, 'Flatten at the end of a session'."""
        self.result.unfilled_at_end = len(self.books.entries)
        self.books.entries.clear()
        for position in list(self.books.positions.values()):
            reason = position.close_reason or "end_of_data"
            mark = self.books.marks[position.entry.symbol]
            self.books.close_at_market(position, mark, self.books.time, reason)
        self.rewrite_last_row()

    def finish(self) -> Result:
        """Maximum drawdown is taken over the equity rows and the starting balance."""
        result = self.result
        result.final_balance = self.books.balance
        result.final_equity = self.books.equity()
        for strategy in self.strategies:
            pnls = [trade["pnl"] for trade in result.closed if trade["strategy"] == strategy.id]
            result.per_strategy[strategy.id] = {"total_trades": len(pnls), "realized_pnl": sum(pnls)}
        peak, worst = self.config.starting_balance, 0.0
        for _, equity, _ in result.equity:
            peak = max(peak, equity)
            worst = max(worst, 1 - equity / peak)
        result.peak_equity = peak
        result.max_drawdown_pct = 100 * worst
        return result


def simulate(
    candles: dict[str, list[Row]],
    config: Config,
    start_ms: int,
    end_ms: int,
    functions: Mapping[str, Strategy] | None = None,
) -> Result:
    """Run one session over `start_ms <= open_time < end_ms`, with the warm-up before it.

    `functions` has the strategies by their ids; one that is absent is ScalpingEMARSI with its `params`.
    """
    session = Session(config, functions or {})
    begin_ms = start_ms - config.startup_candles * config.timeframe_ms
    for open_time, slice_ in slices_of(candles, config.symbols, begin_ms, end_ms):
        session.handle_slice(slice_, open_time + config.timeframe_ms, in_run=open_time >= start_ms)
    session.flatten()
    return session.finish()


def simulate_events(events: list[Event], config: Config, functions: Mapping[str, Strategy] | None = None) -> Result:
    """The same over what a live session hears, to the end of the data."""
    session = Session(config, functions or {})
    for kind, *content in events:
        if kind == "slice":
            candles, close_time = content
            session.handle_slice(candles, close_time, in_run=True)
        elif kind == "late":
            session.handle_late(*content)
        else:
            session.kill() if kind == "kill" else session.resume()
    session.flatten()
    return session.finish()
