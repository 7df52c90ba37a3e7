"""Whole paper sessions in a seed's weather, on a virtual clock: `python -m tests.session_weather MODE FIRST [COUNT]`.

MODE is within, beyond, kill-within or kill-beyond. The rule: within the lateness limit the trade log of the session is
that of its tape and of the exchange's history, byte for byte; beyond it that of its tape, and `compare` with history
names what came late and nothing else. A seed that fails prints the command that replays it.
"""

import asyncio
import json
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from app.candles.cache import CandleCache
from app.feeds.tape import has_tape, read_tape
from app.models.events import Event, Kill, LateCandle, Resume
from app.models.market import Slice
from app.proof.comparison import compare
from app.proof.differences import Cause
from app.runs.reader import Run
from app.session.backtest import BacktestResults
from app.session.control import send_command
from app.session.paper import PaperRunner
from app.session.view import SessionView
from tests.candle_columns import MINUTE_MS, START_MS
from tests.live_weather import draw_weather
from tests.scripted_live import LiveExchange
from tests.scripted_session import Fate, draw_fates, history_of, live, loaded_code, replay_of
from tests.virtual_loop import run_virtual

SYMBOLS = ("BTC/USDT", "ETH/USDT")
CANDLES = 60
MARKETS = 97
MODES = ("within", "beyond", "kill-within", "kill-beyond")
LEAST_FILLS = 6  # or a seed proves nothing
_KILLS = 3
_WARM_UP_S = 60.0
_LATE_MS, _UNSURE_MS = 2 * MINUTE_MS, 45_000  # a clock that is 30 s off is known to be so only after a while
_DOWN_S = {"kill-within": 20.0, "kill-beyond": 900.0}
CONFIG: dict[str, Any] = {
    "live": {
        "exchange": "binanceus",
        "symbols": list(SYMBOLS),
        "timeframe": "1m",
        "startup_candles": 10,
        "strategy": {
            "name": "ScalpingEMARSI",
            "params": {
                "ema_fast": 2, "ema_slow": 3, "rsi_period": 2, "atr_period": 2, "volume_period": 2,
                "volume_factor": 0.2, "rsi_long_min": 0, "rsi_long_max": 100, "rsi_short_min": 0, "rsi_short_max": 100,
            },
        },
    },
    "risk": {"atr_stop_multiplier": 0.3, "reward_risk_ratio": 1.0},
    "trading_mode": {"safety": {"max_drawdown": None, "max_exposure": 2.0}},
}  # fmt: skip


@dataclass(frozen=True)
class Lived:
    """What one seed had."""

    fills: int
    kills: int
    late: int


def check_seed(seed: int, mode: str) -> Lived:
    """One seed; AssertionError if a promise is broken."""
    beyond = mode.endswith("beyond")
    weather = draw_weather(seed, beyond=beyond, symbols=SYMBOLS, candles=CANDLES)
    # A fetch believes a hole that two answers show, so the warm-up is free of holes that are not there.
    weather.lies_from_s = seed % 60 + _WARM_UP_S
    if mode == "kill-within":  # the worst weather alone uses most of the limit up
        weather.frame_loss, weather.answer_faults = min(weather.frame_loss, 0.5), min(weather.answer_faults, 0.3)
    exchange = LiveExchange(SYMBOLS, weather, seed, begin_s=seed % 60, market=seed % MARKETS)
    with tempfile.TemporaryDirectory() as name, loaded_code():
        folder = Path(name)
        config = {**CONFIG, "trading_mode": {"safety": {**CONFIG["trading_mode"]["safety"]}}}
        config["trading_mode"]["safety"]["kill_switch_file"] = str(folder / "KILL_SWITCH")
        runner = PaperRunner(
            config=config, end_ms=START_MS + CANDLES * MINUTE_MS, cache=folder / "cache", out=folder / "live"
        )
        wrong = _watch_lateness(runner, exchange)
        results, shown = run_virtual(_lives(runner, exchange, seed, mode))
        kills = len(shown)
        assert wrong == [], f"slices that are late are marked so, and no others: {wrong}"
        assert all(_log(results, "trades").startswith(rows) for rows in shown), "no fill that was shown is lost"
        records = list(read_tape(folder / "live").records)
        assert sum(record.digest is None for record in records) <= kills, "a digest behind every event"
        tape = replay_of(folder / "live", folder / "tape")
        assert _log(tape, "trades") == _log(results, "trades"), "the tape gives the session's trade log"
        assert _log(tape, "signals") == _log(results, "signals"), "the tape gives the session's signals"
        truth = history_of(exchange, config, results, folder / "history")
        late = sum(count for what, count in results["feed"].items() if what != "stale_symbols")
        fills = _log(results, "trades").count(b"\n") - 1
        if not beyond:
            assert late == 0, f"nothing is late within the limit: {results['feed']}"
            assert fills >= LEAST_FILLS, f"{fills} fills prove nothing"
            assert _log(truth, "trades") == _log(results, "trades"), "history gives the session's trade log"
            assert _log(truth, "signals") == _log(results, "signals"), "history gives the session's signals"
            assert _log(truth, "equity") == _log(results, "equity"), "history gives the session's equity"
        else:
            _check_comparison(folder)
        return Lived(fills, kills, late)


async def _lives(
    runner: PaperRunner, exchange: LiveExchange, seed: int, mode: str
) -> tuple[BacktestResults, list[bytes]]:
    """The session's results, and the trade log as each kill left it."""
    random, run = Random(f"lives {seed}"), Path(str(runner.out))
    writes = 2 * (CANDLES + CONFIG["live"]["startup_candles"] + 2)  # two for each slice, and for the end
    fates = draw_fates(random, random.randint(1, _KILLS), writes, CANDLES * 60.0) if mode in _DOWN_S else []
    shown: list[bytes] = []
    for fate in fates:
        results = await live(runner, exchange, fate)
        if results is not None:
            return results, shown
        shown.append(next(run.glob("paper_*.csv")).read_bytes() if _has_traded(run) else b"")
        await asyncio.sleep(random.uniform(0.5, _DOWN_S[mode]))
        if mode == "kill-beyond" and random.random() < 0.3 and has_tape(run):
            send_command(run, random.choice(("kill", "resume")), "drawn")  # while nothing runs
    results = await live(runner, exchange, Fate())
    assert results is not None
    return results, shown


def _watch_lateness(runner: PaperRunner, exchange: LiveExchange) -> list[str]:
    """Slices whose mark is wrong, as they come: by the exchange's true time, which the feed knows a moment later."""
    wrong: list[str] = []

    def look(_: SessionView, event: Event, __: object, ___: object) -> None:
        if not isinstance(event, Slice) or event.warmup:
            return
        over_ms = exchange.now_ms - event.close_time_ms - _LATE_MS
        if abs(over_ms) > _UNSURE_MS and getattr(event, "late", False) != (over_ms > 0):
            wrong.append(f"{event.close_time_ms}: {over_ms} ms over the limit")

    runner.on_event = look
    return wrong


def _has_traded(run: Path) -> bool:
    return has_tape(run) and any(
        isinstance(record.event, Slice) and not record.event.warmup for record in read_tape(run).records
    )


def _check_comparison(folder: Path) -> None:
    """Every difference is a candle that came late, or never came, or a slice that went late."""
    a, b = Run.open(folder / "live"), Run.open(folder / "history/run")
    comparison = compare(a, b, [CandleCache(folder / "history/cache")])
    assert comparison.is_explained, f"compare does not explain it: {comparison.evidence}"
    events = [record.event for record in read_tape(folder / "live").records]
    commands = any(isinstance(event, (Kill, Resume)) for event in events)
    causes = {one.cause for one in comparison.differences}
    assert causes <= {Cause.TIMING, Cause.GAP, *([Cause.SAFETY] if commands else [])}, f"{causes} differ"
    late = [event.candle for event in events if isinstance(event, LateCandle)]
    came_late = {(candle.symbol, candle.open_time_ms) for candle in late}
    named = {(one.symbol, one.time_ms) for one in comparison.differences if one.of_candle and one.cause is Cause.TIMING}
    assert named == came_late, f"compare names {len(named)} late candles, {len(came_late)} came late"


def _log(results: BacktestResults, name: str) -> bytes:
    return (results.folder / str(results["files"][name])).read_bytes()


def check_seeds(mode: str, first: int, count: int) -> Counter[str]:
    """All of them, and what they had together; the first that fails is named with the command that replays it."""
    had: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            lived = check_seed(seed, mode)
        except Exception as error:
            error.add_note(f"replay it: python -m tests.session_weather {mode} {seed}")
            raise
        had.update(seeds=1, fills=lived.fills, kills=lived.kills, late=lived.late)
    return had


if __name__ == "__main__":
    try:
        print(json.dumps(check_seeds(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)))
    except Exception:
        traceback.print_exc()
        sys.exit(1)
