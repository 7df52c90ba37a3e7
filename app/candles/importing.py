"""Candle files of other programs: what kind a file is, what it is wrapped in, and what it holds, checked.

A file is taken whole or refused with one line that names it. Kinds: CSV (also .gz, also headerless as Binance's),
Binance's zip, Parquet, freqtrade's feather and json (also .gz).
"""

import contextlib
import gzip
import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from app.candles.candle_checks import CheckedCandles, RawCandles, check_candles
from app.candles.import_arrow import read_feather, read_parquet
from app.candles.import_text import read_csv, read_json
from app.candles.month_file import CandleColumns
from app.errors import DataError

_KINDS = ".csv, .csv.gz, .parquet, .feather, .json, .json.gz and .zip"


def read_candles(path: Path, timeframe: str) -> CandleColumns:
    """One file's candles, ascending; DataError with file, row and reason if one is wrong."""
    return import_files([path], timeframe).columns


def import_files(
    paths: Sequence[Path], timeframe: str, *, drop_off_grid: bool = False, force: bool = False
) -> CheckedCandles:
    """Several files of one series as one, checked together: they may overlap where they agree."""
    return check_candles([read_raw(path) for path in paths], timeframe, drop_off_grid=drop_off_grid, force=force)


def read_raw(path: Path) -> RawCandles:
    """A file's candles as they stand in it."""
    reader = _reader_of(path)
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            raise DataError(f"{path} is a folder; name the files in it")
        return reader(path)
    except ModuleNotFoundError as error:
        raise DataError(f"{path} needs the Python package {error.name} to be read: pip install pyarrow") from error
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged or cut short: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _reader_of(path: Path) -> Callable[[Path], RawCandles]:
    name = path.name.lower()
    readers: dict[str, Callable[[Path], RawCandles]] = {
        ".csv": _read_csv_file,
        ".csv.gz": _read_csv_file,
        ".json": _read_json_file,
        ".json.gz": _read_json_file,
        ".zip": _read_zip,
        ".parquet": read_parquet,
        ".feather": read_feather,
    }
    for suffix, reader in readers.items():
        if name.endswith(suffix):
            return reader
    raise DataError(f"{path} is of a kind that cannot be imported; known are {_KINDS}")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("rb") as file:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked
        else:
            yield file


def _text(stream: IO[bytes] | gzip.GzipFile) -> io.TextIOWrapper:
    # The -sig takes the mark away that spreadsheets put at a file's start.
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _read_csv_file(path: Path) -> RawCandles:
    with _opened(path) as stream, _text(stream) as text:
        return read_csv(text, path)


def _read_json_file(path: Path) -> RawCandles:
    with _opened(path) as stream, _text(stream) as text:
        return read_json(text.read(), path)


def _read_zip(path: Path) -> RawCandles:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            if len(members) != 1:
                raise DataError(f"{path} holds {len(members)} CSV files; one is expected, as in Binance's bulk files")
            with archive.open(members[0]) as stream, _text(stream) as text:
                return read_csv(text, path)
    except (NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
