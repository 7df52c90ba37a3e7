"""`make storm`: fifty storms and thirty kills of a 30-day fetch of four symbols, each compared with an import.

Resumable: what passed is written to logs/storm.json as it comes and not done again. A case that fails is kept in
the file with what was wrong, printed with the command that replays it, and ends the whole with exit status 1.
"""

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tests.storm.weather import PROJECT, Outcome, kill, storm

_CASES: dict[str, Callable[[int, int], Outcome]] = {"storm": storm, "kill": kill}


def main() -> int:
    """Run what is not done yet; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storms", type=int, default=50)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--at-once", type=int, default=2, help="cases side by side, each in its own processes")
    parser.add_argument("--only", metavar="storm:SEED|kill:SEED", help="replay one case")
    parser.add_argument("--record", type=Path, default=PROJECT / "logs/storm.json")
    args = parser.parse_args()
    if args.only:
        kind, _, seed = args.only.partition(":")
        outcome = _CASES[kind](int(seed), args.days)
        print(f"{args.only}: {outcome.problem or 'as imported'} in {outcome.elapsed_s:.1f} s")
        return 1 if outcome.problem else 0
    wanted = [f"storm:{seed}" for seed in range(1, args.storms + 1)] + [
        f"kill:{seed}" for seed in range(1, args.kills + 1)
    ]
    return _run(wanted, args.days, args.at_once, args.record)


def _run(wanted: list[str], days: int, at_once: int, record: Path) -> int:
    done: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
    if done.get("days") != days:
        done = {"days": days, "passed": {}, "failed": {}}
    left = [name for name in wanted if name not in done["passed"]]
    with ThreadPoolExecutor(at_once) as pool:
        running = {
            pool.submit(_CASES[name.partition(":")[0]], int(name.partition(":")[2]), days): name for name in left
        }
        for future in as_completed(running):
            name, outcome = running[future], future.result()
            _note(done, name, outcome, days)
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(done, indent=1, sort_keys=True) + "\n")
    counts = {kind: sum(name.startswith(kind) for name in done["passed"] if name in wanted) for kind in _CASES}
    failed = [name for name in wanted if name in done["failed"]]
    print(f"{counts['storm']} storms and {counts['kill']} kills ended in the files of an import, {len(failed)} did not")
    return 1 if failed else 0


def _note(done: dict[str, Any], name: str, outcome: Outcome, days: int) -> None:
    faults = sum(outcome.state["faults"].values())
    if outcome.problem:
        done["failed"][name] = outcome.problem
        print(
            f"{name} FAILED: {outcome.problem}\n  replay: python -m tests.storm.run --days {days} --only {name}",
            flush=True,
        )
        return
    done["failed"].pop(name, None)
    done["passed"][name] = {
        "requests": outcome.state["requests"],
        "faults": faults,
        "elapsed_s": round(outcome.elapsed_s, 1),
    }
    print(
        f"{name}: as imported, {outcome.state['requests']} requests, {faults} faults, {outcome.elapsed_s:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
