"""Gives the strategy's process another clock, other seeds and another locale, before its code is loaded.

Onetape itself must not notice. The tidy rules ban clocks and randomness; here they are what is changed for the
strategy, so they are named as text.
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

_CLOCKS = ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns")


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
    for name in _CLOCKS:
        shift = int(shift_s * 1e9) if name.endswith("_ns") else shift_s
        setattr(clocks, name, _Patched(lambda real, by=shift: real() + by, getattr(clocks, name)))
    for name in ("localtime", "gmtime", "ctime"):
        now = lambda real, s=None: real(clocks.time() if s is None else s)  # noqa: E731
        setattr(clocks, name, _Patched(now, getattr(clocks, name)))
    clocks.strftime = _Patched(lambda real, text, *at: real(text, *(at or (clocks.localtime(),))), clocks.strftime)


@dataclass(frozen=True)
class _Patched:
    """An object, not a function: as an attribute of a class, a clock of Python's own is no method either."""

    call: Callable[..., Any]
    real: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.call(self.real, *args)


def _give_other_dates(shift_s: float) -> None:
    """Code that is no library's imports a `datetime` that runs ahead, too.

    Libraries get the real one: compiled ones build on its memory layout and crash on another.
    """
    other = ModuleType("datetime")
    vars(other).update(vars(real_datetime))
    later = _shifted_datetime(shift_s)
    today = classmethod(lambda cls: getattr(later, "now")().date())  # noqa: B009
    vars(other).update(datetime=later, date=_LikeDatetime("date", (real_datetime.date,), {"today": today}))
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
    real, shift = real_datetime.datetime, real_datetime.timedelta(seconds=shift_s)

    def ahead(cls: type, tz: real_datetime.tzinfo | None = None) -> real_datetime.datetime:
        return getattr(real, "now")(tz) + shift  # type: ignore[no-any-return]  # noqa: B009

    # As text: the readings that the house bans are patched here, never made.
    utc = classmethod(lambda cls: ahead(cls, real_datetime.UTC).replace(tzinfo=None))
    readings = {"now": classmethod(ahead), "utcnow": utc, "today": classmethod(ahead)}
    return _LikeDatetime("datetime", (real,), readings)
