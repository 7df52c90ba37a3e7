"""`data fetch`: what it refuses before anybody is asked, and how it says what came."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from app.cli.data import data_parser, run_until_stopped
from app.errors import ConfigError, OnetapeError, RefusedError, StoppedError, UnavailableError
from app.exchange.fetch_report import FetchReport
from app.exchange.series_fetch import SeriesReport
from app.report.progress import fetch_lines
from tests.candle_columns import MINUTE_MS, START_MS
from tests.loopback import Loopback, Reply

DAY = {"--cache": "cache", "--symbols": "BTC/USDT", "--timeframe": "1m", "--start": "2025-10-30", "--end": "2025-10-31"}
NOBODY = "http://127.0.0.1:9"


def run(**changes: str) -> int:
    given = {**DAY, "--exchange-url": NOBODY, **{f"--{key.replace('_', '-')}": value for key, value in changes.items()}}
    args = data_parser().parse_args(["fetch", *(word for pair in given.items() for word in pair)])
    status: int = args.run(args)
    return status


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_is_not_said_has_a_default() -> None:
    args = data_parser().parse_args(["fetch", "--symbols", "A/B", "--timeframe", "1h", "--start", "2025-10-30"])
    assert (args.end, args.exchange, args.exchange_url) == (None, "binanceus", None)
    assert args.cache == Path("data/backtest_cache")


@pytest.mark.parametrize("missing", ["--symbols", "--timeframe", "--start"])
def test_what_must_be_said(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for pair in DAY.items() if pair[0] != missing for word in pair]
    with pytest.raises(SystemExit):
        data_parser().parse_args(["fetch", *words])
    assert f"the following arguments are required: {missing}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "2025-10-31"}, r"--start 2025-10-31 is not before --end 2025-10-31"),
        ({"start": "2025-11-01"}, r"--start 2025-11-01 is not before"),
        ({"start": "soon"}, "'soon' is not a date or time"),
        ({"end": "2025-13-01"}, "'2025-13-01' is not a date or time"),
        ({"end": "1969-01-01"}, "is not a time between 1970 and 9999"),
        ({"timeframe": "7m"}, "unknown timeframe '7m'; known are 1s, 1m"),
        ({"symbols": ""}, "'' cannot name a folder of the cache"),
        ({"symbols": "BTC/USDT,,ETH/USDT"}, "'' cannot name a folder of the cache"),
        ({"symbols": "BTC/USDT,../x"}, "cannot name a folder of the cache"),
        ({"exchange": "binanceuk"}, "unknown exchange 'binanceuk'; near ones are"),
        ({"exchange": "kraken"}, "--exchange-url works for binanceus, binance, binance_demo only, not for kraken"),
        ({"exchange_url": "127.0.0.1:8080"}, "write it as http://127.0.0.1:8080"),
    ],
)
def test_refusals_come_before_anybody_is_asked(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**changes)
    assert list(Path().iterdir()) == [], "and leave nothing"


async def asked(reply: Reply) -> OnetapeError:
    """The fault with which the command ends when the exchange's markets are that reply."""
    async with Loopback(exchangeInfo=reply) as server:
        with pytest.raises(OnetapeError) as caught:
            await asyncio.to_thread(run, exchange_url=server.url)
    return caught.value


async def test_an_exchange_that_refuses_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # A thread has no signals: who stops it is another test's business.
    monkeypatch.setattr(asyncio.unix_events._UnixSelectorEventLoop, "add_signal_handler", lambda *_: None)
    error = await asked(Reply(451, {"code": 0, "msg": "restricted location"}))
    assert isinstance(error, RefusedError)
    assert "451, not served in this country" in str(error)
    assert list(Path().iterdir()) == [], "neither a lock nor an empty cache is left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            ended.append("stored")

    with pytest.raises(StoppedError, match="what came so far is stored, the same command fetches the rest"):
        run_until_stopped(work())
    assert ended == ["stored"]


def test_a_result_or_a_fault_comes_through() -> None:
    async def work(fault: Exception | None) -> str:
        if fault is not None:
            raise fault
        return "result"

    assert run_until_stopped(work(None)) == "result"
    with pytest.raises(UnavailableError, match="nobody"):
        run_until_stopped(work(UnavailableError("nobody")))


# How it says what came.


def report(*series: SeriesReport, **changes: object) -> FetchReport:
    made = FetchReport("binanceus", "binanceus", "1m", START_MS, START_MS + 120 * MINUTE_MS, list(series))
    made.requests, made.weight, made.retried, made.elapsed_s = 1_005, 2_014, 3, 12.34
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def at(slot: int) -> int:
    return START_MS + slot * MINUTE_MS


def test_the_table_and_the_sum_of_it() -> None:
    btc = SeriesReport("BTC/USDT", "1m", wanted=1_200, new=1_195, absent=((at(3), at(5)), (at(60), at(63))))
    eth = SeriesReport("ETH/USDT", "1m", wanted=7, new=7)
    lines = "\n".join(fetch_lines(report(btc, eth))).splitlines()
    assert lines == [
        "binanceus: 1m candles, 2025-10-31 23:00 to 2025-11-01 01:00 (UTC)",
        "symbol    missing  fetched  not there",
        "BTC/USDT    1,200    1,195          5",
        "ETH/USDT        7        7          0",
        "1,202 candles from binanceus in 12.3 s: 1,005 requests of weight 2,014, 3 of them asked again",
        "BTC/USDT: binanceus has nothing at",
        "    2025-10-31 23:03 to 2025-10-31 23:04  2",
        "    2025-11-01 to 2025-11-01 00:02  3",
    ]


def test_another_host_is_named() -> None:
    lines = list(fetch_lines(report(SeriesReport("BTC/USDT", "1m", 1, 1), host="http://127.0.0.1:8080", retried=0)))
    assert lines[0].startswith("binanceus at http://127.0.0.1:8080: 1m candles")
    assert lines[2].endswith("from binanceus at http://127.0.0.1:8080 in 12.3 s: 1,005 requests of weight 2,014")


def test_nothing_missing_is_said_without_a_request() -> None:
    lines = list(fetch_lines(report(SeriesReport("BTC/USDT", "1m"), requests=0)))
    assert lines[2:] == ["nothing was missing; no request was made"]


def test_what_a_user_should_know() -> None:
    series = SeriesReport("BTC/USDT", "1m", 5, 5, off_grid=2)
    lines = list(fetch_lines(report(series, notes=["candles from 2025-11-01 on have not closed yet", "two"])))
    assert lines[3:] == [
        "BTC/USDT: 2 rows off the 1m grid were left out",
        "note: candles from 2025-11-01 on have not closed yet",
        "note: two",
    ]


def test_many_holes_do_not_scroll_everything_else_away() -> None:
    holes = tuple((at(2 * number), at(2 * number + 1)) for number in range(1_700))
    lines = list(fetch_lines(report(SeriesReport("BTC/USDT", "1m", 3_400, 1_700, absent=holes))))
    assert len(lines) == 4 + 500 + 1
    assert lines[-1] == "    and 1,200 more"
