"""Small JSON files of the cache: one canonical text with a checksum and a format version inside.

Equal content gives equal bytes, a file is written whole or not at all, and one whose checksum does not match is never
believed.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from app.candles.durable import replace_files
from app.errors import DataError, NewerFormatError

FORMAT_VERSION = 1

Value = TypeVar("Value")


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Writes the file unless it has these bytes already; OSError as the system says it."""
    sealed = {"format_version": FORMAT_VERSION, "sha256": _digest(content), **content}
    data = (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    replace_files(path.parent, {path: data})


def read_sealed(path: Path) -> dict[str, Any] | None:
    """The content; None if there is no file. DataError if it is damaged, NewerFormatError for a later format."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        content: dict[str, Any] = json.loads(data)
        version = content.pop("format_version")
        digest = content.pop("sha256")
        actual = _digest(content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise DataError(f"{path} is damaged: it is no sealed JSON") from None
    check_version(path, version, FORMAT_VERSION)
    if digest != actual:
        raise DataError(f"{path} is damaged: its content does not match its checksum")
    return content


def check_version(path: Path, version: object, read: int) -> None:
    """NewerFormatError for a file of the cache that another Onetape wrote in a later format."""
    if version != read:
        raise NewerFormatError(
            f"{path} has cache format {version}, this Onetape reads {read}: "
            "use the newer Onetape that wrote it, or another --cache"
        )


def believed(read: Callable[[], dict[str, Value]]) -> dict[str, Value]:
    """What `read` gives; nothing where its file is damaged. A later format is no damage."""
    try:
        return read()
    except NewerFormatError:
        raise
    except DataError:
        return {}


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
