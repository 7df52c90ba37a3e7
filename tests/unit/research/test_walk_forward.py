"""A walk-forward: each window a backtest with the balance before, done windows stay, other walks are refused."""

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from app import run_config_backtest
from app.cli.main import main
from app.errors import OutputError
from app.research import walk_forward
from app.research.walk_forward import Best, efficiency, walk_windows
from app.research.windows import Window, WindowRule
from app.times import DAY_MS
from tests.walks import CACHE, CONFIG, always, best_of, files_of, walk

NEVER = "strategy.params.volume_factor=1e9"


def test_the_balance_is_carried_and_each_window_is_its_own_backtest(tmp_path: Path) -> None:
    blocks = walk_windows(walk(), always("strategy.params.ema_fast=8"), tmp_path / "walk")
    assert [block["number"] for block in blocks] == [1, 2, 3]
    balance = 10_000.0
    for block in blocks:
        out = block["out_of_sample"]
        assert out["starting_balance"] == balance
        assert out["trades"] > 0
        alone = run_config_backtest(
            out["start"], out["end"], config=CONFIG, cache=CACHE, out=tmp_path / f"alone{block['number']}",
            overrides=["strategy.params.ema_fast=8", f"starting_balance={balance!r}"], offline=True,
        )  # fmt: skip
        log = (alone.folder / alone["files"]["trades"]).read_bytes()
        assert block["trades_sha256"] == hashlib.sha256(log).hexdigest()
        assert (tmp_path / "walk" / block["files"]["trades"]).read_bytes() == log
        balance = out["final_balance"]
        assert balance == alone["performance"]["final_equity"]
    assert balance != 10_000.0


def test_the_command_of_a_window_gives_its_trades(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = walk_windows(walk(), always("strategy.params.ema_fast=8"), tmp_path / "walk")[1]
    words = shlex.split(block["command"])
    assert words[:3] == ["python", "-m", "app"]
    assert main([*words[3:], "--out", str(tmp_path / "alone")]) == 0
    capsys.readouterr()
    (log,) = (tmp_path / "alone").glob("config_backtest_*.csv")
    assert hashlib.sha256(log.read_bytes()).hexdigest() == block["trades_sha256"]


def test_a_window_without_a_best_trades_nothing_and_keeps_the_balance(tmp_path: Path) -> None:
    def optimise(window: Window) -> Best:
        return Best(None, None, 3, {}) if window.number == 2 else best_of("strategy.params.ema_fast=8")

    blocks = walk_windows(walk(), optimise, tmp_path / "walk")
    first, second, third = (block["out_of_sample"] for block in blocks)
    assert blocks[1]["best"] is None
    assert blocks[1]["trials"] == 3
    assert second["starting_balance"] == second["final_balance"] == first["final_balance"] == third["starting_balance"]
    assert (second["trades"], second["return_pct"], blocks[1]["efficiency"]) == (0, 0.0, None)
    assert [path.name for path in (tmp_path / "walk/windows/02").iterdir()] == ["window.json"]


def test_nothing_is_traded_once_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def optimise(window: Window) -> Best:
        asked.append(window.number)
        return best_of("strategy.params.ema_fast=8")

    real = walk_forward._run

    def ruined(runner: Any, place: Path) -> dict[str, Any]:
        results = dict(real(runner, place))
        return results | {"performance": results["performance"] | {"final_balance": 0.0}}

    monkeypatch.setattr(walk_forward, "_run", ruined)
    blocks = walk_windows(walk(), optimise, tmp_path / "walk")
    assert asked == [1]
    assert [block["out_of_sample"]["final_balance"] for block in blocks] == [0.0, 0.0, 0.0]
    assert blocks[2]["best"] is None


def test_a_halted_window_stays_halted_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    low = "safety.max_drawdown=0.003"
    blocks = walk_windows(walk(overrides=[low]), always("strategy.params.ema_fast=8"), tmp_path / "walk")
    halted = [block["out_of_sample"]["halted"] for block in blocks]
    assert halted.index(True) < 2  # and a later window traded again
    after = blocks[halted.index(True) + 1]["out_of_sample"]
    assert after["trades"] > 0


def test_a_walk_goes_on_after_the_last_window_that_was_done(tmp_path: Path) -> None:
    whole = walk_windows(walk(), always("strategy.params.ema_fast=8"), tmp_path / "whole")

    def stopped(window: Window) -> Best:
        if window.number == 3:
            raise KeyboardInterrupt
        return best_of("strategy.params.ema_fast=8")

    with pytest.raises(KeyboardInterrupt):
        walk_windows(walk(), stopped, tmp_path / "walk")
    # A window that was cut off half-way lies beside its place, and is made again.
    partial = tmp_path / "walk/windows/.03.partial"
    partial.mkdir()
    (partial / "results.json").write_text("{}")
    asked: list[int] = []

    def optimise(window: Window) -> Best:
        asked.append(window.number)
        return best_of("strategy.params.ema_fast=8")

    assert walk_windows(walk(), optimise, tmp_path / "walk") == whole
    assert asked == [3]
    assert files_of(tmp_path / "walk") == files_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"rule": WindowRule(20 * DAY_MS, 10 * DAY_MS)}, "rule"),
        ({"params": ["ema_fast=5:10:5"]}, "search"),
        ({"overrides": ["commission_rate=0.002"]}, "search"),
        ({"end": "2023-05-05"}, "period, search"),
    ],
)
def test_a_folder_of_another_walk_is_refused(tmp_path: Path, changes: dict[str, Any], differing: str) -> None:
    walk_windows(walk(), always("strategy.params.ema_fast=8"), tmp_path / "walk")
    with pytest.raises(OutputError, match=rf"holds another walk \({differing} differ\); choose another --out"):
        walk_windows(walk(**changes), always("strategy.params.ema_fast=8"), tmp_path / "walk")


def test_what_else_is_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty, and what it holds is no walk"):
        walk_windows(walk(), always(), tmp_path)
    done = tmp_path / "done"
    done.mkdir()
    (done / "walk_forward.json").write_text("{}")
    with pytest.raises(OutputError, match="holds a finished walk"):
        walk_windows(walk(), always(), done)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "walk.json").write_text("{")
    with pytest.raises(OutputError, match=r"walk\.json cannot be read"):
        walk_windows(walk(), always(), broken)
    assert sorted(files_of(tmp_path)) == ["broken/walk.json", "done/walk_forward.json", "notes.txt"]


def test_efficiency_by_hand(tmp_path: Path) -> None:
    blocks = walk_windows(walk(), always("strategy.params.ema_fast=8"), tmp_path / "walk")
    for block in blocks:
        out = block["out_of_sample"]
        # 4 % in 20 days is 2 % in 10, the length out of sample.
        assert block["efficiency"] == pytest.approx(out["return_pct"] / 2.0)
        assert out["yearly_pct"] == pytest.approx(out["return_pct"] * 36.525)
    mean = sum(block["out_of_sample"]["return_pct"] for block in blocks) / 3
    assert efficiency(blocks) == pytest.approx(mean / 2.0)
    blocks[0]["in_sample"]["yearly_pct"] = -1_000.0
    assert efficiency(blocks) is None
    assert efficiency(blocks[:1]) is None


def test_a_window_that_trades_nothing_out_of_sample_is_a_run_like_any_other(tmp_path: Path) -> None:
    blocks = walk_windows(walk(), always(NEVER), tmp_path / "walk")
    assert [block["out_of_sample"]["trades"] for block in blocks] == [0, 0, 0]
    assert blocks[2]["out_of_sample"]["final_balance"] == 10_000.0
    assert blocks[0]["efficiency"] == 0.0
    assert json.loads((tmp_path / "walk/windows/01/window.json").read_text()) == blocks[0]
