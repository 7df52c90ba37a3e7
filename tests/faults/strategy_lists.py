"""A profile with a list of two strategies, changed one thing at a time, and the line that refuses it."""

from collections.abc import Callable
from typing import Any

import yaml

from tests.faults.conftest import FILES, Place

TREND: dict[str, Any] = {"id": "trend", "name": "ScalpingEMARSI", "allocation": 0.6}
DIP: dict[str, Any] = {"id": "dip", "name": "ScalpingEMARSI", "symbols": ["ETH/USDT"], "allocation": 0.4}
FILE = "config/live.yaml"
Change = Callable[[dict[str, Any]], Any]


def config(place: Place, change: Change) -> None:
    """The profile's live.yaml, with a change."""
    live: dict[str, Any] = {"exchange": "binanceus", "symbols": ["BTC/USDT", "ETH/USDT"], "timeframe": "1m"}
    live["strategies"] = [dict(TREND), dict(DIP)]
    change(live)
    place.write(FILES["live"], yaml.safe_dump(live))


def own(place: int, **keys: Any) -> Change:
    """Keys of one strategy of the list."""
    return lambda live: live["strategies"][place].update(keys)


def exits(**keys: Any) -> Change:
    """The managed exits of the second."""
    return own(1, exits=keys)


def refused(place: Place, *words: str) -> str:
    """The same line from a backtest and from check."""
    said = place.refused(*words)
    assert place.refused("check", *words, backtest=False) == said
    return said
