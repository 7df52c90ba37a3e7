"""An exchange that is not there, refuses, bans or lacks what was asked for: one line, at once, and nothing stored."""

import functools
import http.server
import threading
from collections.abc import Iterator

import pytest

from app.times import TIMEFRAMES_MS
from tests.faults.conftest import Place
from tests.faults.fetching import ALL, BTC, done, fetch_words, refused, said, serve
from tests.fetching import add_fault, files, running_testnet, state_of

UNUSED = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A testnet for faults that are over with the request that meets them; its time is 2025-11-03."""
    served = serve(tmp_path_factory.mktemp("served"))
    with running_testnet("--cache", served.root, "--start", "2025-11-03", "--speed", "0.001") as address:
        yield address


# Nobody there.


def test_nobody_listens(place: Place) -> None:
    assert refused(place, fetch_words(UNUSED)).startswith(f"{UNUSED} cannot be reached: Cannot connect to host ")


def test_no_host_of_that_name(place: Place) -> None:
    line = refused(place, fetch_words("http://onetape.invalid"))
    assert line.startswith("no network, or no host of that name: ")
    assert "onetape.invalid" in line


def test_a_web_page_instead_of_an_exchange(place: Place) -> None:
    handler = functools.partial(_Quiet, directory=str(place.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            line = refused(place, fetch_words(address))
        finally:
            server.shutdown()
            thread.join()
    assert line == f"{address}/api/v3/exchangeInfo does not exist (404): is that a Binance API?"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("address", ["nonsense", "http://", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://[::1"])
def test_an_address_that_is_none(place: Place, address: str) -> None:
    line = refused(place, fetch_words(address))
    assert line == f"--exchange-url {address}: write it as http://127.0.0.1:8080"


def test_an_address_for_an_exchange_that_is_no_binance(place: Place) -> None:
    line = refused(place, fetch_words(UNUSED, exchange="kraken"))
    assert line == "--exchange-url works for binanceus, binance, binance_demo only, not for kraken"


# It refuses.


@pytest.mark.parametrize(("status", "why"), [(403, "forbidden"), (451, "not served in this country")])
def test_a_country_that_is_not_served(place: Place, url: str, status: int, why: str) -> None:
    requests = state_of(url)["requests"]
    add_fault(url, fault="blocked", status=status)
    assert refused(place, fetch_words(url)) == f"{url} refuses this address: {status}, {why}"
    assert state_of(url)["requests"] == requests + 1, "a refusal is not asked for again"


def test_a_refusal_on_the_way_keeps_what_came(place: Place, url: str) -> None:
    add_fault(url, fault="blocked", status=451, path="klines", symbol=BTC, after=1)
    line = said(place.process(*fetch_words(url, symbols="BTC/USDT,ETH/USDT")))
    assert line == f"{url} refuses this address: 451, not served in this country"
    both = files(serve(place.folder / "truth").root)
    left = files(place.folder / "new")
    done(place, fetch_words(url, symbols="BTC/USDT,ETH/USDT"))
    assert set(left) <= set(both)
    assert files(place.folder / "new") == both


def test_a_ban_that_lasts_longer_than_anybody_waits(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    served = serve(tmp_path_factory.mktemp("banned"))
    with running_testnet("--cache", served.root) as own:
        add_fault(own, fault="banned", s=900)
        line = refused(place, fetch_words(own))
        assert state_of(own)["requests"] == 1
    assert line == f"{own} has banned this address (418), for 900 s more"


# It does not have it.


def test_an_unknown_exchange_names_near_ones(place: Place) -> None:
    line = refused(place, fetch_words(None, exchange="binancus"))
    assert line.startswith("unknown exchange 'binancus'; near ones are binanceus, ")


@pytest.mark.parametrize("symbol", ["BTC/USD", "BTCUSDT", "btc/usdt"])
def test_an_unknown_symbol_names_near_ones(place: Place, url: str, symbol: str) -> None:
    line = refused(place, fetch_words(url, symbols=f"ETH/USDT,{symbol}"))
    assert line == f"binanceus has no symbol {symbol!r}; near ones are BTC/USDT, ETH/USDT"


def test_an_unknown_timeframe_names_the_known_ones(place: Place) -> None:
    line = refused(place, fetch_words(UNUSED, timeframe="7m"))
    assert line == f"unknown timeframe '7m'; known are {', '.join(TIMEFRAMES_MS)}"


def test_a_timeframe_that_the_exchange_lacks_is_said_before_it_is_asked(place: Place) -> None:
    line = refused(place, fetch_words(None, exchange="kraken", timeframe="3m"))
    assert line == "kraken has no 3m candles; it has 1m, 5m, 15m, 30m, 1h, 4h, 1d"


def test_a_range_before_the_listing(place: Place, url: str) -> None:
    line = said(place.process(*fetch_words(url, ("2019-01-01", "2019-02-01"))))
    assert line == f"{BTC} 1m begins at 2025-10-31 23:00 on {url}; 2019-01-01 to 2019-02-01 lies before it"
    # Not a candle: only what was learned, so that it need not be asked again.
    left = {path.name for path in (place.folder / "new").rglob("*") if path.is_file()}
    assert left == {"absent.json", "markets.binanceus.json"}


@pytest.mark.parametrize("has_end", [True, False])
def test_a_range_in_the_future(place: Place, url: str, has_end: bool) -> None:
    words = fetch_words(url, ("2027-01-01", "2027-02-01"))
    at = words.index("--end")
    line = refused(place, words if has_end else words[:at] + words[at + 2 :])
    assert "2027-01-01 on has closed yet" in line
    assert line.startswith("no 1m candle from ")
    assert "2025-11-03" in line


# It tells another time.


def test_a_clock_that_differs_is_a_note(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    served = serve(tmp_path_factory.mktemp("skewed"))
    with running_testnet("--cache", served.root, "--start", "2025-11-03", "--speed", "0.001") as own:
        add_fault(own, fault="skew", ms=-3_600_000)
        out = done(place, fetch_words(own, ALL))
    assert "\nnote: the exchange's clock is " in out
    assert out.endswith(" behind this machine's; the exchange's counts\n")
    assert files(place.folder / "new") == files(served.root, "BTC_USDT/*/*.parquet")
