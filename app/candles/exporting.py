"""Candles out of the cache as CSV: timestamp_ms,open,high,low,close,volume.

What is written reads back to the same doubles, and the file appears whole or not at all. The same candles give the same
bytes, packed ones too.
"""

import contextlib
import gzip
from pathlib import Path

from app.candles.cache import COLUMN_NAMES, CandleCache
from app.candles.coverage import series_coverage
from app.candles.durable import replacing
from app.errors import ConfigError, DataError, OutputError
from app.times import TIME_MAX_MS, short_time

_HEADER = (",".join(COLUMN_NAMES) + "\n").encode()


def export_csv(
    cache: CandleCache,
    symbol: str,
    timeframe: str,
    target: Path,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
) -> int:
    """Writes the candles with `start_ms <= open time < end_ms` (None: no bound) and returns how many.

    ConfigError for a target that says it is no CSV, DataError if there are no such candles, OutputError if
    the file cannot be written.
    """
    name = target.name.lower()
    if not name.endswith((".csv", ".csv.gz")):
        raise ConfigError(f"{target} must end in .csv or .csv.gz; other kinds are not written")
    if target.exists() and not target.is_file():
        raise OutputError(f"{target} cannot be written: it is no regular file")
    there = series_coverage(cache, symbol, timeframe)
    bounds = (0 if start_ms is None else start_ms, TIME_MAX_MS if end_ms is None else end_ms)
    months = cache.months_between(symbol, timeframe, *bounds)
    try:
        with replacing(target.resolve()) as file:
            count = 0
            # Neither time nor name in gzip's header.
            packed = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if name.endswith(".gz") else None
            with packed or contextlib.nullcontext(file) as stream:
                stream.write(_HEADER)
                for month in months:
                    block = cache.read(symbol, timeframe, month).between(*bounds)
                    rows = zip(*(column.tolist() for column in block), strict=True)
                    # repr gives the shortest text that reads back to the same double.
                    stream.write("".join([",".join(map(repr, row)) + "\n" for row in rows]).encode())
                    count += len(block.open_time_ms)
            if count == 0:
                raise DataError(
                    f"no candles of {symbol} {timeframe} in that range; there are {there.candles:,}, from "
                    f"{short_time(there.first_open_ms)} to {short_time(there.last_open_ms)} (UTC open times)"
                )
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    return count
