"""Monte Carlo on a finished run: every method's answer as one mapping, the content of monte_carlo.json.

The same run and question give the same bytes, whatever the number of workers. A method that the run is too small for
says so beside the others; it is an error where no other was asked for. The run's own files stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.research.candle_paths import CANDLES, candle_block
from app.research.resampled_ledger import DAYS, SHUFFLE, TRADES, Block, Ledger, Question, days, shuffle, trades
from app.runs.daily import EquityScan, equity_blocks
from app.runs.reader import Run
from app.runs.trade_table import read_fills, trades_of
from app.times import parse_time_ms

FORMAT = 1
_SHOWN = ("starting_balance", "final_equity", "max_drawdown_pct", "total_trades")
METHODS = (SHUFFLE.name, TRADES.name, DAYS.name, CANDLES.name)
_LEDGER_METHODS = {SHUFFLE.name: shuffle, TRADES.name: trades, DAYS.name: days}
LEDGER_RUNS, CANDLE_RUNS = 1_000, 100  # a path of candles is a whole run of the strategy
Told = Callable[[str, int, int], None]  # method, paths in all, paths done


@dataclass(frozen=True)
class Asked:
    """What the user asked for. `runs` None: 1,000, and 100 of candles."""

    methods: Sequence[str] = METHODS
    runs: int | None = None
    seed: int = 1
    ruin: float = 0.5
    mean_block: float | None = None

    def check(self) -> None:
        """ConfigError for what cannot be asked."""
        for method in self.methods:
            if method not in METHODS:
                raise ConfigError(f"--method {method}: unknown; known are {', '.join(METHODS)} and all")
        if self.runs is not None and self.runs < 1:
            raise ConfigError(f"--runs {self.runs}: at least one path is needed")
        if self.seed < 0:
            raise ConfigError(f"--seed {self.seed}: write a whole number of at least 0")
        if not 0.0 < self.ruin < 1.0:
            raise ConfigError(f"--ruin {self.ruin:g}: write a share of the starting balance between 0 and 1, like 0.5")
        if self.mean_block is not None and not self.mean_block >= 1.0:
            raise ConfigError(f"--block {self.mean_block:g}: a block has at least 1 trade, day or candle")

    def question(self, method: str) -> Question:
        """What one method is asked."""
        default = CANDLE_RUNS if method == CANDLES.name else LEDGER_RUNS
        return Question(default if self.runs is None else self.runs, self.seed, self.ruin, self.mean_block)


def monte_carlo(
    run: Run,
    asked: Asked,
    caches: Sequence[CandleCache],
    workers: int = 1,
    tell: Told = lambda method, runs, done: None,
) -> dict[str, Any]:
    """All methods that were asked for. DataError, naming the run, where none of them can answer."""
    asked.check()
    ledger = ledger_of(run)
    answers: dict[str, Block] = {}
    for method in asked.methods:
        question = asked.question(method)
        heard = partial(tell, method, question.runs)
        try:
            if method == CANDLES.name:
                answers[method] = candle_block(run, caches, question, workers, heard)
            else:
                answers[method] = _LEDGER_METHODS[method](ledger, question)
                heard(question.runs)
        except DataError as error:
            answers[method] = {"not_possible": str(error)}
    if all("not_possible" in answer for answer in answers.values()):
        raise DataError(f"{run.folder}: {answers[asked.methods[0]]['not_possible']}")
    return {
        "format": FORMAT,
        "run": {"period": run.results["period"], "outputs_sha256": run.manifest["outputs_sha256"]},
        "seed": asked.seed,
        "ruin_below_pct": 100.0 * asked.ruin,
        "numpy": np.__version__,  # another version may draw otherwise
        **{name: run.results["performance"][name] for name in _SHOWN},
        "methods": answers,
    }


def ledger_of(run: Run) -> Ledger:
    """What the run earned, from its own files; DataError for one without trades or with a damaged file."""
    for key in ("trades", "equity"):
        if not run.is_untouched(key):
            raise DataError(f"{run.file(key)} is damaged: it is not the file that its run wrote")
    fills = read_fills(run.file("trades"))
    closed = trades_of(fills, run.file("trades"))
    if not len(closed):
        raise DataError(f"{run.folder}: it has no closed trade, so there is nothing to draw from")
    starting_balance = float(run.results["performance"]["starting_balance"])
    scan = EquityScan(starting_balance, parse_time_ms(run.results["period"]["start"]))
    for times_ms, equity in equity_blocks(run.file("equity")):
        scan.add(times_ms, equity)
    return Ledger(starting_balance, closed.pnl, scan.path().returns)
