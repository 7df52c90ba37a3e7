"""What two runs were built with: what can change a decision is named by key, what cannot is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.proof.differences import Cause
from app.proof.static_causes import differing_settings, static_differences
from app.runs.reader import Run
from app.settings.profile import load_settings
from tests.proof_runs import CONFIG

SYMBOL_LIMITS = "instruments.AAA/X"


def run(*overrides: str, status: str = "finished", warmup: int = 120, **manifest: Any) -> Run:
    made = {
        "settings": load_settings(CONFIG, overrides).model_dump(mode="json"),
        "period": {"start": "2025-01-01T00:00:00.000Z", "end": "2025-01-02T00:00:00.000Z"},
        "code_sha256": "c" * 64, "strategy_sha256": "s" * 64, "versions": {"python": "3.11.7"}, **manifest,
    }  # fmt: skip
    return Run(Path("run"), {"status": status, "warmup_candles": warmup}, json.loads(json.dumps(made)))


def told(a: Run, b: Run) -> list[tuple[Cause, str]]:
    found = static_differences(a, b)
    assert all(one.time_ms is None and not one.symbol for one in found)
    return [(one.cause, one.said) for one in found]


def test_the_same() -> None:
    assert told(run(), run()) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("risk_per_trade=0.02", "risk.risk_per_trade: 0.01 in A, 0.02 in B"),
        ("safety.max_daily_loss=0.1", "trading_mode.safety.max_daily_loss: not set in A, 0.1 in B"),
        ("fill=close", 'trading_mode.fill: "next_open" in A, "close" in B'),
        ("strategy.params.ema_fast=5", "live.strategy.params.ema_fast: not set in A, 5 in B"),
        ("symbols=[BBB/X, AAA/X]", 'live.symbols: ["AAA/X", "BBB/X"] in A, ["BBB/X", "AAA/X"] in B'),
        (f"{SYMBOL_LIMITS}={{price_tick: 0.5}}", "live.instruments.AAA/X.price_tick: not set in A, 0.5 in B"),
    ],
)
def test_a_key_is_named_with_both_values(override: str, said: str) -> None:
    assert told(run(), run(override)) == [(Cause.CONFIG, said)]


@pytest.mark.parametrize(
    "override",
    ["exchange=other", "feed.grace_s=9", "feed.late_candles=9", "safety.kill_switch_file=x", "on_stop=keep",
     "strategy.timeframe=1m", f"{SYMBOL_LIMITS}={{quantity_step: 1e-8}}", "startup_candles=120"],
)  # fmt: skip
def test_what_decides_nothing_is_no_cause(override: str) -> None:
    assert told(run(), run(override)) == []


def test_what_a_stop_does_matters_to_one_that_was_stopped() -> None:
    assert [cause for cause, _ in told(run(status="stopped"), run("on_stop=keep"))] == [Cause.CONFIG]


def test_code_strategy_and_versions() -> None:
    other = run(code_sha256="d" * 64, strategy_sha256="t" * 64, versions={"python": "3.12.1"})
    assert told(run(), other) == [
        (Cause.CODE, "the code of Onetape differs: cccccccccccc in A, dddddddddddd in B"),
        (Cause.CODE, "the file of the strategy differs: ssssssssssss in A, tttttttttttt in B"),
        (Cause.CODE, "version of python: 3.11.7 in A, 3.12.1 in B"),
    ]


def test_warm_up_is_what_there_was_not_what_was_asked_for() -> None:
    said = "warm-up candles: 120 in A, 60 in B (startup_candles 60 and 60)"
    assert told(run(), run(warmup=60)) == [(Cause.WARM_UP, said)]


def test_another_start_is_a_setting_and_not_a_warm_up() -> None:
    later = run(warmup=60, period={"start": "2025-01-01T06:00:00.000Z", "end": "2025-01-02T00:00:00.000Z"})
    assert told(run(), later) == [
        (Cause.CONFIG, "period.start: 2025-01-01T00:00:00.000Z in A, 2025-01-01T06:00:00.000Z in B")
    ]


def test_config_comes_before_code_and_code_before_warm_up() -> None:
    both = told(run(), run("risk_per_trade=0.02", warmup=1, code_sha256="d" * 64))
    assert [cause for cause, _ in both] == [Cause.CONFIG, Cause.CODE, Cause.WARM_UP]


def test_settings_of_a_manifest_against_another() -> None:
    before = dict(run().settings)
    assert differing_settings(before, before) == []
    assert differing_settings(before, run("fill=close").settings) == ['trading_mode.fill: "next_open", now "close"']
