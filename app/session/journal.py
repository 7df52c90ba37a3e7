"""The journal: writes every event of a live session to the tape before it is handled, and after it a digest.

An event is in the kernel before anybody acts on it (it survives `kill -9`), and on the disk within a second.
feeds/tape.py reads what was written.
"""

import asyncio
import contextlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.candles.durable import sync_and_close, sync_folder
from app.errors import OutputError
from app.feeds.tape import FOLDER, FORMAT, segments_of, whole_bytes
from app.models.events import Event
from app.models.intents import Intent
from app.session.state_file import StateFile

_encode = msgspec.json.Encoder().encode
_SEGMENT_BYTES = 64 << 20
_SYNC_S = 0.5


class Journal:
    """Writes a tape; one writer at a time. OutputError where the disk takes no more: then nothing may be handled.

    `resume` goes on with the last segment; otherwise it begins this `segment`, an epoch's first, whatever lay there.
    """

    def __init__(
        self, run: Path, header: dict[str, Any], *, next_seq: int = 1, resume: bool = False, segment: int = 1
    ) -> None:
        self._folder = run / FOLDER
        self._header = {"format": FORMAT, **header}
        self._next_seq = next_seq
        self._descriptor = -1
        self._written = 0
        self._synced = True
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            segments = segments_of(self._folder)
            if resume and segments:
                self._cut_torn_tail(segments[-1])
            else:
                for path in reversed(segments[segment - 1 :]):
                    path.unlink()
                if segments[: segment - 1]:
                    self._cut_torn_tail(segments[segment - 2])
                self._begin_segment(segment)
            self._state = StateFile(self._folder)

    def write(self, event: Event) -> int:
        """The event to the kernel; its sequence number."""
        seq = self._next_seq
        if self._written > _SEGMENT_BYTES:
            with self._writing():
                self._begin_segment(len(segments_of(self._folder)) + 1)
        self._append(b'["event",%d,%b]' % (seq, _encode(event)))
        self._next_seq += 1
        return seq

    def intents(self, seq: int, intents: Sequence[Intent]) -> None:
        """What is to be sent because of an event, before its digest."""
        self._append(b'["intents",%d,%b]' % (seq, _encode(intents)))

    def done(self, seq: int, digest: str) -> None:
        """What was decided on an event."""
        self._append(b'["done",%d,%b]' % (seq, _encode(digest)))

    def keep_state(self, state: bytes) -> None:
        """The state after the event at hand, in the place of the one before."""
        self._state.write(state)

    async def keep_synced(self) -> None:
        """Brings what was written to the disk, off the loop, at least every second; until cancelled."""
        while True:
            await asyncio.sleep(_SYNC_S)
            if not self._synced:
                await self.sync()

    async def sync(self) -> None:
        """All that was written so far is on the disk, brought there off the loop; OutputError where it is not."""
        self._synced = True
        with self._writing():
            await asyncio.to_thread(sync_and_close, os.dup(self._descriptor))  # the segment may end meanwhile
            await asyncio.to_thread(self._state.sync)

    def close(self) -> None:
        """Everything to the disk; idempotent."""
        self._close_segment()
        self._state.sync()
        self._state.close()

    def _close_segment(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, content: bytes) -> None:
        line = b"%08x %b\n" % (zlib.crc32(content), content)
        with self._writing():
            view = memoryview(line)
            while view:
                view = view[os.write(self._descriptor, view) :]
        self._written += len(line)
        self._synced = False

    def _begin_segment(self, number: int) -> None:
        self._close_segment()
        path = self._folder / f"{number:06}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._written = 0
        self._append(b'["head",%d,%b]' % (self._next_seq, _encode({**self._header, "segment": number})))
        os.fsync(self._descriptor)
        sync_folder(self._folder)

    def _cut_torn_tail(self, path: Path) -> None:
        whole = whole_bytes(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(self._descriptor, whole)
        self._written = whole

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"the tape {self._folder} cannot be written: {error.strerror or error}; nothing is traded without it"
            ) from error
