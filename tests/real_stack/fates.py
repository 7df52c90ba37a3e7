"""What becomes of one request and of one batch of events on their way: lost, late, refused, cut, doubled, permuted.

The rule: a fate is a value; the exchange carries it out, a weather or a test says which it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """One request; `params` as they were signed."""

    method: str
    path: str
    params: Mapping[str, str]

    @property
    def is_change(self) -> bool:
        """It places or cancels."""
        return self.method != "GET"

    @property
    def places(self) -> tuple[str, ...]:
        """The client ids that it places."""
        if self.method != "POST":
            return ()
        names = ("newClientOrderId", "aboveClientOrderId", "belowClientOrderId", "listClientOrderId")
        return tuple(self.params[name] for name in names if name in self.params)

    @property
    def leg(self) -> str:
        """`e` of `tag-1-17-e`; of an OCO its list's."""
        names = ("listClientOrderId", "newClientOrderId", "origClientOrderId")
        return next((self.params[name][-1] for name in names if name in self.params), "")


@dataclass(frozen=True)
class Fate:
    """Of a request. It is `travel_s` under way, checked against its receive window, lies `inside_s` at the exchange
    without being checked again, and is answered `back_s` later.
    """

    name: str = ""
    travel_s: float = 0.03
    cut_s: float | None = None  # the connection breaks off so long after it was sent, wherever the request is then
    inside_s: float = 0.0
    back_s: float = 0.03
    arrives: bool = True
    executes: bool = True
    answer: str = "whole"  # whole, lost (cut off), none (hangs), half, html, or that of `code`
    code: int = 0
    status: int = 400
    words: str = "An error."
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EventFate:
    """Of a batch of events: how often, in which order and how late each of it is told."""

    name: str = ""
    delay_s: float = 0.02
    copies: int = 1
    order: tuple[int, ...] | None = None


GOOD = Fate()
TOLD = EventFate()
LOST_BEFORE = Fate("lost before", arrives=False, answer="lost", back_s=0.1)
VANISHED = Fate("lost before, no answer", arrives=False, answer="none")
LOST_AFTER = Fate("lost after", answer="lost")
UNANSWERED = Fate("lost after, no answer", answer="none")
CUT = Fate("cut answer", answer="half")
HTML = Fate("html executed", answer="html", status=502)


def late_before(seconds: float) -> Fate:
    """The network holds the request: the receive window is checked when it arrives."""
    return Fate("late before", travel_s=seconds)


def late_inside(seconds: float) -> Fate:
    """It arrives in time, and waits for the matching without being checked again."""
    return Fate("late inside", inside_s=seconds)


def cut_while_inside(seconds: float) -> Fate:
    """The same, and its sender hears that the connection broke off long before."""
    return Fate("late inside, cut off", inside_s=seconds, cut_s=0.1)


def late_after(seconds: float) -> Fate:
    """The answer is held."""
    return Fate("late after", back_s=seconds)


def unknown(code: int, status: int, *, executed: bool) -> Fate:
    """An answer that does not say what became of it."""
    done = "executed" if executed else "not executed"
    words = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
    return Fate(f"{code or status} {done}", executes=executed, answer="code", code=code, status=status, words=words)


def refused(code: int, words: str, status: int = 400, **headers: str) -> Fate:
    """A definite no."""
    name = f"refused {code}"
    return Fate(name, executes=False, answer="code", code=code, status=status, words=words, headers=headers)
