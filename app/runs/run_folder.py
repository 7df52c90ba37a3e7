"""The run folder: where a run's files lie, whose they are, and the promise that a finished run is never overwritten.

It belongs to one process from the moment that it is named; a run is finished once it has its `results.json`, which is
written last and whole. Files are written beside their name and renamed; a full or read-only disk is an OutputError in
one line.
"""

import errno
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from app.candles.locks import read_owner, try_lock, write_owner
from app.errors import OutputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LOCK = ".session"  # holds the number of the process that the folder belongs to, while it does
_LOCK_TRIES, _LOCK_PAUSE_S = 10, 0.02
RESULTS, MANIFEST, EQUITY, SIGNALS = "results.json", "manifest.json", "equity.parquet", "signals.csv"
REFUSED, ALERTS = "refused.jsonl", "alerts.json"


class RunFolder:
    """Paths of one run. `name` is `config_backtest_<start>_<end>`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.trades = folder / f"{name}.csv"
        self.equity = folder / EQUITY
        self.signals = folder / SIGNALS
        self.refused = folder / REFUSED
        self.results = folder / RESULTS
        self.manifest = folder / MANIFEST

    @classmethod
    @contextmanager
    def claim(cls, name: str, out: Path | None, root: Path = Path("logs/backtests")) -> Iterator["RunFolder"]:
        """`out` itself, or `root/name`, with `-2`, `-3` ... if taken; until the end of the block nobody else has it.

        OutputError if it holds a finished run or belongs to another process.
        """
        folder = out
        if folder is None:
            folder = new_folder(root, name)
        else:
            refuse_finished(folder)
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"cannot write {folder}: it is no folder")
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
        with owned(folder):
            refuse_finished(folder)  # it may have been another's until a moment ago
            yield cls(folder, name)

    def files(self) -> dict[str, str]:
        """Relative names, as results.json lists them."""
        return {
            "trades": self.trades.name,
            "equity": self.equity.name,
            "signals": self.signals.name,
            "manifest": self.manifest.name,
        }


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError into one clear OutputError about `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or path}: {why_unwritten(error)}") from error


def why_unwritten(error: OSError) -> str:
    """In words: a full disk has several names."""
    if error.errno in DISK_FULL:
        return "the disk is full"
    return error.strerror or str(error)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    write_whole(path, (to_json(content),))


def write_whole(path: Path, pieces: Iterable[str]) -> None:
    """A text file, whole or not at all; OutputError where the disk takes no more."""
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(pieces)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


def to_json(content: Mapping[str, Any]) -> str:
    """JSON as the files and `--json` have it; a NaN or infinity is a programming error and raises ValueError."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def new_folder(root: Path, name: str) -> Path:
    """`root/name`, with `-2`, `-3` ... if taken: made, not looked for, so who begins at the same time has another."""
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = root / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    raise AssertionError("numbers do not end")


def refuse_finished(folder: Path) -> None:
    """OutputError if the folder holds a finished run; one that failed or broke off may be run again where it was."""
    if _is_finished(folder / RESULTS):
        raise OutputError(f"{folder} holds a finished run; choose another --out, or remove it first")


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """The folder belongs to this process until the end of the block; OutputError names the process that has it.

    The system frees it with its owner's end, however that comes; what a killed owner leaves behind disturbs nobody.
    """
    path = folder / LOCK
    with writing(folder):
        descriptor = _lock(path)
    try:
        with writing(folder):
            write_owner(descriptor)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def is_owned(folder: Path) -> bool:
    """Whether a running process has this folder now; it changes nothing there."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    for _ in range(_LOCK_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if try_lock(descriptor):
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
        # It is another's, or `status` looks for a moment, or its owner has just removed it: it takes no other then.
        owner = read_owner(descriptor)
        os.close(descriptor)
        threading.Event().wait(_LOCK_PAUSE_S)
    raise OutputError(f"{path.parent} belongs to a run that is going on, process {owner}; stop it first")


def _is_finished(results: Path) -> bool:
    # A run that failed may be run again where it was; whatever cannot be read is left alone.
    try:
        return results.exists() and json.loads(results.read_text(encoding="utf-8")).get("status") != "failed"
    except (OSError, ValueError, AttributeError):
        return True
