"""The end of a tape that is still being written: each event once, as it is added, without reading the tape anew.

It only reads. A line that is not whole yet waits for the next look; one that does not match its checksum is counted and
passed over, for what is shown must not end with it (whoever replays the tape refuses it).
"""

from pathlib import Path

import msgspec

from app.feeds.tape import FOLDER, is_whole, segments_of
from app.models.events import Event

_decode = msgspec.json.Decoder(tuple[str, int, msgspec.Raw]).decode
_decode_event = msgspec.json.Decoder(Event).decode


class TapeTail:
    """Begins at most `tail_bytes` before the tape's end, so that a session of weeks is shown at once."""

    def __init__(self, run: Path, tail_bytes: int = 4_000_000) -> None:
        self.damaged = 0
        self._folder = run / FOLDER
        self._tail_bytes = tail_bytes
        self._segment: Path | None = None
        self._offset = 0

    def read(self, most_bytes: int = 1_000_000) -> list[tuple[int, Event]]:
        """What was added since the last look, with its number; at most so many bytes of it. OSError goes through."""
        segments = segments_of(self._folder)
        if not segments:
            return []
        at = segments.index(self._segment) if self._segment in segments else self._begin(segments)
        data = self._whole_lines(segments[at], most_bytes)
        if not data and at + 1 < len(segments):
            self._offset = 0
            at += 1
            data = self._whole_lines(segments[at], most_bytes)
        self._segment = segments[at]
        return [found for line in data.splitlines() if (found := self._event(line)) is not None]

    def _begin(self, segments: list[Path]) -> int:
        left = self._tail_bytes
        for at in range(len(segments) - 1, -1, -1):
            size = segments[at].stat().st_size
            if size > left or at == 0:
                break
            left -= size
        self._offset = max(0, size - left)
        if self._offset:
            with segments[at].open("rb") as file:
                file.seek(self._offset)
                self._offset += len(file.readline())  # the rest of a line that began before
        return at

    def _whole_lines(self, path: Path, most_bytes: int) -> bytes:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            self._offset = min(self._offset, size)  # a restart cuts off what a crash left half-written
            file.seek(self._offset)
            data = file.read(most_bytes)
            if b"\n" not in data and len(data) == most_bytes:
                data += file.readline()  # a line longer than that
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        return data

    def _event(self, line: bytes) -> tuple[int, Event] | None:
        if not is_whole(line):
            self.damaged += 1
            return None
        try:
            kind, seq, content = _decode(line[9:])
            return (seq, _decode_event(content)) if kind == "event" else None
        except msgspec.DecodeError:  # of a newer Onetape
            self.damaged += 1
            return None
