"""Figures of results.json as people read them; the unit follows from the name: `_pct`, `_s`, `_days`, a count, money.

The rule: nothing is computed, and what is undefined or absent is n/a, never 0.
"""

from collections.abc import Mapping
from typing import Any

from app.times import parse_time_ms, short_time

ABSENT = "n/a"
_WORDS = {
    "pct": "", "s": "", "cagr": "CAGR", "sqn": "SQN", "var": "VaR", "cvar": "CVaR", "mae": "MAE", "mfe": "MFE",
    "pnl": "PnL", "95": "95 %", "r": "(R)", "bps": "(bp)",
}  # fmt: skip
_PERCENT = ("win_rate",)
_MONEY = (
    "balance", "equity", "pnl", "commission", "slippage", "total", "profit", "loss", "expectancy", "turnover",
    "win", "trade", "costs",
)  # fmt: skip
_RATIOS = ("_r", "factor", "ratio", "_times", "_bps")


def value_text(key: str, value: Any) -> str:
    """A value by the last part of its name."""
    if value is None:
        return ABSENT
    if isinstance(value, (str, bool)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return ABSENT
    if key.endswith("_pct") or key in _PERCENT:
        sign = "+" if "return" in key else ""
        return f"{value:{sign},.2f} %"
    if key.endswith("_s"):
        return duration_text(value)
    if key.endswith("_days") or key == "days":
        return f"{value:,.1f} days"
    if not key.endswith(_RATIOS) and key.rsplit("_", maxsplit=1)[-1] in _MONEY:
        sign = "+" if key.endswith("pnl") or "expectancy" in key else ""
        return f"{value:{sign},.2f}"
    return f"{value:,.2f}"


def label(key: str) -> str:
    """`max_drawdown_pct` as `Max drawdown`."""
    words = [_WORDS.get(word, word) for word in key.split("_")]
    text = " ".join(word for word in words if word)
    return text[:1].upper() + text[1:]


def duration_text(seconds: float) -> str:
    """The two largest units: `3 d 4 h`, `2 h 5 min`, `40 s`."""
    left = round(seconds)
    parts = []
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= length_s:
            parts.append(f"{left // length_s:,} {unit}")
            left %= length_s
    return " ".join(parts[:2]) or "0 s"


def time_text(iso: str | None) -> str:
    """An ISO time as `2025-10-30 00:01`."""
    return ABSENT if iso is None else short_time(parse_time_ms(iso))


def tone(key: str, value: Any) -> str:
    """`good` or `bad` for what is gained or lost, by its sign; else nothing."""
    signed = key.endswith(("return_pct", "realized_pnl", "expectancy", "pnl"))
    if not signed or not isinstance(value, (int, float)) or value == 0:
        return ""
    return "good" if value > 0 else "bad"


def at(results: Mapping[str, Any], path: str) -> Any:
    """The value at `performance.win_rate`; None where a block or key is missing."""
    found: Any = results
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
