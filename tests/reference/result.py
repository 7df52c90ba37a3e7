"""What a session of the independent reference leaves behind: rows and counts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ACTIONS = ("LONG", "SHORT", "EXIT")
RISK_REFUSALS = ("no_mark", "stop_distance", "target_side", "no_quantity", "min_quantity", "min_notional")
PROTECTIONS = ("cooldown", "stop_guard", "losing_streak")
GATE_REFUSALS = ("late", "halted", "max_open_positions", *PROTECTIONS)
BOUNDS = ("risk", "position", "room")
CANCELLATIONS = ("expired", "kill_switch", "signal_exit")  # those of the end are in unfilled_at_end
DROPPED = ("zero", "past_target")
AMBIGUOUS = ("stop_and_target", "stop_and_leg", "limit_and_target", "limit_and_leg")


def zeros(names: tuple[str, ...]) -> Callable[[], dict[str, int]]:
    """Counts that all begin at 0."""
    return lambda: dict.fromkeys(names, 0)


@dataclass
class Result:
    """Everything that a session leaves behind."""

    trades: list[dict[str, Any]] = field(default_factory=list)  # the trade log's rows, timestamp in ms
    equity: list[tuple[int, float, float]] = field(default_factory=list)  # (timestamp_ms, equity, balance)
    closed: list[dict[str, Any]] = field(default_factory=list)  # one a trade that is over: strategy, symbol, pnl, ...
    signals: dict[str, int] = field(default_factory=zeros(ACTIONS))
    orders_submitted: int = 0
    unfilled_at_end: int = 0
    cancelled: dict[str, int] = field(default_factory=zeros(CANCELLATIONS))
    ignored_entries: int = 0
    ignored_exits: int = 0
    refused_by_risk: dict[str, int] = field(default_factory=zeros(RISK_REFUSALS))
    refused_by_gate: dict[str, int] = field(default_factory=zeros(GATE_REFUSALS))
    sized_by: dict[str, int] = field(default_factory=zeros(BOUNDS))
    ambiguous: dict[str, int] = field(default_factory=zeros(AMBIGUOUS))  # by kind; each candle of a position once
    legs_dropped: dict[str, int] = field(default_factory=zeros(DROPPED))
    candles_processed: dict[str, int] = field(default_factory=dict)
    warmup_candles: int = 0
    per_strategy: dict[str, dict[str, Any]] = field(default_factory=dict)  # id: total_trades, realized_pnl
    final_balance: float = 0.0
    final_equity: float = 0.0
    max_drawdown_pct: float = 0.0  # 0..100
    peak_equity: float = 0.0
    kill_switch_time_ms: int | None = None
