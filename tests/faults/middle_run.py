"""`python -m tests.faults.middle_run`: every kind of damage against a paper session of its own.

Prints a table of kinds and verdicts. `-k WORDS` chooses kinds whose name contains them, `--quick` those that the tests
run. What passed is in logs/middle.json and not done again, unless `--again`; the exit status is 1 if a kind failed.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.middle.damages import KINDS
from tests.faults.middle.kinds import Kind
from tests.faults.middle.session import Verdict, run_kinds

_RECORD = Path(__file__).resolve().parents[2] / "logs/middle.json"
_AT_ONCE = 4


def main() -> int:
    """Run what is not done yet; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", action="append", default=[], metavar="WORDS", help="kinds whose name contains this")
    parser.add_argument("--exactly", metavar="NAME", help="one kind, by its whole name")
    parser.add_argument("--quick", action="store_true", help="those that the tests run")
    parser.add_argument("--again", action="store_true", help="also what passed before")
    parser.add_argument("--at-once", type=int, default=_AT_ONCE, help="sessions side by side (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the sessions' folders here")
    parser.add_argument("--list", action="store_true", help="name the kinds and do nothing")
    args = parser.parse_args()
    chosen = [kind for kind in KINDS.values() if _is_chosen(kind, args)]
    if args.list:
        print("\n".join(kind.name for kind in chosen))
        return 0
    done: dict[str, Any] = json.loads(_RECORD.read_text()) if _RECORD.exists() and not args.again else {}
    left = [kind for kind in chosen if kind.name not in done or done[kind.name]["problems"]]
    began_s = time.monotonic()

    def tell(verdict: Verdict) -> None:
        done[verdict.kind] = {"problems": verdict.problems, "facts": verdict.facts}
        print(_line(verdict), flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) if args.keep is None else args.keep
        root.mkdir(parents=True, exist_ok=True)
        try:
            verdicts = run_kinds(left, root, args.at_once, tell)
        finally:
            _RECORD.parent.mkdir(parents=True, exist_ok=True)
            _RECORD.write_text(json.dumps(done, indent=1, sort_keys=True) + "\n")
    failed = [one for one in verdicts if one.problems]
    print(
        f"{len(verdicts)} kinds in {time.monotonic() - began_s:.0f} s, {len(chosen) - len(left)} had passed before: "
        f"{len(failed)} failed"
    )
    return 1 if failed else 0


def _is_chosen(kind: Kind, args: argparse.Namespace) -> bool:
    if args.exactly is not None:
        return bool(kind.name == args.exactly)
    return (not args.k or any(words in kind.name for words in args.k)) and (kind.quick or not args.quick)


def _line(verdict: Verdict) -> str:
    how = "; ".join(verdict.problems) or _fine(verdict)
    return f"{verdict.kind.ljust(44)}  {'FAILED  ' if verdict.problems else 'ok      '}{how}"


def _fine(verdict: Verdict) -> str:
    said = verdict.facts.get("said")
    if said:
        return str(said)
    feed = ", ".join(f"{name} {count}" for name, count in verdict.facts.get("feed", {}).items())
    return f"alive, healed{f' ({feed})' if feed else ''}"


if __name__ == "__main__":
    sys.exit(main())
