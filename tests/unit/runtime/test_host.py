"""StrategyHost: who is asked with which candles, what is kept for views, and which answers are nonsense."""

from typing import Any, ClassVar

import pytest

from app.errors import StrategyError
from app.models.market import Candle
from app.models.orders import FLAT, MAIN, Action, Signal
from app.runtime.host import Hosted, HostedStrategy, StrategyHost
from app.strategies.base import Strategy, View, exit_position, long, short
from tests.made import BTC, ETH, account_with, candle, slice_of


class Silent(Strategy):
    """Answers FLAT and looks at nothing."""

    lookback: ClassVar[int] = 0

    async def on_candle(self, candle: Candle, view: View) -> Signal:
        """Nothing."""
        return FLAT


class Curious(Silent):
    """Keeps three candles of its own timeframe and of a coarser one."""

    lookback: ClassVar[int] = 3
    timeframes: ClassVar[tuple[str, ...]] = ("5m",)


def host(strategy: type[Strategy] = Silent, timeframe: str = "1m") -> StrategyHost:
    return StrategyHost((ETH, BTC), "1m", [HostedStrategy(MAIN, strategy, timeframe, (ETH, BTC))], account_with())


def hosted(of: StrategyHost) -> Hosted:
    """Its only strategy."""
    (own,) = of.hosted
    return own


def test_each_symbol_has_an_instance_of_its_own() -> None:
    asked = hosted(host()).asked
    assert list(asked) == [ETH, BTC]
    bound = {symbol: getattr(on_candle, "__self__", None) for symbol, (on_candle, _) in asked.items()}
    assert bound[ETH] is not bound[BTC]
    assert [view.symbol for _, view in asked.values()] == [ETH, BTC]


def test_without_lookback_and_coarse_candles_the_slice_is_passed_on() -> None:
    plain = host()
    assert not plain.has_coarse
    together = slice_of(candle(symbol=ETH), candle())
    assert plain.absorb(together)["1m"] is together.candles


def test_the_whole_slice_is_kept_before_the_first_is_asked() -> None:
    curious = host(Curious)
    assert curious.has_coarse
    for minute in range(6):
        closing = curious.absorb(slice_of(candle(10.0, at=minute, symbol=ETH), candle(20.0 + minute, at=minute)))
        assert [one.symbol for one, _, _ in hosted(curious).asked_of(closing)] == [ETH, BTC]
    view = hosted(curious).asked[ETH][1]
    assert [one.close for one in view.candles(symbol=BTC)] == [23.0, 24.0, 25.0]
    assert [one.close for one in view.candles(symbol=BTC, timeframe="5m")] == [24.0]


def test_a_coarse_strategy_is_asked_for_its_own_candles_only() -> None:
    coarse = host(Silent, "5m")
    closing = [coarse.absorb(slice_of(candle(at=minute))) for minute in range(10)]
    asked = [[one for one, _, _ in hosted(coarse).asked_of(candles)] for candles in closing]
    assert [len(candles) for candles in asked] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert {one.timeframe for candles in asked for one in candles} == {"5m"}


@pytest.mark.parametrize(
    "signal",
    [
        FLAT,
        exit_position("done"),
        long(atr=1.0),
        long(atr=float("nan")),  # an indicator that is not ready: risk refuses it
        short(stop=101, target=99, size_factor=1),
    ],
)
def test_answers_that_make_sense(signal: Signal) -> None:
    assert hosted(host()).check(signal, candle()) is signal


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "on_candle returned None; return FLAT, long"),
        ("LONG", "on_candle returned 'LONG'"),
        (Action.LONG, "on_candle returned <Action.LONG"),
        (Signal("LONG", 1.0), "on_candle returned Signal"),  # type: ignore[arg-type]
        (long(), "LONG without a stop: give long"),
        (short(target=5.0), "SHORT without a stop"),
        (long(stop=float("nan")), "LONG with stop nan, which is no number"),
        (long(stop=float("inf")), "LONG with stop inf"),
        (long(atr=1.0, target=float("-inf")), "LONG with target -inf"),
        (long(atr="2"), "LONG with atr '2'"),  # type: ignore[arg-type]
        (long(stop="99"), "LONG with stop '99'"),  # type: ignore[arg-type]
        (long(atr=1.0, size_factor=0.0), "size_factor 0.0; it must be above 0 and at most 1"),
        (long(atr=1.0, size_factor=1.5), "size_factor 1.5"),
        (long(atr=1.0, size_factor=float("nan")), "size_factor nan"),
        (long(atr=1.0, size_factor="1"), "size_factor '1'"),  # type: ignore[arg-type]
        (long(atr=1.0, tag=5), "tag 5 is no text"),  # type: ignore[arg-type]
        (exit_position(tag=None), "tag None is no text"),  # type: ignore[arg-type]
    ],
)
def test_nonsense_names_the_strategy_the_candle_and_what_would_be_right(answer: Any, problem: str) -> None:
    with pytest.raises(StrategyError) as caught:
        hosted(host()).check(answer, candle(at=1))
    line = str(caught.value)
    assert line.startswith("strategy Silent, BTC/USDT, candle closed at 1970-01-01T00:02:00.000Z: ")
    assert problem in line
