"""Made-up nouns for unit tests: a candle, an order, a fill, an account, each with only what a test cares about.

The rule: every default is a plain round number, so that expected money can be computed in the head. No test logic.
"""

from typing import Any

from app.models.market import Candle, Slice
from app.models.orders import MAIN, Bound, EntryOrder, Fill, HeldRange, Line, Position, Reason, Side
from app.trading.account import Account, lines_of

BTC, ETH = "BTC/USDT", "ETH/USDT"
BTC_LINE, ETH_LINE = Line(MAIN, BTC), Line(MAIN, ETH)
MINUTE_MS = 60_000


def candle(
    close: float = 100.0,
    *,
    at: int = 0,
    open: float | None = None,  # noqa: A002 - the field's name
    high: float | None = None,
    low: float | None = None,
    volume: float = 1.0,
    symbol: str = BTC,
    timeframe: str = "1m",
) -> Candle:
    """Minute `at`; open at the close, high and low around both, where not given."""
    first = close if open is None else open
    top = max(first, close) if high is None else high
    bottom = min(first, close) if low is None else low
    return Candle(symbol, timeframe, at * MINUTE_MS, first, top, bottom, close, volume)


def slice_of(*candles: Candle, warmup: bool = False) -> Slice:
    """The slice in which these candles close."""
    return Slice(candles[0].close_time_ms, candles, warmup)


def entry(**changes: Any) -> EntryOrder:
    """A long of 2 at 100 with stop 90 and target 120."""
    fields: dict[str, Any] = {
        "order_id": 1,
        "symbol": BTC,
        "side": Side.LONG,
        "quantity": 2.0,
        "reference": 100.0,
        "stop": 90.0,
        "target": 120.0,
        "sized_by": Bound.RISK,
        "tag": "",
        "signal_time_ms": MINUTE_MS,
    }
    return EntryOrder(**{**fields, **changes})


def position(**changes: Any) -> Position:
    """An open long of 2 from 100, entry commission 0.2."""
    fields: dict[str, Any] = {
        "trade_id": 1,
        "symbol": BTC,
        "side": Side.LONG,
        "quantity": 2.0,
        "entry_price": 100.0,
        "entry_commission": 0.2,
        "entry_time_ms": 0,
        "stop": 90.0,
        "target": 120.0,
        "tag": "",
        **changes,
    }
    fields["signed_quantity"] = fields["side"] * fields["quantity"]
    fields.setdefault("first_quantity", fields["quantity"])
    fields.setdefault("first_commission", fields["entry_commission"])
    fields.setdefault("risk", abs(fields["entry_price"] - fields["stop"]))
    fields["floor"], fields["ceiling"] = sorted((fields["stop"], fields["target"]))
    fields.setdefault("held", HeldRange(fields["entry_price"], fields["entry_price"]))
    return Position(**fields)


def fill(**changes: Any) -> Fill:
    """The CLOSE of a long of 2 at 110 with a profit of 20."""
    fields: dict[str, Any] = {
        "time_ms": MINUTE_MS,
        "symbol": BTC,
        "opens": False,
        "side": Side.LONG,
        "price": 110.0,
        "quantity": 2.0,
        "commission": 0.0,
        "slippage": 0.0,
        "balance": 10_020.0,
        "equity": 10_020.0,
        "realized_pnl": 20.0,
        "reason": Reason.TAKE_PROFIT,
        "trade_id": 1,
        "stop": 90.0,
        "target": 110.0,
        "order_id": None,
        "sized_by": None,
        "both_levels": False,
        "tag": "",
    }
    return Fill(**{**fields, **changes})


def made_account(balance: float = 10_000.0, *symbols: str) -> Account:
    """An account of one strategy on these symbols, BTC and ETH where none is named."""
    names = symbols or (BTC, ETH)
    return Account(balance, lines_of({MAIN: names}, names))


def account_with(*positions: Position, balance: float = 10_000.0, **marks: float) -> Account:
    """An account with these open positions; marks by the base currency (`BTC=100.0`), else the entry prices."""
    account = made_account(balance)
    for one in positions:
        account.positions[one.line] = one
        account.marks[one.symbol] = one.entry_price
    for base, mark in marks.items():
        account.marks[f"{base}/USDT"] = mark
    return account
