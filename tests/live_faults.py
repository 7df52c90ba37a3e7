"""A paper session in this process against a testnet in this process, real sockets between them; then its proof.

The rule: what shall happen on the way is a function that is called with the slice whose turn it is; afterwards the
session is held to its tape and to a backtest over the exchange's candles. No test logic but that.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.candles.cache import CandleCache
from app.candles.month_file import CandleColumns
from app.feeds.tape import read_tape
from app.models.events import Event, LateCandle
from app.models.market import Slice
from app.models.orders import Decision, Fill
from app.proof.comparison import Comparison, compare
from app.runs.reader import Run
from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.session.paper import PaperRunner
from app.session.tape_replay import TapeRunner
from app.session.view import SessionView
from app.testnet.server import Testnet
from app.times import parse_time_ms, timeframe_ms

SYMBOLS = ("BTC/USDT", "ETH/USDT")
WARMUP = 10
Happening = Callable[[], object]


@dataclass(frozen=True)
class Proven:
    """A session that ended, the replay of its tape, and history over the candles there were."""

    live: BacktestResults
    tape: BacktestResults
    history: BacktestResults
    comparison: Comparison
    events: list[Event]

    @property
    def late(self) -> dict[str, int]:
        """What came late, stale symbols aside."""
        return {what: count for what, count in self.live["feed"].items() if what != "stale_symbols"}

    @property
    def late_candles(self) -> set[tuple[str, int]]:
        """Symbol and open time of each."""
        candles = [event.candle for event in self.events if isinstance(event, LateCandle)]
        return {(candle.symbol, candle.open_time_ms) for candle in candles}

    def log(self, name: str) -> tuple[bytes, bytes, bytes]:
        """A file of the three runs."""
        runs = (self.live, self.tape, self.history)
        return tuple((run.folder / str(run["files"][name])).read_bytes() for run in runs)  # type: ignore[return-value]

    def check_tape(self) -> None:
        """It gives the session, and the session traded."""
        for name in ("trades", "signals"):
            live, tape, _ = self.log(name)
            assert live == tape, name
        assert self.live["performance"]["total_trades"] > 0

    def check_same(self) -> None:
        """Live = tape = history, and nothing was late."""
        self.check_tape()
        assert self.late == {}
        for name in ("trades", "signals", "equity"):
            live, _, history = self.log(name)
            assert live == history, name

    def check_explained(self) -> None:
        """Live = tape, and each difference from history is of what came late."""
        self.check_tape()
        assert self.comparison.is_explained, self.comparison.evidence
        named = {(one.symbol, one.time_ms) for one in self.comparison.differences if one.of_candle}
        assert named == self.late_candles


def settings(folder: Path, **live: Any) -> dict[str, Any]:
    """A profile of coin tosses."""
    return {
        "live": {
            "exchange": "binanceus", "symbols": list(SYMBOLS), "timeframe": "1m", "startup_candles": WARMUP,
            "strategy": {"name": "tests.parity.seeded_strategy:Seeded", "params": {"seed": 5}}, **live,
        },
        "risk": {"max_position_pct": 0.2},
        "trading_mode": {
            "safety": {"max_exposure": 0.5, "max_drawdown": None, "kill_switch_file": str(folder / "KILL_SWITCH")},
        },
    }  # fmt: skip


def paper(
    net: Testnet, folder: Path, candles: int, at: Mapping[int, Happening] | None = None, **live: Any
) -> PaperRunner:
    """A session of so many candles; `at` names what happens after the slice of that number."""
    config = settings(folder, **live)
    step_ms = timeframe_ms(config["live"]["timeframe"])
    slices = 0

    def happen(_: SessionView, event: Event, __: object, ___: object) -> None:
        nonlocal slices
        if isinstance(event, Slice) and not event.warmup:
            slices += 1
            (at or {}).get(slices, bool)()

    return PaperRunner(
        config=config,
        end_ms=(net.now_ms() // step_ms + candles) * step_ms,
        cache=folder / "cache",
        out=folder / "live",
        exchange_url=net.url,
        on_event=happen,
    )


async def proof(net: Testnet, runner: PaperRunner, folder: Path) -> Proven:
    """Of a session that ended: `runner` was run, and `folder` is where it was."""
    live = BacktestResults(json.loads((folder / "live/results.json").read_text()), folder / "live", 0.0)
    tape = await TapeRunner(folder / "live", folder / "tape").run_async()
    start, end = (str(live["requested"][name]) for name in ("start", "end"))
    config: Any = runner.config
    timeframe = config["live"]["timeframe"]
    begin_ms = parse_time_ms(start) - WARMUP * timeframe_ms(timeframe)
    served = CandleCache(folder / "history_cache")
    for symbol in config["live"]["symbols"]:
        served.merge(symbol, timeframe, _served(net, symbol, timeframe, begin_ms, parse_time_ms(end)))
    instruments = json.loads((folder / "live/manifest.json").read_text())["settings"]["live"]["instruments"]
    config["live"]["instruments"] = instruments  # the exchange's, which the session has asked for
    history = await ConfigBacktestRunner(
        config=config, start=start, end=end, cache=served.root, out=folder / "history", offline=True
    ).run_async()
    comparison = compare(Run.open(folder / "live"), Run.open(folder / "history"), [served])
    return Proven(live, tape, history, comparison, [record.event for record in read_tape(folder / "live").records])


def _served(net: Testnet, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> CandleColumns:
    return net.market.columns(symbol, timeframe, start_ms, end_ms)


__all__ = ["SYMBOLS", "Decision", "Fill", "Proven", "paper", "proof", "settings"]
