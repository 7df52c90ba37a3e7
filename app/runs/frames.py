"""The files of a finished run as DataFrames: fills, closed trades, equity.

Every number is the double that the run wrote; a file that is not whole is one DataError and never a shorter table.
pandas is imported by the functions: a program that asks for no table does not wait for it.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.errors import DataError
from app.models.orders import MAIN
from app.runs.fill_columns import ACTION, FILL, NUMBER, OPTIONAL, SIDE, TEXT, Fills, Labels
from app.runs.strategy_days import strategy_days
from app.runs.trade_table import Trades, legs_among, read_fills, trades_of
from app.times import parse_time_ms

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = [column.name for column in FILL if column.kind in (NUMBER, OPTIONAL)]
_TEXTS = [column.name for column in FILL if column.kind in (TEXT, ACTION, SIDE)]
_PARQUET = b"PAR1"


def fills_frame(path: Path) -> "pd.DataFrame":
    """The trade log, one row a fill in file order; `timestamp` in UTC, NaN where the log has no number."""
    import pandas as pd

    read_fills_whole(path)
    fills = pd.read_csv(
        path,
        keep_default_na=False,  # a tag may read NA
        na_values={"order_id": [""]},
        dtype={"order_id": "Int64", **dict.fromkeys(_TEXTS, "str")},
        converters=dict.fromkeys(_NUMBERS, _number),  # pandas' own parser is a bit off in some versions
    )
    fills["timestamp"] = pd.to_datetime(fills["timestamp"], utc=True)
    return fills.astype({name: "float64" for name in _NUMBERS if name in fills})  # a log without rows has no types


def closed_trades_frame(path: Path) -> "pd.DataFrame":
    """One row a trade, entry joined with exit, in the order in which they were closed, indexed by `trade_id`.

    Money is quote currency: `realized_pnl` is net of `commission` and `slippage`, which are those of all its fills.
    `quantity` is the entry's; `exit_time`, `exit_price` and `reason` are those of the last CLOSE, after any `legs`.
    `*_r` is a multiple of the initial risk, NaN where there was none: see docs/metrics.md. `holding` is a Timedelta.
    A position that is still open has no row.
    """
    import pandas as pd

    fills = read_fills_whole(path)
    trades = trades_of(fills, path)
    entry, exit_ = trades.entry, trades.exit
    legs = np.bincount(fills.trade_id[legs_among(fills)], minlength=int(fills.trade_id.max(initial=0)) + 1)
    risk = trades.initial_risk
    columns = {
        "symbol": _texts(entry.symbol),
        "strategy": _texts(entry.strategy),
        "side": np.where(entry.sign > 0.0, "LONG", "SHORT"),
        "entry_time": pd.to_datetime(entry.time_ms, unit="ms", utc=True),
        "exit_time": pd.to_datetime(exit_.time_ms, unit="ms", utc=True),
        "holding": pd.to_timedelta(trades.held_ms, unit="ms"),
        "entry_price": entry.price,
        "exit_price": exit_.price,
        "quantity": entry.quantity,
        "stop_loss": entry.stop,
        "take_profit": entry.target,
        "reason": _texts(exit_.reason),
        "legs": legs[exit_.trade_id],
        "realized_pnl": trades.pnl,
        "commission": entry.commission + exit_.commission,
        "slippage": entry.slippage + exit_.slippage,
        "pnl_r": trades.pnl / risk,
        "mae": exit_.mae,
        "mfe": exit_.mfe,
        "mae_r": exit_.mae / risk,
        "mfe_r": exit_.mfe / risk,
        "both_levels": entry.both_levels | exit_.both_levels,
        "target_touched": exit_.target_touched,
        "tag": _texts(entry.tag),
    }
    return pd.DataFrame(columns, index=pd.Index(exit_.trade_id, name="trade_id"))


def strategies_frame(results: Mapping[str, Any]) -> "pd.DataFrame":
    """`per_strategy` of results.json, indexed by the id."""
    import pandas as pd

    found = results.get("per_strategy")
    if not found:
        own = results.get("performance", {})
        found = {MAIN: {name: own.get(name) for name in results.get("long", {})}}  # the figures of any group
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("strategy")


def strategy_days_frame(path: Path, results: Mapping[str, Any]) -> "pd.DataFrame":
    """Realised results by UTC day, a column a strategy; every day of the run has a row."""
    import pandas as pd

    period = results.get("period") or {}
    fills = read_fills_whole(path)
    span = (parse_time_ms(period[end]) if period.get(end) else 0 for end in ("start", "end"))
    days = strategy_days(fills, list(results.get("per_strategy") or (MAIN,)), *span)
    index = pd.to_datetime(days.ends_ms, unit="ms", utc=True).rename("timestamp")
    return pd.DataFrame(days.realized_pnl, index=index, columns=pd.Index(days.strategies, name="strategy"))


def closed_trades(path: Path) -> Trades:
    """The same as arrays, without pandas."""
    return trades_of(read_fills_whole(path), path)


def equity_frame(path: Path, sha256: str | None) -> "pd.DataFrame":
    """Columns equity and balance, indexed by the close time of each slice (UTC)."""
    import pandas as pd

    columns = equity_columns(path, sha256)
    index = pd.to_datetime(columns.pop("timestamp_ms"), unit="ms", utc=True).rename("timestamp")
    return pd.DataFrame(columns, index=index)


def equity_columns(path: Path, sha256: str | None) -> dict[str, Any]:
    """Numpy arrays timestamp_ms, equity and balance; DataError for a file other than the one with this hash."""
    from arro3.io import read_parquet

    content = _bytes(path)
    # The decoder panics on damage, so it sees only what the run wrote.
    whole = content[:4] == content[-4:] == _PARQUET
    if not whole or (sha256 is not None and hashlib.sha256(content).hexdigest() != sha256):
        raise DataError(f"{path} is not the file that the run wrote; run it again")
    table = read_parquet(path).read_all()
    return {name: table[name].to_numpy() for name in table.column_names}


def read_fills_whole(path: Path) -> Fills:
    """The fills of a log that ends where it should."""
    try:
        fills = read_fills(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if fills.cut:
        raise DataError(f"{path} was cut: its last line is not whole; `python -m app report` shows what is left")
    return fills


def _number(text: str) -> float:
    return float(text) if text and text != "null" else math.nan


def _texts(labels: Labels) -> Any:
    return np.array(labels.names, dtype=object)[labels.codes] if labels.names else np.array([], dtype=object)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
