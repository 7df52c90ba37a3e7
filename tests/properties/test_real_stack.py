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
    met: Counter[str] = Counter()
    for seed in list(SEEDS)[block::10]:
        session, _ = play(seed)
        met += session.exchange.met + session.met
    print(dict(met.most_common()))
    assert met["kills"] and met["never arrived"] and met["-1021 at the gate"] and met["events lost in silence"]


def test_the_same_seed_is_the_same_session() -> None:
    tapes = []
    for _ in range(2):
        session, _ = session_of(7)
        run_virtual(session.run())
        tapes.append([(record.event, record.digest) for record in session.tape])
    assert tapes[0] == tapes[1]
