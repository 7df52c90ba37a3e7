"""The Strategy protocol: what a strategy is asked, what it sees, what it answers.

One instance serves one symbol. `on_candle` is awaited for every closed candle of the strategy's timeframe,
warm-up included (its answer is dropped then). It sees closed candles and a read-only view; it cannot place an
order, touch the account or see a later candle.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from app.models.market import Candle
from app.models.orders import FLAT, Action, EntryOrder, Line, Position, Signal
from app.strategies.indicators import Indicator

if TYPE_CHECKING:
    from app.trading.account import Account

__all__ = ["FLAT", "Action", "Candle", "Condition", "Signal", "Strategy", "View", "exit_position", "long", "short"]


def long(
    *, atr: float | None = None, stop: float | None = None, target: float | None = None,
    size_factor: float = 1.0, tag: str = "", limit: float | None = None, valid_candles: int = 1,
    exits: Mapping[str, Any] | None = None,
) -> Signal:  # fmt: skip
    """Go long: bring an `atr` (stop at the configured multiple of it) or an absolute `stop`.

    `limit`: at this price or better, on the next `valid_candles` of the session, and not at all otherwise. `exits`
    replaces the strategy's managed exits, by the keys of the config: break_even, trailing, partial, time.
    """
    return Signal(Action.LONG, atr, stop, target, size_factor, tag, limit, valid_candles, exits)


def short(
    *, atr: float | None = None, stop: float | None = None, target: float | None = None,
    size_factor: float = 1.0, tag: str = "", limit: float | None = None, valid_candles: int = 1,
    exits: Mapping[str, Any] | None = None,
) -> Signal:  # fmt: skip
    """Go short: bring an `atr` (stop at the configured multiple of it) or an absolute `stop`; the rest as in `long`."""
    return Signal(Action.SHORT, atr, stop, target, size_factor, tag, limit, valid_candles, exits)


def exit_position(tag: str = "") -> Signal:
    """Close the line's position at the market, or cancel its pending entry."""
    return Signal(Action.EXIT, tag=tag)


class Condition(NamedTuple):
    """One condition of a strategy at one candle: what was looked at, its value, what was asked of it, the answer."""

    name: str
    value: float | str | None
    limit: str
    held: bool


class View:
    """What a strategy may look at, for one symbol. Everything in it is known at the candle's close."""

    __slots__ = ("_account", "_newest", "_timeframe", "line", "symbol")

    def __init__(
        self, line: Line, timeframe: str, account: "Account", newest: Mapping[tuple[str, str], deque[Candle]]
    ) -> None:
        self.line = line
        self.symbol = line.symbol
        self._timeframe = timeframe
        self._account = account
        self._newest = newest

    @property
    def position(self) -> Position | None:
        """The strategy's open position on the symbol (side, quantity, entry_price, stop, target ...), or None."""
        return self._account.positions.get(self.line)

    @property
    def pending_entry(self) -> EntryOrder | None:
        """The strategy's entry order on the symbol that has not filled yet, or None."""
        return self._account.pending.get(self.line)

    @property
    def equity(self) -> float:
        """Equity of the whole account at the marks of this moment."""
        return self._account.equity()

    def candles(
        self, count: int | None = None, *, symbol: str | None = None, timeframe: str | None = None
    ) -> Sequence[Candle]:
        """The last `count` closed candles (all that are kept without it), oldest first, this one included.

        Kept are the strategy's `lookback` newest of its own timeframe and of each in `timeframes`, for every
        symbol of the session. LookupError for a symbol or timeframe that is not kept.
        """
        key = (symbol or self.symbol, timeframe or self._timeframe)
        try:
            candles = self._newest[key]
        except KeyError:
            kept = ", ".join(sorted({f"{name} {frame}" for name, frame in self._newest}))
            raise LookupError(
                f"no candles of {key[0]} {key[1]} are kept (kept: {kept or 'none'}); "
                "set the strategy's `lookback` and `timeframes`"
            ) from None
        return tuple(candles) if count is None else tuple(islice(candles, max(len(candles) - count, 0), None))


class Strategy:
    """Base class of strategies; a subclass needs `on_candle`, everything else has a default.

    `timeframes`: coarser timeframes to look at through the view (multiples of the session's). `lookback`: how
    many candles the view keeps; 0 keeps none and is fastest. Constructor arguments are the strategy's
    parameters (`strategy.params` in live.yaml); their annotations and defaults are checked. `constraints` between
    them, like `("fast < slow",)`, spare a search what the constructor would refuse.
    """

    timeframes: ClassVar[tuple[str, ...]] = ()
    constraints: ClassVar[tuple[str, ...]] = ()
    lookback: ClassVar[int] = 100

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """Answer one closed candle: FLAT, or what `long()`, `short()` or `exit_position()` return."""
        raise NotImplementedError  # loader.py refuses a class that does not override this

    def explain(self, candle: Candle, view: View) -> Sequence[Condition]:
        """Why the answer to this candle was what it was; asked by `why` right after `on_candle`, never in a run.

        Optional, and empty by default. It must change nothing, and should use the code that decides.
        """
        return ()

    @property
    def warmup_candles(self) -> int:
        """Candles of the strategy's timeframe before it may answer; by default what its indicators need."""
        return max((i.warmup_candles for i in self._indicators()), default=0)

    @property
    def settling_candles(self) -> int:
        """Candles until its decisions no longer depend on where the series began (`startup_candles: auto`)."""
        settling = max((i.settling_candles for i in self._indicators()), default=0)
        return max(settling, self.warmup_candles)

    def _indicators(self) -> list[Indicator]:
        return [value for value in vars(self).values() if isinstance(value, Indicator)]
