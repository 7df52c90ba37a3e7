"""A search on a Dask cluster of processes: the same study, also when a worker is killed, joins, or has another app."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from app.errors import ConfigError, DataError
from app.research.cluster import ClusterWorkers
from app.research.study import StudyRun
from app.research.trial import Outcome, Task
from app.research.workers import LocalWorkers
from app.session.candle_supply import Supply
from app.settings.profile import load_settings
from tests.dask_cluster import DaskCluster, dask_cluster
from tests.searches import CACHE, END_MS, START_MS, InlineWorkers, bench, plan
from tests.several import profile
from tests.unit.cli.test_search import SEARCH, SPACE

PLAN: dict[str, Any] = {"method": "bayes", "trials": 32}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.mark.parametrize("method", ["grid", "random", "bayes", "genetic"])
def test_it_is_the_study_of_one_process(method: str, cluster: DaskCluster) -> None:
    own = plan(method=method)
    workers = ClusterWorkers(cluster.address, bench(), f"same-{method}")
    try:
        assert workers.count == 2
        assert StudyRun(own, workers, {}).run() == StudyRun(own, InlineWorkers(), {}).run()
        assert workers.memory_mib > 10.0
    finally:
        workers.close()


def test_the_command_line(cluster: DaskCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*SEARCH, *SPACE, "--method", "bayes", "--trials", "16", "--json"]
    shutil.copytree(CACHE, tmp_path / "shared")
    found = []
    for number, where in enumerate(
        (
            ["--workers", "1"],
            ["--cluster", cluster.address],
            ["--cluster", cluster.address, "--shared-cache", f"file://{tmp_path}/shared"],
        )
    ):
        assert main([*arguments, *where, "--out", str(tmp_path / str(number))]) == 0
        found.append(capsys.readouterr().out)
    assert found[0] == found[1] == found[2] != ""


def test_the_files_of_a_list_of_strategies_travel(cluster: DaskCluster, tmp_path: Path) -> None:
    own = Supply(CandleCache(CACHE), offline=True).complete(load_settings(profile(tmp_path)))
    here = bench(own)
    values = ["strategies.dip.params.below=0.2", "strategies.trend.exits.trailing.distance_r=0.5"]
    tasks = [Task(number, (value,), START_MS, END_MS) for number, value in enumerate(values, 1)]
    expected = {task.number: here.answer(task) for task in tasks}
    workers = ClusterWorkers(cluster.address, here, "list")
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    try:
        assert dict(workers.run(tasks)) == expected
    finally:
        workers.close()


class Meddling:
    """Workers of a cluster, and something that happens after the fifth answer."""

    def __init__(self, workers: ClusterWorkers, meddle: "Meddler") -> None:
        self._workers, self._meddle, self._answers = workers, meddle, 0
        self.memory_mib = 0.0

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        for answer in self._workers.run(tasks):
            self._answers += 1
            if self._answers == 5:
                self._meddle()
            yield answer

    def close(self) -> None:
        self._workers.close()


class Meddler:
    """What happens: a worker is killed, and perhaps another one joins."""

    def __init__(self, cluster: DaskCluster, *, joins: bool) -> None:
        self._cluster, self._joins = cluster, joins
        self.done = False

    def __call__(self) -> None:
        self._cluster.kill_worker(0)
        if self._joins:
            self._cluster.kill_worker(1)
            self._cluster.start_worker()
        self.done = True


@pytest.mark.parametrize("joins", [False, True])
def test_a_killed_worker_changes_nothing(tmp_path: Path, *, joins: bool) -> None:
    own = plan(**PLAN)
    with dask_cluster(tmp_path) as mortal:
        meddler = Meddler(mortal, joins=joins)
        workers = Meddling(ClusterWorkers(mortal.address, bench(), "killed"), meddler)
        try:
            study = StudyRun(own, workers, {}).run()
        finally:
            workers.close()
    assert meddler.done
    assert study == StudyRun(own, InlineWorkers(), {}).run()


def test_workers_forget_a_study_that_is_over(cluster: DaskCluster) -> None:
    workers = ClusterWorkers(cluster.address, bench(), "over")
    dict(workers.run([Task(1, (), START_MS, END_MS)]))
    assert list(cluster.folder.rglob("onetape-over/app/cli/main.py"))
    workers.close()
    assert not list(cluster.folder.rglob("onetape-over"))


def test_errors_come_back_as_they_are(cluster: DaskCluster) -> None:
    workers = ClusterWorkers(cluster.address, bench(), "errors")
    try:
        with pytest.raises(ConfigError, match=r"trial 4 \(--set strategy.params.ema_fast=99\)"):
            dict(workers.run([Task(4, ("strategy.params.ema_fast=99",), START_MS, END_MS)]))
    finally:
        workers.close()


def test_a_cluster_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.research.cluster.CONNECT_S", 1.0)
    with pytest.raises(ConfigError, match=r"--cluster tcp://127.0.0.1:9: no Dask scheduler answers there"):
        ClusterWorkers("tcp://127.0.0.1:9", bench(), "none")
    with pytest.raises(ConfigError, match="no Dask scheduler answers there"):
        ClusterWorkers("nonsense://x", bench(), "none")
    monkeypatch.setattr("app.research.cluster.CONNECT_S", 5.0)
    with dask_cluster(tmp_path, workers=0) as empty, pytest.raises(ConfigError, match="the scheduler has no worker"):
        ClusterWorkers(empty.address, bench(), "none")


def test_a_shared_cache_that_is_not_there(cluster: DaskCluster, tmp_path: Path) -> None:
    import asyncio

    from app.research.workbench import SharedCache
    from tests.searches import runner

    shared = SharedCache.of(str(tmp_path / "nowhere"), asyncio.run(runner().plan()).months)
    workers = ClusterWorkers(cluster.address, bench(), "nowhere", shared)
    try:
        with pytest.raises(DataError, match=r"--shared-cache .* cannot be read"):
            dict(workers.run([Task(1, (), START_MS, END_MS)]))
    finally:
        workers.close()
    assert LocalWorkers(bench(), 1).memory_mib == 0.0
