"""The lock files: exact versions with hashes, no index named, and for running no more than running needs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def pinned(name: str) -> dict[str, list[str]]:
    """The requirements of a lock file, each with its hashes."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        text = line.rstrip(" \\")
        if text.startswith("    "):
            found[list(found)[-1]].append(text.strip())
        else:
            found[text] = []
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", one)[0].lower() for one in requirements}


RUN, DEVELOP = pinned("requirements.lock"), pinned("requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_each_line_is_a_version_or_its_hash() -> None:
    for requirement, hashes in {**DEVELOP, **RUN}.items():
        assert re.match(r"[a-z0-9-]+==[\w.]+( ; |$)", requirement), requirement
        assert hashes
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), requirement


def test_what_runs_is_what_is_tested() -> None:
    assert {key: DEVELOP.get(key) for key in RUN} == RUN


def test_running_takes_the_dependencies_and_none_of_the_extras() -> None:
    extras = PROJECT["optional-dependencies"]
    assert names(PROJECT["dependencies"] + extras["build"]) <= names(list(RUN))
    others = names([one for extra, listed in extras.items() if extra != "build" for one in listed])
    assert others - {"setuptools"} <= names(list(DEVELOP))
    assert (others - {"setuptools"}) & names(list(RUN)) == set()
