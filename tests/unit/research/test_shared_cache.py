"""A cache on shared storage: what fsspec opens, exactly the months of the study, nothing else taken for them."""

import asyncio
import shutil
from pathlib import Path

import fsspec
import pytest

from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.research.workbench import SharedCache
from tests.searches import CACHE, runner


def shared(url: str) -> SharedCache:
    return SharedCache.of(url, asyncio.run(runner().plan()).months)


@pytest.mark.parametrize("url", ["{path}", "file://{path}", "memory://cache/"])
def test_the_months_of_the_study_are_copied(tmp_path: Path, url: str) -> None:
    root = tmp_path / "shared"
    shutil.copytree(CACHE, root)
    if url.startswith("memory"):
        fsspec.filesystem("memory").put(f"{root}/", "/cache/", recursive=True)
    own = shared(url.format(path=root))
    cache = CandleCache(own.copy_to(tmp_path / "copy"))
    assert [(name, month) for name, _, month, _ in own.months] == [
        (name, month) for name, frame in cache.series() for month in cache.months(name, frame)
    ]
    assert {sha for *_, sha in own.months} == {
        cache.describe(name, frame, month).sha256
        for name, frame in cache.series()
        for month in cache.months(name, frame)
    }


def test_bad_places(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--shared-cache .*2022-12.parquet cannot be read"):
        shared(str(tmp_path / "nothing")).copy_to(tmp_path / "copy")
    with pytest.raises(ConfigError, match="--shared-cache nowhere://x: "):
        shared("nowhere://x").copy_to(tmp_path / "copy")
    own = shared(str(CACHE))
    other = SharedCache(own.url, tuple((*month[:3], "0" * 64) for month in own.months))
    with pytest.raises(DataError, match="holds other candles than the study's"):
        other.copy_to(tmp_path / "copy")
