"""A paper session's run folder for the bench of the page: a backtest's, with the tape that a session would have.

One event a candle of one symbol, each decided, so the tape of a year has 525,600 slices.
"""

import json
import shutil
from pathlib import Path

from app.candles.cache import CandleCache
from app.models.market import Candle, Slice
from app.session.journal import Journal
from app.times import parse_time_ms

_MINUTE_MS = 60_000


def as_paper_session(backtest: Path, cache: CandleCache, out: Path) -> int:
    """Makes the folder `out` from a finished 1m backtest of one symbol; how many slices its tape has."""
    shutil.copytree(backtest, out)
    manifest = json.loads((out / "manifest.json").read_text())
    (series, months), *_ = manifest["data"].items()
    symbol = series.split()[0]
    start_ms, end_ms = (parse_time_ms(manifest["period"][end]) for end in ("start", "end"))
    journal, seq = Journal(out, {"settings": manifest["settings"]}), 0
    for month in months:
        rows = zip(
            *(column.tolist() for column in cache.read(symbol, "1m", month).between(start_ms, end_ms)), strict=True
        )
        for row in rows:
            seq = journal.write(Slice(row[0] + _MINUTE_MS, (Candle(symbol, "1m", *row),), warmup=False))
            journal.done(seq, "0123456789abcdef")
    journal.close()
    return seq
