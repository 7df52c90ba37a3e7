"""Market data beside the cache: by exchange and symbol, renewed by each fetch."""

from pathlib import Path

import pytest

from app.candles import sealed_json
from app.candles.market_data import Market, market_file, merge_markets, read_markets
from app.candles.sealed_json import write_sealed
from app.errors import ConfigError, DataError, NewerFormatError, OnetapeError

BTC = Market(quantity_step=1e-05, min_quantity=1e-05, min_notional=1.0, price_tick=0.01)
ETH = Market(quantity_step=0.0001, min_notional=10.0)


def test_an_exchange_that_was_never_asked_has_no_markets(tmp_path: Path) -> None:
    assert read_markets(tmp_path / "cache", "binanceus") == {}
    assert not (tmp_path / "cache").exists()


def test_a_market_without_words_has_no_limits() -> None:
    assert Market() == Market(1e-8, 0.0, 0.0, None)


def test_symbols_add_up_and_are_renewed(tmp_path: Path) -> None:
    root = tmp_path / "a" / "cache"
    merge_markets(root, "binanceus", {"BTC/USDT": BTC})
    merge_markets(root, "binanceus", {"ETH/USDT": ETH})
    merge_markets(root, "kraken", {"BTC/USDT": Market()})
    assert read_markets(root, "binanceus") == {"BTC/USDT": BTC, "ETH/USDT": ETH}
    merge_markets(root, "binanceus", {"BTC/USDT": ETH})
    assert read_markets(root, "binanceus") == {"BTC/USDT": ETH, "ETH/USDT": ETH}
    assert read_markets(root, "kraken") == {"BTC/USDT": Market()}
    assert sorted(path.name for path in root.iterdir()) == ["markets.binanceus.json", "markets.kraken.json"]


def test_the_order_of_fetches_does_not_show(tmp_path: Path) -> None:
    for name, symbols in (("one", ["BTC/USDT", "ETH/USDT"]), ("two", ["ETH/USDT", "BTC/USDT"])):
        for symbol in symbols:
            merge_markets(tmp_path / name, "binanceus", {symbol: BTC})
    one, two = (market_file(tmp_path / name, "binanceus").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("exchange", ["", "../x", "Binance", "a/b", "a b", "x" * 41, "ü"])
def test_what_cannot_be_an_exchanges_id_names_no_file(tmp_path: Path, exchange: str) -> None:
    with pytest.raises(ConfigError, match="lower-case letters and digits, like binanceus"):
        market_file(tmp_path, exchange)
    with pytest.raises(ConfigError):
        merge_markets(tmp_path, exchange, {})
    assert read_markets(tmp_path, exchange) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("symbols", [{"BTC/USDT": {"step": 1}}, {"BTC/USDT": 5}, [1], None])
def test_a_damaged_file_is_named_and_replaced_by_the_next_fetch(tmp_path: Path, symbols: object) -> None:
    path = market_file(tmp_path, "binanceus")
    write_sealed(path, {"symbols": symbols} if symbols else {})
    with pytest.raises(DataError, match=r"markets\.binanceus\.json is damaged: it holds no market data"):
        read_markets(tmp_path, "binanceus")
    merge_markets(tmp_path, "binanceus", {"BTC/USDT": BTC})
    assert read_markets(tmp_path, "binanceus") == {"BTC/USDT": BTC}


def test_a_later_format_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = market_file(tmp_path, "binanceus")
    with monkeypatch.context() as later:
        later.setattr(sealed_json, "FORMAT_VERSION", 2)
        merge_markets(tmp_path, "binanceus", {"BTC/USDT": BTC})
    before = path.read_bytes()
    with pytest.raises(NewerFormatError):
        merge_markets(tmp_path, "binanceus", {"ETH/USDT": ETH})
    assert path.read_bytes() == before


def test_a_root_that_cannot_be_written_says_what_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Not a directory|File exists") as error:
        merge_markets(tmp_path / "file", "binanceus", {"BTC/USDT": BTC})
    assert not isinstance(error.value, OnetapeError)
