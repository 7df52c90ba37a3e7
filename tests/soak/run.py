"""`make soak`: thirty simulated days of paper trading on eight symbols, the websockets cut every hour; what it costs.

Prints a row a simulated day (memory, descriptors, tasks, reconnects) and writes all to logs/soak.json. Exit status 1
if memory grew, something was left behind, a candle is not accounted for, or tape and session differ.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.times import DAY_MS
from tests.integration.processes import PROJECT
from tests.soak.proof import Proof
from tests.soak.session import BEGIN_MS, HOUR_MS, Sample, Soak

_SETTLING_MS = 6 * HOUR_MS
_GROWTH_MAX = 0.10
_COLUMNS = ("day", "RSS MiB", "descriptors", "sockets", "tasks", "connections", "late slices", "lag s")


def main() -> int:
    """Run it and judge; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--speed", type=float, default=1_200.0, help="times real time")
    parser.add_argument(
        "--late-candles", type=int, default=2, help="with 60 a cut is never late: history is the session"
    )
    parser.add_argument("--out", type=Path, help="keep the runs here (default: a temporary folder)")
    parser.add_argument("--record", type=Path, default=PROJECT / "logs/soak.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return _run(Soak(args.days, args.speed, folder.resolve(), args.late_candles), args.record)


def _run(soak: Soak, record: Path) -> int:
    began_s = time.monotonic()
    print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|", flush=True)
    proof = Proof(soak)
    days: list[dict[str, Any]] = []

    def note(sample: Sample) -> None:
        # A row for each day that is over.
        while sample.slice_ms >= BEGIN_MS + (len(days) + 1) * DAY_MS:
            days.append(_day(soak.samples, len(days)))
            print(_row(days[-1]), flush=True)

    state = soak.run(note, proof.take)
    if _samples_of(soak.samples, len(days)):
        days.append(_day(soak.samples, len(days)))
        print(_row(days[-1]), flush=True)
    problems = [*_growth(days), *_left_behind(soak, days, state), *proof.problems]
    content = {
        "days_simulated": soak.days,
        "speed": soak.speed,
        "elapsed_s": round(time.monotonic() - began_s, 1),
        "days": days,
        "growth": _growth_of(days),
        "testnet": state,
        **proof.figures,
        "problems": problems,
    }
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(content, indent=1) + "\n")
    growth = content["growth"]
    print(f"\nmemory, last day against the first after six hours: {growth:+.1%}" if growth is not None else "")
    print("\n".join(f"{name}: {value}" for name, value in proof.figures.items()))
    print("\n".join(f"PROBLEM: {problem}" for problem in problems) or "nothing left behind, nothing unexplained")
    return 1 if problems else 0


def _samples_of(samples: Sequence[Sample], day: int) -> list[Sample]:
    begin_ms = BEGIN_MS + day * DAY_MS
    # The first hours fill caches and import what is imported late.
    settled_ms = begin_ms + (_SETTLING_MS if day == 0 else 0)
    return [sample for sample in samples if settled_ms <= sample.slice_ms < begin_ms + DAY_MS]


def _day(samples: Sequence[Sample], day: int) -> dict[str, Any]:
    """Median memory, the most of what could be left behind, and the least: between two cuts all must be gone."""
    own = _samples_of(samples, day) or list(samples[-1:])
    return {
        "day": day + 1,
        "samples": len(own),
        "rss_mib": round(statistics.median(sample.rss_kib for sample in own) / 1024, 2),
        "rss_mib_max": round(max(sample.rss_kib for sample in own) / 1024, 2),
        **{
            name: [min(values), int(statistics.median(values)), max(values)]
            for name in ("descriptors", "sockets", "tasks", "lag_ms")
            for values in [[asdict(sample)[name] for sample in own]]
        },
        "connections": own[-1].connections,
        "late_slices": own[-1].late_slices,
    }


def _row(day: dict[str, Any]) -> str:
    low_to_high = [f"{day[name][1]} ({day[name][0]}..{day[name][2]})" for name in ("descriptors", "sockets", "tasks")]
    cells = [day["day"], f"{day['rss_mib']:.1f}", *low_to_high, day["connections"], day["late_slices"]]
    return f"| {' | '.join(map(str, cells))} | {day['lag_ms'][1] / 1000:.1f} (..{day['lag_ms'][2] / 1000:.0f}) |"


def _growth_of(days: Sequence[dict[str, Any]]) -> float | None:
    return days[-1]["rss_mib"] / days[0]["rss_mib"] - 1.0 if len(days) > 1 else None


def _growth(days: Sequence[dict[str, Any]]) -> list[str]:
    growth = _growth_of(days)
    if growth is None or abs(growth) <= _GROWTH_MAX:
        return []
    return [f"memory is not flat: {days[0]['rss_mib']} MiB on the first day, {days[-1]['rss_mib']} MiB on the last"]


def _left_behind(soak: Soak, days: Sequence[dict[str, Any]], state: dict[str, Any]) -> list[str]:
    problems, early = [], days[: max(1, len(days) // 6)]
    for name in ("descriptors", "sockets", "tasks"):
        # One that comes and goes is there in some samples; one that stays is there in most of the last day's. A
        # connection for REST that only an outage needs is opened in the first one, and kept: that is the first days.
        most_at_first, usual_at_last = max(day[name][2] for day in early), days[-1][name][1]
        if usual_at_last > most_at_first:
            problems.append(
                f"{name}: at most {most_at_first} on the first {len(early)} days, {usual_at_last} on the last"
            )
    if state["connections_left"]:
        problems.append(f"{state['connections_left']} connections were open after the session's end")
    problems += [line for line in soak.errors().splitlines() if "unclosed" in line.lower() or "destroyed" in line]
    cuts = int(soak.days * DAY_MS) // HOUR_MS
    if soak.samples and soak.samples[-1].connections < 0.9 * cuts:
        problems.append(f"only {soak.samples[-1].connections} connections for {cuts} cuts")
    return problems


if __name__ == "__main__":
    sys.exit(main())
