"""Implementation shortfall: what a session with real orders earned less than the same session on paper, by cause.

Trades are paired by line and decision. The difference of a pair is taken apart exactly: quantities at paper's prices,
prices at the live quantity, and commissions. A trade that one run alone has is named by why the other has it not. What
is left between the balances is the residual: nothing named explains it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.feeds.tape import has_tape, read_tape
from app.models.market import Candle
from app.models.orders import Refusal
from app.proof.differences import Difference
from app.proof.rebuild import candles_of
from app.proof.traded import Exit, Key, Told, Trade, needed_opens, told_by, trades_of_run
from app.report.pairing import LEVEL_EXITS
from app.runs.reader import Run, SignalRow, line_of
from app.runs.run_inputs import inputs_of, replayed_tape
from app.session.epochs import mode_of
from app.times import iso_ms

_BUSY = (Refusal.POSITION_OPEN, Refusal.ORDER_PENDING, Refusal.NOTHING_TO_EXIT, Refusal.EXIT_PENDING)


class Part(StrEnum):
    """What a difference is due to."""

    SLIPPAGE = "slippage"
    LATENCY = "latency"
    FEES = "fees"
    BASE_FEES = "fees in the base asset"
    PARTIAL_FILLS = "partial fills"
    DUST = "dust and open rests"
    REFUSALS = "refusals"
    TIMING = "timing"
    SIZING = "sizing"
    INPUTS = "inputs"


@dataclass
class TradeShortfall:
    """One trade: `parts` in quote currency, positive where live is ahead. `notes` say what was seen."""

    key: Key
    live: Trade | None
    paper: Trade | None
    parts: dict[Part, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unexplained: str = ""

    @property
    def difference(self) -> float:
        """Of the realised PnL."""
        return (0.0 if self.live is None else self.live.pnl) - (0.0 if self.paper is None else self.paper.pnl)

    @property
    def latency_ms(self) -> int | None:
        """From the decision to the first fill."""
        return None if self.live is None else self.live.entries[0].time_ms - self.live.decided_ms

    def add(self, part: Part, value: float, note: str = "") -> None:
        """What a part is worth."""
        if value:
            self.parts[part] = self.parts.get(part, 0.0) + value
        if note and note not in self.notes:
            self.notes.append(note)


@dataclass(frozen=True)
class Shortfall:
    """Two runs held against each other; `live_name` is A or B, the one whose orders were real."""

    live_name: str
    trades: Sequence[TradeShortfall]
    live_pnl: float
    paper_pnl: float
    rows: tuple[int, int]  # of fills: live, paper
    fees: Mapping[str, float]  # of the live run, by asset

    @property
    def difference(self) -> float:
        """Of the balances at the end."""
        return self.live_pnl - self.paper_pnl

    @property
    def parts(self) -> dict[Part, float]:
        """Summed."""
        return {part: sum(one.parts.get(part, 0.0) for one in self.trades) for part in Part}

    @property
    def residual(self) -> float:
        """What no part explains."""
        return self.difference - sum(self.parts.values())

    @property
    def tolerance(self) -> float:
        """Of sums of doubles: a millionth of the currency, more where the amounts are large."""
        return 1e-6 * max(1.0, 1e-6 * max(abs(self.live_pnl), abs(self.paper_pnl)))

    @property
    def unexplained(self) -> Sequence[TradeShortfall]:
        """Trades with something that nothing accounts for."""
        return [one for one in self.trades if one.unexplained]

    @property
    def is_explained(self) -> bool:
        """Whether nothing is left."""
        return not self.unexplained and abs(self.residual) <= self.tolerance


def shortfall_of(a: Run, b: Run, differences: Sequence[Difference]) -> Shortfall | None:
    """None unless the orders of just one of them were real."""
    real = [_is_real(run) for run in (a, b)]
    if sum(real) != 1:
        return None
    live, paper = (a, b) if real[0] else (b, a)
    own, other = _runs(live, paper)
    matcher = _Matcher(own, other, differences, live.length_ms)
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
    wanted = {*needed_opens(own.trades, live.length_ms), *needed_opens(other.trades, live.length_ms)}
    told.opens.update(_opens(live, wanted))
    return own, other


def _side(run: Run, told: Told | None) -> _Side:
    signals = {(line_of(one.row), one.time_ms): one for one in run.signals()}
    return _Side(run, trades_of_run(run, told), signals, told, run.period_ms)


def _opens(live: Run, wanted: Iterable[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], float]]:
    asked = set(wanted)
    for event in inputs_of(live, ()).events():
        candles: Sequence[Candle] = candles_of(event)
        for candle in candles:
            if (candle.symbol, candle.open_time_ms) in asked:
                yield (candle.symbol, candle.open_time_ms), candle.open


class _Matcher:
    """Takes trades in the order of their decisions, as a line that has parted stays so."""

    def __init__(self, live: _Side, paper: _Side, differences: Sequence[Difference], length_ms: int) -> None:
        self._live, self._paper = live, paper
        self._differences = differences
        self._length_ms = length_ms
        self._opens: Mapping[tuple[str, int], float] = {} if live.told is None else live.told.opens

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
        elif own.reason in LEVEL_EXITS:
            is_near = abs(own.time_ms - other.time_ms) <= self._length_ms
            part = Part.SLIPPAGE if is_near else Part.TIMING
            found.add(part, difference, "" if is_near else f"{own.reason} in another candle")
        elif moved is None:
            found.add(Part.SLIPPAGE, difference)
        else:
            found.add(Part.LATENCY, quantity * moved, f"the sale came {_apart(own.time_ms - other.time_ms)} than on paper")
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
        """How far the market moved from paper's candle to the live one's; None in one candle, or where it is unknown."""
        candles = [at_ms // self._length_ms * self._length_ms for at_ms in (time_ms, paper_ms)]
        if candles[0] == candles[1]:
            return None
        own, other = (self._opens.get((trade.line.symbol, at_ms)) for at_ms in candles)
        return None if own is None or other is None else own - other

    def _alone(self, found: TradeShortfall, trade: Trade, lacking: _Side, sign: float, name: str) -> None:
        """A trade that the other run has not: why."""
        line, decided_ms = found.key
        worth = sign * trade.pnl
        row = lacking.signals.get(found.key)
        outcome = None if row is None else row.row["outcome"]
        at = f"{line} at {iso_ms(decided_ms)}"
        if outcome == "order" and row is not None:
            found.add(Part.REFUSALS, worth, f"{at}: its order in {name} was not filled{_ended(row, lacking)}")
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
        for earlier in {*self._live.trades, *self._paper.trades}:
            if earlier[0] != line or earlier[1] >= decided_ms:
                continue
            live, paper = self._live.trades.get(earlier), self._paper.trades.get(earlier)
            if live is None or paper is None or self._seen(live) != self._seen(paper):
                return True
        return False

    def _seen(self, trade: Trade) -> tuple[int, int | None]:
        """The slices with which a strategy sees the position come and go."""
        entered, left = trade.entries[0].time_ms, trade.exits[-1] if trade.exits else None
        if left is None:
            return self._slice_ms(entered, is_inside=False), None
        return self._slice_ms(entered, is_inside=False), self._slice_ms(left.time_ms, is_inside=left.is_at_level)

    def _slice_ms(self, time_ms: int, *, is_inside: bool) -> int:
        if is_inside and time_ms % self._length_ms == 0:
            return time_ms  # stamped with the close of its candle
        return time_ms // self._length_ms * self._length_ms + self._length_ms


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
