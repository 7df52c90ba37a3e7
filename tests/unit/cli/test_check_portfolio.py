"""`check` of several strategies: what each is, what its limits and exits come to on the candles, what cannot act."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli.main import main
from tests.parity.market import fill_cache
from tests.portfolio import MIXED, portfolio
from tests.proof_runs import WARMUP, market

Capture = pytest.CaptureFixture[str]


def checked(tmp_path: Path, capsys: Capture, config: dict[str, Any], *words: str) -> str:
    """What `check` says of a config over the made-up market."""
    cache = fill_cache(tmp_path / "cache", market())
    for name, key in (("live.yaml", "live"), ("risk.json", "risk"), ("trading_mode.yaml", "trading_mode")):
        (tmp_path / name).write_text(yaml.safe_dump(config[key]))
    assert main(["check", "--config", str(tmp_path / "live.yaml"), "--cache", str(cache.root), *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def one(**changes: Any) -> dict[str, Any]:
    """A portfolio of one strategy with these keys."""
    return portfolio(WARMUP, strategies=[{"id": "only", "name": MIXED, "params": {"limits": 0.0}, **changes}])


def test_what_each_strategy_is(tmp_path: Path, capsys: Capture) -> None:
    lines = checked(tmp_path, capsys, portfolio(WARMUP)).splitlines()
    for line in (
        f"  strategy trend: {MIXED} on 1m candles of AAA/X, BBB/X; warm-up 60 candles (it needs 0)",
        "    sizes by 0.5 of the equity, risks 1.00% a trade, at most 10% in one position",
        "    exits: stop to +0.0500% of the entry at 0.4 R, stop trails by 0.8 R from 0.5 R on, "
        "0.4 of it out at 0.3 R, 0.3 of it out at 0.6 R",
        f"  strategy dip: {MIXED} on 1m candles of AAA/X; warm-up 60 candles (it needs 0)",
        "    sizes by 0.3 of the equity, risks 2.00% a trade, at most 10% in one position",
        "    exits: out after 7 candles",
        "  protection cooldown (line): no entry for 2 candles after a trade",
        "  protection stop_guard (strategy): no entry for 5 candles after 2 losing stops within 30 candles",
        "  protection losing_streak (account): no entry for 3 candles after 4 losing trades in a row",
    ):
        assert line in lines
    (dip,) = [line for line in lines if line.startswith("  dip: ") and "bring a limit" in line]
    assert dip.startswith("  dip: all of ")
    assert any(line.startswith("  trend: managed exits: legs ") for line in lines)
    assert any(line.startswith("  slow: managed exits: ") for line in lines)


def test_the_short_form_says_what_it_always_said(tmp_path: Path, capsys: Capture) -> None:
    config = portfolio(WARMUP)
    live = {key: value for key, value in config["live"].items() if key != "strategies"}
    out = checked(tmp_path, capsys, {"live": {**live, "strategy": {"name": MIXED}}, "risk": {}, "trading_mode": {}})
    assert f"  strategy {MIXED} on 1m; warm-up 60 candles (it needs 0)\n" in out
    assert "sizes by" not in out
    assert "exits" not in out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"exits": {"break_even": {"at_r": 2.0}}}, "exits.break_even can never act in all of "),
        ({"exits": {"trailing": {"distance_r": 1.0, "from_r": 2.5}}}, "exits.trailing can never act in all of "),
        ({"exits": {"time": {"candles": 3}}, "timeframe": "5m"}, "exits.time takes all of "),
        ({"exits": {"partial": [{"at_r": 1.0, "fraction": 1e-9}]}}, " legs would be dropped: nothing after rounding"),
        ({"params": {"own_exits": 1.0, "limits": 0.0}, "risk": {"reward_risk_ratio": 0.3}},
         " legs would be dropped: past the target"),
    ],
)  # fmt: skip
def test_what_can_never_act(tmp_path: Path, capsys: Capture, changes: dict[str, Any], told: str) -> None:
    lines = [line for line in checked(tmp_path, capsys, one(**changes)).splitlines() if line.startswith("  ! ")]
    assert any(told in line for line in lines), lines


@pytest.mark.parametrize(
    ("protection", "told"),
    [
        ({"kind": "cooldown", "candles": 500}, "cooldown (line) refuses everything after the first trade"),
        ({"kind": "losing_streak", "trades": 2, "pause_candles": 500, "scope": "account"},
         "losing_streak (account) refuses everything after it first acts"),
        ({"kind": "cooldown", "candles": 100}, None),
    ],
)  # fmt: skip
def test_a_protection_that_refuses_everything(
    tmp_path: Path, capsys: Capture, protection: dict[str, Any], told: str | None
) -> None:
    config = one()
    config["trading_mode"]["protections"] = [protection]
    out = checked(tmp_path, capsys, config)
    assert told is None or f"  ! protection {told}" in out
    assert ("refuses everything" in out) is (told is not None)
