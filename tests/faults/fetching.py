"""`data fetch` and backtests in processes of their own that must be refused, in a user's folder, against a testnet.

The rule is conftest.py's: exit status 2, one line on standard error that begins `onetape: `, no traceback, and not a
byte in the folder that was not there before.
"""

import subprocess
from pathlib import Path

from app.candles.cache import CandleCache
from tests.candle_columns import START_MS, make_candles, minutes
from tests.faults.conftest import Place
from tests.fetching import served_cache

BTC, ETH = "BTC/USDT", "ETH/USDT"
CANDLES = 1_500  # an hour of October, a day of November
FIRST, SECOND = ("2025-10-31T23:00", "2025-11-01T12:00"), ("2025-11-01T12:00", "2025-11-02")
ALL = (FIRST[0], SECOND[1])


def serve(folder: Path) -> CandleCache:
    """What the testnet serves: two symbols, a day and an hour."""
    return served_cache(folder, dict.fromkeys((BTC, ETH), make_candles(minutes(CANDLES, START_MS))))


def fetch_words(url: str | None, span: tuple[str, str] = ALL, **changes: str) -> list[str]:
    """`data fetch` of BTC/USDT into the folder `new`; `changes` are options with their values."""
    options = {"symbols": BTC, "timeframe": "1m", "start": span[0], "end": span[1], "cache": "new", **changes}
    if url is not None:
        options["exchange_url"] = url
    return [
        "data",
        "fetch",
        *(word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", value)),
    ]


def said(process: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that was refused."""
    assert (process.returncode, process.stdout) == (2, ""), (process.stdout, process.stderr)
    assert process.stderr.startswith("onetape: "), process.stderr
    assert process.stderr.endswith("\n"), process.stderr
    assert process.stderr.count("\n") == 1, process.stderr
    return process.stderr.removeprefix("onetape: ").rstrip("\n")


def refused(place: Place, words: list[str]) -> str:
    """The one line of a command that must be refused and leave everything as it was."""
    before = place.tree()
    line = said(place.process(*words))
    assert place.tree() == before, "something was left behind"
    return line


def done(place: Place, words: list[str]) -> str:
    """Standard output of a command that must come to its end."""
    process = place.process(*words)
    assert (process.returncode, process.stderr) == (0, ""), process.stderr
    return process.stdout
