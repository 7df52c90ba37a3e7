"""`make paper`: a rehearsal without a network. A testnet replays the sample at high speed, a paper session trades it.

Then the proof: the session's tape, replayed, and a backtest over the exchange's own history give the same trade log,
byte for byte. Ends with exit status 1 where they do not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PROFILE = ("--config", "config/sample/live.yaml")


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", default="2023-03-01T00:30", help="the testnet's time when it starts")
    parser.add_argument("--end", default="2023-03-11", help="the session's end")
    parser.add_argument("--speed", default="18000", help="times real time: an hour's candle in a fifth of a second")
    parser.add_argument("--faults", default="none", help="none, storm:SEED or a file")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.out or Path(temporary)).resolve()
        words = ["--cache", "data/sample", "--start", args.start, "--speed", args.speed, "--faults", args.faults]
        with subprocess.Popen(_command("testnet", *words), cwd=PROJECT, stdout=subprocess.PIPE, text=True) as testnet:
            try:
                assert testnet.stdout is not None
                url = testnet.stdout.readline().split()[-1]
                return _rehearse(folder, url, args.end)
            finally:
                testnet.terminate()


def _rehearse(folder: Path, url: str, end: str) -> int:
    live, tape, history = folder / "live", folder / "tape", folder / "history"
    there = ("--exchange-url", url)
    print(f"paper session on {url}", flush=True)
    _run("--mode", "paper", *PROFILE, *there, "--end", end, "--cache", str(folder / "cache"), "--out", str(live))
    print("\nits tape, replayed", flush=True)
    _run("--mode", "backtest", "--tape", str(live), "--out", str(tape), quiet=True)
    print("a backtest over the exchange's history", flush=True)
    period = json.loads((live / "results.json").read_text())["requested"]
    span = ("--start", period["start"], "--end", period["end"], "--cache", str(folder / "history-cache"))
    _run("--mode", "backtest", *PROFILE, *there, *span, "--out", str(history), quiet=True)
    print("compared: live with history\n", flush=True)
    _run("compare", str(live), str(history), "--cache", str(folder / "history-cache"), "--cache", str(folder / "cache"))
    logs = {name: _trade_log(run) for name, run in (("live", live), ("tape", tape), ("history", history))}
    rows = logs["live"].count(b"\n") - 1
    same = len(set(logs.values())) == 1
    print(f"\ntape = history = live: {'the same' if same else 'NOT the same'} trade log, {rows} fills, byte for byte")
    return 0 if same else 1


def _trade_log(run: Path) -> bytes:
    results = json.loads((run / "results.json").read_text())
    return (run / str(results["files"]["trades"])).read_bytes()


def _run(*words: str, quiet: bool = False) -> None:
    done = subprocess.run(_command(*words), cwd=PROJECT, stdout=subprocess.DEVNULL if quiet else None, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with exit status {done.returncode}")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "app", *words]


if __name__ == "__main__":
    sys.exit(main())
