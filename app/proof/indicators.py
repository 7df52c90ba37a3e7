"""A strategy's indicators, candle by candle, as they were: the run through the same runtime, its values written down.

The strategies run here, in a process of whoever asks, and never in the session or in the page.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from app.errors import DataError, StrategyError
from app.proof.observation import rebuilt
from app.proof.rebuild import Source, candle_of


@dataclass
class Trail:
    """Of one strategy on the symbol: the values of `indicator_values()` after each candle, None while there is none;
    `times_ms` are the candles' open times, ascending.
    """

    strategy: str
    times_ms: deque[int]
    rows: deque[dict[str, Any]]
    names: list[str] = field(default_factory=list)

    def add(self, time_ms: int, values: dict[str, Any]) -> None:
        """After one more candle; one that came behind a newer one has no place of its own."""
        if self.times_ms and time_ms <= self.times_ms[-1]:
            return
        self.times_ms.append(time_ms)
        self.rows.append(values)
        self.names += [name for name in values if name not in self.names]

    def as_dict(self) -> dict[str, Any]:
        """A list of values a name, each as long as `times_ms`."""
        values = {name: [row.get(name) for row in self.rows] for name in self.names}
        return {"strategy": self.strategy, "times_ms": list(self.times_ms), "values": values}


async def trails(source: Source, symbol: str, count: int) -> list[Trail]:
    """Over the last `count` candles of the symbol, of each strategy that says its indicators.

    DataError for a symbol that is not the run's, StrategyError where a strategy cannot say them.
    """
    if symbol not in source.settings.live.symbols:
        listed = ", ".join(source.settings.live.symbols)
        raise DataError(f"{source.folder}: {symbol} is no symbol of this run ({listed})")
    found: dict[str, Trail] = {}
    async with rebuilt(source) as watch:
        asked = [own.asked[symbol] for own in watch.hosted if symbol in own.asked]
        strategies = [(view.line.strategy, getattr(on_candle, "__self__", None)) for on_candle, view in asked]
        telling = [(one, strategy) for one, strategy in strategies if hasattr(strategy, "indicator_values")]
        for event in source.events():
            await watch.handle(event)
            candle = candle_of(event, symbol)
            if candle is None:
                continue
            for one, strategy in telling:
                if one not in found:
                    found[one] = Trail(one, deque(maxlen=count), deque(maxlen=count))
                found[one].add(candle.open_time_ms, _values(strategy))
    return list(found.values())


def _values(strategy: Any) -> dict[str, Any]:
    try:
        said = strategy.indicator_values()
        return {str(name): None if value is None else float(value) for name, value in said.items()}
    except Exception as error:
        name = type(strategy).__name__
        raise StrategyError(f"strategy {name} cannot say its indicators: {type(error).__name__}: {error}") from error
