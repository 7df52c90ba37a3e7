"""What a session's refused entries would have done, followed while it runs: as its files and its candles come.

Entries and EXITs wait until a candle comes that opens after them. An entry from before the candles that the page has is
counted, and not run.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.models.market import Candle
from app.models.orders import MAIN, Action, Line
from app.runs.refused_log import RefusedEntry, refused_entries
from app.runs.run_folder import REFUSED
from app.times import parse_time_ms

if TYPE_CHECKING:
    from app.report.refused_entries import RefusedEntries

_AT_ONCE = 2_000_000  # bytes of a look
_EXITS_MOST = 10_000


class FollowedRefusals:
    """`read()` once a look, after the candles of that look; `on_candle()` with each that is newer than all before."""

    def __init__(self, folder: Path) -> None:
        self._path, self._offset = folder / REFUSED, 0
        self._refused: RefusedEntries | None = None
        self._waiting: dict[str, deque[RefusedEntry]] = defaultdict(deque)
        self._exits: dict[str, deque[tuple[int, Line]]] = defaultdict(lambda: deque(maxlen=_EXITS_MOST))
        self._marks: dict[str, float] = {}

    def read(self, settings: Mapping[str, Any], held: Mapping[str, Sequence[Candle]]) -> None:
        """What was added to the file. ConfigError for settings that this version cannot read."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_AT_ONCE)
        except FileNotFoundError:
            return
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)  # a restart writes the same lines anew
        if self._refused is None and data:
            self._refused = _made(settings)
        for entry in refused_entries(data.splitlines()):
            own = held.get(entry.symbol, ())
            if own and own[-1].open_time_ms >= entry.time_ms:
                self._place(entry, own)
            else:
                self._waiting[entry.symbol].append(entry)

    def on_signals(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Rows of signals.csv; EXITs among them end what they would have ended."""
        for row in rows:
            if row["action"] == Action.EXIT:
                line = Line(row.get("strategy") or MAIN, row["symbol"])
                self._exits[line.symbol].append((parse_time_ms(row["timestamp"]), line))

    def on_candle(self, candle: Candle) -> None:
        """Meets what was decided before it opened."""
        refused, symbol = self._refused, candle.symbol
        waiting, exits = self._waiting[symbol], self._exits[symbol]
        while waiting and waiting[0].time_ms <= candle.open_time_ms and refused is not None:
            refused.add(waiting.popleft(), self._marks.get(symbol))
        while exits and exits[0][0] <= candle.open_time_ms:
            time_ms, line = exits.popleft()
            if refused is not None:
                refused.on_exit(line, time_ms)
        if refused is not None:
            refused.on_candle(candle)
        self._marks[symbol] = candle.close

    def totals(self) -> list[dict[str, Any]]:
        """By limit, the most entries first."""
        return [] if self._refused is None else [vars(one) for one in self._refused.totals()]

    def _place(self, entry: RefusedEntry, held: Sequence[Candle]) -> None:
        before = [one.close for one in held if one.open_time_ms < entry.time_ms]
        since = (one for one in held if one.open_time_ms >= entry.time_ms)
        if self._refused is not None:
            self._refused.add(entry, before[-1] if before else None, since)


def _made(settings: Mapping[str, Any]) -> "RefusedEntries":
    from app.report.refused_entries import RefusedEntries  # most sessions refuse nothing
    from app.settings.profile import load_settings

    return RefusedEntries(load_settings(settings))
