"""Programs that a session starts beside itself: its page, and its watch.

They have processes of their own, so whatever becomes of them costs the session nothing; they end with it, however it
ends, because their standard input ends then. Ctrl-C of the session's terminal is not meant for them.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_PATIENCE_S = 40.0  # for alerts of the session's end


class Beside:
    """Starts each once, when the session's folder is known. `tell` hears of one that cannot be started."""

    def __init__(self, tell: Callable[[str], None], programs: Sequence[Sequence[str]]) -> None:
        self._tell, self._programs = tell, list(programs)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, run: Path) -> None:
        """Those that were not started yet, for a run folder."""
        for name, *options in self._programs:
            words = [sys.executable, "-m", "app", name, str(run), *options, "--with-parent"]
            try:
                process = subprocess.Popen(  # noqa: S603 - this Python, this project
                    words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
                )
            except OSError as error:
                self._tell(f"{name} could not be started: {error.strerror or error}")
            else:
                self._running.append(process)
        self._programs = []

    def close(self) -> None:
        """Their input ends; they have a while for what they still have to say."""
        for process in self._running:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._running:
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running = []
