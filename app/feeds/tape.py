"""The tape of a run folder, read back: epochs, their events in order, and the digest after each.

What is read is what was written: a line cut in the middle by a crash is the end of the tape, any other damage is
refused (session/journal.py writes it).

    tape/000001.jsonl   a record a line: crc32, ["head", seq, {...}] or ["event", seq, {...}] or ["done", seq, digest],
                        and ["intents", seq, [...]] between an event and its digest, where it led to any
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from app.errors import DataError, NewerFormatError
from app.models.events import Event, LateCandle
from app.models.intents import Intent
from app.models.market import Candle, Slice

# 3: an event's intents lie before its digest. 2: every event has its digest but the last one before the end, or before
# a new epoch; 1 left some out after a crash.
FORMAT = 3
FOLDER = "tape"
_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_intents = msgspec.json.Decoder(tuple[Intent, ...]).decode


@dataclass(frozen=True)
class Record:
    """One event of the tape; `digest` is None where the session broke off before it had decided.

    An intent is sent once the digest is on the disk, so those of an event without one never were.
    """

    seq: int
    event: Event
    digest: str | None
    intents: tuple[Intent, ...] = ()


@dataclass(frozen=True)
class Epoch:
    """What one code with one set of settings recorded. `last_seq` is its last event that counts: the next epoch heard
    anew what comes after it. None: it is the last epoch.
    """

    folder: Path
    number: int
    header: dict[str, Any]
    segments: tuple[Path, ...]
    first_seq: int
    last_seq: int | None

    @property
    def records(self) -> Iterator[Record]:
        """In order, from the first; DataError where the tape is damaged."""
        for record in self.all_records:
            if self.last_seq is not None and record.seq > self.last_seq:
                return
            yield record

    @property
    def all_records(self) -> Iterator[Record]:
        """Those that do not count, too."""
        waiting: Record | None = None
        for path, kind, seq, content in _entries(self.segments, self.first_seq, may_be_torn=self.last_seq is None):
            if kind == "event":
                if waiting is not None:
                    if self.header["format"] > 1:
                        raise DataError(f"{path} is damaged: event {waiting.seq} has no digest, and {seq} follows")
                    yield waiting
                waiting = Record(seq, _decode_event(content), None)
            elif waiting is not None and waiting.seq == seq:
                if kind == "intents":
                    waiting = replace(waiting, intents=_decode_intents(content))
                    continue
                yield Record(seq, waiting.event, msgspec.json.decode(content, type=str), waiting.intents)
                waiting = None
        if waiting is not None:
            yield waiting


@dataclass(frozen=True)
class Tape:
    """A tape as it lies on disk; `torn_bytes` were cut off by a crash."""

    folder: Path
    epochs: tuple[Epoch, ...]
    torn_bytes: int

    @property
    def header(self) -> dict[str, Any]:
        """Of the session's beginning."""
        return self.epochs[0].header

    @property
    def records(self) -> Iterator[Record]:
        """Those of all epochs, in order."""
        for epoch in self.epochs:
            yield from epoch.records

    def sha256(self, last_seq: int) -> str:
        """Over the headers and the events up to one, however they were cut into segments; digests are left out."""
        total = hashlib.sha256()
        for epoch in self.epochs:
            if epoch.number > 1 and epoch.first_seq > last_seq:
                break
            total.update(_encode({key: value for key, value in epoch.header.items() if key != "segment"}))
            for _, kind, seq, content in _entries(epoch.segments, epoch.first_seq, may_be_torn=epoch.last_seq is None):
                if kind == "event" and seq <= last_seq:
                    total.update(b"\n" + content)
        return total.hexdigest()


def has_tape(run: Path) -> bool:
    """Whether a run folder holds a tape of which at least the header was written."""
    segments = segments_of(run / FOLDER)
    return bool(segments) and (len(segments) > 1 or whole_bytes(segments[0]) > 0)


def read_tape(run: Path) -> Tape:
    """The tape of a run folder; DataError if there is none, it is damaged or of another format."""
    folder = run / FOLDER
    segments = segments_of(folder)
    if not segments:
        raise DataError(f"{run} holds no tape; a session of --mode paper or live writes one")
    begun: list[tuple[dict[str, Any], int, list[Path]]] = []
    for path in segments:
        head = _head(path)
        if head is None:
            if not begun:
                raise DataError(f"{path} is damaged: it does not begin with a header")
        elif not begun or head[0].get("epoch", 1) > begun[-1][0].get("epoch", 1):
            begun.append((*head, []))
        begun[-1][2].append(path)
    ends = [header["after"] for header, _, _ in begun[1:]]
    epochs = [
        Epoch(folder, header.get("epoch", 1), header, tuple(paths), first_seq, end)
        for (header, first_seq, paths), end in zip(begun, [*ends, None], strict=True)
    ]
    return Tape(folder, tuple(epochs), segments[-1].stat().st_size - whole_bytes(segments[-1]))


def segments_of(folder: Path) -> list[Path]:
    """The files of a tape, in order."""
    return sorted(folder.glob("[0-9]" * 6 + ".jsonl"))


def newest_header(run: Path) -> dict[str, Any]:
    """That of the newest epoch, without reading more than first lines; empty while none is whole."""
    return _first_whole(reversed(segments_of(run / FOLDER)))


def first_header(run: Path) -> dict[str, Any]:
    """The same of the first epoch."""
    return _first_whole(segments_of(run / FOLDER))


def _first_whole(paths: Iterable[Path]) -> dict[str, Any]:
    for path in paths:
        with path.open("rb") as file:
            line = file.readline().rstrip(b"\n")
        if is_whole(line):
            kind, _, content = _split(line, path)
            if kind == "head":
                return dict(msgspec.json.decode(content))
    return {}


def candles_of(event: Event) -> Sequence[Candle]:
    """Those of a slice, or the one that came late."""
    if isinstance(event, Slice):
        return event.candles
    return (event.candle,) if isinstance(event, LateCandle) else ()


def _head(path: Path) -> tuple[dict[str, Any], int] | None:
    """A segment's header and the number of its first event; None if it has none, as where a crash cut it."""
    for line, is_last in _lines(path):
        if not is_whole(line):
            if is_last:
                return None
            raise DataError(f"{path} is damaged: a line in it does not match its checksum")
        kind, seq, content = _split(line, path)
        if kind != "head":
            return None
        header: dict[str, Any] = msgspec.json.decode(content)
        if header.get("format") not in range(1, FORMAT + 1):
            raise NewerFormatError(f"{path} has tape format {header.get('format')}, this Onetape reads up to {FORMAT}")
        return header, seq
    return None


def _entries(segments: Sequence[Path], expected: int, *, may_be_torn: bool) -> Iterator[tuple[Path, str, int, bytes]]:
    """(segment, kind, seq, content) of every whole line of the segments, whose first event is `expected`."""
    for path in segments:
        for line, is_last in _lines(path):
            if not is_whole(line):
                if may_be_torn and is_last and path == segments[-1]:
                    return  # cut by a crash
                raise DataError(f"{path} is damaged: a line in it does not match its checksum")
            kind, seq, content = _split(line, path)
            if kind == "event":
                if seq != expected:
                    raise DataError(f"{path} is damaged: event {expected} is missing, {seq} follows")
                expected += 1
            yield path, kind, seq, content


def _lines(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Each line without its end, and whether it is the file's last."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    position = 0
    while position < len(data):
        end = data.find(b"\n", position)
        if end < 0:
            yield b"", True  # even if its checksum fits: the next writer cuts a line that has no end
            return
        yield data[position:end], end + 1 == len(data)
        position = end + 1


def whole_bytes(path: Path) -> int:
    """How much of a segment holds whole lines."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    begin = data.rfind(b"\n", 0, max(whole - 1, 0)) + 1
    # Blocks of a file can reach the disk out of order: a last line that has its end may still be wrong inside.
    return whole if whole == 0 or is_whole(data[begin : whole - 1]) else begin


def is_whole(line: bytes) -> bool:
    """Whether a line, without its end, matches its checksum."""
    return len(line) > 9 and line[8:9] == b" " and line[:8] == b"%08x" % zlib.crc32(line[9:])


def _split(line: bytes, path: Path) -> tuple[str, int, bytes]:
    try:
        kind, seq, content = msgspec.json.decode(line[9:], type=tuple[str, int, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise DataError(f"{path} is damaged: {error}") from None
    return kind, seq, bytes(content)
