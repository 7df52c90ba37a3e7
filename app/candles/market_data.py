"""What an exchange accepts for its symbols, kept with the cache: `markets.<exchange>.json` at its root.

A fetch writes the symbols that it was asked for; a backtest reads quantity step, minimum and price tick from it where
the config has no value of its own. Zero, or None for the tick, means that there is no limit.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from app.candles.locks import locked
from app.candles.sealed_json import believed, read_sealed, write_sealed
from app.errors import ConfigError, DataError

_EXCHANGE = re.compile(r"[a-z0-9_]{1,40}")


@dataclass(frozen=True)
class Market:
    """Limits of one symbol, as the exchange gives them."""

    quantity_step: float = 1e-8
    min_quantity: float = 0.0
    min_notional: float = 0.0
    price_tick: float | None = None


def market_file(root: Path, exchange: str) -> Path:
    """Where an exchange's market data lies, or would; ConfigError for what cannot be an exchange's id."""
    if not _EXCHANGE.fullmatch(exchange):
        raise ConfigError(f"exchange {exchange!r}: an exchange's id is lower-case letters and digits, like binanceus")
    return root / f"markets.{exchange}.json"


def exchanges_with_markets(root: Path) -> list[str]:
    """The exchanges whose market data lies there, sorted."""
    return [path.name.split(".")[1] for path in sorted(root.glob("markets.*.json"))]


def read_markets(root: Path, exchange: str) -> dict[str, Market]:
    """By symbol; empty if this exchange was never asked. DataError if the file is damaged."""
    if not _EXCHANGE.fullmatch(exchange):
        return {}
    path = market_file(root, exchange)
    content = read_sealed(path)
    try:
        symbols = {} if content is None else content["symbols"]
        return {str(symbol): Market(**values) for symbol, values in symbols.items()}
    except (KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is damaged: it holds no market data") from None


def merge_markets(root: Path, exchange: str, markets: Mapping[str, Market]) -> None:
    """Adds or renews symbols; a damaged file is replaced. OSError as the system says it."""
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        known = believed(lambda: read_markets(root, exchange))
        symbols = {symbol: asdict(market) for symbol, market in {**known, **markets}.items()}
        write_sealed(market_file(root, exchange), {"exchange": exchange, "symbols": symbols})
