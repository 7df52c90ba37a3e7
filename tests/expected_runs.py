"""Backtests and sessions of many days for tests of the expectation band: real run folders whose equity is written anew.

Replaying months of candles would take minutes; only the daily equity matters here, so that alone is made up.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.runs.equity import EquityLog
from app.runs.manifest import sha256_of
from app.times import DAY_MS, iso_ms
from tests.parity.market import made_up
from tests.proof_runs import COUNT, START_MS, SYMBOLS, WARMUP, replay, session, slices_of
from tests.proof_runs import market as short_market

MINUTE_MS = 60_000
DAYS = 200
BALANCE = 10_000.0
BEGAN_MS = START_MS - (DAYS + 1) * DAY_MS


def backtest(folder: Path, name: str = "expected", mean: float = 0.002) -> Path:
    """A finished run of 200 days before the session's start, with more than thirty trades."""
    candles = made_up(3, SYMBOLS, START_MS - WARMUP * MINUTE_MS, 4 * COUNT + WARMUP)
    run = replay(folder, name, candles, end_ms=START_MS + 4 * COUNT * MINUTE_MS)
    returns = mean + 0.01 * np.random.default_rng(1).standard_normal(DAYS)
    rewrite(run, np.cumprod(1.0 + returns).tolist(), BEGAN_MS)
    return run


def rewrite(run: Path, growth: Sequence[float], start_ms: int) -> None:
    """Equity of a finished run at each midnight after its start, and its period, as if it had been so."""
    log = EquityLog(run / "equity.parquet", BALANCE)
    times_ms = midnights(start_ms, len(growth))
    equity = [BALANCE * one for one in growth]
    log.append(times_ms, equity, equity)
    log.finish()
    period = {"start": iso_ms(start_ms), "end": iso_ms(times_ms[-1])}
    for name in ("results.json", "manifest.json"):
        content = json.loads((run / name).read_text())
        content["period"] = {**content["period"], **period}
        if name == "manifest.json":
            content["outputs_sha256"]["equity"] = sha256_of(run / "equity.parquet")
        (run / name).write_text(json.dumps(content))


def midnights(start_ms: int, count: int) -> list[int]:
    return [(start_ms // DAY_MS + day) * DAY_MS for day in range(1, count + 1)]


def broken_off(folder: Path, growth: Sequence[float], name: str = "live") -> Path:
    """A session without an end, whose equity was so at each midnight."""
    run = session(folder / name, slices_of(folder / f"{name}_candles", short_market()), finish=False)
    write_rows(run, growth)
    return run


def write_rows(run: Path, growth: Sequence[float]) -> None:
    """What a running session keeps; the last row is of a day that has not ended."""
    rows = np.zeros(len(growth) + 1, [("time_ms", "<i8"), ("equity", "<f8"), ("balance", "<f8")])
    times_ms = midnights(START_MS, len(growth))
    rows["time_ms"] = [*times_ms, (times_ms[-1] if times_ms else START_MS) + MINUTE_MS]
    rows["equity"] = BALANCE * np.array([*growth, growth[-1] if growth else 1.0])
    (run / "equity.rows").write_bytes(rows.tobytes() + b"half a row")
