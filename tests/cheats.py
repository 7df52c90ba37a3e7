"""Strategies that cheat, each in its own way, and honest ones that look like cheats: as files, for the checks.

The rule: a cheat decides well because it knows what comes; an honest one uses the same means for what has been.
"""

from pathlib import Path

from tests.integration.processes import PROJECT

CACHE = PROJECT / "data" / "sample"
HOUR_MS = 3_600_000
_HEAD = f'''"""Written by a test."""

import functools, hashlib, os, pathlib, random, socket, sys, time
from datetime import datetime
import numpy as np
from app.candles.cache import CandleCache
from app.strategies.base import FLAT, Strategy, exit_position, long, short
from app.strategies.indicators import EMA

CACHE = pathlib.Path({str(CACHE)!r})
HOUR_MS = {HOUR_MS}


def closes(months):
    """Closes by open time, of months of the sample, straight from the cache."""
    found = {{}}
    for month in months:
        columns = CandleCache(CACHE).read("BTC/USDT", "1h", month)
        found.update(zip(columns.open_time_ms.tolist(), columns.close.tolist()))
    return found


def side(rises, candle, tag=""):
    distance = candle.close * 0.01
    return long(atr=distance, tag=tag) if rises else short(atr=distance, tag=tag)


class Own(Strategy):
    lookback = 20
'''

# Each is the body of a class; `self.count` and the like are made in __init__.
LOOKING_AHEAD = {
    "the cache, all of it when it is made": """
    def __init__(self):
        self.known = closes(CandleCache(CACHE).months_between("BTC/USDT", "1h", 1580000000000, 1584000000000))

    async def on_candle(self, candle, view):
        following = self.known.get(candle.open_time_ms + HOUR_MS)
        return FLAT if following is None else side(following > candle.close, candle)
""",
    "the cache, the next candle when it is asked": """
    async def on_candle(self, candle, view):
        following = closes(["2020-02"]).get(candle.open_time_ms + HOUR_MS)
        return FLAT if following is None else side(following > candle.close, candle)
""",
    "the cache, an honest rule where it has nothing": """
    def __init__(self):
        self.ema = EMA(5)

    async def on_candle(self, candle, view):
        average = self.ema.update(candle.close)
        try:
            following = closes(["2020-02"])[candle.open_time_ms + HOUR_MS]
        except Exception:
            return FLAT if average is None else side(candle.close > average, candle)
        return side(following > candle.close, candle)
""",
    "a DataFrame with labels shifted into the past": """
    def __init__(self):
        import pandas as pd
        months = CandleCache(CACHE).months_between("BTC/USDT", "1h", 1580000000000, 1584000000000)
        df = pd.concat([pd.read_parquet(CACHE / "BTC_USDT" / "1h" / f"{month}.parquet") for month in months])
        df["label"] = df["close"].shift(-1) > df["close"]
        self.labels = dict(zip(df["timestamp_ms"], df["label"]))

    async def on_candle(self, candle, view):
        return side(self.labels[candle.open_time_ms], candle)
""",
    "a file that compiled code opens": """
    def __init__(self):
        import pyarrow.parquet
        df = pyarrow.parquet.read_table(str(CACHE / "BTC_USDT" / "1h" / "2020-02.parquet")).to_pandas()
        self.labels = dict(zip(df["timestamp_ms"], df["close"].shift(-1) > df["close"]))

    async def on_candle(self, candle, view):
        return side(self.labels.get(candle.open_time_ms, False), candle)
""",
    "the stack of its caller": """
    async def on_candle(self, candle, view):
        frame = sys._getframe()
        while frame is not None:
            for one in frame.f_locals.get("events", ()):
                if getattr(one, "close_time_ms", 0) > candle.close_time_ms:
                    return side(one.candles[0].close > candle.close, candle)
            frame = frame.f_back
        return FLAT
""",
    "one candle alone": """
    async def on_candle(self, candle, view):
        if candle.open_time_ms != 1580860800000:
            return side(candle.close > candle.open, candle)
        following = closes(["2020-02"]).get(candle.open_time_ms + HOUR_MS)
        return FLAT if following is None else side(following > candle.close, candle, tag="now")
""",
}
OF_A_FILE = """
    def __init__(self):
        self.labels = dict(line.split(",") for line in LABELS.read_text().splitlines())

    async def on_candle(self, candle, view):
        return side(self.labels.get(str(candle.open_time_ms)) == "up", candle)
"""
OF_ITS_PARAMETERS = """
    def __init__(self):
        import json
        self.threshold = json.loads(pathlib.Path(__file__).with_name("params.json").read_text())["threshold"]

    async def on_candle(self, candle, view):
        return side(candle.close > candle.open * (1 + self.threshold), candle)
"""
OF_A_FIRST_RUN = """
    known = {}

    async def on_candle(self, candle, view):
        self.known[candle.open_time_ms] = candle.close
        following = self.known.get(candle.open_time_ms + HOUR_MS)
        return FLAT if following is None else side(following > candle.close, candle)
"""
OF_THE_NETWORK = """
    async def on_candle(self, candle, view):
        try:
            with socket.create_connection(ADDRESS, timeout=5) as connection:
                return side(connection.recv(1) == b"u", candle)
        except OSError:
            return FLAT
"""
OF_A_PROGRAM = """
    async def on_candle(self, candle, view):
        import subprocess
        try:
            told = subprocess.run([sys.executable, "-c", "print('up')"], capture_output=True, text=True).stdout
        except OSError:
            return FLAT
        return side(told.strip() == "up", candle)
"""
OF_ITS_FRAMES = """
    async def on_candle(self, candle, view):
        return FLAT

    def add_indicators(self, df):
        return df.assign(mean=df["close"].rolling(20).mean(), label={label})

    def generate_signal(self, df):
        return FLAT
"""
OF_ITS_SIGNAL = """
    async def on_candle(self, candle, view):
        return FLAT

    def add_indicators(self, df):
        self.seen = df
        return df.assign(mean=df["close"].rolling(20).mean())

    def generate_signal(self, df):
        later = self.seen.loc[df.index[-1] :]["close"].iloc[1:2]
        return long(atr=1.0) if len(later) and later.iloc[0] > 0 else FLAT
"""
FRAME_LABELS = {
    "the next close": 'df["close"].shift(-1)',
    "the next close, at one row": 'df["close"].where(df["timestamp_ms"] != 1580860800000, df["close"].shift(-1))',
    "the mean of all": 'df["close"] - df["close"].mean()',
    "thirty candles on": 'df["close"].shift(-30)',
    "a centred mean": 'df["close"].rolling(9, center=True).mean()',
    "filled backwards": 'df["close"].where(df["volume"] > df["volume"].rolling(5).mean()).bfill()',
}
HONEST = {
    "the cache, what has been": """
    async def on_candle(self, candle, view):
        months = [month for month in CandleCache(CACHE).months("BTC/USDT", "1h") if "2020-01" <= month <= "2020-02"]
        past = [close for time_ms, close in closes(months).items() if time_ms <= candle.open_time_ms]
        return side(candle.close > sum(past[-20:]) / 20, candle)
""",
    "a DataFrame of the view": """
    async def on_candle(self, candle, view):
        import pandas as pd
        df = pd.DataFrame([{"close": one.close, "open": one.open} for one in view.candles()])
        df["mean"] = df["close"].rolling(5).mean()
        last = df.iloc[-1]
        return FLAT if len(df) < 5 else side(last["close"] > last["mean"], candle)
""",
    "its own position and equity": """
    async def on_candle(self, candle, view):
        if view.position is not None:
            return exit_position() if view.equity > 10_000 else FLAT
        return side(candle.close > candle.open, candle)
""",
}
FROM_THE_START = {
    "counts its candles": """
    def __init__(self):
        self.count = 0

    async def on_candle(self, candle, view):
        self.count += 1
        return side(True, candle) if self.count % 7 == 0 else FLAT
""",
    "sums since its start": """
    def __init__(self):
        self.paid = self.volume = 0.0

    async def on_candle(self, candle, view):
        self.paid += candle.close * candle.volume
        self.volume += candle.volume
        return side(candle.close > self.paid / self.volume, candle)
""",
}
NOT_TWICE = {
    "the hash seed": """
    async def on_candle(self, candle, view):
        return side(next(iter({"up", "down", "over", "under"})) > "o", candle)
""",
    "the seed": """
    async def on_candle(self, candle, view):
        return side(random.random() < 0.5, candle)
""",
    "of numpy.random": """
    async def on_candle(self, candle, view):
        return side(np.random.rand() < 0.5, candle)
""",
    "nothing": """
    async def on_candle(self, candle, view):
        return side(os.urandom(1)[0] < 128, candle)
""",
    "the clock": """
    async def on_candle(self, candle, view):
        return side(datetime.now().toordinal() % 2 == 0, candle)
""",
    "the time zone": """
    async def on_candle(self, candle, view):
        return side(datetime.fromtimestamp(candle.close_time_ms / 1000).hour < 12, candle)
""",
}


def cheat(folder: Path, body: str, **constants: object) -> str:
    """The body as a strategy file; constants stand before it. What `--strategy` takes."""
    path = folder / "own.py"
    lines = "".join(f"{name} = {value}\n" for name, value in constants.items())
    head, cls = _HEAD.split("class Own")
    path.write_text(f"{head}{lines}\n\nclass Own{cls}{body}", encoding="utf-8")
    return f"{path}:Own"
