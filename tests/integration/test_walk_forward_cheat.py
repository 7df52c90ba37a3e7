"""A strategy that remembers shifted labels shines in sample and has no edge out of it; a real edge stays one.

The cheat: for each window's in-sample span somebody has written down, candle by candle, which way the price will go
next, and the strategy looks the newest candles up; where it has never seen them it takes the most alike. The candles
are a random walk, so there is nothing to be found. The control finds the one hour of the day at which prices do rise.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.cli.main import main
from app.research.windows import Span, WindowRule, parse_span_ms
from app.times import parse_time_ms

HOUR_MS = 3_600_000
START, END = parse_time_ms("2024-01-01"), parse_time_ms("2024-04-10")
RULE = WindowRule(parse_span_ms("", "30d"), parse_span_ms("", "15d"), parse_span_ms("", "1d"))
AHEAD = 12  # hours that a label looks into the future

REMEMBERS = '''
"""Remembers what came after the candles of one fold."""

import json
import math
from pathlib import Path

import numpy as np

from app.strategies.base import FLAT, Strategy, exit_position, long, short

FOLDS = json.loads(Path(__file__).with_name("labels.json").read_text())


class Remembers(Strategy):
    lookback = 5

    def __init__(self, fold: int = 1) -> None:
        self.seen = np.array(FOLDS[str(fold)]["moves"])
        self.labels = FOLDS[str(fold)]["labels"]
        self.bars = 0

    async def on_candle(self, candle, view):
        candles = view.candles()
        if len(candles) < 5:
            return FLAT
        self.bars += 1
        if view.position is not None:
            late = candle.close_time_ms - view.position.entry_time_ms >= {ahead} * 3_600_000
            return exit_position() if late else FLAT
        now = np.diff(np.log([one.close for one in candles]))
        label = self.labels[int(np.argmin(np.abs(self.seen - now).sum(axis=1)))]
        side = long if label > 0 else short
        return side(stop=candle.close * (1 - 0.2 * label), target=candle.close * (1 + 0.4 * label))
'''.replace("{ahead}", str(AHEAD))

BY_THE_HOUR = '''
"""Buys before one hour of the day and sells after it."""

from app.strategies.base import FLAT, Strategy, exit_position, long


class ByTheHour(Strategy):
    lookback = 1

    def __init__(self, hour: int = 0) -> None:
        self.hour = hour

    async def on_candle(self, candle, view):
        if view.position is not None:
            return exit_position()
        if candle.close_time_ms // 3_600_000 % 24 == self.hour:
            return long(stop=candle.close * 0.8, target=candle.close * 1.5)
        return FLAT
'''


def closes(count: int, seed: int, at_the_hour: int | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, 0.006, count)
    if at_the_hour is not None:
        moves[(np.arange(count) % 24) == at_the_hour] += 0.012
        moves -= 0.0005  # and the price does not rise as a whole
    return 100.0 * np.exp(np.cumsum(moves))


def write_cache(root: Path, close: np.ndarray) -> None:
    times = START - 240 * HOUR_MS + np.arange(len(close), dtype=np.int64) * HOUR_MS
    opens = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opens, close) * 1.0005, np.minimum(opens, close) * 0.9995
    CandleCache(root).merge("A/USDT", "1h", CandleColumns(times, opens, high, low, close, np.full(len(close), 1e6)))


def write_profile(folder: Path) -> Path:
    (folder / "live.yaml").write_text(
        "exchange: none\nsymbols: [A/USDT]\ntimeframe: 1h\nstrategy: {name: ScalpingEMARSI}\n"
    )
    (folder / "risk.json").write_text('{"risk_per_trade": 0.2, "max_position_pct": 0.5}')
    (folder / "trading_mode.yaml").write_text(
        "commission_rate: 0.0005\nslippage_rate: 0.0\nsafety: {max_drawdown: null, max_exposure: 0.5}\n"
    )
    return folder / "live.yaml"


def walked(folder: Path, strategy: Path, param: str) -> dict[str, Any]:
    span = ["--start", "2024-01-01", "--end", "2024-04-10", "--in-sample", "30d", "--out-of-sample", "15d"]
    words = ["--method", "grid", "--param", param, "--objective", "return", "--embargo", "1d", "--workers", "1"]
    profile = ["--config", str(write_profile(folder)), "--cache", str(folder / "cache"), "--offline"]
    out = ["--strategy", str(strategy), "--out", str(folder / "walk")]
    assert main(["walk-forward", *profile, *span, *words, *out]) == 0
    found: dict[str, Any] = json.loads((folder / "walk/walk_forward.json").read_text())
    return found


def write_labels(folder: Path, close: np.ndarray) -> int:
    """What came next, for the in-sample span of each window alone; how many windows there are."""
    moves = np.diff(np.log(close))
    windows = RULE.windows(Span(START, END))
    folds = {}
    for window in windows:
        first, last = ((time - START) // HOUR_MS + 240 for time in (window.in_sample.start_ms, window.in_sample.end_ms))
        places = np.arange(first, last - AHEAD - 1)
        ahead = np.sign(close[places + AHEAD] - close[places])
        folds[window.number] = {
            "moves": [moves[place - 4 : place].tolist() for place in places],
            "labels": np.where(ahead == 0, 1, ahead).astype(int).tolist(),
        }
    (folder / "labels.json").write_text(json.dumps(folds))
    return len(windows)


def test_shifted_labels_have_no_edge_out_of_sample(tmp_path: Path) -> None:
    close = closes(240 + (END - START) // HOUR_MS, seed=11)
    write_cache(tmp_path / "cache", close)
    count = write_labels(tmp_path, close)
    (tmp_path / "remembers.py").write_text(REMEMBERS)
    found = walked(tmp_path, tmp_path / "remembers.py", f"fold=1:{count}")
    windows = found["windows"]
    assert len(windows) == count == 4
    # It shines in sample, and the search takes the fold whose future it was shown ...
    assert [block["best"] for block in windows] == [[f"strategy.params.fold={n}"] for n in range(1, count + 1)]
    assert min(block["in_sample"]["return_pct"] for block in windows) > 30.0
    # ... and out of sample it has traded all the same, for nothing.
    assert min(block["out_of_sample"]["trades"] for block in windows) > 20
    assert max(block["out_of_sample"]["return_pct"] for block in windows) < 8.0
    assert found["performance"]["total_return_pct"] < 5.0
    assert found["efficiency"] < 0.1


def test_a_real_edge_stays_one(tmp_path: Path) -> None:
    write_cache(tmp_path / "cache", closes(240 + (END - START) // HOUR_MS, seed=12, at_the_hour=5))
    (tmp_path / "by_the_hour.py").write_text(BY_THE_HOUR)
    found = walked(tmp_path, tmp_path / "by_the_hour.py", "hour=0:23")
    assert [block["best"] for block in found["windows"]] == [["strategy.params.hour=5"]] * 4
    assert min(block["out_of_sample"]["return_pct"] for block in found["windows"]) > 3.0
    assert found["efficiency"] > 0.6
    assert found["buy_and_hold"]["return_pct"] < found["performance"]["total_return_pct"]
