"""The windows of a walk-forward: where it optimises, what it leaves out, where it trades.

Nothing that is traded on lies before the end of what was optimised on, nor inside the embargo after it, and the
out-of-sample spans follow each other without a gap or an overlap.
"""

import re
from dataclasses import dataclass

from app.errors import ConfigError
from app.times import DAY_MS, short_time

_SPAN = re.compile(r"(\d+)(m|h|d|w)", re.ASCII)
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}


@dataclass(frozen=True)
class Span:
    """`start <= open time < end`, in ms."""

    start_ms: int
    end_ms: int

    @property
    def days(self) -> float:
        """Its length."""
        return (self.end_ms - self.start_ms) / DAY_MS


@dataclass(frozen=True)
class Window:
    """One step, counted from 1: optimise in sample, then trade out of sample."""

    number: int
    in_sample: Span
    out_of_sample: Span


@dataclass(frozen=True)
class WindowRule:
    """How a period is cut. Lengths in ms; `anchored`: every in-sample span begins where the first one does."""

    in_sample_ms: int
    out_of_sample_ms: int
    embargo_ms: int = 0
    anchored: bool = False

    def check(self, step_ms: int) -> None:
        """ConfigError unless the lengths are positive multiples of a candle of `step_ms`; an embargo may be zero."""
        for option, length_ms, least_ms in (
            ("--in-sample", self.in_sample_ms, step_ms),
            ("--out-of-sample", self.out_of_sample_ms, step_ms),
            ("--embargo", self.embargo_ms, 0),
        ):
            if length_ms < least_ms:
                raise ConfigError(f"{option} {span_text(length_ms)}: it must be at least {span_text(least_ms)}")
            if length_ms % step_ms:
                candles = f"candles of {span_text(step_ms)}"
                raise ConfigError(f"{option} {span_text(length_ms)}: it is no whole number of {candles}")

    def windows(self, period: Span) -> list[Window]:
        """All that fit, in order; each begins one out-of-sample length after the one before it.

        A rest at the end that is shorter than an out-of-sample span is not traded. ConfigError if none fits.
        """
        found: list[Window] = []
        while (window := self._window(period, len(found))).out_of_sample.end_ms <= period.end_ms:
            found.append(window)
        if not found:
            raise ConfigError(self._too_long(period))
        return found

    def _window(self, period: Span, index: int) -> Window:
        shift_ms = index * self.out_of_sample_ms
        in_end_ms = period.start_ms + self.in_sample_ms + shift_ms
        in_start_ms = period.start_ms if self.anchored else in_end_ms - self.in_sample_ms
        out_start_ms = in_end_ms + self.embargo_ms
        return Window(index + 1, Span(in_start_ms, in_end_ms), Span(out_start_ms, out_start_ms + self.out_of_sample_ms))

    def _too_long(self, period: Span) -> str:
        parts = f"--in-sample {span_text(self.in_sample_ms)} + --out-of-sample {span_text(self.out_of_sample_ms)}"
        if self.embargo_ms:
            parts += f" + --embargo {span_text(self.embargo_ms)}"
        return (
            f"no window fits: {parts} is longer than the {span_text(period.end_ms - period.start_ms)} from "
            f"{short_time(period.start_ms)} to {short_time(period.end_ms)}; shorten it, or name a longer --start --end"
        )


def parse_span_ms(option: str, text: str) -> int:
    """`90d`, `12h`, `30m`, `2w` in ms; ConfigError names the option."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{option} {text}: write a length of time without a sign, like 90d, 12h, 30m or 2w")
    return int(found[1]) * _UNITS_MS[found[2]]


def span_text(length_ms: int) -> str:
    """The length in its largest whole unit: `90d`, `36h`, `90m`; seconds where nothing else is whole."""
    for unit in ("d", "h", "m"):
        if length_ms % _UNITS_MS[unit] == 0:
            return f"{length_ms // _UNITS_MS[unit]}{unit}"
    return f"{length_ms / 1000:g}s"
