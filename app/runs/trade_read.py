"""The trades of a trade log, each OPEN joined with its CLOSE, as far as the log can be read.

The rule: a log that was cut, or that an older version wrote, gives the trades before the cut and the columns that it
has, and says what is missing; nothing is made up. A trade still open has no exit.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import ConfigError
from app.times import parse_time_ms

if TYPE_CHECKING:
    import _csv

_NEEDED = ("timestamp", "symbol", "action", "side", "price", "quantity", "equity", "realized_pnl", "reason", "trade_id")


@dataclass(frozen=True)
class Trade:
    """An entry with its exit. Prices and money in quote currency, times in ms UTC; `pnl` is net of both commissions.

    `mae` and `mfe` are currency, 0 or more; None where the log has none, as is everything of an exit to come.
    """

    trade_id: int
    symbol: str
    side: int
    entry_ms: int
    entry_price: float
    quantity: float
    stop: float | None
    target: float | None
    tag: str
    exit_ms: int | None = None
    exit_price: float | None = None
    pnl: float | None = None
    reason: str = ""
    mae: float | None = None
    mfe: float | None = None
    both_levels: bool = False

    @property
    def risk(self) -> float | None:
        """`|entry price - stop| * quantity`; None without a stop on the losing side of the entry."""
        if self.stop is None or self.side * (self.entry_price - self.stop) <= 0.0:
            return None
        return abs(self.entry_price - self.stop) * self.quantity

    @property
    def pnl_r(self) -> float | None:
        """Net PnL over the initial risk."""
        return _over(self.pnl, self.risk)

    @property
    def mae_r(self) -> float | None:
        """MAE over the initial risk."""
        return _over(self.mae, self.risk)

    @property
    def mfe_r(self) -> float | None:
        """MFE over the initial risk."""
        return _over(self.mfe, self.risk)


@dataclass(frozen=True)
class TradeLogContent:
    """Trades in the order of their entries, (time ms, equity) after each fill, and what was wrong with the log."""

    trades: Sequence[Trade] = ()
    equity: Sequence[tuple[int, float]] = ()
    problems: Sequence[str] = ()


@dataclass
class _Reading:
    trades: dict[int, Trade] = field(default_factory=dict)
    equity: list[tuple[int, float]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, row: Mapping[str, str]) -> None:
        time_ms, trade_id = parse_time_ms(row["timestamp"]), int(row["trade_id"])
        price, equity = float(row["price"]), float(row["equity"])
        if row["action"] == "OPEN":
            self.trades[trade_id] = Trade(
                trade_id=trade_id,
                symbol=row["symbol"],
                side=1 if row["side"] == "LONG" else -1,
                entry_ms=time_ms,
                entry_price=price,
                quantity=float(row["quantity"]),
                stop=_number(row.get("stop_loss")),
                target=_number(row.get("take_profit")),
                tag=row.get("tag", ""),
            )
        else:
            self.trades[trade_id] = replace(
                self.trades[trade_id],
                exit_ms=time_ms,
                exit_price=price,
                pnl=float(row["realized_pnl"]),
                reason=row["reason"],
                mae=_number(row.get("mae")),
                mfe=_number(row.get("mfe")),
                both_levels=row.get("both_levels") == "1",
            )
        self.equity.append((time_ms, equity))


def exits_inside(trade: Trade, slippage_rate: float, *, at_close: bool) -> bool:
    """Whether an exit is stamped with the close of its own candle, not with the open of it (RULES, Fills).

    So are a stop or a target that was met at its level, a flatten (an older Onetape knew the reason `error`, too), and
    with `fill: close` every market order.
    """
    price = trade.exit_price
    if price is None or trade.reason in ("end_of_data", "shutdown", "error"):
        return price is not None
    if trade.reason == "take_profit":
        return price == trade.target
    if trade.reason == "stop_loss" and trade.stop is not None:
        return abs(price - trade.stop * (1.0 - trade.side * slippage_rate)) <= 1e-9 * price
    return at_close


def read_trades(path: Path) -> TradeLogContent:
    """All that a trade log gives; never raises for what is in it."""
    reading = _Reading()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return TradeLogContent(problems=[f"The trade log {path.name} cannot be read: {error.strerror or error}."])
    whole = text[: text.rfind("\n") + 1]
    rows = csv.reader(whole.splitlines(keepends=True))
    columns = next(rows, [])
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        said = f"The trade log {path.name} has no column {', '.join(missing)}; it cannot be shown."
        return TradeLogContent(problems=[said])
    problem = _read_rows(rows, columns, reading.add)
    if problem is None and whole != text:
        problem = f"line {whole.count(chr(10)) + 1} was cut"
    if problem is not None:
        reading.problems.append(
            f"The trade log {path.name} is not whole: {problem}. The {len(reading.equity):,} fills before it are shown."
        )
    return TradeLogContent(list(reading.trades.values()), reading.equity, reading.problems)


def _read_rows(rows: "_csv.Reader", columns: Sequence[str], add: Callable[[Mapping[str, str]], None]) -> str | None:
    while True:
        try:
            values = next(rows, None)
            if values is None:
                return None
            if len(values) != len(columns):
                return f"line {rows.line_num} has {len(values)} of {len(columns)} columns"
            add(dict(zip(columns, values, strict=True)))
        except KeyError:
            return f"line {rows.line_num} closes a trade that it does not open"
        except (ValueError, ConfigError, csv.Error):
            return f"line {rows.line_num} holds what is no number or time"


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _over(value: float | None, risk: float | None) -> float | None:
    return None if value is None or risk is None else value / risk
