"""The run folder: where a run's files lie, and the promise that a finished run is never overwritten.

A run is finished once it has its `results.json`, which is written last and whole. Files are written beside their
name and renamed; a full or read-only disk is an OutputError in one line.
"""

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.errors import OutputError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
RESULTS, MANIFEST, EQUITY, SIGNALS = "results.json", "manifest.json", "equity.parquet", "signals.csv"


class RunFolder:
    """Paths of one run. `name` is `config_backtest_<start>_<end>`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.trades = folder / f"{name}.csv"
        self.equity = folder / EQUITY
        self.signals = folder / SIGNALS
        self.results = folder / RESULTS
        self.manifest = folder / MANIFEST

    @classmethod
    def create(cls, name: str, out: Path | None, root: Path = Path("logs/backtests")) -> "RunFolder":
        """`out` itself, refused if it holds a finished run; or `root/name`, with `-2`, `-3` ... if taken."""
        folder = out if out is not None else _free_folder(root, name)
        if _is_finished(folder / RESULTS):
            raise OutputError(f"{folder} holds a finished run; choose another --out, or remove it first")
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"cannot write {folder}: it is no folder")
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, name)

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
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        try:
            temporary.write_text(to_json(content), encoding="utf-8")
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


def to_json(content: Mapping[str, Any]) -> str:
    """JSON as the files and `--json` have it; a NaN or infinity is a programming error and raises ValueError."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _is_finished(results: Path) -> bool:
    # A run that failed may be run again where it was; whatever cannot be read is left alone.
    try:
        return results.exists() and json.loads(results.read_text(encoding="utf-8")).get("status") != "failed"
    except (OSError, ValueError, AttributeError):
        return True


def _free_folder(root: Path, name: str) -> Path:
    folder, number = root / name, 1
    while folder.exists():
        number += 1
        folder = root / f"{name}-{number}"
    return folder
