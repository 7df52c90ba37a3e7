"""`python -m tests.bench.report`: what report.html adds to a run, its size, and the time to the first picture.

The shipped sample and a year of 1m candles, whole processes with and without the page in turn, medians. Nothing is
asserted.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.times import short_time
from tests.bench.series import SYMBOLS, YEAR_START_MS

_ROOT = Path(__file__).resolve().parents[2]
_CACHE = Path(tempfile.gettempdir()) / "onetape-bench-cache"
_YEAR_MS = 365 * 86_400_000
_SAMPLE = (
    "--config", str(_ROOT / "config/sample/live.yaml"), "--cache", str(_ROOT / "data/sample"),
    "--start", "2017-08-17T04:00", "--end", "2024-01-02",
)  # fmt: skip
_YEAR = (
    "--cache", str(_CACHE), "--symbols", SYMBOLS[0], "--set", "safety.max_drawdown=null",
    "--start", short_time(YEAR_START_MS), "--end", short_time(YEAR_START_MS + _YEAR_MS),
)  # fmt: skip


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    subprocess.run([sys.executable, "-m", "tests.bench.candles", str(_CACHE)], check=True)
    print("| run | without, s | with, s | added, s | page, MB | opens in, s |\n|---|---|---|---|---|---|")
    for name, arguments in (("the shipped sample", _SAMPLE), ("a year of 1m", _YEAR)):
        with tempfile.TemporaryDirectory() as folder:
            bare, whole = [], []
            for number in range(rounds):
                bare.append(_timed(arguments, Path(folder) / f"bare{number}", "--no-report"))
                whole.append(_timed(arguments, Path(folder) / f"whole{number}"))
            page = Path(folder) / "whole0/report.html"
            added = statistics.median(b - a for a, b in zip(bare, whole, strict=True))
            opens = _opens(page, rounds)
            shown = "no Chromium" if opens is None else f"{opens:.2f}"
            size = page.stat().st_size / 1e6
            times = " | ".join(f"{value:.2f}" for value in (*map(statistics.median, (bare, whole)), added, size))
            print(f"| {name} | {times} | {shown} |")


def _timed(arguments: tuple[str, ...], out: Path, *more: str) -> float:
    command = [sys.executable, "-m", "app", "--mode", "backtest", "--offline", *arguments, "--out", str(out), *more]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _opens(page: Path, rounds: int) -> float | None:
    # Until every chart of the page is drawn, in a browser that has started.
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        return None
    from playwright.sync_api import sync_playwright

    took = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(rounds):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            began = time.perf_counter()
            tab.goto(page.as_uri())
            tab.wait_for_selector("html[data-ready=yes]")
            tab.screenshot()
            took.append(time.perf_counter() - began)
            tab.close()
        browser.close()
    return statistics.median(took)


if __name__ == "__main__":
    main()
