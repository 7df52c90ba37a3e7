"""Memory of an open page (`python -m tests.bench.page_memory`): a day of eight symbols, in the server and in Chromium.

A session, its testnet and `serve` are processes of their own; the page is open all the time, at the width of a desktop.
Prints a row each two simulated hours. Asserts nothing; it needs playwright and a Chromium.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.session.control import read_status
from tests.fetching import running_testnet
from tests.integration.processes import PROJECT
from tests.operator_pages import token_in
from tests.soak.session import BEGIN_MS, HOUR_MS, START, SYMBOLS, write_profile


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--speed", type=float, default=300.0, help="times real time")
    args = parser.parse_args()
    market = ("--generate", "7", "--symbols", ",".join(SYMBOLS), "--start", START)
    words = (*market, "--speed", str(args.speed), "--no-limit")
    with tempfile.TemporaryDirectory() as name, running_testnet(*words) as net:
        folder = Path(name)
        run, token = folder / "run", token_in(folder)
        session = ["--mode", "paper", "--config", str(write_profile(folder, 60)), "--exchange-url", net]
        session += ["--cache", str(folder / "cache"), "--out", str(run)]
        page = ["serve", str(run), "--port", "0", "--token-file", str(token)]
        with started(session) as trading:
            while not (run / "status.json").exists():
                time.sleep(0.1)
            with started(page, stdout=subprocess.PIPE) as server:
                url = server.stdout.readline().split()[-1]
                look(url, token.read_text().strip(), server.pid, run, args.hours)
            trading.terminate()


@contextmanager
def started(words: list[str], **options: Any) -> Iterator[Any]:
    """A process of Onetape's until the block ends."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "text": True, **options}
    with subprocess.Popen([sys.executable, "-m", "app", *words], cwd=PROJECT, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def look(url: str, token: str, server_pid: int, run: Path, hours: int) -> None:
    """Open the page and print its memory as the hours go by."""
    from playwright.sync_api import sync_playwright

    path = next(found for name in ("chromium", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/login#{token}")
        page.wait_for_url(url + "/")
        page.goto(f"{url}/s/run/")
        page.wait_for_selector("#candles[data-shown]")
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        print("| hour | server RSS MiB | JS heap MiB | nodes | listeners |\n|---|---|---|---|---|")
        for hour in range(0, hours + 1, 2):
            while (read_status(run)["last_slice_ms"] or 0) < BEGIN_MS + hour * HOUR_MS:
                page.wait_for_timeout(200)
            tools.send("HeapProfiler.collectGarbage")
            told = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
            heap, nodes, listeners = told["JSHeapUsedSize"] / 2**20, told["Nodes"], told["JSEventListeners"]
            print(f"| {hour} | {rss_mib(server_pid):.1f} | {heap:.1f} | {nodes:.0f} | {listeners:.0f} |", flush=True)
        browser.close()


def rss_mib(pid: int) -> float:
    """Of a process."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
