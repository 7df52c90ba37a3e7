"""The steps of an order's life, each with the script that brings a session there and the request that is the step.

A script is a strategy of a few candles on a market that was made for it; what it decides hangs on the candle's time
alone, so a session that was killed decides the same.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from app.times import iso_ms, parse_time_ms

SYMBOL = "BTC/USDT"
START = "2026-03-01T12:00:50"
FIRST_MS = parse_time_ms("2026-03-01T12:03")  # the first candle that a session decides on
MINUTE_MS = 60_000
SPEED = 20.0
T_S = 15.0  # of these sessions, real seconds: an order counts as dead 3.5 s after its time stamp, where 13 s are usual
QUIET, RISES = 0.4, 4.0
ENVIRONMENT = {"ONETAPE_API_KEY": TEST_KEY, "ONETAPE_API_SECRET": TEST_SECRET}

_ENTER = "if place == 0:\n            return long(stop=candle.close * 0.97, target=candle.close * 1.3{exits})"
_TRAILING = ', exits={"trailing": {"distance_r": 1.0}}'
_LIMIT = (
    "if place == 0:\n"
    "            return long(stop=candle.close * 0.8, target=candle.close * 1.3, limit=candle.close * 0.9)"
)
_EXIT = "if place == 1:\n            return exit_position()"
_STRATEGY = '''"""Written by a test."""
from app.strategies.base import FLAT, Strategy, exit_position, long


class Scripted(Strategy):
    async def on_candle(self, candle, view):
        place = (candle.open_time_ms - {first_ms}) // {minute_ms}
        {rules}
        return FLAT
'''


@dataclass(frozen=True)
class Step:
    """`rules` of the strategy; the request that is the step, by method, path and what a fault asks of it (`match`), the
    first one after `after` others; the candle whose close leads to it, and the number of candles of the session: a
    position that is to be protected is held for longer than T.

    `act`: what an operator does once the position is protected: `stop` or `kill`.
    """

    name: str
    rules: tuple[str, ...]
    method: str
    path: str
    match: dict[str, str]
    candle: int
    candles: int
    after: int = 0
    act: str = ""

    @property
    def target(self) -> dict[str, Any]:
        """What a fault of the request says to meet it."""
        return {"method": self.method, "path": self.path, "after": self.after, **self.match}

    @property
    def decided_ms(self) -> int:
        """When the candle closes."""
        return FIRST_MS + (self.candle + 1) * MINUTE_MS

    @property
    def end(self) -> str:
        """Of the session."""
        return iso_ms(FIRST_MS + self.candles * MINUTE_MS)

    def is_request(self, asked: dict[str, Any]) -> bool:
        """Whether a line of the testnet's log is such a request, the first or a later one."""
        ids = (asked["query"].get(name, "") for name in ("newClientOrderId", "origClientOrderId", "listClientOrderId"))
        fits = (asked["method"], asked["path"]) == (self.method, self.path)
        return fits and ("leg" not in self.match or any(one.endswith(f"-{self.match['leg']}") for one in ids))


_HOLD = (_ENTER.format(exits=""),)
_TRAIL = (_ENTER.format(exits=_TRAILING),)
STEPS = {
    step.name: step
    for step in (
        Step("place", _HOLD, "POST", "order", {"leg": "e"}, 0, 7),
        Step("protect", _HOLD, "POST", "orderList/oco", {}, 0, 7),
        Step("move: cancel", _TRAIL, "DELETE", "orderList", {}, 1, 8),
        Step("move: place", _TRAIL, "POST", "orderList/oco", {}, 1, 8, after=1),
        Step("cancel", (_LIMIT,), "DELETE", "order", {"leg": "e"}, 1, 4),
        Step("exit", (*_HOLD, _EXIT), "POST", "order", {"leg": "c"}, 1, 4),
        Step("flatten", _HOLD, "POST", "order", {"leg": "c"}, 0, 6, act="stop"),
        Step("kill", _HOLD, "POST", "order", {"leg": "c"}, 0, 4, act="kill"),
    )
}


def write_market(folder: Path) -> Path:
    """Candles of a minute that stand still, but for the second one of the session, which rises."""
    lines, last = ["timestamp,open,high,low,close,volume"], 100.0
    for place in range(-30, 60):
        close = last + (RISES if place == 1 else 0.0)
        high, low = max(last, close) + QUIET, min(last, close) - QUIET
        lines.append(f"{FIRST_MS + place * MINUTE_MS},{last},{high},{low},{close},1000")
        last = close
    path = folder / "btc.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_profile(folder: Path, step: Step, orders: dict[str, Any]) -> Path:
    """The config of a session that goes through the step, with the script; its live.yaml."""
    config, script = folder / "config", folder / "scripted.py"
    config.mkdir()
    rules = "\n        ".join(step.rules)
    script.write_text(_STRATEGY.format(first_ms=FIRST_MS, minute_ms=MINUTE_MS, rules=rules))
    live = {
        "exchange": "binanceus", "symbols": [SYMBOL], "timeframe": "1m", "startup_candles": 5,
        "feed": {"late_candles": 10}, "strategy": {"name": f"{script}:Scripted"},
    }  # fmt: skip
    limits = {"max_order_notional": None, "max_daily_orders": None, "recv_window_ms": 60_000, "answer_s": 3.0}
    (config / "live.yaml").write_text(json.dumps(live))
    (config / "risk.json").write_text("{}")
    safety = {"kill_switch_file": str(folder / "KILL"), "max_drawdown": None}
    mode = {"safety": safety, "commission_rate": 0.001, "orders": limits | {"protection_gap_s": T_S} | orders}
    (config / "trading_mode.yaml").write_text(json.dumps(mode))
    return config / "live.yaml"
