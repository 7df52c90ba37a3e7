"""Events: everything that the queue carries and the tape records.

The tape writes them as JSON by their tags, so a tag is never renamed.
"""

import msgspec

from app.models.market import Candle, Slice


class MarkedSlice(Slice, frozen=True, gc=False, tag="marked_slice"):
    """A slice of a live feed with something to be said of it, so that a replay of the tape decides the same.

    `late`: handled more than `feed.late_candles` after its close, so no entry is accepted on it. `stale` names
    symbols that have had no candle for `feed.stale_candles` timeframes: no entry on these.
    """

    late: bool = False
    stale: tuple[str, ...] = ()


class LateCandle(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="late_candle"):
    """A candle that came after its slice had gone without it: exits are checked on it and indicators updated.

    `warmup`: it belongs to the time before the run, so it updates indicators and nothing else.
    """

    candle: Candle
    warmup: bool = False


class RevisedCandle(msgspec.Struct, frozen=True, gc=False, tag="revised_candle"):
    """The exchange answers other values for a candle that was handled already: counted, and nothing else."""

    candle: Candle


class EndOfData(msgspec.Struct, frozen=True, tag="end_of_data"):
    """The feed has no more: `--end`, the end of the data or the end of a tape."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """An operator's stop (Ctrl-C, SIGTERM); takes effect after the slice handled before it."""

    why: str


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """An operator's kill: the kill switch trips as if a limit had been reached."""

    why: str


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Releases the kill switch; the peak becomes the equity of that moment."""

    why: str


Command = Stop | Kill | Resume
Event = Slice | MarkedSlice | LateCandle | RevisedCandle | EndOfData | Command
