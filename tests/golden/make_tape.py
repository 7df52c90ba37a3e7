"""Makes the golden tape of the current format: `python -m tests.golden.make_tape FOLDER`.

Only for a new tape format: the tapes of older ones stay as they are. Forty minutes of two symbols of made-up candles,
with a late slice, a late, a stale and a revised candle, a kill and a resume; two epochs.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from app.errors import UnavailableError
from app.models.events import Event, Kill, LateCandle, MarkedSlice, Resume, RevisedCandle
from app.models.market import Candle, Slice
from tests.candle_columns import MINUTE_MS
from tests.parity.both import SEEDED
from tests.parity.market import made_up

SYMBOLS = ["AAA/X", "BBB/X"]
START_MS = 1_743_361_200_000
WARMUP, COUNT = 5, 40
BREAK_AFTER = 30
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


def main() -> None:
    """Write it: a session that breaks off after thirty events, and an epoch with another reward/risk ratio."""
    from tests.scripted_paper import Feed, no_sockets, trade

    folder = Path(sys.argv[1]).resolve()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as place:
        patch.chdir(place)  # so that the settings name no place of this machine
        run = Path("golden")
        no_sockets(patch)
        patch.setattr(Feed, "stop_after", BREAK_AFTER)
        patch.setattr(Feed, "breaks", True)
        with pytest.raises(UnavailableError):
            asyncio.run(trade(run))
        patch.setattr(Feed, "begin_at", BREAK_AFTER)
        patch.setattr(Feed, "stop_after", None)
        asyncio.run(trade(run, "risk.reward_risk_ratio=1.5", new_epoch=True))
        (folder / "tape").mkdir(parents=True)
        for path in (*run.glob("paper_*.csv"), *run.glob("tape/*.jsonl")):
            shutil.copy(path, folder / path.relative_to(run))


if __name__ == "__main__":
    main()
