"""manifest.json: the same run gives the same manifest, another one does not."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache, MonthFile
from app.runs.manifest import build_manifest, code_sha256
from tests.candle_columns import make_candles, minutes


def months(folder: Path) -> list[MonthFile]:
    cache = CandleCache(folder / "cache")
    cache.merge("BTC/USDT", "1m", make_candles(minutes(120)))
    return [cache.describe("BTC/USDT", "1m", month) for month in cache.months("BTC/USDT", "1m")]


def manifest(folder: Path, **changes: Any) -> dict[str, Any]:
    (folder / "trades.csv").write_text("trades")
    arguments: dict[str, Any] = {
        "settings": {"live": {"symbols": ["BTC/USDT"]}},
        "start": "a",
        "end": "b",
        "strategy_sha256": "s",
        "months": months(folder),
        "versions": {"onetape": "0.1.0"},
        "outputs": {"trades": folder / "trades.csv"},
    }
    return build_manifest(**{**arguments, **changes})


def test_it_names_all_that_a_run_depends_on(tmp_path: Path) -> None:
    made = manifest(tmp_path)
    assert made["outputs_sha256"]["trades"] == hashlib.sha256(b"trades").hexdigest()
    assert list(made["data"]["BTC/USDT 1m"]) == ["2025-10", "2025-11"]
    assert made["code_sha256"] == code_sha256()
    assert set(made["versions"]) == {"python", "onetape"}
    assert (made["format"], made["seed"]) == (1, None)


def test_equal_runs_have_equal_manifests_wherever_they_lie(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    assert manifest(first) == manifest(second)
    assert str(tmp_path) not in str(manifest(first))
    assert not re.search(r"20\d\d-\d\d-\d\dT", str(manifest(first))), "no time of day"


@pytest.mark.parametrize(("changed", "digest"), [("settings", "settings_sha256"), ("months", "data_sha256")])
def test_a_change_shows_in_its_digest(tmp_path: Path, changed: str, digest: str) -> None:
    other: Any = {"live": {"symbols": ["ETH/USDT"]}} if changed == "settings" else months(tmp_path)[:1]
    assert manifest(tmp_path)[digest] != manifest(tmp_path, **{changed: other})[digest]


def test_the_order_of_the_keys_is_no_change(tmp_path: Path) -> None:
    one, two = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert manifest(tmp_path, settings=one)["settings_sha256"] == manifest(tmp_path, settings=two)["settings_sha256"]
