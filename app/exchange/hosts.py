"""Where each Binance is reached: Binance.com, Binance US and Binance's Demo Mode, or any of them at one's own host.

`binance_demo` is Binance.com's Demo Mode: the same API with real prices, other keys and play money. It is an exchange
of its own here, so its candles, market data and orders are never mixed with the real one's.
"""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.errors import ConfigError


class _Hosts(NamedTuple):
    rest: str
    socket_api: str
    stream: str
    ccxt_name: str  # the class of ccxt that speaks with it


_HOSTS = {
    "binanceus": _Hosts(
        "https://api.binance.us", "wss://ws-api.binance.us:443", "wss://stream.binance.us:9443", "binanceus"
    ),
    "binance": _Hosts(
        "https://api.binance.com", "wss://ws-api.binance.com:443", "wss://stream.binance.com:9443", "binance"
    ),
    "binance_demo": _Hosts(
        "https://demo-api.binance.com", "wss://demo-ws-api.binance.com", "wss://demo-stream.binance.com", "binance"
    ),
}
BINANCE = tuple(_HOSTS)


def ccxt_name(exchange: str) -> str:
    """ccxt's id of an exchange of ours."""
    return _HOSTS[exchange].ccxt_name if exchange in _HOSTS else exchange


def exchange_urls(exchange: str, url: str | None) -> dict[str, Any]:
    """ccxt's `urls` for a Binance, sockets included. ConfigError for a `url` that is none.

    Every address that spot trading uses is named, since ccxt's Binance US has some of Binance.com's.
    """
    hosts = _hosts(exchange, url)
    return {
        "api": {
            "public": f"{hosts.rest}/api/v3",
            "private": f"{hosts.rest}/api/v3",
            "sapi": f"{hosts.rest}/sapi/v1",
            "v1": f"{hosts.rest}/api/v1",
            "ws": {"spot": f"{hosts.stream}/ws", "ws-api": {"spot": socket_api_url(exchange, url)}},
        }
    }


def socket_api_url(exchange: str, url: str | None) -> str:
    """The websocket API, which has the user data stream."""
    return f"{_hosts(exchange, url).socket_api}/ws-api/v3"


def _hosts(exchange: str, url: str | None) -> _Hosts:
    known = _HOSTS[exchange]
    if url is None:
        return known
    root = url.rstrip("/")
    if not _is_address(root):
        raise ConfigError(f"--exchange-url {url}: write it as http://127.0.0.1:8080")
    socket = "ws" + root.removeprefix("http")
    return _Hosts(root, socket, socket, known.ccxt_name)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_port = parts.port != 0
    except ValueError:
        return False
    is_plain = url.isprintable() and not any(sign in url for sign in " ?#")
    return is_plain and is_port and parts.scheme in ("http", "https") and bool(parts.hostname)
