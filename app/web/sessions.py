"""The sessions of a machine that a page shows: each with a worker of its own, asked at most once a second.

A session whose files cannot be read, or are slow, shows it on its own page and holds up no other.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from app import times
from app.feeds.tape import FOLDER
from app.web.followed import FollowedSession

FOUND_IN = (Path("logs/paper"), Path("logs/live"))
_SESSIONS = 50
_FRESH_S, _PATIENCE_S = 0.9, 5.0
_LOOK_S = 5.0
Answer = TypeVar("Answer")


class ShownSession:
    """A session and its worker: whoever asks waits for the same look."""

    def __init__(self, folder: Path, name: str) -> None:
        self.session = FollowedSession(folder, name)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"page-{name}")
        self._looking: asyncio.Task[dict[str, Any]] | None = None
        self._seen: dict[str, Any] = {}
        self._seen_s = float("-inf")

    async def content(self) -> dict[str, Any]:
        """As it is now, or was less than a second ago; with an alarm where its files are not read within 5 s."""
        if times.monotonic_s() - self._seen_s < _FRESH_S:
            return self._seen
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        done, _ = await asyncio.wait({self._looking}, timeout=_PATIENCE_S)
        return self._seen if done else self._with_alarm("its files are slow to read: what is shown is old")

    async def ask(self, question: Callable[[FollowedSession], Answer]) -> Answer:
        """On its worker."""
        await self.content()
        return await asyncio.get_running_loop().run_in_executor(self._worker, question, self.session)

    async def _look(self) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            self.session.refresh()
            return self.session.content()

        try:
            self._seen = await asyncio.get_running_loop().run_in_executor(self._worker, look)
        except Exception as error:  # a page must outlive whatever lies in a folder; it is shown, not hidden
            why = f"its files cannot be read: {type(error).__name__}: {error}"
            self._seen = {}
            self._seen = self._with_alarm(why)
        self._seen_s = times.monotonic_s()
        return self._seen

    def _with_alarm(self, why: str) -> dict[str, Any]:
        known = {"name": self.session.name, "status": {}, **self._seen}
        return {**known, "state": [["alarm", why], *known.get("state", ())]}

    def close(self) -> None:
        """Its worker ends with what it is doing."""
        self._worker.shutdown(wait=False, cancel_futures=True)


class ShownSessions:
    """Those of `runs`, or all below the places where sessions lie, looked for again every few seconds."""

    def __init__(self, runs: Sequence[Path], places: Sequence[Path] = FOUND_IN) -> None:
        self._runs, self._places = runs, places
        self._by_folder: dict[Path, ShownSession] = {}
        self._found_s = float("-inf")

    def all(self) -> dict[str, ShownSession]:
        """By name, those with the newest tape first."""
        if times.monotonic_s() - self._found_s > _LOOK_S:
            self._find()
        return {shown.session.name: shown for shown in self._by_folder.values()}

    def _find(self) -> None:
        folders = list(self._runs) or sorted(
            (path.parent for place in self._places for path in place.glob(f"*/{FOLDER}")),
            key=lambda folder: (folder / FOLDER).stat().st_mtime, reverse=True,
        )[:_SESSIONS]  # fmt: skip
        for folder in [one for one in self._by_folder if one not in folders]:
            self._by_folder.pop(folder).close()
        names = {shown.session.name for shown in self._by_folder.values()}
        for folder in folders:
            if folder not in self._by_folder:
                name = _name_of(folder, names)
                names.add(name)
                self._by_folder[folder] = ShownSession(folder, name)
        self._by_folder = {folder: self._by_folder[folder] for folder in folders}
        self._found_s = times.monotonic_s()

    def close(self) -> None:
        """End the workers."""
        for shown in self._by_folder.values():
            shown.close()


def _name_of(folder: Path, taken: set[str]) -> str:
    """The folder's name, fit for an address; with a number if it is taken."""
    own = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in folder.resolve().name) or "run"
    number, name = 1, own
    while name in taken:
        number += 1
        name = f"{own}-{number}"
    return name
