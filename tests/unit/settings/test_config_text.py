"""Config files and `--set` as text: numbers as people write them, and one line for whatever cannot be read."""

from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError
from app.settings.config_text import Sources, parse_yaml, read_mapping, split_override, unknown_key


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-8", 1e-8),
        ("1e3", 1000.0),
        ("-2.5E+2", -250.0),
        ("1_000", 1000),
        ("0.1", 0.1),
        ("null", None),
        ("", None),
        ("[a, b]", ["a", "b"]),
        ("{a: 1e2}", {"a": 100.0}),
        ("1e", "1e"),
        ("BTC/USDT:USDT", "BTC/USDT:USDT"),
    ],
)
def test_yaml_values(text: str, value: Any) -> None:
    parsed = parse_yaml(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", "line 2: "),
        ("a: 1\na: 2", "line 1: the key a is given twice"),
        ("x:\n  b: 1\n  b: 1", "line 2: the key b is given twice"),
        ("2023-13-45", "month must be in 1..12"),
        ("a: !!python/object/apply:os.getpid []", "could not determine a constructor"),
        ("\x00", "unacceptable character"),
        ("[" * 600, "nested too deeply"),
    ],
)
def test_broken_yaml_is_a_value_error_of_one_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'{"a": 1, "a": 2}', "a.json: broken JSON: the key a is given twice"),
        ("a.json", b'{"a": 1,}', "a.json: broken JSON: .*line 1 column"),
        ("a.json", b"", "a.json: broken JSON: Expecting value"),
        ("a.json", b"[" * 100_000, "a.json: broken JSON: it is nested too deeply"),
        ("a.json", b"[1]", "a.json: holds list, not keys with values"),
        ("a.yaml", b"text", "a.yaml: holds str, not keys with values"),
        ("a.yaml", b"\xff", "a.yaml: cannot be read: byte 0 is no UTF-8 text"),
        ("a.yaml", b"a: [", "a.yaml: broken YAML: line 1: "),
    ],
)
def test_a_broken_file_names_itself(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_mapping(tmp_path / name)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"risk\.json: no such file; a profile is live\.yaml, risk\.json and"):
        read_mapping(tmp_path / "risk.json")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_mapping(tmp_path)


def test_an_empty_yaml_file_has_no_keys(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert read_mapping(tmp_path / "a.yaml") == {}


def test_overrides_are_split_at_the_first_equals_sign() -> None:
    assert split_override("strategy.params.tag=a=b") == ("strategy.params.tag", "a=b")
    assert split_override(" risk.x = 1e-3") == ("risk.x", 1e-3)
    assert split_override("a=") == ("a", None)


@pytest.mark.parametrize("override", ["a", "=1", "a.=1", ".a=1", "a..b=1", " =1", ""])
def test_an_override_without_a_key_says_how_to_write_one(override: str) -> None:
    with pytest.raises(ConfigError, match="write KEY=VALUE"):
        split_override(override)


@pytest.mark.parametrize("value", ["[", "{a", "2023-13-45", "'x"])
def test_an_override_without_a_yaml_value_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"--set a=.*: the value is no YAML"):
        split_override(f"a={value}")


def test_the_nearest_key_is_named() -> None:
    known = ["symbols", "safety", "safety.max_exposure", "max_position_pct"]
    assert unknown_key("f", "symbls", known) == "f: unknown key symbls; did you mean symbols?"
    assert unknown_key("f", "max_exposure", known).endswith("did you mean safety.max_exposure?")
    assert unknown_key("f", "max_exposre", known).endswith("did you mean safety.max_exposure?")
    assert unknown_key("f", "zzz", known).endswith("known are symbols, safety, safety.max_exposure, max_position_pct")


def test_sources_name_the_argument_that_gave_a_value_else_the_file() -> None:
    sources = Sources({"live": "live.yaml", "risk": "risk.json"})
    sources.replaced("live", ("strategy", "params", "a"), "--set strategy.params.a=1")
    assert sources.of("live", ("strategy", "params", "a")) == "--set strategy.params.a=1"
    assert sources.of("live", ("strategy", "params")) == "--set strategy.params.a=1"
    assert sources.of("live", ("strategy", "params", "b")) == "live.yaml"
    assert sources.of("risk", ("strategy", "params", "a")) == "risk.json"
    sources.replaced("live", ("symbols",), "--symbols X")
    assert sources.of("live", ("symbols", "0")) == "--symbols X"
    assert sources == Sources({})
