"""Where the candles of a run come from: who is asked for what, and whose value an instrument has."""

import asyncio
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app import times
from app.candles import sealed_json
from app.candles.cache import CandleCache
from app.candles.market_data import Market, market_file, merge_markets
from app.errors import ConfigError, DataError, NewerFormatError, OnetapeError, RefusedError, UnavailableError
from app.exchange import history
from app.exchange.fetch_report import FetchReport
from app.exchange.history import HistoricalDataProvider
from app.exchange.retries import RetryPolicy
from app.session.candle_supply import Supply
from app.session.period import FRESH_NOTE, Period
from app.settings.profile import Settings, load_settings
from app.times import DAY_MS
from tests.candle_columns import MINUTE_MS, START_MS, make_candles, minutes
from tests.scripted_exchange import MARKET, ScriptedExchange, no_wait, slot, stored_minutes

BTC, ETH = "BTC/USDT", "ETH/USDT"
URL = "http://127.0.0.1:9"
DAY = DAY_MS // MINUTE_MS
NOW_MS = slot(10 * DAY, START_MS)
IN_THE_CACHE, BY_ITS_CLOCK = "the last 24 hours in the cache", "the last 24 hours by the clock of scripted"


def at(number: int) -> int:
    return slot(number, START_MS)


def settings_of(*symbols: str, instruments: dict[str, Any] | None = None, timeframe: str = "1m") -> Settings:
    live = {"exchange": "scripted", "symbols": list(symbols or [BTC]), "timeframe": timeframe}
    return load_settings({"live": {**live, "strategy": {"name": "ScalpingEMARSI"}, "instruments": instruments or {}}})


class World:
    """A cache, an exchange, and who asked it."""

    def __init__(self, cache: CandleCache) -> None:
        self.cache = cache
        self.exchange = ScriptedExchange(minutes(10 * DAY + 1, START_MS - MINUTE_MS), NOW_MS)
        self.connected: list[tuple[str, str | None]] = []
        self.fault: OnetapeError | None = None
        self.said: list[str] = []
        self.reports: list[FetchReport] = []

    def connect(self, exchange: str, url: str | None) -> ScriptedExchange:
        self.connected.append((exchange, url))
        if self.fault is not None:
            raise self.fault
        return self.exchange

    def supply(self, **changes: Any) -> Supply:
        return Supply(self.cache, **{"tell": self.said.append, "fetched": self.reports.append, **changes})

    def imported(self, numbers: Iterable[int], symbol: str = BTC) -> None:
        self.cache.merge(symbol, "1m", make_candles([at(number) for number in numbers]))

    def fetched(self, numbers: Iterable[int], symbol: str = BTC) -> None:
        self.imported(numbers, symbol)
        merge_markets(self.cache.root, "scripted", {symbol: MARKET})

    def period(self, start: int | None, end: int | None, *symbols: str, **changes: Any) -> Period:
        bounds = (None if one is None else at(one) for one in (start, end))
        return asyncio.run(self.supply(**changes).period(settings_of(*symbols), *bounds))

    def fill(self, start: int, end: int, *symbols: str, warmup: int = 0, **changes: Any) -> None:
        period = Period(at(start), at(end), "")
        asyncio.run(self.supply(**changes).fill(settings_of(*symbols), period, at(start - warmup)))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(CandleCache(tmp_path / "cache"))
    at_the_edge: dict[str, Any] = {
        "connect": made.connect,
        "sleep": no_wait,
        "policy": RetryPolicy(tries=1, base_s=0.0),
    }
    real: Any = HistoricalDataProvider.__init__

    @functools.wraps(real)
    def init(self: HistoricalDataProvider, *args: Any, **options: Any) -> None:
        real(self, *args, **options, rate=None, **at_the_edge)

    monkeypatch.setattr(history.HistoricalDataProvider, "__init__", init)
    monkeypatch.setattr(times, "now_ms", lambda: NOW_MS)
    return made


# The period.


def test_a_period_that_was_said_asks_nobody(world: World) -> None:
    assert world.period(0, 100) == Period(at(0), at(100), "the period of --start and --end")
    with pytest.raises(ConfigError, match="is not before --end"):
        world.period(100, 100, exchange_url=URL)
    assert world.connected == []


@pytest.mark.parametrize("start", [None, 5])
@pytest.mark.parametrize("offline", [True, False])
def test_offline_and_for_an_import_the_cache_decides(world: World, start: int | None, offline: bool) -> None:
    (world.fetched if offline else world.imported)(range(2 * DAY))
    period = world.period(start, None, offline=offline)
    begins, note = (DAY, IN_THE_CACHE) if start is None else (5, "from --start to the end of the cache")
    assert period == Period(at(begins), at(2 * DAY), note)
    assert world.connected == []


def test_offline_an_empty_cache_is_refused(world: World) -> None:
    with pytest.raises(DataError, match=f"no candle of {BTC} 1m; the cache .* is empty"):
        world.period(None, None, offline=True)


@pytest.mark.parametrize("there", ["empty", "asked before", "url", "another symbol"])
def test_otherwise_the_exchanges_clock_decides(world: World, there: str) -> None:
    if there != "empty":
        (world.fetched if there == "asked before" else world.imported)(range(2 * DAY))
    symbols = [BTC, ETH] if there == "another symbol" else [BTC]
    url = URL if there == "url" else None
    world.exchange.now_ms += 59_999
    assert world.period(None, None, *symbols, exchange_url=url) == Period(NOW_MS - DAY_MS, NOW_MS, BY_ITS_CLOCK)
    note = "from --start to now by the clock of scripted"
    assert world.period(5, None, *symbols, exchange_url=url) == Period(at(5), NOW_MS, note)
    assert world.connected == [("scripted", url)] * 2
    assert world.exchange.asked == []
    assert world.exchange.closed == 2


def test_a_fresh_cache_asks_nobody_unless_a_url_is_given(world: World) -> None:
    world.fetched(range(8 * DAY, 10 * DAY))
    assert world.period(None, None) == Period(NOW_MS - DAY_MS, NOW_MS, FRESH_NOTE)
    assert world.connected == []
    assert world.period(None, None, exchange_url=URL).note == BY_ITS_CLOCK
    assert len(world.connected) == 1


def test_an_end_alone_means_the_day_before_it(world: World) -> None:
    assert world.period(None, 3 * DAY) == Period(at(2 * DAY), at(3 * DAY), "the 24 hours before --end")
    assert world.connected == []


def test_a_start_that_has_not_come_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match=r"--start 2025-11-10 23:00 has not come yet: it is 2025-11-10 23:00 UTC"):
        world.period(10 * DAY, None)


def test_without_the_exchange_the_newest_of_the_cache_are_taken(world: World) -> None:
    world.fault = UnavailableError("no network")
    with pytest.raises(UnavailableError, match="no network"):
        world.period(None, None)
    world.fetched(range(2 * DAY))
    assert world.period(None, None) == Period(at(DAY), at(2 * DAY), IN_THE_CACHE)
    assert world.said == ["no network; the newest candles in the cache are taken"]


# What is fetched.


def test_of_an_empty_cache_everything_and_the_warm_up(world: World) -> None:
    world.fill(100, 200, BTC, ETH, warmup=40)
    assert [stored_minutes(world.cache, symbol) for symbol in (BTC, ETH)] == [[*range(60, 200)]] * 2
    assert [report.new for report in world.reports] == [280]
    assert world.said == []


def test_offline_nothing(world: World) -> None:
    world.fill(0, 100, offline=True)
    assert (world.connected, world.reports, world.cache.root.exists()) == ([], [], False)


@pytest.mark.parametrize(
    ("how", "url", "asks"), [("imported", None, False), ("imported", URL, True), ("fetched", None, True)]
)
def test_gaps_of_an_import_are_left_unless_a_url_is_given(world: World, how: str, url: str | None, asks: bool) -> None:
    getattr(world, how)([*range(10), *range(20, 50)])
    world.fill(0, 60, exchange_url=url)
    assert stored_minutes(world.cache, BTC) == ([*range(60)] if asks else [*range(10), *range(20, 50)])
    assert world.connected == ([("scripted", url)] if asks else [])


def test_an_import_without_a_candle_in_the_run_is_no_reason_not_to_ask(world: World) -> None:
    world.imported(range(50))
    world.fill(100, 200, warmup=40)
    assert stored_minutes(world.cache, BTC) == [*range(50), *range(60, 200)]


def test_what_is_complete_is_not_asked_for_and_others_are(world: World) -> None:
    world.fetched(range(100))
    world.fill(0, 100, exchange_url=URL)
    assert world.connected == []
    world.imported([*range(40), *range(50, 100)], ETH)
    world.fill(0, 100, BTC, ETH)
    assert world.connected == [], "an import's gap"
    world.fill(0, 100, BTC, ETH, exchange_url=URL)
    assert [one.symbol for report in world.reports for one in report.series] == [ETH]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
@pytest.mark.parametrize("how", ["imported", "fetched"])
def test_a_damaged_month_is_fetched_again_where_an_exchange_may_be_asked(world: World, how: str, damage: str) -> None:
    getattr(world, how)(range(100))
    path = world.cache.path(BTC, "1m", "2025-11")
    content = path.read_bytes()
    path.write_bytes(content[:-5] if damage == "cut" else content[:60] + bytes([content[60] ^ 1]) + content[61:])
    world.fill(0, 100)
    assert len(world.reports) == (how == "fetched")
    assert path.with_name(f"{path.name}.damaged").exists() == (how == "fetched")


def test_market_data_of_a_newer_version_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(sealed_json, "FORMAT_VERSION", 2)
        world.fetched(range(100))
    for ask in (lambda: world.period(None, None), lambda: world.fill(0, 200)):
        with pytest.raises(NewerFormatError, match="has cache format 2"):
            ask()


def test_damaged_market_data_is_asked_for_again_and_no_candle_is(world: World) -> None:
    world.fetched(range(100))
    path = market_file(world.cache.root, "scripted")
    whole = path.read_bytes()
    path.write_text("{}")
    world.fill(0, 200)
    assert world.connected == [("scripted", None)]
    assert path.read_bytes() == whole


# What is said when it cannot be.


@pytest.mark.parametrize("fault", [UnavailableError("no network"), RefusedError("not for you")])
def test_a_fault_names_what_the_cache_could_offer(world: World, fault: OnetapeError) -> None:
    world.fault = fault
    with pytest.raises(DataError) as refusal:
        world.fill(0, 100)
    assert str(refusal.value).startswith(
        f"no candle of {BTC} 1m from 2025-10-31 23:00 to 2025-11-01 00:40; scripted was asked: {fault}; "
        f"the cache {world.cache.root} is empty: add candles"
    )
    world.fetched(range(50))
    world.fetched(range(50), ETH)
    with pytest.raises(type(fault)) as partial:
        world.fill(0, 100, BTC, ETH)
    assert str(partial.value) == (
        f"candles of {BTC}, {ETH} 1m are missing; scripted was asked: {fault}; --offline replays what is there"
    )


def test_what_is_wrong_with_the_question_is_said_as_it_is(world: World) -> None:
    world.fault = ConfigError("no such symbol")
    with pytest.raises(ConfigError, match=r"^no such symbol$"):
        world.fill(0, 100)


# Instruments.


def test_without_market_data_the_settings_are_the_same_object(world: World) -> None:
    settings = settings_of(instruments={BTC: {"min_notional": 25}})
    assert world.supply().complete(settings) is settings
    merge_markets(world.cache.root, "scripted", {ETH: MARKET})  # another symbol's
    assert world.supply().complete(settings) is settings


def test_the_configs_own_values_win_key_by_key(world: World) -> None:
    merge_markets(world.cache.root, "scripted", {BTC: Market(1e-5, 2e-5, 10.0, 0.01), ETH: Market(1e-4, 0.0, 5.0)})
    settings = settings_of(BTC, ETH, instruments={BTC: {"min_notional": 25, "price_tick": None}})
    instruments = world.supply(offline=True).complete(settings).live.instruments
    assert {symbol: one.model_dump() for symbol, one in instruments.items()} == {
        BTC: {"quantity_step": 1e-5, "min_quantity": 2e-5, "min_notional": 25.0, "price_tick": None},
        ETH: {"quantity_step": 1e-4, "min_quantity": 0.0, "min_notional": 5.0, "price_tick": None},
    }
    assert set(settings.live.instruments) == {BTC}, "the settings that were given stay as they are"


# A coarser timeframe than the cache holds.


def test_hours_are_built_of_fetched_minutes_and_the_warm_up_is_fetched_as_minutes(world: World) -> None:
    world.fetched(range(DAY, 2 * DAY))
    hours = settings_of(timeframe="1h")
    supply = world.supply().with_finer(hours, at(DAY), at(2 * DAY - 20))
    assert supply.finer == {BTC: "1m"}
    assert world.said == ["1h candles are built from finer ones in the cache: BTC/USDT from 1m"]
    assert world.connected == []
    asyncio.run(supply.fill(hours, Period(at(DAY), at(2 * DAY - 20), ""), at(DAY - 120)))
    assert [(report.timeframe, report.new) for report in world.reports] == [("1m", 120)]
    assert world.cache.months(BTC, "1h") == []
    built = supply.candles(hours, at(2 * DAY - 20)).present(BTC, "1h", at(DAY - 120), at(2 * DAY))
    assert built == ((at(DAY - 120), at(2 * DAY)),)


def test_minutes_that_lack_some_of_the_run_are_used_where_nobody_may_be_asked(world: World) -> None:
    hours, days = settings_of(timeframe="1h"), (at(DAY), at(3 * DAY))
    world.imported(range(DAY, 2 * DAY))
    assert world.supply().with_finer(hours, *days).finer == {BTC: "1m"}, "imported: left as it is"
    assert world.supply().with_finer(hours, None, None).finer == {BTC: "1m"}
    world.fetched([])
    assert world.supply().with_finer(hours, at(DAY), at(3 * DAY)).finer == {}, "fetched: hours are asked for"
    assert world.supply().with_finer(hours, None, None).finer == {}
    assert world.supply(offline=True).with_finer(hours, at(DAY), at(3 * DAY)).finer == {BTC: "1m"}
    assert world.supply(offline=True).with_finer(hours, at(3 * DAY), at(4 * DAY)).finer == {}, "none in the run"


def test_hours_that_the_cache_holds_are_not_built(world: World) -> None:
    world.imported(range(DAY))
    world.cache.merge(BTC, "1h", make_candles([at(0), at(60)]))
    assert world.supply().with_finer(settings_of(timeframe="1h"), at(0), at(DAY)).finer == {}
    assert world.said == []
