"""`make storm`: storms and kills of fetches and paper sessions, each held to the truth: files, tape and history.

Over sockets: fifty storms and thirty kills of a fetch, thirty storms and fifty kills of a paper session, thirty of each
of one with three strategies. In the process, on a virtual clock: ten thousand seeds of the live feed within the
lateness limit, as many beyond it, and ten thousand of whole sessions. Resumable: what passed is in logs/storm.json and
not done again. A case that fails is kept there and printed with its replay command; the exit status is then 1.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.session_weather import MODES
from tests.storm.live import LiveCase
from tests.storm.weather import PROJECT, kill, storm

_DAYS = 30
_SEEDS = 500  # in the process, on a virtual clock, a case
_PAPER_STORM = LiveCase(candles=30, speed=20.0)  # at this speed an outage of a storm stays within the lateness limit
_PAPER_KILL = LiveCase(candles=40, speed=40.0)


@dataclass(frozen=True)
class Case:
    """What came of one: nothing wrong if `problem` is empty."""

    problem: str
    elapsed_s: float
    facts: dict[str, Any]


def _fetch(of: Callable[[int, int], Any]) -> Callable[[int], Case]:
    def case(seed: int) -> Case:
        outcome = of(seed, _DAYS)
        facts = {"requests": outcome.state["requests"], "faults": sum(outcome.state["faults"].values())}
        return Case(outcome.problem, outcome.elapsed_s, facts)

    return case


def _paper(of: Callable[[int], Any]) -> Callable[[int], Case]:
    def case(seed: int) -> Case:
        outcome = of(seed)
        facts = {"fills": outcome.fills, "late": outcome.feed, "faults": sum(outcome.state.get("faults", {}).values())}
        return Case(outcome.problem, outcome.elapsed_s, facts)

    return case


def _in_process(program: str, mode: str) -> Callable[[int], Case]:
    def case(number: int) -> Case:
        began_s = time.monotonic()
        first = (number - 1) * _SEEDS
        command = [sys.executable, "-m", program, mode, str(first), str(_SEEDS)]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        problem = done.stderr[-800:] if done.returncode else ""
        had = json.loads(done.stdout) if done.stdout else {}
        return Case(problem, time.monotonic() - began_s, {"from": f"seed {first}", **had})

    return case


_CASES: dict[str, tuple[int, Callable[[int], Case]]] = {
    "fetch-storm": (50, _fetch(storm)),
    "fetch-kill": (30, _fetch(kill)),
    "paper-storm": (30, _paper(_PAPER_STORM.storm)),
    "paper-kill": (50, _paper(_PAPER_KILL.kill)),
    "portfolio-storm": (30, _paper(replace(_PAPER_STORM, portfolio=True).storm)),
    "portfolio-kill": (30, _paper(replace(_PAPER_KILL, portfolio=True).kill)),
    "feed-within": (20, _in_process("tests.live_weather", "within")),
    "feed-beyond": (20, _in_process("tests.live_weather", "beyond")),
    **{f"session-{mode}": (5, _in_process("tests.session_weather", mode)) for mode in MODES},
}


def main() -> int:
    """Run what is not done yet; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", default=",".join(_CASES), help="default: %(default)s")
    parser.add_argument("--at-once", type=int, default=3, help="cases side by side, each in its own processes")
    parser.add_argument("--only", metavar="KIND:SEED", help="replay one case")
    parser.add_argument("--record", type=Path, default=PROJECT / "logs/storm.json")
    args = parser.parse_args()
    if args.only:
        kind, _, seed = args.only.partition(":")
        case = _CASES[kind][1](int(seed))
        print(f"{args.only}: {case.problem or 'as it must be'} in {case.elapsed_s:.1f} s, {case.facts}")
        return 1 if case.problem else 0
    kinds = args.kinds.split(",")
    return _run(
        [f"{kind}:{seed}" for kind in kinds for seed in range(1, _CASES[kind][0] + 1)], args.at_once, args.record
    )


def _run(wanted: list[str], at_once: int, record: Path) -> int:
    done: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {"passed": {}, "failed": {}}
    left = [name for name in wanted if name not in done["passed"]]
    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(_CASES[name.partition(":")[0]][1], int(name.partition(":")[2])): name for name in left}
        for future in as_completed(running):
            _note(done, running[future], future.result())
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(done, indent=1, sort_keys=True) + "\n")
    for kind in dict.fromkeys(name.partition(":")[0] for name in wanted):
        passed = sum(name in done["passed"] for name in wanted if name.startswith(f"{kind}:"))
        print(f"{kind}: {passed} of {_CASES[kind][0]} as they must be")
    return 1 if any(name in done["failed"] for name in wanted) else 0


def _note(done: dict[str, Any], name: str, case: Case) -> None:
    facts = ", ".join(f"{key} {value}" for key, value in case.facts.items())
    if case.problem:
        done["failed"][name] = case.problem
        print(f"{name} FAILED: {case.problem}\n  replay: python -m tests.storm.run --only {name}", flush=True)
        return
    done["failed"].pop(name, None)
    done["passed"][name] = {**case.facts, "elapsed_s": round(case.elapsed_s, 1)}
    print(f"{name}: as it must be, {facts}, {case.elapsed_s:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
