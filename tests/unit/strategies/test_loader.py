"""Finding a strategy by name, module or file, and everything that is wrong with one before it runs."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from app.errors import ConfigError, OnetapeError, StrategyError
from app.settings.profile import Settings, load_settings
from app.strategies.loader import check_settings, load_strategy, required_startup, startup_candles
from app.strategies.scalping_ema_rsi import ScalpingEMARSI

HEAD = "from app.strategies.base import FLAT, Strategy\nfrom app.strategies.indicators import EMA\n"
ANSWER = "    async def on_candle(self, candle, view):\n        return FLAT\n"
MINE = f"{HEAD}class Mine(Strategy):\n    lookback = 0\n{ANSWER}"


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(source: str, name: str = "mine.py") -> str:
    Path(name).write_text(source)
    return name


def settings(**live: Any) -> Settings:
    base = {"exchange": "x", "symbols": ["A/B"], "timeframe": "1m", "strategy": {"name": "ScalpingEMARSI"}}
    return load_settings({"live": {**base, **live}})


def test_a_built_in_by_its_name() -> None:
    loaded = load_strategy("ScalpingEMARSI", {"ema_fast": 5})
    made = loaded()
    assert isinstance(made, ScalpingEMARSI)
    assert made.ema_fast.period == 5
    assert loaded() is not made


def test_a_file_with_one_strategy_or_a_named_one() -> None:
    name = write(MINE)
    assert load_strategy(name).cls.__name__ == "Mine"
    two = write(f"{MINE}class Other(Mine):\n{ANSWER}", "two.py")
    assert load_strategy(f"{two}:Other").cls.__name__ == "Other"
    with pytest.raises(StrategyError, match=r"two.py holds Mine, Other; write two.py:Mine for the first"):
        load_strategy(two)


def test_a_module_beside_the_user() -> None:
    write(MINE, "my_module_of_test_loader.py")
    loaded = load_strategy("my_module_of_test_loader:Mine")
    assert loaded.cls.__name__ == "Mine"
    assert load_strategy("app.strategies.scalping_ema_rsi:ScalpingEMARSI").cls is ScalpingEMARSI


def test_the_digest_is_that_of_the_source_file() -> None:
    name = write(MINE)
    digest = load_strategy(name).source_sha256
    assert digest == hashlib.sha256(MINE.encode()).hexdigest()
    write(MINE + "# changed\n")
    assert load_strategy(name).source_sha256 != digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Nope", r"unknown strategy 'Nope'; built in is ScalpingEMARSI; your own is module:Class or file.py:Class"),
        ("ScalpingEMARS", r"unknown strategy 'ScalpingEMARS'; did you mean ScalpingEMARSI\?"),
        (":X", "unknown strategy ':X'"),
        ("nope.py", "strategy file nope.py does not exist"),
        ("nope.py:X", "strategy file nope.py does not exist"),
        ("nope_module:X", "strategy module nope_module: cannot be imported: ModuleNotFoundError: No module named"),
        ("app.models.market:Candle", "app.models.market:Candle does not derive from app.strategies.base.Strategy"),
        ("app.strategies.scalping_ema_rsi:Scalping", "has no class Scalping; it holds ScalpingEMARSI"),
        ("app.strategies.base:Strategy", "it needs `async def on_candle"),
    ],
)
def test_a_strategy_that_is_not_there(name: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        load_strategy(name)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f(:\n", r"cannot be imported: SyntaxError: invalid syntax \(mine.py, line 1\)"),
        ("import no_such_module_at_all", "cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit()", "cannot be imported: SystemExit"),
        ("x = 1", "mine.py holds no class that derives from app.strategies.base.Strategy"),
        (f"{HEAD}class Mine(Strategy):\n    pass\n", "it needs `async def on_candle"),
        (MINE.replace("async ", ""), "it needs `async def on_candle"),
        (MINE.replace("return", "yield"), "it needs `async def on_candle"),
        (MINE.replace("candle, view", "candle"), "it needs `async def on_candle"),
        (MINE.replace("candle, view", "candle, view, more"), "it needs `async def on_candle"),
        (MINE.replace("lookback = 0", "lookback = -1"), "lookback is -1; it must be a whole number of at least 0"),
        (MINE.replace("lookback = 0", "lookback = None"), "lookback is None; it must be a whole number"),
        (MINE.replace("lookback = 0", "timeframes = '4h'"), "timeframes is '4h'; write a tuple"),
        (MINE.replace("lookback = 0", "timeframes = None"), "timeframes is None; write a tuple"),
        (MINE.replace("lookback = 0", "warmup_candles = 2.5"), "warmup_candles is 2.5; it must be a whole number"),
        (MINE.replace("lookback = 0", "def __init__(self, a): pass"), "cannot be made: TypeError: .*argument: 'a'"),
        (MINE.replace("lookback = 0", "def __init__(self): {}['x']"), "cannot be made: KeyError: 'x'"),
    ],
)
def test_a_strategy_that_cannot_run(source: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message) as caught:
        load_strategy(write(source))
    assert "mine.py" in str(caught.value)


TYPED = f"""{HEAD}class Mine(Strategy):
    def __init__(self, count: int = 1, ratio: "float" = 0.5, on: bool = True, word: str = "x", many: list = ()):
        if count > 99: raise ValueError("count is too large")
{ANSWER}"""


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cont": 2}, "strategy.params.cont: mine.py has no such parameter; did you mean count?"),
        ({"zzzz": 2}, "it takes count, ratio, on, word, many"),
        ({"count": 2.0}, "strategy.params.count: 2.0 is not a whole number"),
        ({"count": True}, "strategy.params.count: True is not a whole number"),
        ({"count": None}, "strategy.params.count: None is not a whole number"),
        ({"ratio": "1"}, "strategy.params.ratio: '1' is not a number"),
        ({"ratio": True}, "strategy.params.ratio: True is not a number"),
        ({"ratio": float("nan")}, "strategy.params.ratio: it is not a number (NaN)"),
        ({"on": 1}, "strategy.params.on: 1 is not true or false"),
        ({"word": 1}, "strategy.params.word: 1 is not text"),
        ({"count": 100}, "strategy mine.py: count is too large"),
    ],
)
def test_parameters_are_held_against_the_constructor(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_strategy(write(TYPED), params)
    assert message in str(caught.value)


def test_parameters_that_fit() -> None:
    params = {"count": 2, "ratio": 1, "on": False, "word": "", "many": [1]}
    assert load_strategy(write(TYPED), params).params == params
    with pytest.raises(ConfigError, match="it takes none"):
        load_strategy(write(MINE, "bare.py"), {"x": 1})


def test_a_wrong_parameter_names_the_file_or_the_argument() -> None:
    wrong = {"name": "ScalpingEMARSI", "params": {"ema_fst": 5}}
    with pytest.raises(ConfigError, match=r"^config\['live'\]: strategy.params.ema_fst: .*did you mean ema_fast"):
        check_settings(settings(strategy=wrong))
    given = load_settings(settings(), ["strategy.params.ema_fast=99"])
    with pytest.raises(ConfigError, match=r"^--set strategy.params.ema_fast=99: .*\(99\) must be below ema_slow"):
        check_settings(given)


def test_a_declared_timeframe_must_be_a_multiple() -> None:
    name = write(MINE.replace("lookback = 0", 'timeframes = ("1m", "90s")'))
    with pytest.raises(StrategyError, match=r"mine.py looks at 90s, which is no multiple of the session's 1m"):
        check_settings(settings(strategy={"name": name}))
    name = write(MINE.replace("lookback = 0", 'timeframes = ("1m", "4h")'))
    assert check_settings(settings(strategy={"name": name})).only.cls.timeframes == ("1m", "4h")


def test_too_short_a_warm_up_says_how_long_it_must_be() -> None:
    with pytest.raises(ConfigError, match=r"startup_candles is 21, but .* needs 22 candles of 1m .*: 22, or auto"):
        check_settings(settings(startup_candles=21))
    check_settings(settings(startup_candles=22))
    coarse = settings(strategy={"name": "ScalpingEMARSI", "timeframe": "5m"}, startup_candles=109)
    with pytest.raises(ConfigError, match="needs 110 candles of 1m"):
        check_settings(coarse)


def test_auto_takes_what_makes_the_start_not_matter() -> None:
    made = ScalpingEMARSI()
    loaded = check_settings(settings())
    assert startup_candles(settings(startup_candles="auto"), loaded) == made.settling_candles
    assert startup_candles(settings(), loaded) == 240
    five = settings(strategy={"name": "ScalpingEMARSI", "timeframe": "5m"}, startup_candles="auto")
    assert startup_candles(five, check_settings(five)) == 5 * made.settling_candles
    assert required_startup(five, five.strategy, made) == 110


def test_all_of_these_are_expected_faults() -> None:
    assert issubclass(StrategyError, OnetapeError)
    assert issubclass(ConfigError, OnetapeError)
