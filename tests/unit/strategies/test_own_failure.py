"""What a user's own code raised: its frames first, file and line in one line; a bug of Onetape is none of it."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.strategies.loader import load_strategy
from app.strategies.own_failure import own_failure

HELPER = "def divide(price):\n    return price / 0\n"
STRATEGY = """from app.strategies.base import FLAT, Strategy
from app.strategies.indicators import EMA
import helper_of_mine

class Mine(Strategy):
    async def on_candle(self, candle, view):
        return FLAT

def deep():
    return helper_of_mine.divide(1.0)

def in_a_library():
    import json
    return json.loads("{")

def in_onetape():
    EMA(0)
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A strategy with a helper beside it, imported by its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("helper_of_mine.py").write_text(HELPER)
    Path("mine.py").write_text(STRATEGY)
    sys.modules.pop("helper_of_mine", None)
    load_strategy("mine.py")
    return ["mine.py"]


def raised(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("it raises nothing")


@pytest.mark.parametrize(
    ("function", "last"),
    [
        ("deep", "onetape: helper_of_mine.py, line 2, in divide: ZeroDivisionError: float division by zero"),
        ("in_a_library", "onetape: mine.py, line 14, in in_a_library: JSONDecodeError: Expecting property name"),
        ("in_onetape", "onetape: mine.py, line 17, in in_onetape: "),
    ],
)
def test_own_frames_come_first_and_the_innermost_is_named(places: list[str], function: str, last: str) -> None:
    told = own_failure(raised(getattr(sys.modules["onetape_strategy_mine"], function)), places)
    assert told is not None
    head, _, whole = told.partition("\nThe whole way there:\n")
    assert head.startswith("Traceback (most recent call last):\n")
    files = [line for line in head.splitlines() if line.startswith("  File ")]
    assert files
    assert all("mine.py" in line for line in files)
    assert "in raised" in whole
    assert told.splitlines()[-1].startswith(last)


def test_a_cause_in_own_code_counts(places: list[str]) -> None:
    def wrapped() -> None:
        try:
            sys.modules["onetape_strategy_mine"].deep()
        except ZeroDivisionError as error:
            raise RuntimeError("stopped") from error

    told = own_failure(raised(wrapped), places)
    assert told is not None
    assert told.endswith("\nonetape: helper_of_mine.py, line 2, in divide: RuntimeError: stopped")


def test_a_package_of_one_s_own_is_own_code(places: list[str], tmp_path: Path) -> None:
    Path("mypack").mkdir()
    Path("mypack/__init__.py").write_text("")
    Path("mypack/inner.py").write_text(HELPER)
    error = raised(lambda: importlib.import_module("mypack.inner").divide(1.0))
    told = own_failure(error, ["mypack.inner"])
    assert told is not None
    assert told.endswith("onetape: mypack/inner.py, line 2, in divide: ZeroDivisionError: float division by zero")


def test_a_bug_of_onetape_or_of_an_installed_package_is_not(places: list[str], tmp_path: Path) -> None:
    installed = tmp_path / ".venv/lib/site-packages/other.py"
    installed.parent.mkdir(parents=True)
    installed.write_text(HELPER)
    code: dict[str, Callable[[float], float]] = {}
    exec(compile(HELPER, str(installed), "exec"), code)
    assert own_failure(raised(lambda: code["divide"](1.0)), places) is None
    exec(compile(HELPER, "library/error.pxi", "exec"), code)  # a compiled library's own source, which is nowhere here
    assert own_failure(raised(lambda: code["divide"](1.0)), places) is None
    assert own_failure(raised(lambda: load_strategy("nowhere.py")), places) is None
    assert own_failure(ValueError("never raised"), places) is None
    assert own_failure(raised(lambda: 1 / 0), ["app.strategies.scalping_ema_rsi", "no_such_module"]) is None
