"""The workers of a Dask cluster: each gets the code, the settings and the candles of a study once.

Whatever a worker had before, it answers with the code of this study. A worker that dies has its tasks given to another;
one that joins later gets everything, too. This file is sent to the workers by value, so it imports app only inside
functions: a worker may have none, or another one.
"""

import pickle
import shutil
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from distributed import CancelledError, Client, Future, KilledWorker, Worker, WorkerPlugin, as_completed, get_worker
from distributed.comm.core import CommClosedError

if TYPE_CHECKING:
    from app.research.trial import Outcome, Task
    from app.research.workbench import Workbench

CONNECT_S = 10.0
_PACKAGE = Path(__file__).resolve().parents[1]


class StudyPlugin(WorkerPlugin):
    """What a worker gets once: a plugin of Dask's, kept by the scheduler for workers that join later.

    `setup` runs on the worker: it unpacks the code, unless this very code is loaded there, and makes the workbench.
    """

    def __init__(self, key: str, code_sha256: str, files: Mapping[str, bytes], packed: bytes) -> None:
        self.name = f"onetape-{key}"
        self._code_sha256, self._files, self._packed = code_sha256, dict(files), packed
        self._folder = ""
        self._bench: Workbench | None = None

    def setup(self, worker: "Worker") -> None:
        """On the worker."""
        self._folder = str(Path(worker.local_directory) / self.name)

    def workbench(self) -> "Workbench":
        """On the worker, in a task: everything is unpacked when the first one comes."""
        if self._bench is not None:
            return self._bench
        if _loaded_code() != self._code_sha256:
            for name, packed in self._files.items():
                path = Path(self._folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(zlib.decompress(packed))
            for name in [name for name in sys.modules if name == "app" or name.startswith("app.")]:
                del sys.modules[name]
            sys.path.insert(0, self._folder)
        bench, shared = pickle.loads(zlib.decompress(self._packed))  # noqa: S301 - of the one whose code runs here
        self._bench = bench.unpacked(Path(self._folder), shared)
        return self._bench

    def teardown(self, worker: "Worker") -> None:
        """On the worker: the study is over."""
        self._bench = None
        sys.path[:] = [path for path in sys.path if path != self._folder]
        shutil.rmtree(self._folder, ignore_errors=True)


def _loaded_code() -> str:
    if "app" not in sys.modules:
        return ""
    try:
        from app.runs.manifest import code_sha256
    except ImportError:
        return ""
    return code_sha256()


def answer_on_worker(name: str, task: Sequence[Any]) -> tuple[bytes, float]:
    """On a worker: the outcome as JSON, and the worker's peak memory in MiB."""
    plugin = cast("StudyPlugin", get_worker().plugins[name])
    bench = plugin.workbench()
    from app.research.workbench import packed_answer

    return packed_answer(bench, task)


class ClusterWorkers:
    """All workers of the scheduler at an address like tcp://HOST:8786, also those that join or leave meanwhile."""

    def __init__(self, address: str, workbench: "Workbench", key: str, shared: Any = None) -> None:
        """ConfigError if there is no scheduler, or no worker. `shared`: where they read the candles."""
        self.memory_mib = 0.0
        self._address = address
        self._client = _connected(address)
        self._plugin = _plugin(workbench, key, shared)
        self._round = 0
        try:
            self._client.register_plugin(self._plugin)
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """Workers at this moment."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def run(self, tasks: Sequence["Task"]) -> Iterator[tuple[int, "Outcome"]]:
        """The outcome of each task by its number, as they come."""

        def answer(name: str, task: Sequence[Any]) -> tuple[bytes, float]:
            # A function inside a function: Dask sends it by value, with this file's functions in it, as it would not
            # send one that plain pickle can name. Neither scheduler nor worker then needs an `app` of its own.
            return answer_on_worker(name, task)

        self._round += 1
        futures = {}
        for task in tasks:
            name = f"{self._plugin.name}-{self._round}-{task.number}"
            future = self._client.submit(answer, self._plugin.name, tuple(task), key=name, pure=False)
            futures[future] = task
        for future in as_completed(futures, loop=self._client.loop):  # type: ignore[no-untyped-call]
            yield futures[future].number, self._outcome(future, futures[future])

    def close(self) -> None:
        """Leave the cluster; its workers forget the study. Idempotent."""
        if self._client.status == "running":
            with suppress(Exception):  # what is gone needs no farewell
                self._client.unregister_worker_plugin(self._plugin.name)  # type: ignore[no-untyped-call]
        self._client.close(timeout=2)  # type: ignore[no-untyped-call]

    def _outcome(self, future: "Future[Any]", task: "Task") -> "Outcome":
        import msgspec

        from app.errors import DataError, UnavailableError
        from app.research.trial import Outcome

        try:
            packed, memory_mib = future.result()
        except KilledWorker:
            raise DataError(f"trial {task.number} ended its worker again and again; too little memory?") from None
        except (CancelledError, FutureCancelledError, CommClosedError, TimeoutError) as error:
            raise UnavailableError(
                f"the cluster at {self._address} is gone; the same command with the same --out goes on from here"
            ) from error
        self.memory_mib = max(self.memory_mib, memory_mib)
        return msgspec.json.decode(packed, type=Outcome)


def _connected(address: str) -> "Client":
    from app.errors import ConfigError

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigError(
            f"--cluster {address}: no Dask scheduler answers there ({type(error).__name__}); "
            "start one with `dask scheduler`, then write tcp://HOST:8786"
        ) from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        client.close(timeout=2)  # type: ignore[no-untyped-call]
        raise ConfigError(
            f"--cluster {address}: the scheduler has no worker; start some with `dask worker {address} --nthreads 1`"
        ) from None
    return client


def _plugin(workbench: "Workbench", key: str, shared: Any) -> StudyPlugin:
    import cloudpickle

    from app.runs.manifest import code_sha256

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    files = {
        str(Path("app") / path.relative_to(_PACKAGE)): zlib.compress(path.read_bytes())
        for path in sorted(_PACKAGE.rglob("*.py"))
    }
    packed = zlib.compress(pickle.dumps((workbench.packed(with_candles=shared is None), shared)), 1)
    return StudyPlugin(key, code_sha256(), files, packed)
