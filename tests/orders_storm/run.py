"""`make orders-storm`: every step of real orders x every fault x `kill -9` at that step, and the table of it.

Resumable: what passed is in logs/orders_storm.json and not done again. A case that fails is kept there, with its files
beside it, and printed with its replay command; the exit status is then 1. Each cell of the table has the worst of its
cases and the longest time that a position was without a stop at the exchange while a session ran.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.integration.processes import PROJECT
from tests.orders_storm.case import NEVER_CAME, OrdersCase, Outcome
from tests.orders_storm.faults import FAULTS
from tests.orders_storm.session import NOT_KILLED, Kill
from tests.orders_storm.steps import STEPS

_TRIES = 3  # of a case whose step, or kill, never came: the machine was too busy for it


def tenth() -> list[OrdersCase]:
    """Each fault, and each moment of a kill, with two steps of all in turn; most of them are killed."""
    cases, chosen = list(all_cases()), {}
    steps = list(STEPS)
    for place, name in enumerate(FAULTS):
        killed = [one for one in cases if one.fault == name and one.kill is Kill.REQUEST]
        calm = [one for one in cases if one.fault == name and one.kill is Kill.NEVER]
        chosen[killed[place % len(killed)].name] = killed[place % len(killed)]
        if place % 2 == 0:
            chosen[calm[(place // 2) % len(calm)].name] = calm[(place // 2) % len(calm)]
    for place, kill in enumerate((Kill.INTENT, Kill.HELD, Kill.AFTER)):
        one = next(one for one in cases if one.kill is kill and one.step == steps[place])
        chosen[one.name] = one
    return list(chosen.values())


def all_cases() -> Iterator[OrdersCase]:
    """Every step with every fault that can meet it, without a kill and killed at the request; without a fault killed
    at every moment. Every other one pays its fees in what it buys.
    """
    for name, fault in FAULTS.items():
        for step in STEPS.values():
            if step.method not in fault.is_for:
                continue
            for kill in Kill if name == "none" else (Kill.NEVER, Kill.REQUEST):
                fees = "received" if kill is Kill.NEVER else "quote"
                yield OrdersCase(step.name, name, kill, fees)


def main() -> int:
    """Run what is not done yet; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=2, help="cases side by side, each in its own processes")
    parser.add_argument("--only", metavar="STEP / FAULT / KILL", help="replay one case; parts of a name do, too")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="with --only: its files stay here")
    parser.add_argument("--record", type=Path, default=PROJECT / "logs/orders_storm.json")
    parser.add_argument("--table", action="store_true", help="print the table of what is done, and run nothing")
    args = parser.parse_args()
    cases = {case.name: case for case in all_cases()}
    if args.only:
        chosen = [cases[args.only]] if args.only in cases else [one for one in cases.values() if args.only in one.name]
        failed = 0
        for number, case in enumerate(chosen, start=1):
            outcome = tried(case, None if args.keep is None else args.keep / str(number))
            print(f"{case.name}: {outcome.problem or 'as it must be'}, {_facts(outcome)}", flush=True)
            failed += bool(outcome.problem)
        return 1 if failed or not chosen else 0
    done = _read(args.record)
    if not args.table:
        first = {case.name: case for case in tenth()} | cases
        _run([case for case in first.values() if case.name not in done["passed"]], done, args.at_once, args.record)
    print("\n".join(table(cases, done)))
    return 1 if done["failed"] else 0


def tried(case: OrdersCase, keep: Path | None = None) -> Outcome:
    """Once more where the step never came."""
    outcome = case.run(keep)
    for number in range(1, _TRIES):
        if NEVER_CAME not in outcome.problem and NOT_KILLED not in outcome.problem:
            break
        outcome = case.run(None if keep is None else keep / f"again-{number}")
    return outcome


def table(cases: dict[str, OrdersCase], done: dict[str, Any]) -> Iterator[str]:
    """A line a fault, a column a step."""
    wide = max(map(len, FAULTS))
    yield f"{'':{wide}}  " + "  ".join(f"{name:>12}" for name in STEPS)
    for fault in FAULTS:
        cells = []
        for step in STEPS:
            names = [name for name, case in cases.items() if (case.step, case.fault) == (step, fault)]
            passed = [done["passed"][name]["unprotected_s"] for name in names if name in done["passed"]]
            if any(name in done["failed"] for name in names):
                cells.append("FAILED")
            elif passed:
                count = "" if len(passed) == len(names) else f" {len(passed)}/{len(names)}"
                cells.append(f"ok {max(passed):.1f} s{count}")
            else:
                cells.append("-" if not names else "not yet")
        yield f"{fault:{wide}}  " + "  ".join(f"{cell:>12}" for cell in cells)
    count_passed = sum(name in done["passed"] for name in cases)
    yield f"{count_passed} of {len(cases)} as they must be, {sum(name in done['failed'] for name in cases)} FAILED"


def _run(left: Sequence[OrdersCase], done: dict[str, Any], at_once: int, record: Path) -> None:
    def kept(case: OrdersCase) -> Path:
        return record.with_suffix("") / case.name.replace(" / ", ",").replace(" ", "_")

    with ThreadPoolExecutor(at_once) as pool:
        for case in left:
            shutil.rmtree(kept(case), ignore_errors=True)
        running = {pool.submit(tried, case, kept(case)): case for case in left}
        for future in as_completed(running):
            name, outcome = running[future].name, future.result()
            done["failed"].pop(name, None)
            if outcome.problem:
                done["failed"][name] = outcome.problem
                print(f"{name} FAILED: {outcome.problem}\n  its files: {kept(running[future])}")
                print(f"  replay: python -m tests.orders_storm.run --only '{name}'")
            else:
                shutil.rmtree(kept(running[future]))
                done["passed"][name] = {key: value for key, value in asdict(outcome).items() if key != "problem"}
                print(f"{name}: as it must be, {_facts(outcome)}")
            sys.stdout.flush()
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(done, indent=1, sort_keys=True) + "\n")


def _read(record: Path) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {"passed": {}, "failed": {}}
    return done


def _facts(outcome: Outcome) -> str:
    return f"{outcome.fills} fills, {outcome.unprotected_s:.1f} s without a stop, {outcome.elapsed_s:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
