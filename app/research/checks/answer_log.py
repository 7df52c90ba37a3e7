"""What a strategy answered, decision by decision: written to a file, read back, and held against another run's.

The rule: FLAT is an answer like any other, and an answer is its action with all its numbers and its tag. Two answers
are the same if every bit is (a NaN equals a NaN); what may differ a little is for the caller to say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, isnan
from pathlib import Path
from typing import BinaryIO

import msgspec

from app.models.market import Candle
from app.models.orders import Action, Signal
from app.times import iso_ms

_NUMBERS = ("atr", "stop", "target", "size_factor")
_LENGTH_BYTES = 4


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """One decision; `close_time_ms` is its candle's. `indicators` are the strategy's own, where it was asked."""

    symbol: str
    close_time_ms: int
    action: Action
    atr: float | None = None
    stop: float | None = None
    target: float | None = None
    size_factor: float = 1.0
    tag: str = ""
    indicators: dict[str, float | None] | None = None

    def __str__(self) -> str:
        numbers = [
            f"{name}={value!r}"
            for name in _NUMBERS
            if (value := getattr(self, name)) is not None and not (name == "size_factor" and value == 1.0)
        ]
        return " ".join([self.action.value, *numbers, *([f"tag={self.tag!r}"] if self.tag else [])])

    @property
    def candle(self) -> str:
        """Which candle it answers, for people."""
        return f"{self.symbol}, candle closed at {iso_ms(self.close_time_ms)}"

    def is_same(self, other: "Answer") -> bool:
        """The same answer to the same candle, to the bit."""
        return self.same_decision(other) and self.difference(other) == 0.0

    def same_decision(self, other: "Answer") -> bool:
        """The same candle, action and tag, whatever the numbers."""
        keys = ("symbol", "close_time_ms", "action", "tag")
        return all(getattr(self, key) == getattr(other, key) for key in keys)

    def difference(self, other: "Answer") -> float:
        """The largest relative difference of a number of both, indicators too; infinite where only one has it."""
        pairs = [(getattr(self, name), getattr(other, name)) for name in _NUMBERS]
        if self.indicators is not None and other.indicators is not None:
            names = sorted({*self.indicators, *other.indicators})
            pairs += [(self.indicators.get(name), other.indicators.get(name)) for name in names]
        return max(relative_difference(left, right) for left, right in pairs)


def relative_difference(left: float | None, right: float | None) -> float:
    """`|a - b| / max(|a|, |b|)`: 0 for the same number and for two that are none, infinite where one is none."""
    if left is None or right is None:
        return 0.0 if left is right else inf
    if left == right or (isnan(left) and isnan(right)):
        return 0.0
    if isnan(left) or isnan(right) or inf in (abs(left), abs(right)):
        return inf
    return abs(left - right) / max(abs(left), abs(right))


def answer_of(candle: Candle, signal: Signal, indicators: Mapping[str, float | None] | None = None) -> Answer:
    """A signal as an answer; numbers of numpy become Python's."""
    atr, stop, target = (_float(value) for value in (signal.atr, signal.stop, signal.target))
    kept = None if indicators is None else {name: _float(value) for name, value in indicators.items()}
    size_factor = float(signal.size_factor)
    return Answer(
        candle.symbol, candle.close_time_ms, signal.action, atr, stop, target, size_factor, signal.tag, kept
    )  # fmt: skip


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


class AnswerLog:
    """Answers in a file, one after the other; `close()` when the run is over."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, answer: Answer) -> None:
        """The next answer of the run."""
        content = self._encode(answer)
        self._file.write(len(content).to_bytes(_LENGTH_BYTES, "little") + content)

    def close(self) -> None:
        """Everything to the kernel; idempotent."""
        self._file.close()


def read_answers(path: Path) -> Iterator[Answer]:
    """The answers of a log, in their order; one that was cut off ends it."""
    decode = msgspec.msgpack.Decoder(Answer).decode
    with path.open("rb") as file:
        while len(head := file.read(_LENGTH_BYTES)) == _LENGTH_BYTES:
            length = int.from_bytes(head, "little")
            content = file.read(length)
            if len(content) < length:
                return
            yield decode(content)


@dataclass(frozen=True)
class Comparison:
    """Two logs of the same candles. `first` is the first pair whose decision differs (None: there was no answer)."""

    answers: int
    differing: int
    first: tuple[Answer | None, Answer | None] | None
    largest_difference: float  # relative, of the numbers of decisions that agree


def compare_logs(left: Path, right: Path, *, to_the_bit: bool) -> Comparison:
    """Hold two logs together, pair by pair; without `to_the_bit` numbers do not make a decision another one."""
    count = differing = 0
    first: tuple[Answer | None, Answer | None] | None = None
    largest = 0.0
    ours, theirs = read_answers(left), read_answers(right)
    while True:
        one, other = next(ours, None), next(theirs, None)
        if one is None and other is None:
            return Comparison(count, differing, first, largest)
        count += 1
        same = one is not None and other is not None and one.same_decision(other)
        if same and one is not None and other is not None:
            difference = one.difference(other)
            largest = max(largest, difference)
            same = difference == 0.0 or not to_the_bit
        if not same:
            differing += 1
            first = first or (one, other)
