"""The three configuration files as the independent reference reads them: plain dicts in, their defaults filled in.

Only the keys that RULES.md speaks of. Input that the rules call an error is a ValueError.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
RISK_DEFAULTS = {
    "risk_per_trade": 0.01,
    "atr_stop_multiplier": 1.5,
    "reward_risk_ratio": 2.0,
    "max_position_pct": 0.10,
}
DISTANCES = ("distance_r", "distance_pct", "distance_atr")
SCOPES = ("line", "symbol", "strategy", "account")


@dataclass(frozen=True)
class Exits:
    """Rules, 'Managed exits': what `exits` says, of a strategy or of a signal."""

    break_even_at_r: float | None = None
    break_even_offset_pct: float = 0.0
    trailing: tuple[str, float] | None = None  # (which distance, its value)
    trailing_from_r: float = 0.0
    partial: tuple[tuple[float, float], ...] = ()  # (at_r, fraction), rising in at_r
    time_candles: int | None = None


def exits_of(keys: Mapping[str, Any]) -> Exits:
    """`exits` as a strategy's entry or a signal writes it."""
    if unknown := set(keys) - {"break_even", "trailing", "partial", "time"}:
        raise ValueError(f"exits: unknown keys {sorted(unknown)}")
    read: dict[str, Any] = {}
    if (break_even := keys.get("break_even")) is not None:
        read["break_even_at_r"] = float(break_even.get("at_r", 1.0))
        read["break_even_offset_pct"] = float(break_even.get("offset_pct", 0.0))
    if (trailing := keys.get("trailing")) is not None:
        given = [name for name in DISTANCES if trailing.get(name) is not None]
        if len(given) != 1:
            raise ValueError(f"exits.trailing: one distance, not {given}")
        read["trailing"] = given[0], float(trailing[given[0]])
        read["trailing_from_r"] = float(trailing.get("from_r", 0.0))
    if legs := keys.get("partial"):
        partial = tuple((float(leg["at_r"]), float(leg["fraction"])) for leg in legs)
        rising = all(a < b for (a, _), (b, _) in pairwise(partial))
        if not rising or not sum(fraction for _, fraction in partial) < 1:
            raise ValueError(f"exits.partial: at_r rises, fractions sum to less than 1: {partial}")
        read["partial"] = partial
    if (time := keys.get("time")) is not None:
        read["time_candles"] = int(time["candles"])
    return Exits(**read)


@dataclass(frozen=True)
class StrategyConfig:
    """An entry of `strategies:`; `risk` is risk.json with its own keys over it."""

    id: str
    name: str
    symbols: list[str]
    timeframe_ms: int
    params: dict[str, Any]
    allocation: float
    risk: dict[str, float]
    exits: Exits


@dataclass(frozen=True)
class Config:
    """The keys of the three files that the rules speak of."""

    symbols: list[str]
    timeframe_ms: int
    startup_candles: int
    strategies: list[StrategyConfig]
    instruments: dict[str, dict[str, float]]
    starting_balance: float = 10_000.0
    fill: str = "next_open"  # or 'close'
    limit_fill: str = "through"  # or 'touch'
    commission_rate: float = 0.001
    maker_commission_rate: float | None = None
    slippage_rate: float = 0.0005
    max_drawdown: float | None = 0.20  # None: off
    max_open_positions: int = 10
    max_exposure: float = 0.20
    protections: list[dict[str, Any]] = field(default_factory=list)
    ta_lib_fused: bool = False  # no config key: the plain arithmetic of TA-Lib 0.6, or the fused one of 0.8

    def __post_init__(self) -> None:
        if self.fill not in ("next_open", "close") or self.limit_fill not in ("through", "touch"):
            raise ValueError(f"fill {self.fill!r} / limit_fill {self.limit_fill!r}")
        if len({own.id for own in self.strategies}) < len(self.strategies):
            raise ValueError("two strategies of one id")
        if sum(own.allocation for own in self.strategies) > 1 + 1e-9:
            raise ValueError("allocations add up to more than 1")
        for own in self.strategies:
            if own.timeframe_ms % self.timeframe_ms:
                raise ValueError("the strategy's timeframe must be a multiple of the session's")
            if not set(own.symbols) <= set(self.symbols):
                raise ValueError(f"{own.id}: a symbol that the session lacks")
            # "a leg at or past the final target is a config error where both are given in R"
            if any(at_r >= own.risk["reward_risk_ratio"] for at_r, _ in own.exits.partial):
                raise ValueError(f"{own.id}: a leg at or past the final target")
        for protection in self.protections:
            if protection.get("scope", "line") not in SCOPES:
                raise ValueError(f"unknown scope {protection['scope']!r}")


def configure(
    live: Mapping[str, Any],
    risk: Mapping[str, Any],
    trading_mode: Mapping[str, Any],
    startup_candles: int | None = None,
    ta_lib_fused: bool = False,
) -> Config:
    """From live.yaml, risk.json and trading_mode.yaml; `startup_candles` where the file says `auto`."""
    symbols, timeframe = list(live["symbols"]), str(live["timeframe"])
    if ("strategy" in live) == ("strategies" in live):
        raise ValueError("either `strategy` or `strategies`")
    # "`strategy:` is the short form of a list of one with id `main`, allocation 1"
    entries = live.get("strategies") or [{**live["strategy"], "id": "main", "allocation": 1.0}]
    strategies = [
        StrategyConfig(
            id=entry["id"],
            name=entry["name"],
            # "a subset of the session's, default all; always in the session's order"
            symbols=[symbol for symbol in symbols if symbol in (entry.get("symbols") or symbols)],
            timeframe_ms=milliseconds(entry.get("timeframe") or timeframe),
            params=dict(entry.get("params") or {}),
            allocation=entry.get("allocation") or 1 / len(entries),  # "default 1 / their number"
            risk=RISK_DEFAULTS | dict(risk) | dict(entry.get("risk") or {}),
            exits=exits_of(entry.get("exits") or {}),
        )
        for entry in entries
    ]
    startup = live.get("startup_candles", 240) if startup_candles is None else startup_candles
    return Config(
        symbols=symbols,
        timeframe_ms=milliseconds(timeframe),
        startup_candles=startup,
        strategies=strategies,
        instruments={symbol: dict(values) for symbol, values in (live.get("instruments") or {}).items()},
        **{key: value for key, value in trading_mode.items() if key != "safety"},
        **trading_mode.get("safety", {}),
        ta_lib_fused=ta_lib_fused,
    )


def milliseconds(timeframe: str) -> int:
    """`5m` is 300,000."""
    return int(timeframe[:-1]) * UNITS_MS[timeframe[-1]]
