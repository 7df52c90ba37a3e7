"""The drawn examples of docs/orders.md: read from the page, run as backtests, drawn and told again.

A block has settings (`limit_fill: touch`), candles with what the strategy answers to them, and what came of it.
`python -m tests.drawn_rules` writes drawings and results of the page anew; look at what changed.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from app import run_config_backtest
from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.times import parse_time_ms

PAGE = Path(__file__).resolve().parents[1] / "docs/orders.md"
BLOCK = re.compile(r"```candles\n(.*?)```", re.DOTALL)
DAY_MS = parse_time_ms("2025-01-01")
WIDTH = 6
CANDLE = re.compile(
    r"(\d\d):(\d\d) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)(?: +((?:long|short|exit_position)\(.*\)))?$"
)
STRATEGY = """from app.strategies.base import FLAT, Strategy, exit_position, long, short


class Drawn(Strategy):
    async def on_candle(self, candle, view):
        minute = candle.open_time_ms // 60_000 % 1_440
        {answers}
        return FLAT
"""


@dataclass
class Example:
    """One block: `candles` are open, high, low and close, a minute each from 00:00 on."""

    settings: list[str] = field(default_factory=list)
    candles: list[tuple[float, ...]] = field(default_factory=list)
    answers: dict[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, block: str) -> "Example":
        """From a block of the page, whose drawing and results are left aside."""
        example = cls()
        for line in block.splitlines():
            if found := CANDLE.match(line.strip()):
                minute, answer = len(example.candles), found[7]
                assert int(found[2]) == minute, line
                example.candles.append(tuple(float(price) for price in found.groups()[2:6]))
                if answer:
                    example.answers[minute] = answer
            elif found := re.match(r"set (\S+=.*)$", line):
                example.settings.append(found[1])
        return example

    def told(self) -> str:
        """The whole block: settings, drawing, candles and results."""
        settings = [f"set {one}" for one in self.settings]
        numbers = [f"00:{minute:02}" + "".join(f"{price:7g}" for price in candle) + _after(self.answers.get(minute))
                   for minute, candle in enumerate(self.candles)]  # fmt: skip
        parts = ["\n".join(settings)] if settings else []
        parts += ["\n".join(self.drawing()), "\n".join(["       open   high    low  close", *numbers])]
        return "\n\n".join([*parts, "\n".join(self.results())]) + "\n"

    def drawing(self) -> Iterator[str]:
        """A row a whole price: wicks, bodies (hollow where it rose), and the price at the left."""
        highs, lows = [candle[1] for candle in self.candles], [candle[2] for candle in self.candles]
        for price in range(round(max(highs)), round(min(lows)) - 1, -1):
            row = "".join(f"{_glyph(candle, price):^{WIDTH}}" for candle in self.candles)
            yield f"{price:>6} {row}".rstrip()
        yield (" " * 7 + "".join(f"00:{minute:02}".center(WIDTH) for minute in range(len(self.candles)))).rstrip()

    def results(self) -> Iterator[str]:
        """Fills, signals that became no order, and entries that were cancelled."""
        with TemporaryDirectory() as folder:
            results = run_config_backtest(**self._arguments(Path(folder)))
            lines = [
                f"{one.timestamp:%H:%M}  {one.action:<5} {one.side:<5} {one.price:>7g} {one.quantity:>5g}  {one.reason}"
                for one in results.fills.itertuples()
            ]
            with (results.folder / "signals.csv").open(encoding="utf-8") as rows:
                lines += [
                    f"{row['timestamp'][11:16]}  {row['action']} is refused: {row['outcome']}"
                    for row in csv.DictReader(rows)
                    if row["outcome"] not in ("order", "exit_ordered")
                ]
            yield from sorted(lines, key=lambda line: line[:5])
            cancelled = {why: count for why, count in results["funnel"]["cancelled"].items() if count}
            for why, count in cancelled.items():
                yield f"entries cancelled: {why} {count}"

    def _arguments(self, folder: Path) -> dict[str, Any]:
        answers = "\n        ".join(f"if minute == {minute}:\n            return {answer}"
                                   for minute, answer in self.answers.items())  # fmt: skip
        (folder / "drawn.py").write_text(STRATEGY.format(answers=answers))
        times = np.arange(len(self.candles), dtype=np.int64) * 60_000 + DAY_MS
        opens, highs, lows, closes = (np.array(column) for column in zip(*self.candles, strict=True))
        columns = CandleColumns(times, opens, highs, lows, closes, np.ones(len(times)))
        CandleCache(folder / "cache").merge("BTC/USDT", "1m", columns)
        return {
            "config": {"live": {"exchange": "binance", "symbols": ["BTC/USDT"], "timeframe": "1m", "startup_candles": 0,
                                "strategy": {"name": str(folder / "drawn.py")}},
                       "trading_mode": {"commission_rate": 0.0, "slippage_rate": 0.0}},
            "start": DAY_MS, "end": DAY_MS + 60_000 * len(self.candles), "cache": folder / "cache",
            "overrides": self.settings, "out": folder / "run", "offline": True,
        }  # fmt: skip


def _after(answer: str | None) -> str:
    return "" if answer is None else f"   {answer}"


def _glyph(candle: tuple[float, ...], price: int) -> str:
    opened, high, low, close = candle
    top, bottom = max(opened, close), min(opened, close)
    if round(bottom) <= price <= round(top):
        return "─" if round(bottom) == round(top) else "░" if close > opened else "█"
    return "│" if round(low) <= price <= round(high) else ""


def examples() -> list[str]:
    """The blocks of the page."""
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def main() -> None:
    """Write the page anew."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda found: f"```candles\n{Example.read(found[1]).told()}```", text), encoding="utf-8")


if __name__ == "__main__":
    main()
