"""Each fault of a paper session by itself, over real sockets with the real ccxt.pro client: its books afterwards."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import app.session.journal
from app import times
from app.candles.month_file import CandleColumns
from app.errors import OutputError
from app.models.events import MarkedSlice
from app.models.market import Slice
from app.testnet.generator import GeneratorSource
from app.testnet.market import FileSource
from app.testnet.server import Testnet
from app.times import TIME_MAX_MS, parse_time_ms
from tests.candle_columns import MINUTE_MS, START_MS
from tests.live_faults import SYMBOLS, paper, proof

BTC, ETH = SYMBOLS
HOUR_MS = 60 * MINUTE_MS
SOURCE = GeneratorSource(7, list(SYMBOLS))


def testnet(speed: float, source: Any = SOURCE, **options: Any) -> Testnet:
    return Testnet(source, **{"start_ms": START_MS + 20_000, "speed": speed, "weight_limit": None, **options})


testnet.__test__ = False  # type: ignore[attr-defined]


def hole(symbol: str, begin_ms: int, end_ms: int) -> dict[str, Any]:
    return {"fault": "hole", "symbol": symbol, "from": begin_ms, "to": end_ms}


@pytest.mark.parametrize("off_ms", [30_000, -30_000])
async def test_a_local_clock_that_is_wrong_is_nobodys_business(
    off_ms: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with testnet(60.0) as net:
        monkeypatch.setattr(times, "now_ms", lambda: net.now_ms() + off_ms)
        runner = paper(net, tmp_path, 10)
        await runner.run_async()
        proven = await proof(net, runner, tmp_path)
        proven.check_same()
        assert START_MS <= parse_time_ms(proven.live["requested"]["start"]) <= START_MS + 3 * MINUTE_MS


@pytest.mark.parametrize("seed", [3, 6])
async def test_a_storm_within_the_limit_changes_no_byte(seed: int, tmp_path: Path) -> None:
    async with testnet(20.0, faults=f"storm:{seed}") as net:
        runner = paper(net, tmp_path, 8)
        await runner.run_async()
        (await proof(net, runner, tmp_path)).check_same()
        assert net.log.summary()["faults"]


async def test_a_storm_beyond_the_limit_is_its_tape_and_compare_names_what_was_late(tmp_path: Path) -> None:
    async with testnet(200.0, faults="storm:2") as net:
        runner = paper(net, tmp_path, 40)  # long enough to trade even where most of it is late
        await runner.run_async()
        proven = await proof(net, runner, tmp_path)
        proven.check_explained()
        assert proven.late.get("late_slices", 0) > 0


async def test_an_hour_of_maintenance(tmp_path: Path) -> None:
    """REST answers 503, sockets are closed and refused. The world goes on without us; afterwards all of it is late."""
    speed = 720.0
    async with testnet(speed) as net:

        async def maintain() -> None:
            seconds = 3_600.0 / speed
            net.faults.begin_maintenance(seconds)
            net.faults.add({"fault": "refuse_handshakes", "n": 1_000_000})
            net._sockets.abort_all()
            await asyncio.sleep(seconds)
            net.faults._refuse_left = 0

        tasks: list[asyncio.Task[None]] = []
        runner = paper(net, tmp_path, 100, {10: lambda: tasks.append(asyncio.create_task(maintain()))})
        await runner.run_async()
        await tasks[0]
        proven = await proof(net, runner, tmp_path)
        proven.check_explained()
        late = [event for event in proven.events if isinstance(event, MarkedSlice) and event.late]
        assert len(late) >= 55, "an hour of slices, handled afterwards"
        assert proven.live["missing_candles"] == 0, "none was lost"


@pytest.mark.parametrize("says", ["nothing new", "no such symbol"])
async def test_a_symbol_that_is_delisted_half_way(says: str, tmp_path: Path) -> None:
    """The others trade on. Its position stays as it is, at its last price, until the session ends; no new entry."""
    async with testnet(60.0, start_ms=START_MS - 100_000) as net:
        last_ms = START_MS + 8 * MINUTE_MS
        net.faults.add(hole(ETH, last_ms, TIME_MAX_MS))
        at = {12: lambda: net.market._symbol_of.pop("ETHUSDT")} if says == "no such symbol" else {}
        # Seconds of a look at REST are real ones, so this exchange's minutes pass sixty times as fast meanwhile.
        patience = {"feed": {"grace_s": 0.5, "late_candles": 20}} if says == "nothing new" else {}
        holds = {"name": "tests.parity.seeded_strategy:Seeded", "params": {"seed": 3}}  # ETH from the third minute on
        runner = paper(net, tmp_path, 20, at, strategy=holds, **patience)
        await runner.run_async()
        proven = await proof(net, runner, tmp_path)
        proven.check_tape()
        slices = [event for event in proven.events if isinstance(event, Slice) and not event.warmup]
        assert all(len(one.candles) == (2 if one.close_time_ms <= last_ms else 1) for one in slices)
        since = [one for one in slices if one.close_time_ms > last_ms + 3 * MINUTE_MS]
        assert len(since) > 5
        assert all(isinstance(one, MarkedSlice) and one.stale == (ETH,) for one in since)
        if says == "nothing new":
            proven.check_same()
        own = [row for row in proven.live.trades.to_dict("records") if row["symbol"] == ETH]
        after = [row for row in own if row["timestamp"].value // 1_000_000 > last_ms]
        assert [row["reason"] for row in after] == ["end_of_data"]
        last_close = float(SOURCE.candles(ETH, "1m", last_ms - MINUTE_MS, last_ms).close[0])
        assert after[0]["price"] == pytest.approx(last_close * 0.9995), "its last price, less slippage"


@pytest.mark.parametrize("shown_as", ["volume 0", "no candle"])
async def test_a_day_without_a_trade_in_one_symbol(shown_as: str, tmp_path: Path) -> None:
    quiet = (START_MS + 4 * HOUR_MS, START_MS + 28 * HOUR_MS)
    begin_ms = START_MS - 100 * HOUR_MS
    series = {(one, "1h"): SOURCE.candles(one, "1h", begin_ms, START_MS + 60 * HOUR_MS) for one in SYMBOLS}
    if shown_as == "volume 0":
        series[ETH, "1h"] = _without_trades(series[ETH, "1h"], *quiet)
    faults = [hole(ETH, *quiet)] if shown_as == "no candle" else []
    async with testnet(18_000.0, FileSource(series), faults=faults) as net:
        runner = paper(net, tmp_path, 34, timeframe="1h", feed={"grace_s": 0.2, "late_candles": 60})
        await runner.run_async()
        proven = await proof(net, runner, tmp_path)
        proven.check_same()
        marked = [event for event in proven.events if isinstance(event, MarkedSlice)]
        assert len(marked) == (0 if shown_as == "volume 0" else 22), "stale from the third candle on"
        fills = [row for row in proven.live.trades.to_dict("records") if row["symbol"] == ETH]
        times = [row["timestamp"].value // 1_000_000 for row in fills]
        assert not any(quiet[0] < time_ms <= quiet[1] - HOUR_MS for time_ms in times), "nobody trades, nothing fills"


def _without_trades(columns: CandleColumns, begin_ms: int, end_ms: int) -> CandleColumns:
    times = columns.open_time_ms
    quiet = (times >= begin_ms) & (times < end_ms)
    price = float(columns.close[times < begin_ms][-1])
    opens, highs, lows, closes = (np.where(quiet, price, column) for column in columns[1:5])
    return CandleColumns(times, opens, highs, lows, closes, np.where(quiet, 0.0, columns.volume))


async def test_a_full_disk_stops_trading_and_with_room_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """The module os on a disk that takes half of the next line, and no more."""

        def __init__(self) -> None:
            self.full = False

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def write(self, descriptor: int, data: memoryview) -> int:
            if not self.full:
                return os.write(descriptor, data)
            if len(data) > 20:
                return os.write(descriptor, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

    disk = Full()
    monkeypatch.setattr(app.session.journal, "os", disk)
    async with testnet(60.0) as net:
        runner = paper(net, tmp_path, 12, {6: lambda: setattr(disk, "full", True)})
        with pytest.raises(OutputError, match=r"tape .* cannot be written: No space left on device"):
            await runner.run_async()
        before = next((tmp_path / "live").glob("paper_*.csv")).read_bytes()
        disk.full = False
        await runner.run_async()
        proven = await proof(net, runner, tmp_path)
        proven.check_same()
        assert proven.log("trades")[0].startswith(before), "nothing of what was written is lost"
