"""Which candles an exchange said that it does not have: `absent.json` beside a series' month files.

An absence is written down only after the exchange was asked twice, and a candle that is stored is never absent. Without
the file, or with a damaged one, nothing is known and the exchange is asked again: a wrong or lost file costs requests,
never a candle.
"""

from pathlib import Path

from app.candles.ranges import Ranges, subtract, union
from app.candles.sealed_json import believed, read_sealed, write_sealed
from app.errors import DataError

FILE_NAME = "absent.json"
Absences = dict[str, Ranges]  # by exchange, open times


def read_absences(folder: Path) -> Absences:
    """All that is written down; DataError if the file is damaged."""
    content = read_sealed(folder / FILE_NAME)
    try:
        absent = {} if content is None else content["absent"]
        return {
            str(exchange): union([(int(start), int(end)) for start, end in ranges])
            for exchange, ranges in absent.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{folder / FILE_NAME} is damaged: it holds no ranges") from None


def known_absences(folder: Path) -> Absences:
    """All that is written down; nothing where the file is damaged."""
    return believed(lambda: read_absences(folder))


def add_absences(folder: Path, exchange: str, ranges: Ranges) -> None:
    """Adds to what is known; the caller holds the series' lock and has left stored candles out."""
    known = known_absences(folder)
    _write(folder, known | {exchange: union(known.get(exchange, ()), ranges)})


def drop_absences(folder: Path, present: Ranges) -> None:
    """Forgets absences where there are candles now; the caller holds the series' lock."""
    known = known_absences(folder)
    left = {exchange: subtract(ranges, present) for exchange, ranges in known.items()}
    if left != known:
        _write(folder, left)


def _write(folder: Path, absences: Absences) -> None:
    filled = {exchange: [list(one) for one in ranges] for exchange, ranges in absences.items() if ranges}
    if filled:
        write_sealed(folder / FILE_NAME, {"absent": filled})
    else:
        (folder / FILE_NAME).unlink(missing_ok=True)
