"""Which candles an exchange said that it does not have: `absent.json` beside a series' month files.

The rule: an absence is written down only after the exchange was asked twice; a candle that is stored is never
absent; without the file, or with a damaged one, nothing is known and the exchange is asked again. So a wrong or
lost file costs requests, never a candle. The present needs no record: the candles are it.
"""

from pathlib import Path

from app.candles.ranges import Ranges, clip, length_ms, subtract, union
from app.candles.sealed_json import read_sealed, write_sealed
from app.errors import DataError, NewerFormatError

FILE_NAME = "absent.json"
Absences = dict[str, Ranges]  # by exchange


def read_absences(folder: Path) -> Absences:
    """By exchange, ranges of open times; DataError if the file is damaged."""
    content = read_sealed(folder / FILE_NAME)
    if content is None:
        return {}
    try:
        return {
            str(exchange): union([(int(start), int(end)) for start, end in ranges])
            for exchange, ranges in content["absent"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DataError(f"{folder / FILE_NAME} is damaged: it holds no ranges") from None


def known_absences(folder: Path, exchange: str, start_ms: int, end_ms: int) -> Ranges:
    """What this exchange has nothing for in `[start_ms, end_ms)`; nothing where the file cannot be believed."""
    return clip(_believed(folder).get(exchange, ()), start_ms, end_ms)


def add_absences(folder: Path, exchange: str, ranges: Ranges) -> None:
    """Adds to what is known; the caller holds the series' lock and has left stored candles out."""
    known = _believed(folder)
    known[exchange] = union(known.get(exchange, ()), ranges)
    _write(folder, known)


def drop_absences(folder: Path, present: Ranges) -> None:
    """Forgets absences where there are candles now; the caller holds the series' lock."""
    known = _believed(folder)
    left = {exchange: subtract(ranges, present) for exchange, ranges in known.items()}
    if any(length_ms(left[exchange]) != length_ms(ranges) for exchange, ranges in known.items()):
        _write(folder, left)


def _believed(folder: Path) -> Absences:
    try:
        return read_absences(folder)
    except NewerFormatError:
        raise
    except DataError:
        return {}


def _write(folder: Path, absences: Absences) -> None:
    filled = {exchange: [list(one) for one in ranges] for exchange, ranges in absences.items() if ranges}
    if filled:
        write_sealed(folder / FILE_NAME, {"absent": filled})
    else:
        (folder / FILE_NAME).unlink(missing_ok=True)
