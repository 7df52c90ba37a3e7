"""Configuration files and `--set` as text: YAML and JSON to plain values, and where each value came from.

Whatever cannot be read is a ConfigError of one line that names the file and the line in it. A key given twice is
one too: the second would win silently. What the keys mean belongs to profile.py.
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from app.errors import ConfigError


@dataclass
class Sources:
    """Which file, or which argument on top of it, gave a value. Two are always equal: origin is no setting."""

    files: Mapping[str, str] = field(compare=False)
    _arguments: dict[tuple[str, ...], str] = field(default_factory=dict, compare=False)

    def replaced(self, file: str, path: Sequence[str], argument: str) -> None:
        """`argument` (`--set a.b=1`) gave the value at `path` of the file named `live`, `risk` or `trading_mode`."""
        self._arguments[file, *path] = argument

    def of(self, file: str, path: Sequence[str]) -> str:
        """For a message: the argument that gave the value at `path`, or part of it, else the file."""
        where = (file, *path)
        for given, argument in reversed(self._arguments.items()):
            if given == where[: len(given)] or where == given[: len(where)]:
                return argument
        return self.files[file]


def read_mapping(path: Path) -> dict[str, Any]:
    """The keys of a YAML or JSON file; an empty YAML file has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; a profile is live.yaml, risk.json and trading_mode.yaml") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: byte {error.start} is no UTF-8 text") from None
    try:
        content = _json(text) if path.suffix == ".json" else parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"{path}: broken {path.suffix[1:].upper() or 'YAML'}: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds {type(content).__name__}, not keys with values")
    return content


def split_override(override: str) -> tuple[str, Any]:
    """KEY=VALUE of `--set` as a key and a plain value."""
    key, equals, text = override.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigError(f"--set {override}: write KEY=VALUE, for example risk.reward_risk_ratio=1.5")
    try:
        return key.strip(), parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {override}: the value is no YAML: {error}") from None


def parse_yaml(text: str) -> Any:
    """Plain values; ValueError with the line and what is wrong there."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{line}{error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def unknown_key(source: str, key: str, known: Sequence[str]) -> str:
    """The message for a key that there is not, with the nearest of the known ones, which may have dots."""
    word = key.rpartition(".")[2]
    near = difflib.get_close_matches(key, [name for name in known if name.rpartition(".")[2] == word], n=1, cutoff=0.0)
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not near:
        close = difflib.get_close_matches(word, [name.rpartition(".")[2] for name in known], n=1)
        near = [name for name in known if close and name.rpartition(".")[2] == close[0]]
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"{source}: unknown key {key}; {hint}"


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key} is given twice")
        found[key] = value
    return found


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads `1e-8` and `1e3` as text; these are numbers here. A key may be given once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and keys.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value} is given twice", problem_mark=key.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
