"""Files that appear whole or not at all, and stay after a power loss.

Content goes into a hidden file of the same folder, reaches the disk, and takes the place of the old file by a rename;
an error on the way leaves the old file and nothing else.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO


def replace_files(folder: Path, contents: Mapping[Path, bytes]) -> None:
    """Files of one folder: all are on the disk under another name before the first takes its place."""
    staged = {path: _staged(path) for path in contents}
    try:
        for path, content in contents.items():
            with staged[path].open("wb") as file:
                file.write(content)
                _sync(file)
        for path, temporary in staged.items():
            temporary.replace(path)
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
    sync_folder(folder)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """One file, written as it comes; it takes its place when the block ends without an error."""
    temporary = _staged(path)
    try:
        with temporary.open("wb") as file:
            yield file
            _sync(file)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _staged(path: Path) -> Path:
    # A fixed name: what a killed process left is overwritten by the next, not piled up.
    return path.with_name(f".{path.name}.tmp")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """The folder's list of files to the disk: a new or renamed file is safe only then."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_and_close(descriptor: int) -> None:
    """An open file to the disk; the descriptor is the caller's own, and gone afterwards."""
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
