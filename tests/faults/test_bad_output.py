"""Run folders that cannot be written, hold a finished run already, or lie on a disk that becomes full."""

import json
from pathlib import Path

import pytest

from tests.faults.conftest import END, START, Place
from tests.made_trades import read_trade_log

LOG = "run/config_backtest_2025-03-31T1200_2025-04-01T1200.csv"
BUSY = """
from app.strategies.base import FLAT, Strategy, long
class Busy(Strategy):
    lookback = 0
    async def on_candle(self, candle, view):
        return long(stop=candle.close * 0.99, target=candle.close * 1.01) if view.position is None else FLAT
"""


def test_a_finished_run_is_refused_and_stays_as_it_is(place: Place) -> None:
    assert place.backtest()[0] == 0
    assert place.refused() == "run holds a finished run; choose another --out, or remove it first"


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("file", "cannot write file: it is no folder"),
        ("file/run", "cannot write file/run: Not a directory"),
        ("/dev/full", "cannot write /dev/full: it is no folder"),
        ("/proc/onetape/run", "cannot write /proc/onetape"),
        ("/sys/onetape", "cannot write /sys/onetape"),
    ],
)
def test_an_output_that_cannot_be_a_folder(place: Place, out: str, said: str) -> None:
    place.write("file", "mine")
    assert place.refused("--out", out).startswith(said)


@pytest.mark.parametrize("name", ["trade log", "equity"])
def test_a_folder_in_the_place_of_a_file(place: Place, name: str) -> None:
    blocked = Path(LOG) if name == "trade log" else Path("run/equity.arrows")
    (place.folder / blocked).mkdir(parents=True)
    status, out, err = place.backtest()
    assert (status, out) == (2, "")
    assert err == f"onetape: cannot write {blocked}: Is a directory\n"
    assert not (place.folder / "run/results.json").exists()


@pytest.mark.parametrize("limit_bytes", [0, 100, 400, 5_000, 20_000])
def test_a_disk_that_becomes_full_is_one_line_and_no_finished_run(place: Place, limit_bytes: int) -> None:
    place.write("busy.py", BUSY)
    command = ("--mode", "backtest", "--start", START, "--end", END, "--out", "run", "--strategy", "busy.py")
    before = place.tree()
    done = place.process(*command, limit_bytes=limit_bytes)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("onetape: cannot write run")
    assert done.stderr.endswith(": the disk is full\n")
    assert done.stderr.count("\n") == 1
    left = {name for name in place.tree() if name not in before}
    assert left <= {"run", LOG, "run/equity.arrows", "run/signals.csv"}
    # What got to the disk is the beginning of the very same log, and the same command runs once there is room.
    partial = (place.folder / LOG).read_bytes() if limit_bytes else b""  # then not even the lock was written
    assert place.backtest("--strategy", "busy.py")[0] == 0
    whole = (place.folder / LOG).read_bytes()
    assert len(whole) > 20_000
    assert whole.startswith(partial)
    assert not (place.folder / "run/equity.arrows").exists()


@pytest.mark.parametrize("name", ["equity.parquet.tmp", "manifest.json.tmp", "results.json.tmp"])
def test_a_disk_that_becomes_full_with_the_last_files(place: Place, name: str) -> None:
    (place.folder / "run").mkdir()
    (place.folder / "run" / name).symlink_to("/dev/full")
    status, out, err = place.backtest()
    assert (status, out) == (2, "")
    assert err.startswith("onetape: cannot write run")
    assert err.endswith(": the disk is full\n")
    left = {path.name for path in (place.folder / "run").iterdir()}
    assert "results.json" not in left
    assert not any(name.endswith(".tmp") for name in left), left
    rows = list(read_trade_log(place.folder / LOG))
    assert rows[-1]["action"] == "CLOSE"


def test_a_full_disk_under_the_cache_changes_nothing_stored(place: Place) -> None:
    rows = "".join(f"{1743552000000 + i * 60000},100,101,99,100.5,{i}.123456789\n" for i in range(5_000))
    place.write("new.csv", "timestamp_ms,open,high,low,close,volume\n" + rows)
    before = place.tree()
    command = ("data", "import", "new.csv", "--symbol", "BTC/USDT", "--timeframe", "1m")
    done = place.process(*command, limit_bytes=10_000)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("onetape: candles cannot be written below data/backtest_cache/BTC_USDT/1m: ")
    assert done.stderr.endswith("; what was stored is unchanged\n")
    assert place.tree() == before
    assert place.process(*command).returncode == 0


def test_an_export_that_cannot_be_written(place: Place) -> None:
    series = ("--symbol", "BTC/USDT", "--timeframe", "1m")
    place.write("old.csv", "old")
    for words, said in (
        (("old.txt",), "old.txt must end in .csv or .csv.gz; other kinds are not written"),
        (("absent/a.csv",), "absent/a.csv cannot be written: No such file or directory"),
        (("config/live.yaml/a.csv",), "config/live.yaml/a.csv cannot be written: Not a directory"),
        (
            ("--start", "2025-04-01", "--end", "2025-03-01", "old.csv"),
            "--start 2025-04-01 is not before --end 2025-03-01",
        ),
        (("--start", "2030-01-01", "old.csv"), "no candles of BTC/USDT 1m in that range; there are 2,880"),
    ):
        assert place.refused("data", "export", *series, *words, backtest=False).startswith(said)


def test_results_are_written_last(place: Place) -> None:
    assert place.backtest()[0] == 0
    written = {path.name: path.stat().st_mtime_ns for path in (place.folder / "run").iterdir()}
    assert written.pop("report.html") >= written["results.json"]  # a page of what is finished, and no part of it
    assert max(written, key=lambda name: written[name]) == "results.json"
    assert json.loads((place.folder / "run/results.json").read_text())["status"] == "finished"
