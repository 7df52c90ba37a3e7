"""When a socket may be dialled again: many dials in a row are spaced, since Binance counts them by address.

How long to wait after a failure is another matter (retries.py); whichever is longer counts.
"""

from app import times

_DIAL_EVERY_S, _DIALS_AT_ONCE = 1.2, 20  # Binance allows 300 connections from an address in five minutes


class DialPacer:
    """One for each kind of socket; some dials at once are fine."""

    def __init__(self) -> None:
        self._dialled_s = float("-inf")  # where even spacing has the next dial

    def until_dial_s(self) -> float:
        """How long to wait before the dial that is taken by asking."""
        now_s = times.monotonic_s()
        dial_s = max(self._dialled_s, now_s - _DIALS_AT_ONCE * _DIAL_EVERY_S)
        self._dialled_s = dial_s + _DIAL_EVERY_S
        return max(0.0, dial_s - now_s)
