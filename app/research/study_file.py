"""The study file: `trials.sqlite` in the study's folder, one row a set of values that was run, written as they come.

It says of what config, candles, code and search it is, and refuses any other, naming what differs. A search that was
stopped anywhere goes on from it to the result that it would have had. One search at a time writes to it.
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from app.errors import DataError, OutputError
from app.research.trial import Outcome

FORMAT = 1
NAME = "trials.sqlite"
Overrides = tuple[str, ...]
Identity = Mapping[str, Any]
_SHOWN = 60


class StudyFile(dict[Overrides, Outcome]):
    """Outcomes by the values that were laid over the settings; one that is set is written. `close()` at the end."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        """Opens or begins the file; DataError for one of another study, OutputError where it cannot be written."""
        self.path = folder / NAME
        super().__init__()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=0.0, isolation_level=None)
            self._open(json.loads(json.dumps(identity)))
        except (OSError, sqlite3.Error) as error:
            raise self._refused(error) from error

    def __setitem__(self, overrides: Overrides, outcome: Outcome) -> None:
        row = (json.dumps(overrides), msgspec.json.encode(outcome))
        try:
            self._database.execute("INSERT OR REPLACE INTO trials VALUES (?, ?)", row)
        except sqlite3.Error as error:
            raise self._refused(error) from error
        super().__setitem__(overrides, outcome)

    def close(self) -> None:
        """Release the file; idempotent."""
        self._database.close()

    def _open(self, identity: Identity) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("CREATE TABLE IF NOT EXISTS study (format INTEGER, identity TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS trials (overrides TEXT PRIMARY KEY, outcome BLOB)")
        with closing(database.execute("SELECT format, identity FROM study")) as rows:
            found = rows.fetchone()
        if found is None:
            database.execute("INSERT INTO study VALUES (?, ?)", (FORMAT, json.dumps(identity)))
        database.execute("COMMIT")
        if found is None:
            return
        if found[0] != FORMAT:
            self.close()
            raise DataError(f"{self.path} has format {found[0]}, this Onetape reads {FORMAT}; choose another --out")
        difference = first_difference(json.loads(found[1]), identity)
        if difference is not None:
            self.close()
            raise DataError(f"{self.path} is another study: {difference}; choose another --out to begin anew")
        for overrides, outcome in database.execute("SELECT overrides, outcome FROM trials"):
            super().__setitem__(tuple(json.loads(overrides)), msgspec.json.decode(outcome, type=Outcome))

    def _refused(self, error: Exception) -> OutputError:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return OutputError(f"{self.path} is being written by another search; wait for it, or choose another --out")
        what = error.strerror if isinstance(error, OSError) else str(error)
        return OutputError(f"the study {self.path} cannot be used: {what or error}")


def first_difference(then: Identity, now: Identity, path: str = "") -> str | None:
    """The first key, in the order of `now`, whose value is another one, with both values; None where all agree."""
    for key in [*now, *(key for key in then if key not in now)]:
        name = f"{path}.{key}" if path else key
        before, after = then.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            inner = first_difference(before, after, name)
            if inner is not None:
                return inner
        elif before != after:
            return f"{name} was {_short(before)} and is {_short(after)}"
    return None


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
