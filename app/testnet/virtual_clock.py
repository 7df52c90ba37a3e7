"""The exchange's own time: it starts at T and runs at N times real time.

Candles, frames and websocket faults follow this clock; limits and pauses are in real seconds, as a client feels them.
It can be held, and never goes back.
"""

from app import times
from app.errors import ConfigError


class VirtualClock:
    """Stands at `start_ms` until `start()`; `speed` above 0, 1 is real time. ConfigError if it is not."""

    def __init__(self, start_ms: int, speed: float = 1.0) -> None:
        if not 0 < speed < float("inf"):
            raise ConfigError(f"--speed {speed:g}: the testnet's clock needs a speed above 0; 1 is real time")
        self.start_ms = start_ms
        self.speed = speed
        self._zero_s: float | None = None
        self._held_at_s: float | None = None
        self._held_s = 0.0  # real seconds that it stood, all earlier holds together

    def start(self) -> None:
        """From here on it runs; a second call changes nothing."""
        if self._zero_s is None:
            self._zero_s = times.monotonic_s()

    def hold(self) -> None:
        """It stands from here on; a second call changes nothing."""
        if self._held_at_s is None:
            self._held_at_s = self.real_s()

    def release(self) -> None:
        """It runs again from where it stood."""
        if self._held_at_s is not None:
            self._held_s += self.real_s() - self._held_at_s
            self._held_at_s = None

    @property
    def held(self) -> bool:
        """Whether it stands."""
        return self._held_at_s is not None

    def now_ms(self) -> int:
        """Milliseconds UTC, as the exchange has them."""
        return self.start_ms + int(self._running_s() * 1_000 * self.speed)

    def real_s(self) -> float:
        """Real seconds since the start."""
        return 0.0 if self._zero_s is None else times.monotonic_s() - self._zero_s

    def real_s_until(self, virtual_ms: int) -> float:
        """Real seconds until the clock shows `virtual_ms` unless it is held; 0 if it has been."""
        return max(0.0, (virtual_ms - self.start_ms) / 1_000 / self.speed - self._running_s())

    def _running_s(self) -> float:
        now_s = self.real_s() if self._held_at_s is None else self._held_at_s
        return now_s - self._held_s
