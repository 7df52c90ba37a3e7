"""A fetch from its question to its report: what is asked, stored, told and refused, several symbols at once."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import times
from app.candles.cache import CandleCache
from app.candles.market_data import read_markets
from app.errors import ConfigError, DataError, RefusedError, UnavailableError
from app.exchange import history
from app.exchange.adapter import CandleExchange
from app.exchange.fetch_report import FetchProgress, FetchReport
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.scripted_exchange import (
    MARKET,
    Asked,
    Row,
    ScriptedExchange,
    fetch_scripted,
    scripted_provider,
    slot,
    stored_minutes,
)  # fmt: skip
from tests.virtual_loop import run_virtual

BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"
NOW_MS = START_MS + 10_000 * MINUTE_MS


def at(number: int) -> int:
    return slot(number, START_MS)


def exchange_of(count: int = 200, *, page: int = 1000, now_ms: int = NOW_MS) -> ScriptedExchange:
    return ScriptedExchange(minutes(count), now_ms, page_candles=page)


def fetch(
    cache: CandleCache, exchange: CandleExchange, end: int = 100, *symbols: str, start: int = 0, **changes: Any
) -> FetchReport:
    return fetch_scripted(cache, exchange, symbols or [BTC], start, end, **changes)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def stored(cache: CandleCache, symbol: str) -> int:
    return len(stored_minutes(cache, symbol))


def nobody(*_: object) -> CandleExchange:
    raise AssertionError("a connection was opened")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock agrees with the exchange's."""
    monkeypatch.setattr(times, "now_ms", lambda: NOW_MS)


@pytest.fixture
def cache(tmp_path: Path) -> CandleCache:
    return CandleCache(tmp_path / "cache")


def test_it_stores_candles_and_market_data_and_says_so(cache: CandleCache) -> None:
    exchange = exchange_of()
    report = fetch(cache, exchange, 100, BTC, ETH)
    assert [(one.symbol, one.wanted, one.new, one.absent) for one in report.series] == [
        (BTC, 100, 100, ()),
        (ETH, 100, 100, ()),
    ]
    assert (report.requests, report.weight, report.retried, report.notes, report.new) == (4, 4, 0, [], 200)
    assert report.summary().startswith("200 candles from scripted in 0.")
    assert report.summary().endswith(" s: 4 requests of weight 4")
    assert read_markets(cache.root, "scripted") == {BTC: MARKET, ETH: MARKET}
    assert set(tree(cache.root)) == {
        *(f"{base}_USDT/1m/2025-{month}.parquet" for base in ("BTC", "ETH") for month in (10, 11)),
        "markets.scripted.json",
    }
    assert exchange.closed == 1
    assert [stored(cache, symbol) for symbol in (BTC, ETH)] == [100, 100]


def test_with_nothing_to_do_no_connection_is_opened(cache: CandleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(cache, exchange_of(50), 100)  # the second half does not exist
    before = tree(cache.root)
    monkeypatch.setattr(history, "waiting_lock", nobody)
    report = fetch(cache, exchange_of(), 100, connect=nobody)
    assert report.summary() == "nothing was missing; no request was made"
    assert (report.requests, report.new, report.series[0].wanted) == (0, 0, 0)
    assert tree(cache.root) == before
    assert "BTC_USDT/1m/absent.json" in before


def test_what_another_fetched_meanwhile_is_not_asked_for(cache: CandleCache) -> None:
    async def run() -> None:
        first, second = scripted_provider(cache, exchange_of()), scripted_provider(cache, exchange_of(), connect=nobody)
        reports = await asyncio.gather(*(one.fetch([BTC], "1m", at(0), at(100)) for one in (first, second)))
        assert [(report.new, report.requests > 0) for report in reports] == [(100, True), (0, False)]

    asyncio.run(run())


def test_only_series_that_lack_something_are_asked_for(cache: CandleCache) -> None:
    cache.merge(BTC, "1m", make_candles(minutes(100)))
    exchange = exchange_of()
    asked: list[str] = []

    def noting(one: Asked, rows: list[Row]) -> list[Row]:
        asked.append(one.symbol)
        return rows

    exchange.distort = noting
    assert [one.new for one in fetch(cache, exchange, 100, BTC, ETH).series] == [0, 100]
    assert asked == [ETH]


def test_bounds_off_the_grid_mean_the_open_times_between_them(cache: CandleCache) -> None:
    exchange = exchange_of()

    async def run() -> None:
        async with scripted_provider(cache, exchange) as provider:
            assert provider.missing([BTC], "1m", at(0) + 1, at(9) + 1) == {BTC: ((at(1), at(10)),)}
            await provider.fetch([BTC], "1m", at(0) + 1, at(9) + 1)

    asyncio.run(run())
    assert cache.present(BTC, "1m", 0, NOW_MS) == ((at(1), at(10)),)


def test_one_provider_learns_the_markets_once_and_anew_for_another_symbol(cache: CandleCache) -> None:
    exchange, loaded = exchange_of(), []
    markets = exchange.markets

    async def counted(symbols: Any, timeframe: str) -> Any:
        loaded.append(list(symbols))
        return await markets(symbols, timeframe)

    exchange.markets = counted  # type: ignore[method-assign]

    async def run() -> None:
        async with scripted_provider(cache, exchange) as provider:
            assert await provider.server_time_ms([BTC], "1m") == NOW_MS
            for end in (50, 100):
                await provider.fetch([BTC], "1m", at(0), at(end))
            await provider.fetch([BTC, ETH], "1m", at(0), at(100))

    asyncio.run(run())
    assert loaded == [[BTC], [BTC, ETH]]
    assert read_markets(cache.root, "scripted") == {BTC: MARKET, ETH: MARKET}


@pytest.mark.parametrize("count", [200, 37], ids=["whole", "with a hole at the end"])
def test_progress_reaches_what_is_wanted(cache: CandleCache, count: int) -> None:
    seen: list[tuple[int, int]] = []

    def note(progress: FetchProgress) -> None:
        seen.append((progress.done, progress.wanted))

    exchange = exchange_of(count, page=10)
    exchange.rows = [row for row in exchange.rows if not at(5) <= row[0] < at(8)]
    cache.merge(BTC, "1m", make_candles(minutes(4)))
    fetch(cache, exchange, 100, BTC, ETH, progress=note)
    assert seen[0] == (0, 196)
    assert seen[-1] == (196, 196)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_tries_are_counted_and_told(cache: CandleCache) -> None:
    def failing_twice(asked: Asked, rows: list[Row]) -> list[Row]:
        if asked.times < 2:
            raise UnavailableError("scripted")
        return rows

    exchange = exchange_of()
    exchange.distort = failing_twice
    report = fetch(cache, exchange)
    assert (report.retried, report.requests) == (2, 5)
    assert report.summary().endswith("5 requests of weight 5, 2 of them asked again")


@pytest.mark.parametrize("fault", [RefusedError("no more"), DataError("no more"), RuntimeError("a bug")])
def test_what_came_before_a_fault_is_stored_of_every_symbol(cache: CandleCache, fault: Exception) -> None:
    exchange = exchange_of(400, page=10)

    def breaking(asked: Asked, rows: list[Row]) -> list[Row]:
        if asked.symbol == ETH and asked.since_ms == at(20):
            raise fault
        return rows

    exchange.distort = breaking
    with pytest.raises(type(fault), match=str(fault)):
        fetch(cache, exchange, 400, BTC, ETH, SOL)
    counts = [stored(cache, symbol) for symbol in (BTC, ETH, SOL)]
    assert all(count >= 10 for count in counts), counts
    assert counts[1] < 400  # the others may have come to their end before the fault
    exchange.distort = None
    assert sum(counts) + fetch(cache, exchange, 400, BTC, ETH, SOL).new == 1200
    assert [stored(cache, symbol) for symbol in (BTC, ETH, SOL)] == [400, 400, 400]


def test_a_cancelled_fetch_keeps_what_came(cache: CandleCache) -> None:
    exchange = exchange_of(page=10)

    async def run() -> None:
        answer = exchange.candles

        async def candles(symbol: str, timeframe: str, since_ms: int | None, end_ms: int | None, limit: int) -> object:
            if since_ms is not None and since_ms >= at(60):
                await asyncio.Event().wait()
            return await answer(symbol, timeframe, since_ms, end_ms, limit)

        exchange.candles = candles  # type: ignore[method-assign]
        async with scripted_provider(cache, exchange) as provider:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await provider.fetch([BTC], "1m", at(0), at(100))

    run_virtual(run())
    assert stored(cache, BTC) == 60
    assert exchange.closed == 1
    assert not (cache.root / ".fetching").exists()


def test_a_range_before_the_listing_names_the_first_candle(cache: CandleCache) -> None:
    for said in (
        "BTC/USDT 1m begins at 2025-10-31 23:00 on scripted; 2025-10-31 21:20 to 2025-10-31 22:40 lies before it",
        "scripted has no candle of BTC/USDT 1m from 2025-10-31 21:20 to 2025-10-31 22:40",  # known, so not asked
    ):
        with pytest.raises(RefusedError) as refusal:
            fetch(cache, exchange_of(), -20, start=-100)
        assert str(refusal.value) == said
    assert cache.months(BTC, "1m") == []


def test_the_others_are_stored_where_one_symbol_has_nothing(cache: CandleCache) -> None:
    exchange = exchange_of()
    exchange.distort = lambda asked, rows: [] if asked.symbol == ETH else rows
    with pytest.raises(RefusedError, match=f"scripted has no candle of {ETH} 1m"):
        fetch(cache, exchange, 100, BTC, ETH)
    assert stored(cache, BTC) == 100


def test_start_before_end(cache: CandleCache) -> None:
    with pytest.raises(ConfigError, match="--start 2025-10-31 23:00 is not before --end 2025-10-31 23:00"):
        fetch(cache, exchange_of(), 0, connect=nobody)


# Clocks.


@pytest.mark.parametrize(
    ("ahead_ms", "said"),
    [
        (5_000, None),
        (-5_000, None),
        (6_400, "6 seconds ahead of"),
        (-119_000, "119 seconds behind"),
        (180_000, "3 minutes ahead of"),
        (-5 * 3_600_000, "5 hours behind"),
        (3 * 86_400_000, "3 days ahead of"),
    ],
)
def test_clocks_that_differ_are_noted(cache: CandleCache, ahead_ms: int, said: str | None) -> None:
    report = fetch(cache, exchange_of(now_ms=NOW_MS + ahead_ms))
    note = f"the exchange's clock is {said} this machine's; the exchange's counts"
    assert (report.clock_ahead_ms, report.notes) == (ahead_ms, [] if said is None else [note])


def test_an_exchange_without_a_clock_has_this_machines(cache: CandleCache, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = exchange_of()

    async def none() -> int | None:
        return None

    exchange.server_time_ms = none  # type: ignore[method-assign]
    monkeypatch.setattr(times, "now_ms", lambda: at(50) + 90_000)
    assert fetch(cache, exchange, 100).notes == ["candles from 2025-10-31 23:51 on have not closed yet"]
    assert cache.present(BTC, "1m", 0, NOW_MS) == ((at(0), at(51)),)


def test_an_end_in_the_future_is_cut_with_a_note(cache: CandleCache) -> None:
    notes = fetch(cache, exchange_of(60, now_ms=at(60)), 500).notes
    assert "candles from 2025-11-01 on have not closed yet" in notes
    assert (stored(cache, BTC), cache.absences(BTC, "1m")) == (60, {})


@pytest.mark.parametrize("start", [60, 61, 100_000])
def test_a_start_in_the_future_is_refused_and_leaves_nothing(cache: CandleCache, start: int) -> None:
    with pytest.raises(ConfigError, match=r"no 1m candle from .* on has closed yet; by the clock of scripted it is 20"):
        fetch(cache, exchange_of(60, now_ms=at(60) + 20_000), start + 10, start=start)
    assert not cache.root.exists()


def test_a_young_candle_that_is_not_settled_is_noted(cache: CandleCache) -> None:
    report = fetch(cache, exchange_of(59, now_ms=at(60)), 60)
    assert report.notes[-1] == (
        "BTC/USDT: the candle of 2025-10-31 23:59 has closed by the exchange's clock, but it is not there yet or still "
        "changes: it is not stored"
    )


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:70] + bytes([data[70] ^ 1]) + data[71:]])
def test_a_damaged_month_is_set_aside_and_fetched_again(cache: CandleCache, damage: Callable[[bytes], bytes]) -> None:
    fetch(cache, exchange_of())
    before = tree(cache.root)
    path = cache.path(BTC, "1m", "2025-11")
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    report = fetch(cache, exchange_of())
    assert report.new == 40
    assert report.notes[0].startswith(f"{path} is damaged: ")
    assert report.notes[0].endswith("; its candles are fetched again, the file is kept as 2025-11.parquet.damaged")
    assert tree(cache.root) == {**before, "BTC_USDT/1m/2025-11.parquet.damaged": damaged}
