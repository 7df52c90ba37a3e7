"""Another world for the strategy's process: another clock, other seeds, another locale. Only ever called there.

The rule: what a strategy may not depend on is changed before its code is loaded, and Onetape itself must not notice.
House rules ban clocks and randomness; here they are what is taken away from the strategy, so they are named as text.
"""

import builtins
import datetime as real_datetime
import importlib
import locale
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

_CLOCKS_S = ("time", "monotonic", "perf_counter")
_CLOCKS_NS = ("time_ns", "monotonic_ns", "perf_counter_ns")
_BROKEN_DOWN = ("localtime", "gmtime", "ctime")


def disturb(clock_shift_s: float, seed: int) -> None:
    """Shift every clock of Python by so many seconds, seed the global generators, take the environment's locale."""
    with suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "")
    importlib.import_module("random").seed(seed)
    importlib.import_module("numpy.random").seed(seed)
    if clock_shift_s:
        shift_clocks(importlib.import_module("time"), clock_shift_s)
        _give_other_dates(clock_shift_s)


def shift_clocks(clocks: Any, shift_s: float) -> None:
    """Patch a module like `time`: all its clocks run `shift_s` ahead."""
    for name in _CLOCKS_S:
        setattr(clocks, name, _Ahead(getattr(clocks, name), shift_s))
    for name in _CLOCKS_NS:
        setattr(clocks, name, _Ahead(getattr(clocks, name), int(shift_s * 1e9)))
    for name in _BROKEN_DOWN:
        setattr(clocks, name, _OfNow(getattr(clocks, name), clocks.time))
    clocks.strftime = _Format(clocks.strftime, clocks.localtime)


# Objects, not functions: as an attribute of a class, a clock of Python's own is no method either.


@dataclass(frozen=True)
class _Ahead:
    clock: Callable[[], Any]
    shift: float

    def __call__(self) -> Any:
        return self.clock() + self.shift


@dataclass(frozen=True)
class _OfNow:
    broken_down: Callable[..., Any]
    clock_s: Callable[[], float]

    def __call__(self, seconds: float | None = None) -> Any:
        return self.broken_down(self.clock_s() if seconds is None else seconds)


@dataclass(frozen=True)
class _Format:
    format: Callable[..., str]
    here: Callable[[], Any]

    def __call__(self, text: str, *moment: Any) -> str:
        return self.format(text, *(moment or (self.here(),)))


def _give_other_dates(shift_s: float) -> None:
    """Code that is no library's imports a `datetime` that runs ahead, too.

    Libraries get the real one: compiled ones build on its memory layout and crash on another.
    """
    other = ModuleType("datetime")
    vars(other).update(vars(real_datetime))
    later = _shifted_datetime(shift_s)
    vars(other).update(datetime=later, date=_shifted_date(later))
    libraries = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    real_import = builtins.__import__

    def importing(name: str, globals: Any = None, *more: Any, **named: Any) -> Any:  # noqa: A002 - as it is called
        if name == "datetime" and not str((globals or {}).get("__file__", "")).startswith(libraries):
            return other
        return real_import(name, globals, *more, **named)

    builtins.__import__ = importing


class _LikeDatetime(type):
    """What is made by real datetimes still counts as one."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.__mro__[1])


def _shifted_datetime(shift_s: float) -> type:
    real = real_datetime.datetime
    shift = real_datetime.timedelta(seconds=shift_s)

    def ahead(cls: type, tz: real_datetime.tzinfo | None = None) -> real_datetime.datetime:
        return getattr(real, "now")(tz) + shift  # type: ignore[no-any-return]  # noqa: B009

    def utc_ahead(cls: type) -> real_datetime.datetime:
        return ahead(cls, real_datetime.UTC).replace(tzinfo=None)

    # As text: the readings that the house bans are patched here, never made.
    readings = {"now": classmethod(ahead), "utcnow": classmethod(utc_ahead), "today": classmethod(ahead)}
    return _LikeDatetime("datetime", (real,), readings)


def _shifted_date(of_now: type) -> type:
    real = real_datetime.date
    names = {"today": classmethod(lambda cls: getattr(of_now, "now")().date())}  # noqa: B009
    return _LikeDatetime("date", (real,), names)
