"""The frames of kline streams as time passes: updates of the forming candle, a closed one at the end of each candle.

A frame shows what REST shows at its event time. A final frame is never left out, updates are when it got late. However
many listen, a frame is made once.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from app.errors import OnetapeError
from app.testnet.spot import Kline, SpotMarket
from app.testnet.virtual_clock import VirtualClock
from app.testnet.wire import kline_frame
from app.times import TIMEFRAMES_MS

_STREAM = re.compile(r"([a-z0-9\-_.]{1,20})@kline_([0-9]{1,2}[smhdwM])", re.ASCII)
# At least this many steps a candle, the last of them the final frame; and one a real second where that is more.
_STEPS_MIN = 12
_STEP_REAL_MS = 1_000
# The longest sleep: a stream that was subscribed meanwhile waits no longer for its first frame.
_SLEEP_MAX_S = 0.25


Listener = Callable[[str, str], None]  # takes a stream's name and a frame of it; it does not wait and does not fail


@dataclass
class _Stream:
    symbol: str
    timeframe: str
    length_ms: int
    step_ms: int
    open_time_ms: int  # of the candle whose frames come next
    due_ms: int
    listeners: list[Listener] = field(default_factory=list)


class KlineStreams:
    """All kline streams of a market; `skew_ms` is asked for each frame."""

    def __init__(self, market: SpotMarket, clock: VirtualClock, skew_ms: Callable[[], int]) -> None:
        self._market, self._clock, self._skew_ms = market, clock, skew_ms
        self._streams: dict[str, _Stream] = {}

    def subscribe(self, name: str, listener: Listener) -> None:
        """Frames of the stream from now on; a stream of an unknown symbol or kind never has any."""
        stream = self._streams.get(name) or self._opened(name)
        if stream is not None and listener not in stream.listeners:
            self._streams[name] = stream
            stream.listeners.append(listener)

    def unsubscribe(self, name: str, listener: Listener) -> None:
        """No more frames; a stream without listeners makes none."""
        stream = self._streams.get(name)
        if stream is not None and listener in stream.listeners:
            stream.listeners.remove(listener)
            if not stream.listeners:
                del self._streams[name]

    def emit_due(self) -> float:
        """Sends every frame that is due; real seconds until the next one, or until it is worth looking again."""
        for name, stream in list(self._streams.items()):
            now_ms = self._clock.now_ms()
            while stream.due_ms <= now_ms:
                self._emit(name, stream, now_ms)
        if not self._streams:
            return _SLEEP_MAX_S
        return min(_SLEEP_MAX_S, self._clock.real_s_until(min(stream.due_ms for stream in self._streams.values())))

    def _opened(self, name: str) -> _Stream | None:
        match = _STREAM.fullmatch(name)
        symbol = self._market.symbol_of(match[1].upper()) if match else None
        if match is None or symbol is None or match[2] not in TIMEFRAMES_MS:
            return None
        length_ms = TIMEFRAMES_MS[match[2]]
        step_ms = max(1, min(length_ms // _STEPS_MIN, int(_STEP_REAL_MS * self._clock.speed)))
        now_ms = self._clock.now_ms()
        stream = _Stream(symbol, match[2], length_ms, step_ms, now_ms - now_ms % length_ms, 0)
        stream.due_ms = self._next_due_ms(stream, now_ms)
        return stream

    def _emit(self, name: str, stream: _Stream, now_ms: int) -> None:
        close_ms = stream.open_time_ms + stream.length_ms
        is_closed = now_ms >= close_ms
        kline = self._kline(stream, now_ms)
        if kline is not None:
            event_ms = now_ms + self._skew_ms()
            frame = kline_frame(stream.symbol, stream.timeframe, kline, event_ms=event_ms, is_closed=is_closed)
            for listener in list(stream.listeners):
                listener(name, frame)
        if is_closed:
            stream.open_time_ms = close_ms
        stream.due_ms = self._next_due_ms(stream, min(now_ms, stream.open_time_ms + stream.length_ms - 1))

    def _kline(self, stream: _Stream, now_ms: int) -> Kline | None:
        try:
            return self._market.kline(stream.symbol, stream.timeframe, stream.open_time_ms, now_ms)
        except OnetapeError as error:  # a damaged month: the others go on
            print(f"testnet: {error}", file=sys.stderr, flush=True)
            return None

    def _next_due_ms(self, stream: _Stream, now_ms: int) -> int:
        """The first step of the candle after `now_ms`, its close at the latest."""
        steps = max(0, now_ms - stream.open_time_ms) // stream.step_ms + 1
        offset_ms = min(steps * stream.step_ms, stream.length_ms)
        # A last step a hair before the close would be an update that the final frame overtakes.
        if stream.length_ms - offset_ms < stream.step_ms // 2:
            offset_ms = stream.length_ms
        return stream.open_time_ms + offset_ms
