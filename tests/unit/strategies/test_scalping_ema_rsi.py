"""ScalpingEMARSI: its inlined stream against TA-Lib after every candle, and its rule against RULES.md."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.errors import ConfigError
from app.models.market import Candle
from app.models.orders import FLAT, Action, Signal
from app.strategies.base import View
from app.strategies.scalping_ema_rsi import ScalpingEMARSI
from tests.made import BTC_LINE, account_with, candle
from tests.talib_values import NAMES, FloatArray, bits, candles_of, series, talib_columns

DEFAULTS: dict[str, Any] = {}
OTHERS: dict[str, Any] = {"ema_fast": 2, "ema_slow": 30, "rsi_period": 5, "atr_period": 5, "volume_period": 3}
LATE_RSI: dict[str, Any] = {"ema_fast": 3, "ema_slow": 5, "rsi_period": 40, "atr_period": 40, "volume_period": 60}
VIEW = View(BTC_LINE, "1h", account_with(), {})


async def run(params: Mapping[str, Any], candles: list[Candle]) -> tuple[list[Signal], dict[str, list[float | None]]]:
    """The answers, and the indicators after every candle."""
    strategy = ScalpingEMARSI(**params)
    answers, values = [], dict[str, list[float | None]]()
    for each in candles:
        answers.append(await strategy.on_candle(each, VIEW))
        for name, value in strategy.indicator_values().items():
            values.setdefault(name, []).append(value)
    return answers, values


def expected_columns(params: Mapping[str, Any], name: str) -> dict[str, FloatArray]:
    made = ScalpingEMARSI(**params)
    return talib_columns(
        series(name), made.ema_fast.period, made.ema_slow.period, made.rsi.period, made.volume_sma.period
    )


def frame_of(name: str, count: int | None = None) -> pd.DataFrame:
    columns = series(name)
    names = ("open", "high", "low", "close", "volume")
    return pd.DataFrame({key: getattr(columns, key)[:count] for key in names})


@pytest.mark.parametrize("params", [DEFAULTS, OTHERS, LATE_RSI], ids=["defaults", "others", "late_rsi"])
@pytest.mark.parametrize("name", NAMES)
async def test_every_indicator_after_every_candle_is_talibs(name: str, params: dict[str, Any]) -> None:
    count = 12_000 if name == "sample" else None
    _, values = await run(params, candles_of(series(name), count))
    for indicator, expected in expected_columns(params, name).items():
        assert bits(values[indicator]) == bits(expected[:count]), indicator


@pytest.mark.parametrize("name", NAMES)
def test_add_indicators_is_talib_too(name: str) -> None:
    frame = frame_of(name)
    with_columns = ScalpingEMARSI(**OTHERS).add_indicators(frame)
    assert list(frame.columns) == ["open", "high", "low", "close", "volume"], "the given frame stays as it is"
    for indicator, expected in expected_columns(OTHERS, name).items():
        assert bits(with_columns[indicator]) == bits(expected), indicator


@pytest.mark.parametrize("name", ["sample", "walk", "rounded", "steps", "tiny"])
@pytest.mark.parametrize("params", [DEFAULTS, OTHERS], ids=["defaults", "others"])
async def test_on_candle_answers_as_the_rule_over_talibs_columns(name: str, params: dict[str, Any]) -> None:
    """RULES.md, section ScalpingEMARSI, written once more over whole arrays: every bar of the series."""
    answers, _ = await run(params, candles_of(series(name)))
    columns = expected_columns(params, name)
    d = columns["ema_fast"] - columns["ema_slow"]
    before = np.concatenate(([np.nan], d[:-1]))
    rsi, atr, volume = columns["rsi"], columns["atr"], series(name).volume
    ready = ~np.isnan(before) & ~np.isnan(rsi) & ~np.isnan(atr) & (volume > columns["volume_sma"])
    longs = ready & (before <= 0) & (d > 0) & (rsi >= 50) & (rsi <= 70)
    shorts = ready & (before >= 0) & (d < 0) & (rsi >= 30) & (rsi <= 50)
    expected = [
        Signal(Action.LONG, float(atr[i])) if longs[i] else Signal(Action.SHORT, float(atr[i])) if shorts[i] else FLAT
        for i in range(len(d))
    ]
    assert answers == expected
    if name == "sample":
        assert longs.sum() > 100
        assert shorts.sum() > 100


async def test_generate_signal_agrees_on_real_candles_at_every_signal_and_between() -> None:
    strategy = ScalpingEMARSI()
    answers, _ = await run(DEFAULTS, candles_of(series("sample")))
    frame = strategy.add_indicators(frame_of("sample"))
    signals = [i for i, signal in enumerate(answers) if signal != FLAT]
    between = np.random.default_rng(7).integers(0, len(answers), 200).tolist()
    assert len(signals) > 500
    for i in {*signals, *between, *range(60)}:
        assert strategy.generate_signal(frame.iloc[max(0, i - 1) : i + 1]) == answers[i], i


async def test_generate_signal_computes_the_indicators_that_are_not_there() -> None:
    answers, _ = await run(DEFAULTS, candles_of(series("sample"), 1_200))
    frame, strategy = frame_of("sample", 1_200), ScalpingEMARSI()
    signals = [i for i, signal in enumerate(answers) if signal != FLAT]
    assert signals
    for i in (*signals, *range(0, 1_200, 97)):
        assert strategy.generate_signal(frame.iloc[: i + 1]) == answers[i], i
    assert strategy.generate_signal(frame.iloc[:1]) == strategy.generate_signal(frame.iloc[:0]) == FLAT


def judged(strategy: ScalpingEMARSI | None = None, **changes: float) -> Action:
    values = {"before": -1.0, "d": 1.0, "rsi": 60.0, "atr": 2.0, "volume": 11.0, "volume_sma": 10.0, **changes}
    return (strategy or ScalpingEMARSI()).judge(**values).action


SHORT: dict[str, Any] = {"before": 1.0, "d": -1.0, "rsi": 40.0}
NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({}, Action.LONG),
        ({"before": 0.0}, Action.LONG),
        ({"before": 0.1}, Action.FLAT),
        ({"d": 0.0}, Action.FLAT),
        ({"rsi": 50.0}, Action.LONG),
        ({"rsi": 70.0}, Action.LONG),
        ({"rsi": 49.999}, Action.FLAT),
        ({"rsi": 70.001}, Action.FLAT),
        ({"volume": 10.0}, Action.FLAT),
        (SHORT, Action.SHORT),
        ({**SHORT, "before": 0.0}, Action.SHORT),
        ({**SHORT, "rsi": 30.0}, Action.SHORT),
        ({**SHORT, "rsi": 50.0}, Action.SHORT),
        ({**SHORT, "rsi": 50.001}, Action.FLAT),
        ({**SHORT, "volume": 10.0}, Action.FLAT),
        *(({name: NAN}, Action.FLAT) for name in ("before", "d", "rsi", "volume", "volume_sma")),
    ],
)
def test_each_clause_of_the_rule(changes: dict[str, Any], action: Action) -> None:
    assert judged(**changes) is action


@pytest.mark.parametrize(("close", "action"), [(101.0, Action.LONG), (99.0, Action.SHORT), (100.0, Action.FLAT)])
async def test_a_cross_may_begin_where_both_averages_are_equal(close: float, action: Action) -> None:
    flat = [candle(100.0, at=minute) for minute in range(40)]
    wide = {"rsi_long_min": 0.0, "rsi_long_max": 100.0, "rsi_short_min": 0.0, "rsi_short_max": 100.0}
    answers, values = await run(wide, [*flat, candle(close, at=40, volume=2.0), candle(close, at=41, volume=3.0)])
    assert values["ema_fast"][39] == values["ema_slow"][39] == 100.0
    assert [answer.action for answer in answers[-3:]] == [Action.FLAT, action, Action.FLAT]


def test_shorts_can_be_left_out_and_bounds_moved() -> None:
    assert judged(ScalpingEMARSI(allow_short=False), **SHORT) is Action.FLAT
    assert judged(ScalpingEMARSI(rsi_long_min=61.0)) is Action.FLAT
    assert judged(ScalpingEMARSI(volume_factor=1.1)) is Action.FLAT
    assert judged(ScalpingEMARSI(volume_factor=0.0), volume=0.1) is Action.LONG


def test_the_first_candles_are_never_answered() -> None:
    strategy = ScalpingEMARSI()
    assert strategy.warmup_candles == 22  # the slow EMA's 21, and one for the difference before
    assert ScalpingEMARSI(**LATE_RSI).warmup_candles == 60
    assert strategy.settling_candles > 200


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ema_fast": 21}, r"ema_fast \(21\) must be below ema_slow \(21\)"),
        ({"ema_fast": 30, "ema_slow": 20}, r"ema_fast \(30\) must be below"),
        ({"volume_factor": -0.1}, r"volume_factor \(-0.1\) must be zero or more"),
        ({"volume_factor": float("inf")}, "and finite"),
        ({"rsi_long_min": 80.0}, r"rsi_long_min \(80.0\) .. rsi_long_max \(70.0\) is no range inside 0 .. 100"),
        ({"rsi_short_max": 101.0}, "rsi_short_max"),
        ({"rsi_short_min": -1.0}, "rsi_short_min"),
    ],
)
def test_parameters_that_make_no_sense(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ScalpingEMARSI(**params)


@pytest.mark.parametrize("params", [DEFAULTS, OTHERS, LATE_RSI], ids=["defaults", "others", "late_rsi"])
@pytest.mark.parametrize("name", ["walk", "rounded", "steps"])
async def test_the_explanation_agrees_with_the_answer_on_every_candle(name: str, params: dict[str, Any]) -> None:
    strategy, seen = ScalpingEMARSI(**params), set()
    for each in candles_of(series(name))[:3_000]:
        answer = await strategy.on_candle(each, VIEW)
        ready, *conditions = strategy.explain(each, VIEW)
        for side in (Action.LONG, Action.SHORT):
            held = ready.held and all(one.held for one in conditions if one.name.startswith(side))
            assert held is (answer.action is side), (each, conditions)
        seen.add(answer.action)
    assert seen == {Action.LONG, Action.SHORT, Action.FLAT} or name == "steps"


async def test_the_explanation_has_the_numbers() -> None:
    strategy = ScalpingEMARSI(volume_factor=1.5, allow_short=False)
    assert strategy.explain(candle(100.0), VIEW)[0].value == "missing: ema_fast, ema_slow, rsi, atr, volume_sma"
    candles = candles_of(series("walk"))[:60]
    for each in candles[:21]:
        await strategy.on_candle(each, VIEW)
    assert strategy.explain(candles[20], VIEW)[0].value == "missing: the EMAs' difference of the candle before"
    for each in candles[21:]:
        await strategy.on_candle(each, VIEW)
    values, told = strategy.indicator_values(), {one.name: one for one in strategy.explain(candles[-1], VIEW)}
    fast, slow, volume_sma = (values[name] or 0.0 for name in ("ema_fast", "ema_slow", "volume_sma"))
    assert told["every indicator exists"].held
    assert str(told["LONG: EMAs cross upwards"].value).endswith(f" -> {fast - slow:.8g}")
    assert (told["LONG: RSI"].value, told["LONG: RSI"].limit) == (values["rsi"], "50 to 70")
    assert told["SHORT: volume"].limit == f"above 1.5 x SMA = {1.5 * volume_sma:.8g}"
    assert (told["SHORT: allowed"].value, told["SHORT: allowed"].held) == ("false", False)
