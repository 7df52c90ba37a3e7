"""--param: what it may say, which key it means, which values it has, and what is told where it cannot be."""

import pytest

from app.errors import ConfigError
from app.research.parameters import Parameter, overrides_of, parse_parameters
from app.settings.profile import load_settings
from app.strategies.loader import check_settings
from tests.searches import CONFIG


def parse(*texts: str) -> tuple[Parameter, ...]:
    own = load_settings(CONFIG)
    return parse_parameters(texts, own, check_settings(own))


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("ema_fast=5:8", "strategy.params.ema_fast", ["5", "6", "7", "8"]),
        ("strategy.params.ema_fast=5:8:2", "strategy.params.ema_fast", ["5", "7"]),
        ("rsi_long_min=40:60:10", "strategy.params.rsi_long_min", ["40", "50", "60"]),
        ("risk.reward_risk_ratio=1:1.5:0.1", "risk.reward_risk_ratio", ["1", "1.1", "1.2", "1.3", "1.4", "1.5"]),
        ("reward_risk_ratio=1,2.50", "risk.reward_risk_ratio", ["1", "2.50"]),
        ("safety.max_open_positions=1:3", "safety.max_open_positions", ["1", "2", "3"]),
        ("trading.safety.max_drawdown=0.1,null", "safety.max_drawdown", ["0.1", "null"]),
        ("trading.limit_fill=touch,through", "trading_mode.limit_fill", ["touch", "through"]),
        ("commission_rate=0:0.001:0.0005", "trading_mode.commission_rate", ["0", "0.0005", "0.001"]),
        ("allow_short=true,false", "strategy.params.allow_short", ["true", "false"]),
    ],
)
def test_values(text: str, key: str, values: list[str]) -> None:
    (parameter,) = parse(text)
    assert parameter.key == key
    assert parameter.count == len(values)
    assert [parameter.text(place) for place in range(len(values))] == values
    own = load_settings(CONFIG)
    for value in values:
        load_settings(own, overrides_of({parameter.name: value}, [parameter]))


def test_a_float_without_steps_is_a_range() -> None:
    (parameter,) = parse("rsi_long_min=40:60")
    assert parameter.count is None
    assert parameter.neighbours("50.25") == ("49.25", "51.25")
    assert parameter.neighbours("40.5") == ("41.5",)
    assert parameter.spec == "strategy.params.rsi_long_min=40:60"


def test_neighbours_are_one_step_away() -> None:
    whole, ratio, words, numbers = parse("ema_fast=5:9:2", "reward_risk_ratio=1:2:0.1", "fill=close,next_open",
                                         "safety.max_open_positions=10,2,5")  # fmt: skip
    assert whole.neighbours("7") == ("5", "9")
    assert whole.neighbours("9") == ("7",)
    assert ratio.neighbours("1.3") == ("1.2", "1.4")
    assert words.neighbours("close") == ()
    assert numbers.neighbours("5") == ("2", "10")
    assert numbers.number("5") == 5.0
    assert words.number("close") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ema_fas=5:8", "unknown key ema_fas; did you mean ema_fast?"),
        ("risk.reward_ratio=1:2", "unknown key risk.reward_ratio; did you mean risk.reward_risk_ratio?"),
        ("trading.safety=1:2", "unknown key trading.safety"),
        ("symbols=A,B", "unknown key symbols"),
        ("ema_fast=8:5", "the range is inverted; did you mean ema_fast=5:8?"),
        ("ema_fast=5:5", "the range is empty; it holds one value: use --set"),
        ("ema_fast=5", "write --set strategy.params.ema_fast=5"),
        ("ema_fast=", "write NAME=VALUES"),
        ("=5:8", "write NAME=VALUES"),
        ("ema_fast", "write NAME=VALUES"),
        ("ema_fast=5:8:0", "the step must be above 0"),
        ("ema_fast=5:8:4", "the step is longer than the range"),
        ("ema_fast=5:8:0.5", "is a whole number"),
        ("ema_fast=5.5:8", "is a whole number"),
        ("ema_fast=5:8:1:1", "write LOW:HIGH or LOW:HIGH:STEP"),
        ("ema_fast=5:eight", "'eight' is no number"),
        ("volume_factor=1:inf", "'inf' is no finite number"),
        ("allow_short=0:1", "write choices, like allow_short=true,false"),
        ("ema_fast=5,,6", "a choice is empty"),
        ("ema_fast=5,5", "a choice is given twice"),
        ("ema_fast=5,six", "'six' is not a whole number"),
        ("limit_fill=touch,[", "'\\[' is no YAML"),
        ("limit_fill=touch,trough", "it must be 'through' or 'touch'"),
        ("risk.max_position_pct=0.5:2", "it must be at most 1"),
    ],
)
def test_bad_input(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"^--param {text.replace('[', chr(92) + '[')}: .*{told}"):
        parse(text)


def test_a_key_is_searched_once_and_something_is_searched() -> None:
    with pytest.raises(ConfigError, match="ema_fast is searched already"):
        parse("ema_fast=5:8", "strategy.params.ema_fast=1,2")
    with pytest.raises(ConfigError, match="nothing to search"):
        parse()
