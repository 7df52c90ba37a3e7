"""What `python -m app new my_strategy.py` writes: a small strategy that runs at once, with every choice commented."""

import argparse
from pathlib import Path

from app.cli.arguments import Parser
from app.errors import OutputError
from app.runs.run_folder import writing

TEMPLATE = '''"""{title}: says in one sentence when it buys and when it sells."""

from app.strategies.base import FLAT, Candle, Signal, Strategy, View, exit_position, long
from app.strategies.indicators import ATR, EMA


class {name}(Strategy):
    """Long when the fast EMA crosses above the slow one, out when it crosses back. One instance a symbol."""

    timeframes = ()  # coarser timeframes to look at, e.g. ("1h",): view.candles(50, timeframe="1h")
    lookback = 100  # how many candles view.candles() keeps; 0 keeps none and is fastest

    def __init__(self, fast: int = 10, slow: int = 30) -> None:  # parameters: --set strategy.params.fast=12
        self.fast = EMA(fast)
        self.slow = EMA(slow)
        self.atr = ATR(14)
        self.was_above = False

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """Asked for every closed candle, warm-up included: update every indicator, then answer."""
        fast = self.fast.update(candle.close)
        slow = self.slow.update(candle.close)
        atr = self.atr.update(candle)
        if fast is None or slow is None or atr is None:
            return FLAT
        crossed_up = fast > slow and not self.was_above
        self.was_above = fast > slow
        if view.position is not None:
            return FLAT if fast > slow else exit_position(tag="crossed back")
        # A stop is required: atr=... puts it at the configured multiple, stop=... at a price of your own. Optional:
        # limit=price, valid_candles=3 waits for a price; exits={{"trailing": {{"distance_r": 1.0}}}} moves the stop.
        return long(atr=atr, tag="cross") if crossed_up else FLAT
'''


def new_parser(**about: str) -> Parser:
    """The arguments of `new`."""
    parser = Parser(**about)
    parser.add_argument("file", type=Path, metavar="my_strategy.py")
    parser.set_defaults(run=run_new)
    return parser


def run_new(args: argparse.Namespace) -> int:
    """Write the file, and say how it is run."""
    write_template(args.file)
    print(f"{args.file} written; run it with: python -m app --mode backtest --strategy {args.file}")
    return 0


def write_template(path: Path) -> None:
    """Write the template; OutputError if the file exists or cannot be written."""
    if path.suffix != ".py":
        raise OutputError(f"{path}: a strategy file ends in .py")
    if path.exists():
        raise OutputError(f"{path} exists; choose another name")
    name = "".join(word.capitalize() for word in path.stem.replace("-", "_").split("_")) or "MyStrategy"
    if not name.isidentifier():
        raise OutputError(f"{path}: {path.stem} is no name for a class; use letters, digits and _")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEMPLATE.format(name=name, title=name), encoding="utf-8")
