"""What a strategy answered, decision by decision: written to a file, read back, and compared with another run's.

FLAT is an answer like any other. Two answers are the same if action, tag and every bit of their numbers are; a NaN
equals a NaN.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from math import inf, isnan
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from app.models.exits import parse_exits
from app.models.market import Candle
from app.models.orders import MAIN, Action, Line, Signal
from app.times import iso_ms

_NUMBERS = ("atr", "stop", "target", "size_factor", "limit")
_LENGTH_BYTES = 4
ANSWERS = "answers"  # the log's name in the folder of a run
NOT_ASKED = "it is not asked"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """One decision; `close_time_ms` is its candle's. `indicators` are the strategy's own, where it was asked.

    `exits` are the numbers of its managed exits, by their keys.
    """

    symbol: str
    close_time_ms: int
    action: Action
    atr: float | None = None
    stop: float | None = None
    target: float | None = None
    size_factor: float = 1.0
    tag: str = ""
    indicators: dict[str, float | None] | None = None
    strategy: str = MAIN
    limit: float | None = None
    valid_candles: int = 1
    exits: dict[str, float | None] = {}

    def __str__(self) -> str:
        numbers = [
            f"{name}={value!r}"
            for name in _NUMBERS
            if (value := getattr(self, name)) is not None and not (name == "size_factor" and value == 1.0)
        ]
        valid = [] if self.valid_candles == 1 else [f"valid_candles={self.valid_candles}"]
        exits = [f"{name}={value!r}" for name, value in self.exits.items()]
        return " ".join([self.action.value, *numbers, *valid, *exits, *([f"tag={self.tag!r}"] if self.tag else [])])

    @property
    def candle(self) -> str:
        """Which candle it answers, for people."""
        return f"{Line(self.strategy, self.symbol)}, candle closed at {iso_ms(self.close_time_ms)}"

    def is_same(self, other: "Answer") -> bool:
        """The same answer to the same candle, to the bit."""
        return self.same_decision(other) and self.difference(other) == 0.0

    def same_decision(self, other: "Answer") -> bool:
        """The same line and candle, action, validity, kinds of exits and tag, whatever the numbers."""
        keys = ("strategy", "symbol", "close_time_ms", "action", "valid_candles", "tag")
        return self.exits.keys() == other.exits.keys() and all(
            getattr(self, key) == getattr(other, key) for key in keys
        )

    def difference(self, other: "Answer") -> float:
        """The largest relative difference of a number of both, indicators too; infinite where only one has it."""
        pairs = [(getattr(self, name), getattr(other, name)) for name in _NUMBERS]
        pairs += [(value, other.exits.get(name)) for name, value in self.exits.items()]
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


def answer_of(
    candle: Candle, signal: Signal, indicators: Mapping[str, float | None] | None = None, strategy: str = MAIN
) -> Answer:
    """A signal as an answer; numbers of numpy become Python's."""
    atr, stop, target = map(_float, (signal.atr, signal.stop, signal.target))
    kept = None if indicators is None else {name: _float(value) for name, value in indicators.items()}
    numbers = atr, stop, target, float(signal.size_factor)
    asked = {} if signal.exits is None else msgspec.to_builtins(parse_exits(signal.exits))
    later = strategy, _float(signal.limit), signal.valid_candles, dict(_numbers(asked))
    return Answer(candle.symbol, candle.close_time_ms, signal.action, *numbers, signal.tag, kept, *later)


def _numbers(exits: Any, path: str = "") -> Iterator[tuple[str, float | None]]:
    """Every number of managed exits with its key; legs are counted from 1."""
    if isinstance(exits, (dict, list, tuple)):
        inner = exits.items() if isinstance(exits, dict) else enumerate(exits, 1)
        for key, value in inner:
            yield from _numbers(value, f"{path}.{key}" if path else str(key))
    elif exits is not None:
        yield path, float(exits)


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


class Difference(NamedTuple):
    """Two answers to one candle that are not the same, in words."""

    candle: str
    left: str
    right: str


def difference_of(left: Answer | None, right: Answer | None, instead: str = NOT_ASKED) -> Difference:
    """`instead` is what is said of `right` where there is none."""
    named = left or right
    return Difference("" if named is None else named.candle, str(left or NOT_ASKED), str(right or instead))


@dataclass(frozen=True)
class Comparison:
    """Two logs of the same candles; `first` is the first pair whose decision differs."""

    answers: int
    differing: int
    first: Difference | None
    largest_difference: float  # relative, of the numbers of decisions that agree


def compare_logs(left: Path, right: Path, *, to_the_bit: bool) -> Comparison:
    """Compare two logs, pair by pair; without `to_the_bit` numbers do not make a decision another one."""
    count = differing = 0
    first: Difference | None = None
    largest = 0.0
    for one, other in zip_longest(read_answers(left), read_answers(right)):
        count += 1
        same = one is not None and other is not None and one.same_decision(other)
        if same:
            difference = one.difference(other)
            largest = max(largest, difference)
            same = difference == 0.0 or not to_the_bit
        if not same:
            differing += 1
            first = first or difference_of(one, other)
    return Comparison(count, differing, first, largest)
