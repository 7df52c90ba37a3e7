"""The refused entries of a run folder over the candles of the run: a month of one symbol at a time, in one pass.

Stretches in which none of them is open are passed over, so a run that refused little costs little.
"""

import csv
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.models.market import Candle
from app.models.orders import MAIN, Action, Line
from app.report.refused_entries import RefusedEntries, RefusedTotals
from app.runs.candle_source import SymbolCandles
from app.runs.refused_log import RefusedEntry, refused_entries
from app.runs.run_folder import REFUSED, SIGNALS
from app.settings.profile import load_settings
from app.times import month_bounds_ms, parse_time_ms

MOST = 2_000  # entries that are run


class _Exit(NamedTuple):
    time_ms: int
    line: Line


def refused_totals(
    folder: Path, settings: Mapping[str, Any], candles: Mapping[str, SymbolCandles], most: int = MOST
) -> list[RefusedTotals]:
    """By limit; none where nothing was refused. At most `most` entries are run, evenly spread over the run; those
    without candles are left out.

    ConfigError for settings that this version cannot read.
    """
    path = folder / REFUSED
    if not path.exists():
        return []
    refused = RefusedEntries(load_settings(settings), most)
    by_symbol: dict[str, list[RefusedEntry]] = defaultdict(list)
    lines = path.read_bytes().splitlines()
    every = max(len(lines), most)
    for number, entry in enumerate(refused_entries(lines)):
        if number * most // every != (number + 1) * most // every and entry.symbol in candles:
            by_symbol[entry.symbol].append(entry)
        else:
            refused.add(entry, None)
    exits = _exits(folder / SIGNALS, by_symbol)
    for symbol, entries in by_symbol.items():
        _Walk(refused, candles[symbol], entries, exits[symbol], str(settings["live"]["timeframe"])).go()
    return refused.totals()


class _Walk:
    """Over one symbol's candles, with its entries and EXITs by time."""

    def __init__(
        self, refused: RefusedEntries, candles: SymbolCandles, entries: Sequence[RefusedEntry],
        exits: Sequence[_Exit], timeframe: str,
    ) -> None:  # fmt: skip
        self._refused, self._candles, self._timeframe = refused, candles, timeframe
        self._symbol = entries[0].symbol
        self._entries, self._exits = list(reversed(entries)), list(reversed(exits))  # the next one last
        self._mark: float | None = None

    def go(self) -> None:
        for month in self._candles.months:
            end_ms = month_bounds_ms(month)[1]
            if not self._refused.is_idle(self._symbol) or (self._entries and self._entries[-1].time_ms <= end_ms):
                self._month(month)
        self._decide(None)

    def _month(self, month: str) -> None:
        columns = self._candles.read(month)
        times, place = columns.open_time_ms, 0
        while place < len(times):
            if self._refused.is_idle(self._symbol):
                next_ms = self._entries[-1].time_ms if self._entries else int(times[-1]) + 1
                place = max(place, int(times.searchsorted(next_ms)))
                self._mark = float(columns.close[place - 1]) if place else self._mark
                if place == len(times):
                    return
            open_ms = int(times[place])
            self._decide(open_ms)
            candle = Candle(
                self._symbol, self._timeframe, open_ms, *(float(column[place]) for column in columns.floats())
            )
            self._refused.on_candle(candle)
            self._mark, place = candle.close, place + 1

    def _decide(self, until_ms: int | None) -> None:
        """What was decided before the candle that opens then; None: all that is left, after the last candle."""
        while self._entries and (until_ms is None or self._entries[-1].time_ms <= until_ms):
            self._refused.add(self._entries.pop(), self._mark)
        while self._exits and until_ms is not None and self._exits[-1].time_ms <= until_ms:
            one = self._exits.pop()
            self._refused.on_exit(one.line, one.time_ms)


def _exits(path: Path, symbols: Container[str]) -> dict[str, list[_Exit]]:
    found: dict[str, list[_Exit]] = defaultdict(list)
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["action"] == Action.EXIT and row["symbol"] in symbols:
                    line = Line(row.get("strategy") or MAIN, row["symbol"])
                    found[row["symbol"]].append(_Exit(parse_time_ms(row["timestamp"]), line))
    return found
