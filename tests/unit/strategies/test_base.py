"""What a strategy sees through its view, and the words that it answers with."""

from collections import deque

import pytest

from app.models.market import Candle
from app.models.orders import Action, Signal
from app.strategies.base import FLAT, Strategy, View, exit_position, long, short
from app.strategies.indicators import ATR, EMA, SMA
from tests.made import BTC, BTC_LINE, ETH, account_with, candle, entry, position

BOOKS: dict[tuple[str, str], deque[Candle]] = {
    (BTC, "1m"): deque([candle(float(i), at=i) for i in range(5)], maxlen=5),
    (ETH, "1m"): deque([candle(7.0, symbol=ETH)]),
    (BTC, "1h"): deque(),
}


def test_the_words_are_signals() -> None:
    assert long(atr=2.0, tag="x") == Signal(Action.LONG, 2.0, None, None, 1.0, "x")
    assert short(stop=9.0, target=5.0, size_factor=0.5) == Signal(Action.SHORT, None, 9.0, 5.0, 0.5, "")
    assert exit_position("why") == Signal(Action.EXIT, tag="why")


def test_a_view_shows_the_account_of_this_moment() -> None:
    account = account_with(BTC=100.0)
    view = View(BTC_LINE, "1m", account, BOOKS)
    assert (view.position, view.pending_entry, view.equity) == (None, None, 10_000.0)
    account.pending[BTC_LINE] = entry()
    account.positions[BTC_LINE] = position(entry_commission=0.0)
    account.marks[BTC] = 110.0
    assert (view.position, view.pending_entry, view.equity) == (position(entry_commission=0.0), entry(), 10_020.0)


def test_a_view_cannot_be_written() -> None:
    view = View(BTC_LINE, "1m", account_with(), BOOKS)
    for name in ("position", "pending_entry", "equity"):
        with pytest.raises(AttributeError):
            setattr(view, name, None)
    with pytest.raises(AttributeError):
        view.note = "mine"  # type: ignore[attr-defined]


def test_candles_come_oldest_first_and_as_many_as_asked_for() -> None:
    view = View(BTC_LINE, "1m", account_with(), BOOKS)
    assert [kept.close for kept in view.candles()] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [kept.close for kept in view.candles(2)] == [3.0, 4.0]
    assert [kept.close for kept in view.candles(99)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert list(view.candles(0)) == []
    assert [kept.close for kept in view.candles(symbol=ETH)] == [7.0]
    assert list(view.candles(timeframe="1h")) == []


@pytest.mark.parametrize(("symbol", "timeframe"), [("SOL/USDT", None), (None, "4h"), (ETH, "1h")])
def test_candles_that_are_not_kept_say_which_are(symbol: str | None, timeframe: str | None) -> None:
    view = View(BTC_LINE, "1m", account_with(), BOOKS)
    with pytest.raises(LookupError, match=r"are kept \(kept: BTC/USDT 1h, BTC/USDT 1m, ETH/USDT 1m\); set the"):
        view.candles(symbol=symbol, timeframe=timeframe)


class Two(Strategy):
    """Declares by what it holds."""

    def __init__(self) -> None:
        self.fast, self.slow = EMA(3), SMA(30)
        self.atr = ATR(14)
        self.note = "no indicator"


async def test_warm_up_is_the_longest_of_the_indicators() -> None:
    assert Two().warmup_candles == 30
    assert Two().settling_candles == ATR(14).settling_candles
    assert Strategy().warmup_candles == Strategy().settling_candles == 0
    with pytest.raises(NotImplementedError):
        await Two().on_candle(candle(), View(BTC_LINE, "1m", account_with(), {}))
    assert FLAT.action is Action.FLAT


def test_explaining_is_optional() -> None:
    class Silent(Strategy):
        async def on_candle(self, candle: Candle, view: View) -> Signal:
            return FLAT

    assert Silent().explain(candle(), View(BTC_LINE, "1m", account_with(), BOOKS)) == ()
