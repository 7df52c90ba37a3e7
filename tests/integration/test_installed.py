"""The package as `pip install` leaves it: a wheel from a copy of the checkout, run in an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("app", "config", "data/sample", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content."""
    copy, made, site = (tmp_path_factory.mktemp(name) for name in ("copy", "wheel", "site"))
    for name in SOURCES:
        source, target = ROOT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(made)]
    done = subprocess.run([*command, str(copy)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        package.extractall(site)
    return site


def run(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "app", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_every_file_of_the_package_is_in_the_wheel(installed: Path) -> None:
    package = ROOT / "app"
    folders = [package, *(link for link in (package / "settings" / "shipped").iterdir() if link.is_symlink())]
    ours = {
        path.relative_to(package)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    there = {path.relative_to(installed / "app") for path in (installed / "app").rglob("*") if path.is_file()}
    assert len(ours) > 200
    assert ours - there == set()


def test_demo_in_an_empty_folder_writes_there_and_nowhere_else(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "demo", "--start", "2023-10-01")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2023-10-01 to 2024-01-02 UTC, 1h" in done.stdout
    (folder,) = (tmp_path / "logs/backtests").iterdir()
    assert {path.name for path in folder.iterdir()} >= {"results.json", "manifest.json", "report.html"}
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    # What asks for a run's candles finds them in the package, too.
    for words in (("reproduce", str(folder)), ("compare", str(folder), str(folder))):
        done = run(installed, tmp_path, *words)
        assert (done.returncode, done.stderr) == (0, ""), words


def test_a_backtest_without_a_profile_and_a_cache_is_the_sample(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "--mode", "backtest", "--no-report")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Onetape backtest: the shipped sample (the cache is empty, no --config); ")


def test_a_strategy_of_one_s_own_runs_on_the_sample(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "new", "mine.py").returncode == 0
    done = run(installed, tmp_path, "demo", "--strategy", "mine.py", "--start", "2023-10-01", "--no-report")
    assert (done.returncode, done.stderr) == (0, "")
