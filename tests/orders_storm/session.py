"""The two processes of a case: a testnet, and a live session that is led through its step and perhaps killed there.

The exchange's clock stands until a session asks it for the first time, and after a kill until it is up again, so that
a busy machine changes little.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.fetching import add_fault, state_of
from tests.integration.processes import PATIENCE_S, PROJECT
from tests.orders_storm.faults import StepFault
from tests.orders_storm.steps import ENVIRONMENT, Step, write_profile
from tests.storm.live import hold_clock

NOT_KILLED = "the moment to kill it never came"
_LOOK_S = 0.02
_DOWN_S = 0.3  # how long the exchange goes on before a killed session starts again


class Kill(StrEnum):
    """When SIGKILL comes: never, when the intent is on the tape, when the exchange has the request, while it holds its
    answer, or a moment later."""

    NEVER = "no kill"
    INTENT = "at the intent"
    REQUEST = "at the request"
    HELD = "before the answer"
    AFTER = "after the answer"


@dataclass
class Led:
    """What a session was seen to do. `down`: real seconds of the testnet between which no session ran."""

    problem: str = ""
    is_killed: bool = False
    down: list[tuple[float, float]] = field(default_factory=list)
    error: str = ""


class LiveSession:
    """One case's session in `folder`, at the testnet `url`."""

    def __init__(self, folder: Path, url: str, step: Step, fault: StepFault, kill: Kill) -> None:
        self.run = folder / "live"
        self._folder, self._url, self._step, self._fault, self._kill = folder, url, step, fault, kill
        self.environment = {**os.environ, **ENVIRONMENT, "XDG_STATE_HOME": str(folder / "state")}
        config = write_profile(folder, step, fault.orders or {})
        self._command = [
            sys.executable, "-m", "app", "--mode", "live", "--config", str(config), "--exchange-url", url,
            "--cache", str(folder / "cache"), "--out", str(self.run), "--end", step.end,
        ]  # fmt: skip
        self._held, self._acted = True, not step.act
        self._requests = 0  # that were made before this start
        self._killing_s: float | None = None
        self._waiting = 0  # faults of the testnet that have met nobody yet, once they were posted

    def lead(self) -> Led:
        """To its end."""
        led = Led()
        hold_clock(self._url, held=True)
        if self._acted:
            self._post_faults(self._step.decided_ms)
        while True:
            was_killed = led.is_killed
            status, led.error = self._process(led)
            is_finished = (self.run / "results.json").exists()  # the kill came when all was written
            if status == -signal.SIGKILL and led.is_killed and not was_killed and not is_finished:
                down_s = state_of(self._url)["real_s"]
                time.sleep(_DOWN_S)
                if self._fault.holds_clock:
                    hold_clock(self._url, held=True)
                    self._held = True
                led.down.append((down_s, down_s))
                continue
            hold_clock(self._url, held=False)
            if led.down and led.down[-1][0] == led.down[-1][1]:
                led.down[-1] = (led.down[-1][0], state_of(self._url)["real_s"])
            if status and not (is_finished and status == -signal.SIGKILL):
                led.problem = f"exit status {status}: {led.error[-600:]}"
            elif self._kill is not Kill.NEVER and not led.is_killed:
                led.problem = NOT_KILLED
            return led

    def _process(self, led: Led) -> tuple[int, str]:
        (self.run / "status.json").unlink(missing_ok=True)  # a session that is up writes it
        self._requests = state_of(self._url)["requests"]
        with (self._folder / "errors.txt").open("w+") as errors:
            process = subprocess.Popen(
                self._command, cwd=PROJECT, env=self.environment, stdout=subprocess.DEVNULL, stderr=errors
            )
            try:
                deadline_s = time.monotonic() + PATIENCE_S
                while process.poll() is None:
                    if time.monotonic() > deadline_s:
                        led.problem = "it never ended"
                        break
                    self._look(process, led)
                    time.sleep(_LOOK_S)
            finally:
                process.kill()
                process.wait()
            errors.seek(0)
            return process.returncode, errors.read()

    def _look(self, process: "subprocess.Popen[bytes]", led: Led) -> None:
        state = state_of(self._url)
        is_up = (self.run / "status.json").exists()
        if is_up and led.down and led.down[-1][0] == led.down[-1][1]:
            led.down[-1] = (led.down[-1][0], state["real_s"])
        if self._held and (is_up if led.down else state["requests"] > self._requests):
            hold_clock(self._url, held=False)
            self._held = False
        if not self._acted and self._is_protected():
            self._acted = True
            self._post_faults(state["now_ms"])
            if self._step.act == "stop":
                process.send_signal(signal.SIGTERM)
            else:
                (self._folder / "KILL").touch()
        if self._kill is not Kill.NEVER and not led.is_killed and self._is_moment(state):
            led.is_killed = True
            process.kill()

    def _post_faults(self, at_ms: int) -> None:
        specs = self._fault.specs(self._step, at_ms)
        if self._kill is Kill.HELD:
            specs = [{"fault": "late_after", **self._step.target, "s": 5.0}, *specs]
        for spec in specs:
            add_fault(self._url, **spec)
        self._waiting = state_of(self._url)["faults_waiting"]

    def _is_moment(self, state: dict[str, Any]) -> bool:
        """Whether to kill it now."""
        if self._kill is Kill.INTENT:
            return self._acted and self._has_intent()
        if self._fault.meets or self._kill is Kill.HELD:
            met = self._acted and self._waiting > state["faults_waiting"]
        else:
            met = self._acted and self._seen() > self._step.after
        if not met:
            return False
        self._killing_s = self._killing_s or time.monotonic() + (0.4 if self._kill is Kill.AFTER else 0.0)
        return time.monotonic() >= self._killing_s

    def _seen(self) -> int:
        with urllib.request.urlopen(f"{self._url}/testnet/log", timeout=PATIENCE_S) as answer:
            return sum(map(self._step.is_request, json.load(answer)["requests"]))

    def _has_intent(self) -> bool:
        kind = '"place_oco"' if self._step.path == "orderList/oco" else '"cancel"'
        wanted = kind if self._step.method == "DELETE" or kind == '"place_oco"' else f'-{self._step.match["leg"]}"'
        lines = [line for line in self._tape().splitlines() if '["intents"' in line and wanted in line]
        return len(lines) > self._step.after

    def _is_protected(self) -> bool:
        with contextlib.suppress(OSError, ValueError, KeyError):
            status = json.loads((self.run / "status.json").read_text())
            stops = status["real_orders"]["stops"].values()
            return bool(stops) and all(one["place"] == "on the exchange" for one in stops)
        return False

    def _tape(self) -> str:
        return "".join(path.read_text() for path in sorted((self.run / "tape").glob("*.jsonl")))


def page_of(url: str, name: str) -> dict[str, Any]:
    """One of the testnet's own pages."""
    with urllib.request.urlopen(f"{url}/testnet/{name}", timeout=PATIENCE_S) as answer:
        content: dict[str, Any] = json.load(answer)
        return content
