"""Step 1 of a slice in the independent reference: what one candle does to one line (RULES.md, 'Fills', Part 2)."""

from .books import Books, Entry, Line, Position
from .candles import Row
from .managed import legs_of, move_stop


class Broker:
    """Expiry, fills, the exit check and managed exits of one line on one candle."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.config = books.config
        self.result = books.result

    def handle(self, line: Line, row: Row) -> None:
        """ "the candle's lines in the config's order of strategies, each as in Part 1"; the mark comes after them.

        "No order fills on a candle that opened before the slice it was decided with had closed". Decision: nor does a
        stop or a target of a position that was opened later than the candle.
        """
        open_time, open_price, *_, volume = row
        self.expire(line, open_time)
        entry = self.books.entries.get(line)
        arrives = entry is not None and not entry.rests  # at the market, with this candle
        if entry is not None and entry.limit is not None and entry.decided <= open_time:
            entry.rests = True  # "one of volume 0 is that first one, too"
        if volume == 0:  # "fills nothing and triggers nothing ... only sets the mark"
            return
        position = self.books.positions.get(line)
        if position is not None and position.close_reason is not None and position.close_decided <= open_time:
            # "a close order before anything else"
            self.books.close_at_market(position, open_price, open_time, position.close_reason)
        if entry is not None and entry.decided <= open_time:
            if entry.limit is None:
                self.fill_at_open(entry, row, self.books.slipped(open_price, entry.side))
            elif arrives and entry.side * open_price <= entry.side * entry.limit:
                slipped = self.books.slipped(open_price, entry.side)
                better = min if entry.side > 0 else max
                self.fill_at_open(entry, row, better(slipped, entry.limit))
            elif self.beyond(-entry.side, self.worst(entry.side, row), entry.limit):
                self.fill_at_limit(entry, row)
            return
        position = self.books.positions.get(line)
        if position is not None and position.opened <= open_time:
            self.check_exits(position, row)
            self.manage(position, row, self.best(position.entry.side, row))

    def expire(self, line: Line, open_time: int) -> None:
        """ "In the first slice with a candle of the symbol at or after that it is cancelled before anything else"."""
        entry = self.books.entries.get(line)
        if entry is not None and entry.expires is not None and open_time >= entry.expires:
            self.books.cancel(line, "expired")

    # Entries

    def fill_at_open(self, entry: Entry, row: Row, fill: float) -> None:
        """A market order, or a limit that arrives at a market that is through it."""
        del self.books.entries[entry.line]
        position = self.books.open(entry, fill, row[1], row[0], self.config.commission_rate)
        self.place_legs(position)
        self.check_exits(position, row)
        self.manage(position, row, self.best(entry.side, row))

    def fill_at_limit(self, entry: Entry, row: Row) -> None:
        """ "what rests is filled at its price", inside the candle: of its exits only the stop is looked at.

        Decision: "such a candle" is every candle of such a fill, whether it reaches the stop or not.
        """
        assert entry.limit is not None
        close_time = row[0] + self.config.timeframe_ms
        side = entry.side
        del self.books.entries[entry.line]
        position = self.books.open(entry, entry.limit, entry.limit, close_time, self.books.maker_rate)
        self.place_legs(position)
        self.count_ambiguous(position, row, "limit")
        if side * self.worst(side, row) <= side * position.stop:
            # "exit at the stop, or at the open where that is worse"
            worse = min if side > 0 else max
            self.books.close_at_market(position, worse(position.stop, row[1]), close_time, position.stop_reason)
        self.manage(position, row, row[4])  # "its close counts instead of its high"

    def place_legs(self, position: Position) -> None:
        instrument = self.config.instruments.get(position.entry.symbol, {})
        step, tick = instrument.get("quantity_step", 1e-8), instrument.get("price_tick")
        position.legs, dropped = legs_of(position, step, tick)
        for why in dropped:
            self.result.legs_dropped[why] += 1

    # Exits

    def check_exits(self, position: Position, row: Row) -> None:
        """The four of Part 1 with the legs of Part 2; a short mirrors a long."""
        open_time, open_price, *_ = row
        close_time = open_time + self.config.timeframe_ms
        side, stop = position.entry.side, position.stop
        reaches_stop = side * self.worst(side, row) <= side * stop
        if side * open_price <= side * stop:  # 1. a gap
            self.books.close_at_market(position, open_price, open_time, position.stop_reason)
            return
        if reaches_stop and not self.beyond(side, open_price, position.entry.target):
            # Decision: a leg that the open has sold counts as reached by the candle, too
            self.count_ambiguous(position, row, "stop")
        self.sell_beyond(position, open_price, open_time, at=open_price)  # 2.
        if position.left == 0.0:
            return
        if reaches_stop:  # 3. "when both levels lie inside one candle, the stop wins"
            self.books.close_at_market(position, stop, close_time, position.stop_reason)
            return
        self.sell_beyond(position, self.best(side, row), close_time, at=None)  # 4.

    def sell_beyond(self, position: Position, price: float, timestamp: int, at: float | None) -> None:
        """Each leg that the price is beyond, in order, then the final target; at `at`, or at their own prices."""
        side, target = position.entry.side, position.entry.target
        while position.legs and self.beyond(side, price, position.legs[0].price):
            leg = position.legs.pop(0)
            fill = leg.price if at is None else at
            self.books.close_at_limit(position, leg.quantity, fill, timestamp, "partial_target")
        if position.left and self.beyond(side, price, target):
            fill = target if at is None else at
            self.books.close_at_limit(position, position.left, fill, timestamp, "take_profit")

    def count_ambiguous(self, position: Position, row: Row, what: str) -> None:
        """ "counts as ambiguous, once", where the high is beyond a leg or the target."""
        side = position.entry.side
        best = self.best(side, row)
        if any(self.beyond(side, best, leg.price) for leg in position.legs):
            self.result.ambiguous[f"{what}_and_leg"] += 1
        elif self.beyond(side, best, position.entry.target):
            self.result.ambiguous[f"{what}_and_target"] += 1

    def manage(self, position: Position, row: Row, best: float) -> None:
        """ "decided on a traded candle of the symbol after the exit check of that candle, if the position is open"."""
        if position.left == 0.0:
            return
        entry, side = position.entry, position.entry.side
        if position.best is None or side * best > side * position.best:
            position.best = best
        move_stop(position, self.config.instruments.get(entry.symbol, {}).get("price_tick"))
        candles, close_time = entry.exits.time_candles, row[0] + self.config.timeframe_ms
        if candles is not None and close_time >= position.opened + candles * self.config.timeframe_ms:
            self.books.order_close(position, row[4], close_time, "time_exit")

    # Prices

    def beyond(self, side: int, price: float, level: float) -> bool:
        """'limit_fill: through' means strictly past the level; 'touch' means at or past it."""
        if self.config.limit_fill == "through":
            return side * price > side * level
        return side * price >= side * level

    @staticmethod
    def worst(side: int, row: Row) -> float:
        """The low for a long, the high for a short."""
        return row[3] if side > 0 else row[2]

    @staticmethod
    def best(side: int, row: Row) -> float:
        """The high for a long, the low for a short."""
        return row[2] if side > 0 else row[3]
