"""Monte Carlo on what a finished run earned: its trades in another order, or its trades or days drawn in blocks.

Each answer is measured on the paths as it is on the run itself, in the same steps, so that the two can be compared, and
says what it keeps, what it can tell and what it cannot. No strategy is asked here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from app.errors import DataError
from app.research.bootstrap import Draws, block_length, draws_of, shuffled, stationary_indices
from app.research.path_bands import Outcomes, added, bands, compounded, fan, fan_places, outcomes
from app.runs.quotients import Floats, Ints

_CELLS = 1 << 20  # of a block of paths: 8 MiB a matrix, however many paths are asked for
_NEEDED = 2  # trades or days
Block = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What is asked: how many paths, of which seed, and below which share of the starting balance one is ruined."""

    runs: int = 1_000
    seed: int = 1
    ruin: float = 0.5
    mean_block: float | None = None  # None: the automatic one of each method


@dataclass(frozen=True)
class Ledger:
    """What a run earned: `pnl` of its closed trades in the order of their exits, and its daily returns, if it has."""

    starting_balance: float
    pnl: Floats
    daily_returns: Floats | None

    @property
    def trade_returns(self) -> Floats:
        """PnL as a share of the balance before it; DataError where nothing was left to earn on."""
        before = self.starting_balance + np.concatenate(([0.0], np.cumsum(self.pnl)[:-1]))
        if np.any(before <= 0.0):
            raise DataError("the balance was zero or below before a trade closed: its return is not defined")
        return self.pnl / before


@dataclass(frozen=True)
class Method:
    """One way to draw: `number` keeps its draws apart from the others', the texts say what it is worth."""

    name: str
    number: int
    unit: str
    keeps: str
    tells: str
    cannot: str

    def block(self, runs: int, observations: int, mean_block: float | None) -> Block:
        """What it says of itself, at the head of its answer."""
        return {
            "unit": self.unit,
            "observations": observations,
            "runs": runs,
            "mean_block": mean_block,
            "keeps": self.keeps,
            "tells": self.tells,
            "cannot_tell": self.cannot,
        }


SHUFFLE = Method(
    "shuffle",
    0,
    "trade",
    keeps="every trade, once, with its PnL in currency: the sum, so the final balance, is the run's in every path",
    tells="how deep the drawdown could have been had the same trades come in another order",
    cannot="anything about the profit, which it takes for granted; it breaks up streaks of trades that hang together, "
    "and sees losses only when a trade closes",
)
TRADES = Method(
    "trades",
    1,
    "trade",
    keeps="each trade's return on the balance before it, compounded, and streaks up to the length of a block",
    tells="how far profit and drawdown hang on which trades happened to come",
    cannot="anything about trades that the run did not have: a strategy fitted to its past looks as good here; it sees "
    "losses only when a trade closes",
)
DAYS = Method(
    "days",
    2,
    "day",
    keeps="each UTC day's return on the equity, open positions included, and runs of days up to the length of a block",
    tells="how far profit and drawdown hang on which days happened to come, flat days counted",
    cannot="anything about days that the run did not have, or about what happened inside a day",
)


def shuffle(ledger: Ledger, question: Question) -> Block:
    """The order of the trades. DataError for fewer than two."""
    pnl = _enough(ledger.pnl, "closed trade")
    answer = _answer(SHUFFLE, ledger, question, pnl, lambda draws: shuffled(draws, pnl.size), added)
    # The same sum added up in another order differs in its last bits: a rank in that would be noise.
    answer["final_equity"]["observed_rank_pct"] = None
    answer["loss_probability_pct"] = None
    return SHUFFLE.block(question.runs, pnl.size, None) | answer


def trades(ledger: Ledger, question: Question) -> Block:
    """Blocks of trades. DataError for fewer than two."""
    _enough(ledger.pnl, "closed trade")
    return _blocks(TRADES, ledger, question, ledger.trade_returns)


def days(ledger: Ledger, question: Question) -> Block:
    """Blocks of daily returns. DataError for fewer than two days, or where equity went to zero."""
    if ledger.daily_returns is None:
        raise DataError("its equity went to zero or below: no daily return can be had from nothing")
    return _blocks(DAYS, ledger, question, _enough(ledger.daily_returns, "day"))


def _blocks(method: Method, ledger: Ledger, question: Question, returns: Floats) -> Block:
    mean_block = question.mean_block or block_length([returns, np.abs(returns)])  # calm times last, too
    count = returns.size
    order = partial(stationary_indices, length=count, count=count, mean_block=mean_block)
    answer = _answer(method, ledger, question, returns, order, compounded)
    return method.block(question.runs, count, mean_block) | answer


def _answer(
    method: Method,
    ledger: Ledger,
    question: Question,
    values: Floats,
    order: Callable[[Draws], Ints],
    equity_of: Callable[[float, Floats], Floats],
) -> Block:
    start, level = ledger.starting_balance, ledger.starting_balance * question.ruin
    places = fan_places(values.size)
    parts: list[Outcomes] = []
    shown: list[Floats] = []
    each = max(1, _CELLS // (values.size + 1))
    for first in range(0, question.runs, each):
        numbers = range(first, min(first + each, question.runs))
        drawn = np.stack([order(draws_of(question.seed, method.number, number)) for number in numbers])
        equity = equity_of(start, values[drawn])
        parts.append(outcomes(equity, level))
        shown.append(equity[:, places])
    observed = equity_of(start, values[None])
    answer = bands(Outcomes.joined(parts), outcomes(observed, level), start)
    return answer | {"fan": {**fan(places, np.concatenate(shown)), "observed": observed[0, places].tolist()}}


def _enough(values: Floats, what: str) -> Floats:
    if values.size < _NEEDED:
        plural = "" if values.size == 1 else "s"
        raise DataError(f"it has {values.size or 'no'} {what}{plural}, and {_NEEDED} are needed")
    return values
