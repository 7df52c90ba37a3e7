"""An epoch over real sockets: killed, refused with another config, continued; then its tape, compare and why."""

import json
import signal
from pathlib import Path
from typing import Any

from app.feeds.tape import read_tape
from app.session.epochs import differing
from tests.fetching import run, running_testnet
from tests.integration.processes import results_of
from tests.integration.test_paper import SERVED, Paper

RATIO = ("--set", "risk.reward_risk_ratio=9.0")


def status_of(paper: Paper) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(run("status", str(paper.run), "--json").stdout)
    return content


def killed(paper: Paper) -> None:
    paper.process.kill()
    paper.process.communicate()


def test_a_killed_session_goes_on_with_another_config(tmp_path: Path) -> None:
    with running_testnet(*SERVED) as url:
        paper = Paper(tmp_path, url)
        paper.wait_for(lambda: len(paper.rows()) % 2 == 1)
        killed(paper)
        rows = paper.rows()
        refused = run(*paper.words, *RATIO)
        assert refused.returncode == 2
        assert "changed since: the settings (risk.reward_risk_ratio). Continue with what it was begun" in refused.stderr
        assert "--new-epoch" in refused.stderr
        paper.start(*RATIO, "--new-epoch")
        paper.wait_for(lambda: status_of(paper).get("epoch") == 2)
        kept = read_tape(paper.run).epochs[1].header["state"]["books"]["positions"]
        paper.wait_for(lambda: len(now := paper.rows()) > len(rows) + 2 and now[-1]["action"] == "OPEN")
        # The latch survives an epoch, and so does a command that waited for it.
        assert run("kill", str(paper.run), "--why", "a test").returncode == 0
        paper.wait_for(lambda: bool(status_of(paper)["halted"]))
        killed(paper)
        paper.start("--new-epoch")
        paper.wait_for(lambda: status_of(paper).get("epoch") == 3)
        assert status_of(paper)["halted"]
        paper.wait_for(lambda: len(paper.rows()) % 2 == 0)
        status, _, err = paper.ended(signal.SIGTERM)
        assert status == 0
        assert err.startswith("onetape: epoch 3 begins after ")
    log = paper.rows()
    assert log[: len(rows)] == rows
    for one in kept:
        close = next(row for row in log if row["action"] == "CLOSE" and row["trade_id"] == str(one["trade_id"]))
        assert (float(close["stop_loss"]), float(close["take_profit"])) == (one["stop"], one["target"])
    assert [row["trade_id"] for row in log if row["action"] == "OPEN"] == [str(n + 1) for n in range(len(log) // 2)]
    results = results_of(paper.run)
    assert [(one["number"], one["changed"]) for one in results["epochs"]] == [
        (1, []),
        (2, ["the settings (risk.reward_risk_ratio)"]),
        (3, ["the settings (risk.reward_risk_ratio)"]),
    ]
    tape = read_tape(paper.run)
    assert all(record.digest for record in tape.records)
    first, second = (epoch.header["settings"] for epoch in tape.epochs[:2])
    assert differing(first, second) == ["risk.reward_risk_ratio"]
    assert_proofs(paper, tmp_path, results)


def assert_proofs(paper: Paper, folder: Path, results: dict[str, Any]) -> None:
    """The tape gives the same bytes; compare, why and reproduce follow each epoch, also of the replay."""
    name, replayed = results["files"]["trades"], folder / "tape"
    tape = run("--mode", "backtest", "--tape", str(paper.run), "--out", str(replayed))
    assert (tape.returncode, tape.stderr) == (0, "")
    assert (replayed / name).read_bytes() == (paper.run / name).read_bytes()
    assert (replayed / "equity.parquet").read_bytes() == (paper.run / "equity.parquet").read_bytes()
    compared = run("compare", str(paper.run), str(replayed))
    assert compared.returncode == 0
    assert "the same: " in compared.stdout
    assert "What went in and differs" not in compared.stdout
    for one in (paper.run, replayed):
        again = run("reproduce", str(one))
        assert (again.returncode, again.stderr) == (0, ""), again.stdout
    signals = (paper.run / "signals.csv").read_text().splitlines()[1:]
    asked = [row.split(",") for row in (signals[0], signals[-1])]
    for time, symbol, _, _, outcome, *_ in asked:
        for one in (paper.run, replayed):
            why = json.loads(run("why", str(one), symbol, time, "--json").stdout)
            assert why["outcome"] == outcome
