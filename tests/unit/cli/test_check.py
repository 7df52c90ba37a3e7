"""`check`: what a run would do and what would hurt, in the words and numbers that a user can act on."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.cli.check import describe, round_trip_pct, warnings, winner_cost_pct
from app.cli.main import main
from app.models.orders import Bound, Refusal
from app.session.probe import Probe
from app.settings.profile import Settings, load_settings
from app.strategies.loader import check_settings

ROOT = Path(__file__).resolve().parents[3]
LIVE = {"exchange": "binance", "symbols": ["A/B"], "timeframe": "1m", "strategy": {"name": "ScalpingEMARSI"}}


def settings(*overrides: str) -> Settings:
    return load_settings({"live": LIVE}, overrides)


def probe(**changes: Any) -> Probe:
    numbers: dict[str, Any] = {
        "end_ms": 1, "candles": 1_000, "signals": 2, "shorts": 0, "refused": Counter(),
        "bounds": Counter({Bound.RISK: 2}), "target_pct": [1.0, 3.0], "stop_pct": [0.5, 1.5], "risked_pct": [1.0, 1.0],
    }  # fmt: skip
    return Probe(**{**numbers, **changes})


def test_what_a_trade_costs() -> None:
    assert round_trip_pct(settings()) == pytest.approx(0.30)
    assert winner_cost_pct(settings()) == pytest.approx(0.25)  # a target pays no slippage
    assert winner_cost_pct(settings("maker_commission_rate=-0.0005")) == pytest.approx(0.10)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"signals": 0}, "no entry signal at all: nothing would be traded"),
        ({"target_pct": [0.15]}, "a typical target is 0.15 % away, a round trip costs 0.30 %: a typical winner loses"),
        ({}, "a typical target is 2.00 % away, a stop 1.00 %, a round trip costs 0.30 %: 43% of the trades must win"),
        ({"bounds": Counter({Bound.POSITION: 2}), "risked_pct": [0.01, 0.01]},
         "quantity is capped by max_position_pct in all of 2 signals: 1.00% risk is really 0.01 %"),
        ({"bounds": Counter({Bound.ROOM: 1, Bound.RISK: 1})}, "quantity is capped by max_exposure in 1 of 2 signals"),
        ({"refused": Counter({Refusal.MIN_NOTIONAL: 1})}, "risk refuses 1 of 2 signals: min_notional"),
        ({"shorts": 1}, "1 of 2 signals are shorts, which a spot exchange cannot place"),
    ],
)  # fmt: skip
def test_what_would_hurt(changes: dict[str, Any], told: str) -> None:
    assert any(line.startswith(told) for line in warnings(settings(), probe(**changes)))


def test_what_a_run_would_do() -> None:
    made = settings("safety.max_daily_loss=0.05", "fill=close")
    text = "\n".join(describe(made, check_settings(made)))
    for part in ("A/B on 1m candles of binance", "warm-up 240 candles (it needs 22)", "fills at the close",
                 "at 20% drawdown or 5% loss in a day",
                 "real orders (--mode live): at most 50 an entry, 20 a day, halt after 5 "):  # fmt: skip
        assert part in text


def test_the_command_on_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--config", str(ROOT / "config/sample/live.yaml"), "--cache", str(ROOT / "data/sample"))
    assert main(["check", *words]) == 0
    out, err = capsys.readouterr()
    assert "live.yaml: valid" in out
    assert "Tried on the newest" in out
    assert err == ""


def test_without_candles_it_says_so_and_the_configs_are_valid_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["check", "--config", str(ROOT / "config/live.yaml"), "--cache", str(tmp_path)]) == 0
    assert "Nothing to try the strategy on: the cache" in capsys.readouterr().out
