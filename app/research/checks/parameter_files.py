"""Tells a strategy's own parameter file from one that may know the future: by what is in it, before it is shown.

A file counts as parameters if it lies beside the strategy (or one folder below), is JSON, YAML or TOML, is small, has
no long list or text, and names no time of the run. Whoever hides the future in a few plain numbers gets through, so
the check names every such file that was read.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from app.settings.config_text import parse_yaml

_READERS: Mapping[str, Callable[[str], Any]] = {
    ".json": parse_yaml, ".yaml": parse_yaml, ".yml": parse_yaml, ".toml": tomllib.loads,
}  # fmt: skip
_BYTES_MAX, _VALUES_MAX, _LIST_MAX, _TEXT_MAX = 16_384, 64, 16, 64
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_UNITS_PER_S = (1, 1_000, 1_000_000, 1_000_000_000)  # of a time as a number


def parameter_files(folder: Path, start_ms: int, end_ms: int) -> list[str]:
    """The parameter files of a strategy in `folder`, for a run over this period."""
    candidates = sorted([*folder.glob("*.*"), *folder.glob("*/*.*")])
    return [
        str(path.resolve()) for path in candidates if path.suffix in _READERS and _is_harmless(path, start_ms, end_ms)
    ]


def _is_harmless(path: Path, start_ms: int, end_ms: int) -> bool:
    with suppress(OSError, ValueError, TypeError, RecursionError):
        if path.stat().st_size <= _BYTES_MAX:
            values = list(_values(_READERS[path.suffix](path.read_text(encoding="utf-8"))))
            return len(values) <= _VALUES_MAX and not any(_is_in(one, start_ms, end_ms) for one in values)
    return False


def _values(content: Any) -> Iterator[Any]:
    """All keys and values; ValueError for a list or a text that is too long for a parameter."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            yield from _values(value)
    elif isinstance(content, list):
        if len(content) > _LIST_MAX:
            raise ValueError("a long list")
        for value in content:
            yield from _values(value)
    else:
        if isinstance(content, str) and len(content) > _TEXT_MAX:
            raise ValueError("a long text")
        yield content


def _is_in(value: Any, start_ms: int, end_ms: int) -> bool:
    """Whether it is, or contains, a time of the period: a date, or a number of seconds or parts of them."""
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        return start_ms <= moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1_000 < end_ms
    if isinstance(value, (int, float)):
        return any(start_ms <= value * 1_000 / units < end_ms for units in _UNITS_PER_S)
    text = str(value)
    if text.replace(".", "", 1).isdigit():
        return _is_in(float(text), start_ms, end_ms)
    return any(_is_in(datetime.fromisoformat(found), start_ms, end_ms) for found in _DATE.findall(text))
