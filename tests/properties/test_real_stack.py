"""Seeded sessions of real orders, from the strategy to the testnet's engine, with faults and kills on a virtual clock.

Broker, desk and client are the real ones; only what sends bytes is replaced. No fill is lost or doubled, nothing lies
unprotected for longer than it may, the ledger is the exchange's at the end, and the tape replays to the same. The
default run takes some hundred seeds; ONETAPE_FULL=1 takes ten thousand.
"""

import os
from collections import Counter

import pytest

from tests.real_stack.seeded import play, session_of
from tests.virtual_loop import run_virtual

SEEDS = range(10_000 if os.environ.get("ONETAPE_FULL") else 100)


@pytest.mark.parametrize("block", range(10))
def test_no_fill_is_lost_or_doubled_and_nothing_lies_unprotected_for_long(block: int) -> None:
    size = len(SEEDS) // 10
    met: Counter[str] = Counter()
    for seed in SEEDS[block * size : (block + 1) * size]:
        session, _ = play(seed)
        met += session.exchange.met + session.met
    print(dict(met.most_common()))  # the faults met, for who runs it with -s
    assert met["kills"], "every second session is killed at times"
    assert len(met) > 25, "kinds of faults, kills and answers"


def test_the_same_seed_is_the_same_session() -> None:
    tapes = []
    for _ in range(2):
        session, _ = session_of(7)
        run_virtual(session.run())
        tapes.append([(record.event, record.digest) for record in session.tape])
    assert tapes[0] == tapes[1]
