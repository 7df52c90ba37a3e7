"""Made-up trade logs for the tests of the metrics: trades as a few numbers, written by the log that a run writes.

The rule: what a test does not name is a plain round number (a long of 1 from 100 with its stop at 90), no costs.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.models.orders import Reason, Side
from app.runs.fill_columns import Fills
from app.runs.trade_log import TradeLog
from app.runs.trade_table import Trades, read_fills, trades_of
from tests.made import BTC, MINUTE_MS, fill

HOUR_MS = 60 * MINUTE_MS


@dataclass(frozen=True)
class Made:
    """One trade; commission and slippage are rates. `exit` None: still open. The PnL follows from the rest."""

    exit: float | None = 110.0
    entry: float = 100.0  # before slippage, like `exit`
    quantity: float = 1.0
    side: Side = Side.LONG
    stop: float = 90.0
    target: float = 120.0
    opened_ms: int = 0
    closed_ms: int = HOUR_MS
    commission: float = 0.0
    slippage: float = 0.0
    reason: Reason = Reason.TAKE_PROFIT
    symbol: str = BTC
    tag: str = ""
    both_levels: bool = False
    target_touched: bool = False
    mae: float = 5.0
    mfe: float = 15.0
    candle_volume: float | None = 1_000.0

    @property
    def entry_price(self) -> float:
        return self.entry * (1.0 + self.side * self.slippage)

    @property
    def exit_price(self) -> float:
        assert self.exit is not None
        return self.exit * (1.0 - self.side * self.slippage)

    @property
    def pnl(self) -> float:
        """RULES, Cash + equity accounting."""
        earned = self.side * self.quantity * (self.exit_price - self.entry_price)
        return earned - self.commission * self.quantity * (self.entry_price + self.exit_price)


def write_log(path: Path, *trades: Made) -> Path:
    """All OPEN and CLOSE rows in the order of their times; trade ids from 1 in the order given."""
    rows = []
    for number, made in enumerate(trades, 1):
        both = {
            "symbol": made.symbol, "side": made.side, "quantity": made.quantity, "trade_id": number,
            "stop": made.stop, "target": made.target, "tag": made.tag,
        }  # fmt: skip
        price = made.entry_price
        opened = fill(
            **both, time_ms=made.opened_ms, opens=True, price=price, commission=made.commission * price * made.quantity,
            slippage=abs(price - made.entry) * made.quantity, realized_pnl=0.0, reason=Reason.SIGNAL,
            candle_volume=made.candle_volume,
        )  # fmt: skip
        rows.append((made.opened_ms, opened))
        if made.exit is not None:
            price = made.exit_price
            closed = fill(
                **both, time_ms=made.closed_ms, opens=False, price=price, realized_pnl=made.pnl, reason=made.reason,
                commission=made.commission * price * made.quantity, slippage=abs(price - made.exit) * made.quantity,
                both_levels=made.both_levels, target_touched=made.target_touched, mae=made.mae, mfe=made.mfe,
            )  # fmt: skip
            rows.append((made.closed_ms, closed))
    log = TradeLog(path)
    for _, row in sorted(rows, key=lambda pair: pair[0]):
        log.write(row)
    log.close()
    return path


def read_trade_log(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a trade log as text, in file order."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def read(folder: Path, *trades: Made) -> tuple[Fills, Trades]:
    """Written and read back."""
    path = write_log(folder / "trades.csv", *trades)
    fills = read_fills(path)
    return fills, trades_of(fills, path)


def earning(*pnls: float) -> list[Made]:
    """Trades with these profits, one an hour, each with a risk of 10."""
    return [
        Made(exit=100.0 + pnl, opened_ms=i * HOUR_MS, closed_ms=(i + 1) * HOUR_MS - 1) for i, pnl in enumerate(pnls)
    ]
