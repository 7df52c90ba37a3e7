"""Small JSON files of the cache: one canonical text with a checksum and a format version inside.

The rule: equal content gives equal bytes, a file is written whole or not at all, and one whose checksum does not
match is never believed. What the content means is the caller's business.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from app.candles.durable import replace_files
from app.errors import DataError, NewerFormatError

FORMAT_VERSION = 1


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Writes the file unless it has these bytes already; OSError as the system says it."""
    data = _encoded(content)
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
        content = json.loads(data)
        version = content.pop("format_version")
        digest = content.pop("sha256")
        actual = _digest(content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise DataError(f"{path} is damaged: it is no sealed JSON") from None
    if version != FORMAT_VERSION:
        raise NewerFormatError(
            f"{path} has cache format {version}, this Onetape reads {FORMAT_VERSION}: "
            "use the newer Onetape that wrote it, or another --cache"
        )
    if digest != actual:
        raise DataError(f"{path} is damaged: its content does not match its checksum")
    return dict(content)


def _encoded(content: dict[str, Any]) -> bytes:
    sealed = {"format_version": FORMAT_VERSION, "sha256": _digest(content), **content}
    return (json.dumps(sealed, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
