"""Storms: the same draw for the same question, and bounds that hold for every seed."""

from collections import Counter
from itertools import groupby

from app.testnet.faults import Fault
from app.testnet.storm import FAULTY_IN_A_ROW_MAX, SLOT_MS, Storm

SEEDS = range(40)
NEVER = {"hole", "revised", "skew", "blocked", "drop_sockets", "refuse_handshakes", "silence"}
SECONDS_MAX = {"banned": 3.0, "hang": 3.0, "maintenance": 3.0, "slow": 1.0}


def draws(seed: int, path: str, identities: int, asked: int) -> list[list[Fault | None]]:
    storm = Storm(seed)
    return [[storm.for_request(path, f"{path}?{one}", count) for count in range(asked)] for one in range(identities)]


def test_the_same_draw_for_the_same_question() -> None:
    assert draws(5, "klines", 20, 6) == draws(5, "klines", 20, 6)
    assert draws(5, "klines", 20, 6) != draws(6, "klines", 20, 6)


def test_bounds_that_hold_for_every_seed() -> None:
    longest = 0
    seen: set[str] = set()
    for seed in SEEDS:
        for path in ("klines", "time"):
            for answers in draws(seed, path, 20, 25):
                runs = [len(list(group)) for is_good, group in groupby(answers, lambda one: one is None) if not is_good]
                longest = max([longest, *runs])
                faults = [fault for fault in answers if fault is not None]
                seen |= {fault.name for fault in faults}
                assert all(fault.values.get("s", 0.0) <= SECONDS_MAX.get(fault.name, 0.0) for fault in faults)
                assert all(path == "klines" or fault.path is None for fault in faults)
    assert longest == FAULTY_IN_A_ROW_MAX
    assert not seen & NEVER
    assert len(seen) == 15


def test_about_15_percent_of_what_a_client_asks_until_it_has_it() -> None:
    asked: Counter[bool] = Counter()
    for seed in SEEDS:
        storm = Storm(seed)
        for one in range(200):
            for count in range(FAULTY_IN_A_ROW_MAX + 1):
                fault = storm.for_request("klines", f"klines?{one}", count)
                asked[fault is not None] += 1
                if fault is None:
                    break
    assert 0.12 < asked[True] / asked.total() < 0.18


def test_the_websockets_meet_something_now_and_then() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        for speed in (1.0, 120.0):
            for slot in range(100):
                for fault in Storm(seed).for_sockets(slot, speed):
                    seen[fault.name] += 1
                    assert fault.at_ms is not None and slot * SLOT_MS <= fault.at_ms < (slot + 1) * SLOT_MS
                    assert fault.values.get("n", 0) <= 3
                    assert fault.values.get("s", 0.0) <= 3.0
                    assert fault.values.get("s", 0.0) * speed <= 15.0
    assert set(seen) == {"drop_sockets", "refuse_handshakes", "silence"}
    assert 0.2 < seen["drop_sockets"] / (len(SEEDS) * 200) < 0.4
