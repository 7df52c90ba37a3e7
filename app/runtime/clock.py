"""The real clock, the only module that reads it (a test keeps that).

Feeds pace themselves by it, the command line finds "the last 24 hours" with it, progress is timed by it. No stage
of the runtime may import it: inside, time is the event's time.
"""

import time


def now_ms() -> int:
    """Wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Seconds of a clock that only goes forward; for pacing and measuring."""
    return time.perf_counter()
