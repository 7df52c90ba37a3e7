"""From what foreign files call and write their columns to times in ms (UTC) and doubles.

A value is understood without doubt or refused with its place; no number is guessed, cut or rounded to fit. Sorting,
grids and prices that make no sense come in candle_checks.py.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from app.candles.month_file import BoolArray, FloatArray, Int64Array
from app.errors import DataError

# The most telling name first: a file may have several of them.
TIME_NAMES = ("timestamp_ms", "open_time_ms", "open_time", "timestamp", "datetime", "date", "time")
VALUE_NAMES = ("open", "high", "low", "close", "volume")
# Binance's bulk files and klines, and the bare six that freqtrade's json has.
HEADERLESS_WIDTHS = (12, 6)

Place = Callable[[int], str]  # where the candle of an index stands, for an error message
Values = Sequence[str] | Int64Array | FloatArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME_END_MS = 4_102_444_800_000  # the year 2100
_TIME_START_BY_MAGNITUDE_MS = 946_684_800_000  # the year 2000: below it, seconds and milliseconds look alike
# Below the first limit are seconds, then ms, then us, the rest ns; each limit is in 1973 for the next unit.
_SECONDS_END = 100_000_000_000
_MILLISECONDS_END = 100_000_000_000_000
_MICROSECONDS_END = 100_000_000_000_000_000


def normal_name(name: str) -> str:
    """`' Open Time '` -> `'open_time'`."""
    return "_".join(name.lower().split())


def pick_columns(names: Sequence[str], source: str) -> tuple[str, list[int]]:
    """The time column's normal name, and where it and open, high, low, close, volume stand."""
    normal = [normal_name(name) for name in names]
    time_name = next((name for name in TIME_NAMES if name in normal), None)
    missing = [name for name in VALUE_NAMES if name not in normal]
    if time_name is None:
        missing.insert(0, "a time (timestamp_ms, timestamp, open_time, date, datetime or time)")
    if time_name is None or missing:
        # A damaged name may hold a line break, and the message is one line.
        found = "".join(char if char.isprintable() else "?" for char in ", ".join(names))[:200]
        raise DataError(f"{source}: no column for {', '.join(missing)}; it has {found or 'none'}")
    wanted = (time_name, *VALUE_NAMES)
    twice = [name for name in wanted if normal.count(name) > 1]
    if twice:
        raise DataError(f"{source}: two columns are named {twice[0]}; which one counts cannot be told")
    return time_name, [normal.index(name) for name in wanted]


def floats_from(values: Values, name: str, place: Place) -> FloatArray:
    """Texts or numbers as doubles."""
    return values.astype(np.float64) if isinstance(values, np.ndarray) else floats_from_text(values, name, place)


def times_from(values: Values, name: str, place: Place) -> Int64Array:
    """Texts, integers or doubles as times in ms."""
    if not isinstance(values, np.ndarray):
        return times_from_text(values, name, place)
    if values.dtype.kind == "i":
        return times_from_integers(values.astype(np.int64), name, place)
    return times_from_floats(values.astype(np.float64), name, place)


def floats_from_text(texts: Sequence[str], name: str, place: Place) -> FloatArray:
    """Doubles as Python reads them (correctly rounded); NaN and infinity pass, candle_checks refuses them."""
    try:
        _refuse_underscores(texts)
        return np.array(list(map(float, texts)), dtype=np.float64)
    except ValueError:
        for index, text in enumerate(texts):
            if not is_number(text):
                raise DataError(f"{place(index)}: {name} {_quoted(text)} is not a number") from None
        raise


def times_from_text(texts: Sequence[str], name: str, place: Place) -> Int64Array:
    """Numbers by magnitude (a name in `_ms` says the unit itself), else ISO times; without an offset UTC."""
    try:
        _refuse_underscores(texts)
        integers = np.array(list(map(int, texts)), dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    else:
        return times_from_integers(integers, name, place)
    # What the first value is, all must be; the first that is not gets the blame.
    if is_number(texts[0]):
        odd = next((index for index, text in enumerate(texts) if not is_number(text)), None)
        if odd is not None:
            raise _no_time(texts[odd], name, place, odd)
        return times_from_floats(np.array(list(map(float, texts)), dtype=np.float64), name, place)
    return np.array([_iso_time_ms(text, name, place, i) for i, text in enumerate(texts)], dtype=np.int64)


def times_from_integers(values: Int64Array, name: str, place: Place) -> Int64Array:
    """Seconds, milliseconds, microseconds or nanoseconds, each told by its size."""
    a_second: Int64Array = np.full(len(values), 1_000)
    if not name.endswith("_ms"):
        ends = (_SECONDS_END, _MILLISECONDS_END, _MICROSECONDS_END)
        a_second = np.select([values < end for end in ends], [1, 1_000, 1_000_000], 1_000_000_000)
    times_ms = _in_ms(values, a_second, name, place)
    _check_range(times_ms, values, name, place)
    return times_ms


def times_of_unit(ticks: Int64Array, ticks_a_second: int, name: str, place: Place) -> Int64Array:
    """Ticks since 1970 of a known unit (a datetime column) as milliseconds."""
    times_ms = _in_ms(ticks, np.full(len(ticks), ticks_a_second), name, place)
    _refuse_time(_outside(times_ms), ticks, name, place, "is not between 1970 and 2100")
    return times_ms


def _in_ms(ticks: Int64Array, ticks_a_second: Int64Array, name: str, place: Place) -> Int64Array:
    ticks_a_ms = np.maximum(1, ticks_a_second // 1_000)
    _refuse_time(ticks % ticks_a_ms != 0, ticks, name, place, "is no whole number of milliseconds")
    # What lies before 1970 is refused, so no product of it needs to fit.
    return np.maximum(ticks, -1) // ticks_a_ms * np.maximum(1, 1_000 // ticks_a_second)


def times_from_floats(values: FloatArray, name: str, place: Place) -> Int64Array:
    """As integers; a fraction of a second is allowed where it makes whole milliseconds."""
    _refuse_time(~np.isfinite(values), values, name, place, "is not a time")
    scaled = values
    if not name.endswith("_ms"):
        limits = (_SECONDS_END, _MILLISECONDS_END, _MICROSECONDS_END)
        scales = (values * 1_000.0, values, values / 1_000.0)
        scaled = np.select([values < limit for limit in limits], scales, values / 1_000_000.0)
    # A double holds today's seconds to a quarter of a microsecond; more than that off is a real fraction.
    ragged = np.abs(scaled - np.rint(scaled)) > 0.001
    _refuse_time(ragged, values, name, place, "is no whole number of milliseconds")
    times_ms = np.rint(np.clip(scaled, -1.0, float(_TIME_END_MS))).astype(np.int64)
    _check_range(times_ms, values, name, place)
    return times_ms


def _check_range(times_ms: Int64Array, values: Int64Array | FloatArray, name: str, place: Place) -> None:
    if not name.endswith("_ms"):
        too_small = times_ms < _TIME_START_BY_MAGNITUDE_MS
        why = "is before 2000, in seconds as in milliseconds; only a column timestamp_ms is taken as it is"
        _refuse_time(too_small, values, name, place, why)
    _refuse_time(_outside(times_ms), values, name, place, "is not between 1970 and 2100")


def _outside(times_ms: Int64Array) -> BoolArray:
    return (times_ms < 0) | (times_ms >= _TIME_END_MS)


def _refuse_time(wrong: BoolArray, values: Int64Array | FloatArray, name: str, place: Place, why: str) -> None:
    if bool(wrong.any()):
        index = int(np.argmax(wrong))
        raise DataError(f"{place(index)}: {name} {values[index]} {why}")


def _iso_time_ms(text: str, name: str, place: Place, index: int) -> int:
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        raise _no_time(text, name, place, index) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment.microsecond % 1_000:
        raise DataError(f"{place(index)}: {name} {_quoted(text)} is no whole number of milliseconds")
    time_ms = (moment - _EPOCH) // _MILLISECOND
    if not 0 <= time_ms < _TIME_END_MS:
        raise DataError(f"{place(index)}: {name} {_quoted(text)} is not between 1970 and 2100")
    return time_ms


def _no_time(text: str, name: str, place: Place, index: int) -> DataError:
    return DataError(
        f"{place(index)}: {name} {_quoted(text)} is neither a number of seconds or milliseconds nor an ISO time"
    )


def is_number(text: str) -> bool:
    """Whether a text is a number as a CSV writes one (NaN is: candle_checks refuses it)."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _refuse_underscores(texts: Sequence[str]) -> None:
    # Python reads 1_000 as a thousand; in a file of candles it is a mistake.
    if "_" in "".join(texts):
        raise ValueError("underscore in a number")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")
