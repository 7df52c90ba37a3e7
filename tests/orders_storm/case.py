"""One case of the table: a step, a fault that meets it, and when the session is killed, if it is."""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fetching import running_testnet
from tests.orders_storm.faults import FAULTS
from tests.orders_storm.proof import problems_of, reconcile_problem, replay_problem, unprotected_s
from tests.orders_storm.session import Kill, LiveSession, page_of
from tests.orders_storm.steps import SPEED, START, STEPS, SYMBOL, T_S, write_market

NEVER_CAME = "the step never came"


@dataclass(frozen=True)
class Outcome:
    """What came of a case: nothing wrong if `problem` is empty. Seconds are real ones."""

    problem: str
    elapsed_s: float
    unprotected_s: float = 0.0
    fills: int = 0


@dataclass(frozen=True)
class OrdersCase:
    """`fees`: the asset that the testnet takes them in."""

    step: str
    fault: str
    kill: Kill = Kill.NEVER
    fees: str = "quote"

    @property
    def name(self) -> str:
        """By which it is run again."""
        return f"{self.step} / {self.fault} / {self.kill}"

    def run(self, keep: Path | None = None) -> Outcome:
        """In processes of its own, in a folder that is removed, or in `keep`."""
        began_s = time.monotonic()
        step, fault = STEPS[self.step], FAULTS[self.fault]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) if keep is None else keep
            folder.mkdir(exist_ok=True, parents=True)
            words = ("--candles", f"{SYMBOL}:1m={write_market(folder)}", "--start", START, "--speed", str(SPEED))
            with running_testnet(*words, "--trade", "--fees", self.fees, "--no-limit") as url:
                session = LiveSession(folder, url, step, fault, self.kill)
                led = session.lead()
                ledger, log = page_of(url, "ledger"), page_of(url, "log")
                differs = "" if led.problem else reconcile_problem(session.run, url, session.environment)
            (folder / "seen.json").write_text(json.dumps({"ledger": ledger, "log": log, "down": led.down}))
            if led.problem:
                return Outcome(led.problem, time.monotonic() - began_s)
            found = list(problems_of(session.run, ledger, log))
            found.append(differs)
            if self.kill is not Kill.INTENT and not any(map(step.is_request, log["requests"])):
                found.append(NEVER_CAME)
            if fault.meets and not any(one["fault"] == fault.meets for one in log["requests"]):
                found.append(f"the fault {fault.meets} met nobody")
            bare_s = unprotected_s(ledger, led.down)
            if bare_s > T_S:
                found.append(f"{bare_s:.1f} s without a stop at the exchange")
            found.append(replay_problem(session.run, folder / "tape"))
            problem = "; ".join(one for one in found if one)
            return Outcome(problem, time.monotonic() - began_s, round(bare_s, 2), len(ledger["trades"]))
