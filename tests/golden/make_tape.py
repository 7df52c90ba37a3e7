"""Makes the golden tape of the current format: `python -m tests.golden.make_tape FOLDER`.

Only for a new tape format: the tapes of older ones stay as they are. Forty minutes of two symbols of made-up candles,
with a late slice, a late, a stale and a revised candle, a kill and a resume.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from app.feeds.base import EventQueue
from app.models import Candle, Event, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle, Slice
from app.reporting.run_folder import RunFolder
from app.run_plan import RunPlan
from app.runtime.journal import Journal
from app.runtime.live_session import Books, LiveSession
from app.runtime.period import Period
from app.runtime.session import build_runtime
from app.settings import load_settings
from app.strategies.loader import check_settings
from tests.candle_columns import MINUTE_MS
from tests.parity.both import SEEDED
from tests.parity.market import made_up

SYMBOLS = ["AAA/X", "BBB/X"]
START_MS = 1_743_361_200_000
WARMUP, COUNT = 5, 40
CONFIG: dict[str, Any] = {
    "live": {
        "exchange": "test",
        "symbols": SYMBOLS,
        "timeframe": "1m",
        "startup_candles": WARMUP,
        "strategy": {"name": SEEDED, "params": {"seed": 2}},
    },
    "trading_mode": {"safety": {"max_drawdown": None, "max_exposure": 0.5}},
}


def events() -> list[Event]:
    """What the session hears."""
    market = made_up(9, SYMBOLS, START_MS - WARMUP * MINUTE_MS, COUNT + WARMUP)
    found: list[Event] = []
    for number in range(WARMUP + COUNT):
        open_ms = START_MS + (number - WARMUP) * MINUTE_MS
        candles = tuple(Candle(symbol, "1m", *row) for symbol in SYMBOLS for row in market[symbol] if row[0] == open_ms)
        if not candles:
            continue
        slice_ = Slice(open_ms + MINUTE_MS, candles, number < WARMUP)
        if number >= 18 and len(candles) == 2 and not any(isinstance(one, LateCandle) for one in found):
            found += [Slice(slice_.close_time_ms, candles[:1], False), LateCandle(candles[1])]
        elif number in (22, 23, 30):
            found.append(MarkedSlice(slice_.close_time_ms, candles, False, late=number != 30, stale=tuple(SYMBOLS[1:])))
        else:
            found.append(slice_)
        if number == 12:
            found += [RevisedCandle(candles[0]), Kill("golden")]
        if number == 15:
            found.append(Resume("golden"))
    return found


class Recorded:
    """The events as a feed, one at a time."""

    async def run(self, queue: EventQueue) -> None:
        """The Feed protocol."""
        for event in events():
            await queue.put((event,))


def main() -> None:
    """Write it."""
    folder = Path(sys.argv[1])
    settings = load_settings(CONFIG)
    strategy = check_settings(settings)
    period = Period(START_MS, START_MS + COUNT * MINUTE_MS, "golden")
    plan = RunPlan(settings, strategy, period, WARMUP, START_MS - WARMUP * MINUTE_MS, mode="paper")
    folder.mkdir(parents=True, exist_ok=True)
    recorder = plan.recorder(RunFolder(folder, "golden"))
    header = {
        "settings": settings.model_dump(mode="json"),
        "settings_sha256": "",
        "strategy_sha256": "",
        "code_sha256": "",
        "start_ms": START_MS,
        "warmup": WARMUP,
        "warmup_start_ms": plan.warmup_start_ms,
        "trades": "golden",
    }
    books = Books(build_runtime(settings, strategy, recorder), recorder)
    journal = Journal(folder, header)
    asyncio.run(LiveSession(Recorded(), books, journal).run())
    recorder.finish()
    journal.close()
    for path in (folder / "equity.parquet", folder / "signals.csv"):
        path.unlink()


if __name__ == "__main__":
    main()
