"""A cache on shared storage: a worker of a cluster copies the months that it needs from there, instead of getting them.

The rule: the place is anything that fsspec opens (a path on a network disk, s3://bucket/cache, ...), laid out as a
cache is; a month whose candles are not those of the study is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.candles.cache import CandleCache, MonthFile
from app.errors import ConfigError, DataError


@dataclass(frozen=True)
class SharedCache:
    """`url` of the cache, and what is read of it: symbol, timeframe, month and sha256 of each file."""

    url: str
    months: tuple[tuple[str, str, str, str], ...]

    @classmethod
    def of(cls, url: str, months: Sequence[MonthFile]) -> "SharedCache":
        """For the months of a study."""
        return cls(url, tuple((one.symbol, one.timeframe, one.month, one.sha256) for one in months))

    def copy_to(self, folder: Path) -> Path:
        """A cache below `folder` with these months; DataError for one that is absent there or another one."""
        import fsspec

        cache = CandleCache(folder)
        try:
            storage, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError, OSError) as error:
            raise ConfigError(f"--shared-cache {self.url}: {error}") from error
        for symbol, timeframe, month, sha256 in self.months:
            path = cache.path(symbol, timeframe, month)
            place = f"{root.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.write_bytes(storage.cat_file(place))
            except OSError as error:
                raise DataError(f"--shared-cache {self.url}: {place} cannot be read: {error}") from error
            if cache.describe(symbol, timeframe, month).sha256 != sha256:
                raise DataError(f"--shared-cache {self.url}: {place} holds other candles than the study's")
        return folder
