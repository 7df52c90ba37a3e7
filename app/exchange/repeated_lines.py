"""Lines for an operator about what happens again and again: each kind at once, then at most once in a while.

The next line of a kind says how many were left out.
"""

from collections.abc import Callable

from app import times

_BETWEEN_S = 60.0


class RepeatedLines:
    """Tells lines by kind; `tell` None: nobody listens."""

    def __init__(self, tell: Callable[[str], None] | None, between_s: float = _BETWEEN_S) -> None:
        self._tell, self._between_s = tell, between_s
        self._told_s: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def say(self, kind: str, text: str) -> None:
        """One more of this kind."""
        now_s = times.monotonic_s()
        if now_s - self._told_s.get(kind, float("-inf")) < self._between_s:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._told_s[kind] = now_s
        more = self._left_out.pop(kind, 0)
        if self._tell is not None:
            self._tell(f"{text} ({more:,} more of this kind since the last line)" if more else text)
