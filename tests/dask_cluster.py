"""A Dask cluster in tests: the scheduler and the workers that its own command lines start, each a process.

The workers know no Onetape: where they would import `app` from lies another program of that name.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_ALIEN = 'raise RuntimeError("this is the app of somebody else")\n'


@dataclass
class DaskCluster:
    """Ended by `close()`; `workers` are processes without a nanny, so that a killed one stays dead."""

    folder: Path
    address: str = ""
    scheduler: "subprocess.Popen[str] | None" = None
    workers: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start_scheduler(self) -> None:
        """On a free port of this machine."""
        self.scheduler = self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = self._told("scheduler.log", r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)")

    def start_worker(self) -> None:
        """One more; returns when it has registered."""
        name = f"worker-{len(self.workers) + 1}"
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder / name)]
        self.workers.append(self._start(name, "worker", self.address, *options))
        self._told(f"{name}.log", r"Registered to:\s+(tcp)")

    def kill_worker(self, number: int) -> None:
        """As the operating system would, out of memory."""
        self.workers[number].send_signal(signal.SIGKILL)
        self.workers[number].wait()

    def close(self) -> None:
        """End everything that was started here; an orderly end of Dask's takes its time."""
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait()

    def _start(self, name: str, *arguments: str) -> "subprocess.Popen[str]":
        alien = self.folder / "alien"
        (alien / "app").mkdir(parents=True, exist_ok=True)
        (alien / "app/__init__.py").write_text(_ALIEN)
        environment = {**os.environ, "PYTHONPATH": str(alien)}
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, text=True, stdout=log, stderr=subprocess.STDOUT
            )

    def _told(self, log: str, pattern: str) -> str:
        for _ in range(3_000):
            found = re.search(pattern, (self.folder / log).read_text())
            if found:
                return found[1]
            time.sleep(0.1)
        raise AssertionError((self.folder / log).read_text())


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[DaskCluster]:
    """A scheduler and so many workers."""
    cluster = DaskCluster(folder)
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.close()
