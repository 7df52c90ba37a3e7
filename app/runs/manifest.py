"""manifest.json: what is needed to run a run again, and to tell whether it gave the same.

Hashes of the settings, the candles, the strategy, the code and the outputs; versions of what computed them. It
holds no time of day and no name of a machine: the same run gives the same manifest.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.candles.cache import MonthFile

FORMAT = 1
VERSION = "0.1.0"  # of Onetape; pyproject.toml has the same
_PACKAGE = Path(__file__).resolve().parents[1]


def build_manifest(
    *,
    settings: Mapping[str, Any],
    start: str,
    end: str,
    strategy_sha256: str,
    months: "Sequence[MonthFile]",
    versions: Mapping[str, str],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """The content of manifest.json."""
    data: dict[str, dict[str, str]] = {}
    for month in months:
        data.setdefault(f"{month.symbol} {month.timeframe}", {})[month.month] = month.sha256
    return {
        "format": FORMAT,
        "period": {"start": start, "end": end},
        "settings": settings,
        "settings_sha256": sha256_json(settings),
        "strategy_sha256": strategy_sha256,
        "data": data,
        "data_sha256": sha256_json(data),
        "code_sha256": code_sha256(),
        "versions": {"python": platform.python_version(), **versions},
        "seed": None,  # nothing in a run is random
        "outputs_sha256": {name: sha256_of(path) for name, path in outputs.items()},
    }


def code_sha256() -> str:
    """Hash over every Python file of the package, names included."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sha256_json(content: Mapping[str, Any]) -> str:
    """Of a canonical text of the content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written_sha256(manifest: Mapping[str, Any], key: str) -> str | None:
    """The hash of an output (`trades`, `signals`, `equity`) as the run wrote it; None where the manifest has none."""
    found = manifest.get("outputs_sha256")
    return str(found[key]) if isinstance(found, Mapping) and key in found else None
