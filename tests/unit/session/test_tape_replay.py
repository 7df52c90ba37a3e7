"""`--tape RUN`: the recorded session's files again, whole or torn; a tape that no longer fits is refused."""

import json
import shutil
from pathlib import Path

import pytest

from app.errors import DataError, OutputError
from app.feeds.tape import read_tape
from app.models.events import Stop
from app.session.tape_replay import TapeRunner
from tests.live_sessions import NAME, OPEN_AFTER, Live, live, market


@pytest.fixture
async def recorded(tmp_path: Path) -> Live:
    """The golden market, to its end."""
    made = live(tmp_path / "live")
    await made.run(*market())
    return made


def log(folder: Path) -> bytes:
    return (folder / f"{NAME}.csv").read_bytes()


async def test_the_same_files_again(recorded: Live, tmp_path: Path) -> None:
    results = await TapeRunner(recorded.run_folder, tmp_path / "tape").run_async()
    assert log(tmp_path / "tape") == log(recorded.run_folder)
    for name in ("equity.parquet", "signals.csv", "refused.jsonl"):
        assert (tmp_path / "tape" / name).read_bytes() == (recorded.run_folder / name).read_bytes()
    assert results["performance"] == recorded.results["performance"]
    assert results["funnel"] == recorded.results["funnel"]
    assert (results["mode"], results["note"]) == ("backtest", f"the tape of {recorded.run_folder}")
    assert results.folder == tmp_path / "tape"
    assert json.loads((tmp_path / "tape" / "results.json").read_text()) == dict(results)


async def test_a_tape_that_was_never_ended_is_flattened_at_its_end(tmp_path: Path) -> None:
    made = live(tmp_path / "live")
    for event in market()[:OPEN_AFTER]:
        made.journal.done(made.journal.write(event), await made.recorded.handle(event))
    assert made.recorded.runtime.account.positions
    made.close()
    results = await TapeRunner(tmp_path / "live", tmp_path / "tape").run_async()
    assert log(tmp_path / "tape").startswith(log(tmp_path / "live"))
    assert b"end_of_data" in log(tmp_path / "tape")
    assert results["status"] == "finished"


async def test_a_torn_tail_is_the_end(recorded: Live, tmp_path: Path) -> None:
    path = recorded.run_folder / "tape" / "000001.jsonl"
    path.write_bytes(path.read_bytes()[:-700])
    whole = len(list(read_tape(recorded.run_folder).records))
    assert whole < len(market())
    await TapeRunner(recorded.run_folder, tmp_path / "tape").run_async()
    first = log(tmp_path / "tape").splitlines()
    assert first[: len(first) - 2] == log(recorded.run_folder).splitlines()[: len(first) - 2]


async def test_a_stopped_session_ends_with_its_stop(tmp_path: Path) -> None:
    made = live(tmp_path / "live")
    await made.run(*market()[:OPEN_AFTER], Stop("SIGTERM"))
    await TapeRunner(tmp_path / "live", tmp_path / "tape").run_async()
    assert log(tmp_path / "tape") == log(tmp_path / "live")
    assert b"shutdown" in log(tmp_path / "tape")


async def test_another_decision_is_named_and_nothing_passes_for_a_finished_run(
    recorded: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.parity.seeded_strategy.toss", lambda *_: None)
    with pytest.raises(DataError, match=r"event \d+ \(\w+\) was decided on differently"):
        await TapeRunner(recorded.run_folder, tmp_path / "tape").run_async()
    assert not (tmp_path / "tape" / "results.json").exists()


async def test_a_folder_without_a_tape_and_one_that_is_taken(recorded: Live, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no tape"):
        await TapeRunner(tmp_path, tmp_path / "tape").run_async()
    shutil.copytree(recorded.run_folder, tmp_path / "tape")
    with pytest.raises(OutputError, match="holds a finished run"):
        await TapeRunner(recorded.run_folder, tmp_path / "tape").run_async()
