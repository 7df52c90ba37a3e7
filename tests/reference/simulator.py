"""Independent reference simulator: what one session must compute, fill by fill.

Written from RULES.md alone (and the configuration keys of DESIGN.md); it shares no code with the project
and imports the standard library only. Every block cites the paragraph of RULES.md that it mirrors. Where
the rules are silent, "Decision:" marks the reading taken. Clarity comes before speed.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .indicators import ATR, EMA, RSI, SMA

Row = tuple[int, float, float, float, float, float]  # open_time_ms, open, high, low, close, volume
Signal = dict[str, Any]
Strategy = Callable[[str, list[Row]], Signal | None]
Event = tuple[Any, ...]  # ("slice", [(symbol, row), ...], close time), ("late", symbol, row), ("kill",), ("resume",)

TOLERANCE = 1e-9  # a quotient this near to a whole number of steps or ticks counts as that number
ACTIONS = ("LONG", "SHORT", "EXIT")
RISK_REFUSALS = ("no_mark", "stop_distance", "no_quantity", "min_quantity", "min_notional")
GATE_REFUSALS = ("late", "halted", "max_open_positions")
BOUNDS = ("risk", "position", "room")
SCALPING_DEFAULTS: dict[str, Any] = {
    "ema_fast": 9,
    "ema_slow": 21,
    "rsi_period": 14,
    "atr_period": 14,
    "volume_period": 20,
    "volume_factor": 1.0,
    "rsi_long_min": 50,
    "rsi_long_max": 70,
    "rsi_short_min": 30,
    "rsi_short_max": 50,
    "allow_short": True,
}


@dataclass(frozen=True)
class Config:
    """The keys of the three configuration files that the rules speak of, with their defaults."""

    symbols: list[str]
    timeframe_ms: int = 60_000
    startup_candles: int = 240
    strategy_timeframe_ms: int | None = None  # None: the session's
    params: dict[str, Any] = field(default_factory=dict)
    risk_per_trade: float = 0.01
    atr_stop_multiplier: float = 1.5
    reward_risk_ratio: float = 2.0
    max_position_pct: float = 0.10
    starting_balance: float = 10_000.0
    fill: str = "next_open"  # or 'close'
    limit_fill: str = "through"  # or 'touch'
    commission_rate: float = 0.001
    maker_commission_rate: float | None = None
    slippage_rate: float = 0.0005
    max_drawdown: float | None = 0.20  # None: off
    max_open_positions: int = 10
    max_exposure: float = 0.20
    instruments: dict[str, dict[str, float]] = field(default_factory=dict)
    ta_lib_fused: bool = False  # no config key: the plain arithmetic of TA-Lib 0.6, or the fused one of 0.8

    def __post_init__(self) -> None:
        if self.fill not in ("next_open", "close") or self.limit_fill not in ("through", "touch"):
            raise ValueError(f"fill {self.fill!r} / limit_fill {self.limit_fill!r}")
        if (self.strategy_timeframe_ms or self.timeframe_ms) % self.timeframe_ms:
            raise ValueError("the strategy's timeframe must be a multiple of the session's")


@dataclass
class Result:
    """Everything that a session leaves behind."""

    trades: list[dict[str, Any]] = field(default_factory=list)  # the trade log's rows, timestamp in ms
    equity: list[tuple[int, float, float]] = field(default_factory=list)  # (timestamp_ms, equity, balance)
    signals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    orders_submitted: int = 0
    unfilled_at_end: int = 0
    cancelled_entries: int = 0  # by the kill switch or an EXIT; those of the end are in unfilled_at_end
    ignored_entries: int = 0
    ignored_exits: int = 0
    refused_by_risk: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RISK_REFUSALS, 0))
    refused_by_gate: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GATE_REFUSALS, 0))
    sized_by: dict[str, int] = field(default_factory=lambda: dict.fromkeys(BOUNDS, 0))
    both_levels: int = 0
    candles_processed: dict[str, int] = field(default_factory=dict)
    warmup_candles: int = 0
    final_balance: float = 0.0
    final_equity: float = 0.0
    max_drawdown_pct: float = 0.0  # 0..100
    peak_equity: float = 0.0
    kill_switch_time_ms: int | None = None


@dataclass
class Entry:
    """An accepted entry: pending until it fills."""

    symbol: str
    side: int  # +1 long, -1 short
    quantity: float
    stop: float
    target: float
    decided: int  # close time of the slice it was decided with


@dataclass
class Position:
    """A filled entry; `close_reason` is set while a close order is pending, `close_decided` when it was decided."""

    entry: Entry
    trade_id: int
    price: float
    commission: float
    opened: int
    close_reason: str | None = None
    close_decided: int = 0

    def pnl(self, price: float) -> float:
        """`side * quantity * (price - entry) - entry commission`: unrealised at a mark."""
        return self.entry.side * self.entry.quantity * (price - self.price) - self.commission


# --- ScalpingEMARSI -------------------------------------------------------------------------------


class ScalpingEMARSI:
    """Rules, 'ScalpingEMARSI': one symbol's indicators, on its own closed candles, warm-up included."""

    def __init__(self, params: dict[str, Any], fused: bool) -> None:
        if unknown := set(params) - set(SCALPING_DEFAULTS):
            raise ValueError(f"unknown parameters: {sorted(unknown)}")
        self.params = SCALPING_DEFAULTS | params
        self.fast = EMA(self.params["ema_fast"], fused)
        self.slow = EMA(self.params["ema_slow"], fused)
        self.rsi = RSI(self.params["rsi_period"], fused)
        self.atr = ATR(self.params["atr_period"], fused)
        self.volume_sma = SMA(self.params["volume_period"])
        self.d: float | None = None

    def update(self, candle: Row) -> Signal | None:
        _, _, high, low, close, volume = candle
        fast, slow = self.fast.update(close), self.slow.update(close)
        rsi, atr = self.rsi.update(close), self.atr.update(high, low, close)
        average = self.volume_sma.update(volume)
        before, self.d = self.d, None if fast is None or slow is None else fast - slow
        # "No signal before every indicator, and d[t-1], exists."
        if before is None or self.d is None or rsi is None or atr is None or average is None:
            return None
        p = self.params
        if not volume > p["volume_factor"] * average:
            return None
        if before <= 0 < self.d and p["rsi_long_min"] <= rsi <= p["rsi_long_max"]:
            return {"action": "LONG", "atr": atr}
        if p["allow_short"] and before >= 0 > self.d and p["rsi_short_min"] <= rsi <= p["rsi_short_max"]:
            return {"action": "SHORT", "atr": atr}
        return None


# --- Rounding -------------------------------------------------------------------------------------


def round_to_multiple(value: float, step: float, up: bool) -> float:
    """Down or up to a multiple of a step, as the double nearest to the decimal multiple.

    "a quotient within 1e-9 of a whole number of steps counts as that number" (Decision: ticks too).
    """
    quotient = value / step
    count = round(quotient)
    if abs(quotient - count) > TOLERANCE:
        count = math.ceil(quotient) if up else math.floor(quotient)
    return float(Decimal(repr(step)) * count)


# --- Candles and slices ---------------------------------------------------------------------------


def slices_of(
    candles: dict[str, list[Row]], config: Config, start_ms: int, end_ms: int
) -> Iterator[tuple[int, list[tuple[str, Row]]]]:
    """Rules, 'Candles and slices': candles that close together, in config order; rising close time."""
    feed_start = start_ms - config.startup_candles * config.timeframe_ms
    by_time: dict[int, list[tuple[str, Row]]] = {}
    for symbol in config.symbols:
        for row in candles.get(symbol, []):
            if feed_start <= row[0] < end_ms:
                by_time.setdefault(row[0], []).append((symbol, row))
    for open_time in sorted(by_time):
        yield open_time, by_time[open_time]


class Coarser:
    """Rules, 'Coarser candles': one symbol's candles of a multiple of the session's timeframe."""

    def __init__(self, timeframe_ms: int) -> None:
        self.timeframe_ms = timeframe_ms
        self.forming: list[Row] = []  # unfinished, oldest first; sometimes two

    def add(self, row: Row) -> None:
        # Aligned to the epoch. Decision: a session candle belongs where its open time lies.
        begin = row[0] // self.timeframe_ms * self.timeframe_ms
        if self.forming and self.forming[-1][0] == begin:
            _, first, high, low, _, volume = self.forming[-1]
            self.forming[-1] = (begin, first, max(high, row[2]), min(low, row[3]), row[4], volume + row[5])
        else:
            self.forming.append((begin, *row[1:]))

    def close(self, close_time: int) -> list[Row]:
        # "close with the first slice whose close time is at or after their end"
        closed = []
        while self.forming and self.forming[0][0] + self.timeframe_ms <= close_time:
            closed.append(self.forming.pop(0))
        return closed


# --- The session ----------------------------------------------------------------------------------


class Session:
    """The state of one run: money, marks, positions and orders; one method per paragraph of the rules."""

    def __init__(self, config: Config, strategy: Strategy | None) -> None:
        self.config = config
        self.strategy = strategy
        self.result = Result(candles_processed=dict.fromkeys(config.symbols, 0))
        self.balance = config.starting_balance
        self.peak = config.starting_balance
        self.halted = False
        self.late = False  # what is in hand came after its slice
        self.time = 0  # close time of the slice in hand
        self.marks: dict[str, float] = {}
        self.positions: dict[str, Position] = {}  # in the order in which they were opened
        self.entries: dict[str, Entry] = {}  # pending, in the order in which they were placed
        self.trade_count = 0
        self.history: dict[str, list[Row]] = {symbol: [] for symbol in config.symbols}
        params, fused = config.params, config.ta_lib_fused
        self.scalping = {symbol: ScalpingEMARSI(params, fused) for symbol in config.symbols}
        self.strategy_timeframe = config.strategy_timeframe_ms or config.timeframe_ms
        self.coarser = {symbol: Coarser(self.strategy_timeframe) for symbol in config.symbols}

    # One slice, three steps, always in this order

    def handle_slice(self, candles: list[tuple[str, Row]], close_time: int, in_run: bool) -> None:
        self.time = close_time
        if in_run:
            for symbol, row in candles:
                self.result.candles_processed[symbol] += 1
                self.broker(symbol, row)
            self.guard()
        else:
            # "Warm-up candles update indicators and nothing else" (Decision: no marks either).
            self.result.warmup_candles += len(candles)
        for symbol, row in self.strategy_candles(candles):
            signal = self.ask_strategy(symbol, row, in_run)
            if in_run and signal is not None:
                self.decide(symbol, signal)

    # What the world brings between two slices

    def handle_late(self, symbol: str, row: Row) -> None:
        """Rules, 'Live': exits are checked on it, indicators updated, no entry is decided on it.

        Decision: of a coarser candle that has closed it is no part any more; the last equity row holds what follows.
        """
        self.broker(symbol, row)
        self.late = True
        if self.strategy_timeframe == self.config.timeframe_ms:
            signal = self.ask_strategy(symbol, row, in_run=True)
            if signal is not None:
                self.decide(symbol, signal)
        elif (row[0] // self.strategy_timeframe + 1) * self.strategy_timeframe > self.time:
            self.coarser[symbol].add(row)
        self.late = False
        self.rewrite_last_row()

    def kill(self) -> None:
        """An operator's kill: as if a limit had been reached. Decision: nothing while halted."""
        if not self.halted:
            self.trip()

    def resume(self) -> None:
        """ "until an operator resumes, which sets the peak to the equity of that moment"."""
        self.halted = False
        self.peak = self.equity()

    # Step 1: broker

    def broker(self, symbol: str, row: Row) -> None:
        """Fills at the candle's open, then exits inside it, then the mark becomes its close.

        "No order fills on a candle that opened before the slice it was decided with had closed". Decision: nor does a
        stop or a target of a position that was opened later than the candle.
        """
        open_time, open_price, _, _, close, volume = row
        if volume != 0:  # "A candle with volume 0 fills nothing and triggers nothing ... only sets the mark"
            position = self.positions.get(symbol)
            if position is not None and position.close_reason is not None and position.close_decided <= open_time:
                # "a close order before anything else"
                self.close_at_market(position, open_price, open_time, position.close_reason)
            entry = self.entries.get(symbol)
            if entry is not None and entry.decided <= open_time:
                del self.entries[symbol]
                self.open_position(entry, open_price, open_time)
            position = self.positions.get(symbol)
            if position is not None and position.opened <= open_time:
                self.check_exits(position, row)
        self.marks[symbol] = close

    def check_exits(self, position: Position, row: Row) -> None:
        """Rules, 'Fills', exit check: the first of the four that holds; a short mirrors a long."""
        open_time, open_price, high, low, _, _ = row
        close_time = open_time + self.config.timeframe_ms
        side, stop, target = position.entry.side, position.entry.stop, position.entry.target
        worst, best = (low, high) if side > 0 else (high, low)
        if side * open_price <= side * stop:  # 1. a gap
            self.close_at_market(position, open_price, open_time, "stop_loss")
        elif self.beyond(side, open_price, target):  # 2.
            self.close_at_limit(position, open_price, open_time)
        elif side * worst <= side * stop:  # 3. "when both levels lie inside one candle, the stop wins"
            self.result.both_levels += self.beyond(side, best, target)
            self.close_at_market(position, stop, close_time, "stop_loss")
        elif self.beyond(side, best, target):  # 4.
            self.close_at_limit(position, target, close_time)

    def beyond(self, side: int, price: float, target: float) -> bool:
        """'limit_fill: through' means strictly past the target; 'touch' means at or past it."""
        if self.config.limit_fill == "through":
            return side * price > side * target
        return side * price >= side * target

    # Fills

    def slipped(self, price: float, side: int) -> float:
        """Slippage is a rate against the trader: buy at `p * (1 + s)`, sell at `p * (1 - s)`."""
        rate = self.config.slippage_rate
        return price * (1 + rate) if side > 0 else price * (1 - rate)

    def open_position(self, entry: Entry, price: float, timestamp: int) -> None:
        """A market entry. The balance does not change on OPEN."""
        fill = self.slipped(price, entry.side)
        commission = self.config.commission_rate * fill * entry.quantity
        self.trade_count += 1
        position = Position(entry, self.trade_count, fill, commission, timestamp)
        self.positions[entry.symbol] = position
        self.log(position, "OPEN", timestamp, fill, price, commission, 0.0, "signal")

    def close_at_market(self, position: Position, price: float, timestamp: int, reason: str) -> None:
        """A close order, a stop or a flatten: slippage, and the commission rate of a taker."""
        fill = self.slipped(price, -position.entry.side)
        self.close_position(position, fill, price, timestamp, reason, self.config.commission_rate)

    def close_at_limit(self, position: Position, price: float, timestamp: int) -> None:
        """A target is a limit order: no slippage, the maker's commission rate where given."""
        maker = self.config.maker_commission_rate
        rate = self.config.commission_rate if maker is None else maker
        self.close_position(position, price, price, timestamp, "take_profit", rate)

    def close_position(
        self, position: Position, fill: float, price: float, timestamp: int, reason: str, rate: float
    ) -> None:
        """On CLOSE, and only there, `balance += realised PnL`."""
        commission = rate * fill * position.entry.quantity
        realised = position.pnl(fill) - commission
        del self.positions[position.entry.symbol]
        self.balance += realised
        self.log(position, "CLOSE", timestamp, fill, price, commission, realised, reason)

    def log(
        self,
        position: Position,
        action: str,
        timestamp: int,
        fill: float,
        price: float,
        commission: float,
        realised: float,
        reason: str,
    ) -> None:
        """Rules, 'Trade log': balance and equity after the fill, equity at the marks as they stand."""
        entry = position.entry
        row = {
            "timestamp": timestamp,
            "symbol": entry.symbol,
            "action": action,
            "side": "LONG" if entry.side > 0 else "SHORT",
            "price": fill,
            "quantity": entry.quantity,
            "commission": commission,
            "slippage": abs(fill - price) * entry.quantity,
            "balance": self.balance,
            "equity": self.equity(),
            "realized_pnl": realised,
            "reason": reason,
            "trade_id": position.trade_id,
            "stop_loss": entry.stop,
            "take_profit": entry.target,
        }
        self.result.trades.append(row)

    def equity(self) -> float:
        """`balance + sum(unrealised PnL)`. Decision: summed in the order of opening, then added."""
        unrealised = 0.0
        for symbol, position in self.positions.items():
            unrealised += position.pnl(self.marks[symbol])
        return self.balance + unrealised

    # Step 2: guard

    def guard(self) -> None:
        """One equity row per slice; the peak; the kill switch."""
        equity = self.equity()
        self.result.equity.append((self.time, equity, self.balance))
        self.peak = max(self.peak, equity)
        limit = self.config.max_drawdown
        if limit is not None and not self.halted and 1 - equity / self.peak >= limit:
            self.trip()

    def trip(self) -> None:
        """Pending entries are cancelled, each open position gets a close order, no entry is accepted."""
        self.halted = True
        self.result.kill_switch_time_ms = self.time
        self.result.cancelled_entries += len(self.entries)
        self.entries.clear()
        for position in list(self.positions.values()):
            self.order_close(position, "kill_switch")
        self.rewrite_last_row()  # "Likewise a kill switch under fill: close."

    def order_close(self, position: Position, reason: str) -> None:
        """A close order. Decision: one that is already pending stays as it is."""
        if position.close_reason is not None:
            return
        if self.config.fill == "close":  # "it fills at once, at the symbol's mark"
            self.close_at_market(position, self.marks[position.entry.symbol], self.time, reason)
        else:
            position.close_reason, position.close_decided = reason, self.time

    def rewrite_last_row(self) -> None:
        if self.result.equity:
            self.result.equity[-1] = (self.result.equity[-1][0], self.equity(), self.balance)

    # Step 3: decide

    def strategy_candles(self, candles: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
        """The strategy candles that close with this slice, symbols in config order (also absent symbols)."""
        if self.strategy_timeframe == self.config.timeframe_ms:
            return candles
        for symbol, row in candles:
            self.coarser[symbol].add(row)
        coarser = self.coarser  # in config order
        return [(symbol, row) for symbol in coarser for row in coarser[symbol].close(self.time)]

    def ask_strategy(self, symbol: str, row: Row, in_run: bool) -> Signal | None:
        """A strategy is asked for every candle of the run; warm-up candles only update indicators."""
        if self.strategy is None:
            return self.scalping[symbol].update(row)
        self.history[symbol].append(row)
        return self.strategy(symbol, self.history[symbol]) if in_run else None

    def decide(self, symbol: str, signal: Signal) -> None:
        """Strategy -> risk -> safety gate -> execution."""
        action = signal["action"]
        if action not in ACTIONS:
            raise ValueError(f"{symbol}: unknown action {action!r}")
        self.result.signals[action] += 1  # "counts every LONG, SHORT and EXIT of the run, whatever follows"
        if action == "EXIT":
            self.exit_signal(symbol)
        elif symbol in self.positions or symbol in self.entries:
            self.result.ignored_entries += 1  # "... a position or a pending order is ignored"
        else:
            sized = self.risk(symbol, 1 if action == "LONG" else -1, signal)
            if sized is not None and self.gate():
                entry, bound = sized
                self.result.orders_submitted += 1  # "entries that the gate accepted"
                self.result.sized_by[bound] += 1
                self.execute(entry)

    def exit_signal(self, symbol: str) -> None:
        """EXIT passes no risk or gate limit. Decision: ignored while a close order is pending."""
        position = self.positions.get(symbol)
        if position is not None and position.close_reason is None:
            self.order_close(position, "signal_exit")
        elif self.entries.pop(symbol, None) is not None:
            self.result.cancelled_entries += 1
        else:
            self.result.ignored_exits += 1

    # Risk

    def risk(self, symbol: str, side: int, signal: Signal) -> tuple[Entry, str] | None:
        """Rules, 'Risk and gate': the distance, the quantity and the two levels, or a refusal."""
        reference = self.marks.get(symbol)
        if reference is None:
            return self.refuse("no_mark")
        distance = self.stop_distance(reference, side, signal)
        if not distance > 0:
            return self.refuse("stop_distance")
        instrument = self.config.instruments.get(symbol, {})
        quantity, bound = self.size(reference, distance, signal)
        quantity = round_to_multiple(quantity, instrument.get("quantity_step", 1e-8), up=False)
        if quantity <= 0:
            return self.refuse("no_quantity")
        if quantity < instrument.get("min_quantity", 0.0):
            return self.refuse("min_quantity")
        if quantity * reference < instrument.get("min_notional", 0.0):
            return self.refuse("min_notional")
        stop, target = self.levels(reference, distance, side, signal, instrument.get("price_tick"))
        return Entry(symbol, side, quantity, stop, target, self.time), bound

    def refuse(self, reason: str) -> tuple[Entry, str] | None:
        """Counted, and nothing to hand on to the gate."""
        self.result.refused_by_risk[reason] += 1
        return None

    def stop_distance(self, reference: float, side: int, signal: Signal) -> float:
        """`atr_stop_multiplier * ATR`, or the distance of the stop that the signal brings."""
        if signal.get("stop") is not None:
            return side * (reference - float(signal["stop"]))  # Decision: zero or less on the wrong side
        if signal.get("atr") is None:
            return 0.0
        return self.config.atr_stop_multiplier * float(signal["atr"])

    def size(self, reference: float, distance: float, signal: Signal) -> tuple[float, str]:
        """The least of the three bounds; ties go to the first. A size factor multiplies it."""
        config, equity = self.config, self.equity()
        exposure = 0.0  # "over open positions and pending entries", each in their order
        for symbol, position in self.positions.items():
            exposure += position.entry.quantity * self.marks[symbol]
        for symbol, entry in self.entries.items():
            exposure += entry.quantity * self.marks[symbol]
        room = config.max_exposure * equity - exposure
        bounds = {
            "risk": equity * config.risk_per_trade / distance,
            "position": equity * config.max_position_pct / reference,
            "room": room / reference,
        }
        bound = min(BOUNDS, key=lambda name: bounds[name])
        factor = signal.get("size_factor")
        if factor is None:
            return bounds[bound], bound
        if not 0 < factor <= 1:
            raise ValueError(f"size factor {factor!r}")
        return bounds[bound] * float(factor), bound

    def levels(
        self, reference: float, distance: float, side: int, signal: Signal, tick: float | None
    ) -> tuple[float, float]:
        """`reference -/+ distance` and `reference +/- ratio * distance`, "rounded away from the entry"."""
        own_stop, own_target = signal.get("stop"), signal.get("target")
        stop = reference - side * distance if own_stop is None else float(own_stop)
        reward = self.config.reward_risk_ratio * distance
        target = reference + side * reward if own_target is None else float(own_target)
        if tick:
            stop = round_to_multiple(stop, tick, up=side < 0)
            target = round_to_multiple(target, tick, up=side > 0)
        if side * (reference - stop) <= 0:  # "a stop on the wrong side ... never reaches a broker"
            raise ValueError(f"stop {stop} on the wrong side of {reference}")
        return stop, target

    # Gate and execution

    def gate(self) -> bool:
        """Not late; not halted; open positions + pending entries below the limit."""
        if self.late:
            self.result.refused_by_gate["late"] += 1
            return False
        if self.halted:
            self.result.refused_by_gate["halted"] += 1
            return False
        if not len(self.positions) + len(self.entries) < self.config.max_open_positions:
            self.result.refused_by_gate["max_open_positions"] += 1
            return False
        return True

    def execute(self, entry: Entry) -> None:
        """'next_open': pending until the next traded candle. 'close': filled at once, at the mark."""
        if self.config.fill == "close":
            self.open_position(entry, self.marks[entry.symbol], self.time)
        else:
            self.entries[entry.symbol] = entry

    # The end

    def flatten(self) -> None:
        """Rules, 'Flatten at the end of a session'."""
        self.result.unfilled_at_end = len(self.entries)
        self.entries.clear()
        for position in list(self.positions.values()):
            reason = position.close_reason or "end_of_data"
            self.close_at_market(position, self.marks[position.entry.symbol], self.time, reason)
        self.rewrite_last_row()

    def finish(self) -> Result:
        """Maximum drawdown is taken over the equity rows and the starting balance."""
        result = self.result
        result.final_balance = self.balance
        result.final_equity = self.equity()
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
    strategy: Strategy | None = None,
) -> Result:
    """Run one session over `start_ms <= open_time < end_ms`, with the warm-up before it."""
    session = Session(config, strategy)
    for open_time, slice_ in slices_of(candles, config, start_ms, end_ms):
        session.handle_slice(slice_, open_time + config.timeframe_ms, in_run=open_time >= start_ms)
    session.flatten()
    return session.finish()


def simulate_events(events: list[Event], config: Config, strategy: Strategy | None = None) -> Result:
    """The same over what a live session hears, to the end of the data."""
    session = Session(config, strategy)
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
