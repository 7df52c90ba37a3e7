"""The reader of run folders: what a run is (results, manifest, settings, epochs, tape, files) and its rows, one by one.

Every way to look at a run opens its files here; each fault is one line. A run to be compared is finished and of this
format, in a DataError otherwise; what `load_run` and the page take besides is said there. Nothing is written.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.errors import ConfigError, DataError, NewerFormatError
from app.models.orders import GOES_ON, Line
from app.runs import manifest, results
from app.runs.fill_columns import COLUMNS
from app.runs.manifest import sha256_of, written_sha256
from app.runs.run_folder import MANIFEST, RESULTS
from app.runs.trade_log import SIGNAL_COLUMNS
from app.times import parse_time_ms, timeframe_ms

Row = Mapping[str, str]
EquityRow = tuple[int, float, float]  # timestamp_ms, equity, balance


class SignalRow(NamedTuple):
    """A row of signals.csv and the close time of the slice that it was decided on."""

    time_ms: int
    row: Row


class FillRow(NamedTuple):
    """A row of the trade log, its time, and when the entry of its trade was decided on (its own time if unknown)."""

    time_ms: int
    decided_ms: int
    row: Row


def read_json(path: Path, newest: int, *, exactly: bool = False) -> dict[str, Any]:
    """The object in a file whose format is at most the newest known one, or `exactly` it; DataError in one line."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    is_object = isinstance(content, dict)
    found = content.get("format", None if exactly else 0) if is_object else None
    if exactly and found != newest:
        raise DataError(f"{path} has format {found}, this Onetape reads {newest}; run it again")
    if not is_object:
        raise DataError(f"{path} does not hold what it should: it is no JSON object")
    if not isinstance(found, int) or found > newest:
        raise NewerFormatError(
            f"{path} has format {found}, this Onetape reads up to {newest}: use the one that wrote it"
        )
    return dict(content)


def read_results(path: Path, *, exactly: bool = False) -> dict[str, Any]:
    """The content of a results.json."""
    return read_json(path, results.FORMAT, exactly=exactly)


def read_manifest(path: Path, *, exactly: bool = False) -> dict[str, Any]:
    """The content of a manifest.json."""
    return read_json(path, manifest.FORMAT, exactly=exactly)


@dataclass(frozen=True)
class OpenedRun:
    """What the two JSON files of a run folder say."""

    folder: Path
    results: Mapping[str, Any]
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def settings(self) -> Mapping[str, Any]:
        """The three files of settings, defaults included; of a session with several epochs those of the last.

        Empty without a manifest.
        """
        found = self.manifest.get("settings")
        return found if isinstance(found, dict) else {}

    def file(self, key: str) -> Path:
        """`trades`, `signals` or `equity`."""
        return self.folder / str(self.results["files"][key])

    def is_untouched(self, key: str) -> bool:
        """Whether a file is still the one that the run wrote, by the manifest's hash."""
        return sha256_of(self.file(key)) == written_sha256(self.manifest, key)


@dataclass(frozen=True)
class Run(OpenedRun):
    """A finished run that can be compared and run again."""

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """The run of a folder; DataError says why there is none that can be looked at."""
        path = folder / RESULTS
        if not path.exists():
            begun = folder.is_dir() and (_has_tape(folder) or any(folder.glob("*.csv")))
            why = "its run has not finished: it has" if begun else "it is no run folder: it holds"
            raise DataError(f"{folder}: {why} no {RESULTS}")
        run = cls(folder, read_results(path, exactly=True), read_manifest(folder / MANIFEST, exactly=True))
        if run.results.get("status") == "failed":
            raise DataError(f"{folder}: its run failed half-way, there is nothing to hold it against")
        for key in ("trades", "equity", "signals"):
            if key not in run.results.get("files", {}):
                raise DataError(f"{folder}: it was made by an older Onetape, which wrote no {key}; run it again")
            if not run.file(key).is_file():
                raise DataError(f"{run.file(key)} is not there")
        return run

    @property
    def epochs(self) -> Sequence[Mapping[str, Any]]:
        """What the run was computed with, and from when on: a backtest has one epoch."""
        own = {"number": 1, "start": self.manifest["period"]["start"], "changed": []}
        return self.manifest.get("epochs") or [{**self.manifest, **own}]

    @property
    def tape(self) -> Mapping[str, Any] | None:
        """Which tape it replayed: `run`, `sha256`, `last_seq`; None for any other run."""
        about: Mapping[str, Any] | None = self.manifest.get("tape")
        return about

    @property
    def what_if(self) -> Sequence[str] | None:
        """What was laid over the settings of the tape that it replayed; None where the tape's own settings held."""
        changed: Sequence[str] | None = (self.tape or {}).get("what_if")
        return changed

    @property
    def real_fills(self) -> Mapping[str, Any] | None:
        """Of a what-if of a session with real orders: whose (`tag`), until which event (`until_seq`), and from which
        slice on (`paper_from_ms`, None: never) its fills are on paper.
        """
        real: Mapping[str, Any] | None = (self.tape or {}).get("real_fills")
        return real

    @property
    def tape_last_seq(self) -> int | None:
        """The last event of the tape that it replayed; None: all of its own."""
        return None if self.tape is None else self.tape["last_seq"]

    @property
    def symbols(self) -> Sequence[str]:
        """In config order, those of all epochs."""
        listed = (symbol for epoch in self.epochs for symbol in epoch["settings"]["live"]["symbols"])
        return list(dict.fromkeys(listed))

    @property
    def timeframe(self) -> str:
        """The session's."""
        return str(self.settings["live"]["timeframe"])

    @property
    def length_ms(self) -> int:
        """Of a candle."""
        return timeframe_ms(self.timeframe)

    @property
    def is_live(self) -> bool:
        """Whether it has a tape of its own."""
        return _has_tape(self.folder)

    @property
    def period_ms(self) -> tuple[int, int]:
        """Start and end that the manifest names."""
        period = self.manifest["period"]
        return parse_time_ms(period["start"]), parse_time_ms(period["end"])

    def signals(self) -> Iterator[SignalRow]:
        """In the order of the decisions."""
        for row, place in _rows(self.file("signals"), SIGNAL_COLUMNS):
            yield SignalRow(_time_ms(row, place), row)

    def fills(self) -> Iterator[FillRow]:
        """In the order of the log."""
        signals = self.signals()
        decided: dict[Line, tuple[str, int]] = {}  # order and time of each line's newest entry that was read
        trades: dict[str, int] = {}
        for row, place in _rows(self.file("trades"), COLUMNS):
            time_ms = _time_ms(row, place)
            if row["action"] == "OPEN":
                entry_ms = _entry_ms(row, decided, signals)
                trades[row["trade_id"]] = time_ms if entry_ms is None else entry_ms
                yield FillRow(time_ms, trades[row["trade_id"]], row)
            elif row["reason"] in GOES_ON:  # the trade goes on
                yield FillRow(time_ms, trades.get(row["trade_id"], time_ms), row)
            else:
                yield FillRow(time_ms, trades.pop(row["trade_id"], time_ms), row)

    def equity(self) -> Iterator[EquityRow]:
        """One row a slice. The decoder panics on damage, so it sees only the file that the run wrote."""
        from arro3.io import read_parquet

        if not self.is_untouched("equity"):
            raise DataError(f"{self.file('equity')} is damaged: it is not the file that its run wrote")
        for batch in read_parquet(self.file("equity")):
            columns = [batch[name].to_numpy().tolist() for name in ("timestamp_ms", "equity", "balance")]
            yield from zip(*columns, strict=True)


def _has_tape(folder: Path) -> bool:
    if not (folder / "tape").is_dir():
        return False  # a backtest's: the tape's reader need not be imported for it
    from app.feeds.tape import has_tape

    return has_tape(folder)


def _entry_ms(row: Row, decided: dict[Line, tuple[str, int]], signals: Iterator[SignalRow]) -> int | None:
    # One entry a line can wait, so the newest of each is all that need be kept.
    line, order_id = line_of(row), row["order_id"]
    while decided.get(line, ("", 0))[0] != order_id:
        signal = next(signals, None)
        if signal is None:
            return None
        if signal.row["outcome"] == "order":
            decided[line_of(signal.row)] = signal.row["order_id"], signal.time_ms
    return decided[line][1]


def line_of(row: Row) -> Line:
    """Whose row it is."""
    return Line(row["strategy"], row["symbol"])


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[Row, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if list(reader.fieldnames or ()) != list(columns):
                raise DataError(f"{path}: its columns are not those of this version; run it again")
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path}, line {reader.line_num}: it has not {len(columns)} columns")
                yield row, f"{path}, line {reader.line_num}"
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _time_ms(row: Row, place: str) -> int:
    try:
        return parse_time_ms(row["timestamp"])
    except ConfigError:
        raise DataError(f"{place}: {row['timestamp']!r} is no time") from None
