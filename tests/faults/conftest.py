"""A user's folder with a profile and a cache of its own, and one way to ask for what must be refused.

The rule for every fault: exit status 2, one line on standard error that begins `onetape: `, nothing on standard
output, no traceback, and not a byte in the folder that was not there before.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from app.times import DAY_MS, parse_time_ms
from tests.candle_columns import make_candles, minutes

ROOT = Path(__file__).resolve().parents[2]
START, END = "2025-03-31T12:00", "2025-04-01T12:00"
START_MS = parse_time_ms("2025-03-31")  # two days of minutes: one day in each of two months
FILES = {"live": "config/live.yaml", "risk": "config/risk.json", "trading_mode": "config/trading_mode.yaml"}


class Place:
    """The folder, the commands and what they said."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def write(self, name: str, content: str | bytes) -> Path:
        """A file of this folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def tree(self) -> dict[str, bytes | None]:
        """Everything that is there."""
        paths = sorted(self.folder.rglob("*"))
        return {str(p.relative_to(self.folder)): p.read_bytes() if p.is_file() else None for p in paths}

    def command(self, *words: str) -> tuple[int, str, str]:
        """Status, standard output and standard error of a command, run in this process."""
        try:
            status = main(words)
        except SystemExit as exit_:  # argparse's own way out
            status = exit_.code if isinstance(exit_.code, int) else -1
        return status, *self._capsys.readouterr()

    def backtest(self, *words: str) -> tuple[int, str, str]:
        """A backtest of a day into `run`; later words win over the ones given here."""
        return self.command("--mode", "backtest", "--start", START, "--end", END, "--out", "run", *words)

    def refused(self, *words: str, backtest: bool = True) -> str:
        """The one line of a command that must be refused and leave everything as it was."""
        before = self.tree()
        status, out, err = self.backtest(*words) if backtest else self.command(*words)
        assert (status, out) == (2, ""), (status, out, err)
        assert err.startswith("onetape: "), err
        assert err.endswith("\n"), err
        assert err.count("\n") == 1, err
        assert "Traceback" not in err
        assert self.tree() == before, "something was left behind"
        return err.removeprefix("onetape: ").rstrip("\n")

    def process(self, *words: str, limit_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own; with `limit_bytes`, every file ends there as on a full disk."""

        def limit() -> None:
            import resource
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            assert limit_bytes is not None
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

        return subprocess.run(
            [sys.executable, "-m", "app", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=None if limit_bytes is None else limit,
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    """The shipped default profile for one symbol, and two days of minutes in the default cache."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    live = (tmp_path / FILES["live"]).read_text()
    (tmp_path / FILES["live"]).write_text(live.replace("[BTC/USDT, ETH/USDT]", "[BTC/USDT]"))
    cache = CandleCache(tmp_path / "data/backtest_cache")
    cache.merge("BTC/USDT", "1m", make_candles(minutes(2 * DAY_MS // 60_000, START_MS)))
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, capsys)


@pytest.fixture
def several(place: Place) -> Place:
    """The same with candles of two symbols and a list of two strategies."""
    from tests.faults.strategy_lists import config

    cache = CandleCache(place.folder / "data/backtest_cache")
    cache.merge("ETH/USDT", "1m", make_candles(minutes(2 * DAY_MS // 60_000, START_MS)))
    config(place, lambda live: None)
    return place
