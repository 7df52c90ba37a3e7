"""Takes the trades of real orders apart against those on paper: which part of the difference is due to what.

Trades are paired by line and decision. The difference of a pair is taken apart exactly: quantities at paper's prices,
prices at the live quantity, and commissions. A trade that one run alone has is named by why the other has it not.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.feeds.tape import candles_of, has_tape, read_tape
from app.models.orders import Refusal
from app.proof.differences import Difference
from app.proof.shortfall import Part, Shortfall, TradeShortfall
from app.proof.traded import Entry, Exit, Key, Told, Trade, told_by, trades_of_run
from app.report.pairing import LEVEL_EXITS
from app.runs.reader import Run, SignalRow, line_of
from app.runs.run_inputs import inputs_of, replayed_tape
from app.session.epochs import mode_of
from app.times import iso_ms

_BUSY = (Refusal.POSITION_OPEN, Refusal.ORDER_PENDING, Refusal.NOTHING_TO_EXIT, Refusal.EXIT_PENDING)


def shortfall_of(a: Run, b: Run, differences: Sequence[Difference]) -> Shortfall | None:
    """None unless the orders of just one of them were real."""
    real = [_is_real(run) for run in (a, b)]
    if sum(real) != 1:
        return None
    live, paper = (a, b) if real[0] else (b, a)
    own, other = _runs(live, paper)
    matcher = _Matcher(own, other, differences, _Opens(live), live.length_ms)
    found = [matcher.trade(key) for key in sorted({*own.trades, *other.trades}, key=lambda key: (key[1], key[0]))]
    fees: dict[str, float] = {}
    for trade in own.trades.values():
        for asset, amount in trade.fees.items():
            fees[asset] = fees.get(asset, 0.0) + amount
    rows = [sum(len(one.entries) + len(one.exits) for one in side.trades.values()) for side in (own, other)]
    return Shortfall("A" if real[0] else "B", found, _pnl(live), _pnl(paper), (rows[0], rows[1]), fees)


@dataclass
class _Side:
    """One run, as far as it matters here."""

    run: Run
    trades: dict[Key, Trade]
    signals: dict[Key, SignalRow]
    told: Told | None
    period_ms: tuple[int, int]


def _is_real(run: Run) -> bool:
    if has_tape(run.folder):
        return mode_of(read_tape(run.folder).header) == "live"
    return run.tape is not None and mode_of(read_tape(replayed_tape(run)).header) == "live"


def _pnl(run: Run) -> float:
    performance = run.results["performance"]
    return float(performance["final_balance"]) - float(performance["starting_balance"])


def _runs(live: Run, paper: Run) -> tuple[_Side, _Side]:
    place = live.folder if has_tape(live.folder) else replayed_tape(live)
    told = told_by(read_tape(place).records)
    own, other = _side(live, told), _side(paper, None)
    return own, other


def _side(run: Run, told: Told | None) -> _Side:
    signals = {(line_of(one.row), one.time_ms): one for one in run.signals()}
    return _Side(run, trades_of_run(run, told), signals, told, run.period_ms)


class _Opens:
    """Where the traded candles of each symbol opened, as the live session heard of them."""

    def __init__(self, live: Run) -> None:
        self._times: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._prices: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        for event in inputs_of(live, ()).events():
            for candle in candles_of(event):
                times = self._times[candle.symbol]
                if candle.volume > 0.0 and (not times or candle.open_time_ms > times[-1]):  # a late one is left out
                    times.append(candle.open_time_ms)
                    self._prices[candle.symbol].append(candle.open)

    def traded(self, symbol: str, open_ms: int) -> tuple[int, float] | None:
        """The first that opened then or later: where nobody traded, nothing was filled."""
        times = self._times[symbol]
        place = bisect_left(times, open_ms)
        return (times[place], self._prices[symbol][place]) if place < len(times) else None


class _Matcher:
    """Takes trades in the order of their decisions, as a line that has parted stays so."""

    def __init__(
        self, live: _Side, paper: _Side, differences: Sequence[Difference], opens: _Opens, length_ms: int
    ) -> None:
        self._live, self._paper = live, paper
        self._differences, self._opens = differences, opens
        self._length_ms = length_ms

    def trade(self, key: Key) -> TradeShortfall:
        """One trade of either run, or of both."""
        live, paper = self._live.trades.get(key), self._paper.trades.get(key)
        found = TradeShortfall(key, live, paper)
        if live is not None and live.problems:
            found.unexplained = "; ".join(live.problems)
        if live is not None and paper is not None:
            self._pair(found, live, paper)
        elif live is not None:
            self._alone(found, live, self._paper, 1.0, "paper")
        elif paper is not None:
            self._alone(found, paper, self._live, -1.0, "live")
        return found

    def _pair(self, found: TradeShortfall, live: Trade, paper: Trade) -> None:
        """Exact: gross at live's quantities and prices less gross at paper's, and what both paid."""
        found.add(Part.FEES, (live.pnl - live.gross) - (paper.pnl - paper.gross), _fees_note(live))
        if len(live.entries) > 1 or len(live.exits) > len(paper.exits):
            found.notes.append(f"filled in {len(live.entries)} and {len(live.exits)} parts")
        if not live.closed or not paper.closed:
            note = f"still open in {'live' if not live.closed else 'paper'}"
            found.add(Part.DUST, live.gross - paper.gross, note)
            return
        self._quantities(found, live, paper)
        for share, own, other in _segments(live, paper):
            quantity = live.side * live.closed * share
            self._exit_price(found, live, quantity, own, other)
            self._entry_price(found, live, paper, quantity, other.entry_price - own.entry_price)

    def _quantities(self, found: TradeShortfall, live: Trade, paper: Trade) -> None:
        """What was closed more or less, at what paper earned with each unit."""
        each = paper.gross / paper.closed
        ordered = live.bought if live.ordered is None else live.ordered
        wanted = paper.bought if paper.ordered is None else paper.ordered
        found.add(Part.SIZING, each * (ordered - wanted), _note(ordered - wanted, "sized by another equity: {}"))
        found.add(Part.PARTIAL_FILLS, each * (live.bought - ordered), _note(live.bought - ordered, "not filled: {}"))
        found.add(Part.PARTIAL_FILLS, each * (wanted - paper.bought))
        kept = live.kept_as_fee
        found.add(Part.BASE_FEES, -each * kept, _note(-kept, "kept as the fee: {}"))
        rest = live.left - paper.left
        is_dust = abs(rest) > 1e-9 * live.bought
        found.add(Part.DUST, -each * rest, f"not sold: {rest:.10g}" if is_dust else "")

    def _exit_price(self, found: TradeShortfall, live: Trade, quantity: float, own: Exit, other: Exit) -> None:
        difference = quantity * (own.price - other.price)
        moved = self._moved(live, own.time_ms, other.time_ms)
        if own.reason != other.reason:
            found.add(Part.TIMING, difference, f"left by {own.reason}, on paper by {other.reason}")
        elif own.reason in LEVEL_EXITS and own.is_sale:
            found.add(Part.TIMING, difference, f"{own.reason} by a sale at the market, as no OCO rested")
        elif own.reason in LEVEL_EXITS:
            is_same = self._slice_ms(own) == self._slice_ms(other)
            part = Part.SLIPPAGE if is_same else Part.TIMING
            found.add(part, difference, "" if is_same else f"{own.reason} in another candle")
        elif moved is None:
            found.add(Part.SLIPPAGE, difference)
        else:
            found.add(
                Part.LATENCY, quantity * moved, f"the sale came {_apart(own.time_ms - other.time_ms)} than on paper"
            )
            found.add(Part.SLIPPAGE, difference - quantity * moved)

    def _entry_price(
        self, found: TradeShortfall, live: Trade, paper: Trade, quantity: float, difference: float
    ) -> None:
        """Latency is what the market moved between the candles of the fills, by each part of the entry."""
        first = paper.entries[0]
        moved, held = 0.0, sum(one.held for one in live.entries)
        for one in () if live.is_limit else live.entries:
            moved += (self._moved(live, one.time_ms, first.time_ms) or 0.0) * one.held / held
        if moved:
            late_ms = live.entries[-1].time_ms - first.time_ms
            found.add(Part.LATENCY, -quantity * moved, f"the entry came {_apart(late_ms)} than on paper")
        found.add(Part.SLIPPAGE, quantity * (difference + moved))

    def _moved(self, trade: Trade, time_ms: int, paper_ms: int) -> float | None:
        """How far the market moved from paper's candle to a later one; None where it is none, or where nobody knows."""
        candles = [at_ms // self._length_ms * self._length_ms for at_ms in (time_ms, paper_ms)]
        own, other = (self._opens.traded(trade.line.symbol, open_ms) for open_ms in candles)
        if own is None or other is None or own[0] <= other[0]:
            return None
        return own[1] - other[1]

    def _alone(self, found: TradeShortfall, trade: Trade, lacking: _Side, sign: float, name: str) -> None:
        """A trade that the other run has not: why."""
        line, decided_ms = found.key
        worth = sign * trade.pnl
        row = lacking.signals.get(found.key)
        outcome = None if row is None else row.row["outcome"]
        at = f"{line} at {iso_ms(decided_ms)}"
        if outcome == "order" and row is not None:
            part = Part.REFUSALS if lacking.told is not None else Part.TIMING  # paper takes every order, and may wait
            found.add(part, worth, f"{at}: its order in {name} was not filled{_ended(row, lacking)}")
        elif outcome is not None and outcome not in _BUSY and outcome in set(Refusal):
            found.add(Part.REFUSALS, worth, f"{at}: refused in {name}: {outcome}")
        elif outcome is not None and outcome in _BUSY:
            found.add(Part.TIMING, worth, f"{at}: {name} still had a position or an order")
        elif not lacking.period_ms[0] < decided_ms <= lacking.period_ms[1]:
            found.add(Part.INPUTS, worth, f"{at}: outside of the period of {name}")
        elif self._has_parted(found.key):
            found.add(Part.TIMING, worth, f"{at}: the runs held the line at other times before it")
        elif (cause := self._input_before(found.key)) is not None:
            found.add(Part.INPUTS, worth, f"{at}: {cause.said}")
        else:
            found.unexplained = f"{at}: {name} has no such signal, and nothing before it differs"

    def _input_before(self, key: Key) -> Difference | None:
        line, decided_ms = key
        before = [one for one in self._differences if one.time_ms is None or one.time_ms < decided_ms]
        return next((one for one in reversed(before) if one.symbol in ("", line.symbol)), None)

    def _has_parted(self, key: Key) -> bool:
        """Whether an earlier trade of the line was held in other slices, or by one run only."""
        line, decided_ms = key
        for earlier in sorted({*self._live.trades, *self._paper.trades}):
            if earlier[0] != line or earlier[1] >= decided_ms:
                continue
            live, paper = self._live.trades.get(earlier), self._paper.trades.get(earlier)
            if live is None or paper is None or self._seen(live) != self._seen(paper):
                return True
        return False

    def _seen(self, trade: Trade) -> tuple[int, int | None]:
        """The slices with which a strategy sees the position come and go."""
        return self._slice_ms(trade.entries[0]), self._slice_ms(trade.exits[-1]) if trade.exits else None

    def _slice_ms(self, fill: Entry | Exit) -> int:
        """The close of the candle in which it was made."""
        if fill.is_inside and fill.time_ms % self._length_ms == 0:
            return fill.time_ms  # stamped with the close of its candle
        return fill.time_ms // self._length_ms * self._length_ms + self._length_ms


def _segments(live: Trade, paper: Trade) -> Iterator[tuple[float, Exit, Exit]]:
    """Shares of the whole, each with the exit that closed it in either run."""
    mine, theirs = iter(live.exits), iter(paper.exits)
    own, other = next(mine), next(theirs)
    own_left, other_left = own.quantity / live.closed, other.quantity / paper.closed
    while True:
        share = min(own_left, other_left)
        yield share, own, other
        own_left, other_left = own_left - share, other_left - share
        following = next(mine, None) if own_left <= 1e-12 else own
        after = next(theirs, None) if other_left <= 1e-12 else other
        if following is None or after is None:
            return
        if following is not own:
            own, own_left = following, following.quantity / live.closed
        if after is not other:
            other, other_left = after, after.quantity / paper.closed


def _ended(row: SignalRow, side: _Side) -> str:
    order_id = row.row["order_id"]
    end = None if side.told is None or not order_id.isdecimal() else side.told.ends.get(int(order_id))
    if end is None:
        return ""
    code = f" {end.code}" if end.code < 0 else ""
    return f": {end.state}{code}{f', {end.why}' if end.why else ''}"


def _fees_note(live: Trade) -> str:
    told = ", ".join(f"{amount:.8g} {asset or '?'}" for asset, amount in live.fees.items())
    return f"fees {told}" if told else ""


def _note(quantity: float, text: str) -> str:
    return text.format(f"{quantity:+.10g}") if abs(quantity) > 1e-12 else ""


def _apart(milliseconds: int) -> str:
    return f"{abs(milliseconds) / 1000.0:.1f} s {'later' if milliseconds >= 0 else 'earlier'}"
