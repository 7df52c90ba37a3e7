"""Numbers, times and counts as people read them, on the console and on the page: one set for all that reports.

`value_text` finds the unit of a figure of results.json by its name: `_pct`, `_s`, `_days`, a count, money. What is
undefined or absent is n/a, never 0.
"""

from collections.abc import Mapping
from typing import Any

from app.times import DAY_MS, iso_ms, parse_time_ms, short_time

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


def figure(value: float | None, form: str = "{:.2f}", absent: str = ABSENT) -> str:
    """A number in a form; `absent` where it is not known."""
    return absent if value is None else form.format(value)


def money(value: float | None, sign: str = "") -> str:
    """Two decimals; `+` prints the sign of a gain, too."""
    return figure(value, f"{{:{sign},.2f}}")


def percent(value: float | None, sign: str = "") -> str:
    """Of a number that is percent already."""
    return figure(value, f"{{:{sign}.2f}} %")


def exact(value: float | str | None) -> str:
    """As many digits as tell a price or a size apart; text as it is."""
    return value if isinstance(value, str) else figure(value, "{:,.10g}", "none yet")


def counts_text(counts: Mapping[Any, int]) -> str:
    """`name 3, other 1`, without those that are zero."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


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


def rounded_duration(seconds: float | None) -> str:
    """The largest unit of which there are two: `3.2 days`, `15.1 h`, `119 s`."""
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds is not None and seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return figure(seconds, "{:,.0f} s")


def countdown(seconds: float) -> str:
    """`1:06:38`, `0:07`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock_text(time_ms: int) -> str:
    """Hours and minutes, UTC."""
    return minute_text(time_ms)[-5:]


def minute_text(time_ms: int) -> str:
    """`2025-10-30 00:00`, always without seconds."""
    return iso_ms(time_ms)[:16].replace("T", " ")


def moment_text(time_ms: int) -> str:
    """`2025-10-30 00:00`, with seconds where there are any."""
    return short_time(time_ms) if time_ms % DAY_MS else f"{short_time(time_ms)} 00:00"


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
