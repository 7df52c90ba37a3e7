"""Configurations of RULES.md Part 2, each drawn from a seed: candles, strategies, exits, protections, costs, limits."""

import math
import random
from typing import Any

from tests.candle_columns import MINUTE_MS
from tests.parity.both import SEEDED_PORTFOLIO, Case
from tests.parity.market import Market, made_up
from tests.parity.seeded_portfolio import exits
from tests.parity.variants import NO_COSTS, coarse_instruments, safety

SYMBOLS = ("AAA/X", "BBB/X", "CCC/X", "DDD/X")
IDS = ("trend", "mean_rev", "b-3", "4th")
SCOPES = ("line", "symbol", "strategy", "account")
MINUTES = 420


def portfolio(seed: int, begin_ms: int) -> Case:
    """Everything drawn from the seed."""
    rng = random.Random(f"portfolio {seed}")
    symbols = SYMBOLS[: rng.choice((1, 2, 3, 4))]
    market = made_up(seed, symbols, begin_ms - 50 * MINUTE_MS, MINUTES + 50)
    return portfolio_on(market, seed, begin_ms + rng.randrange(6) * MINUTE_MS, begin_ms + MINUTES * MINUTE_MS)


def portfolio_on(market: Market, seed: int, start_ms: int, end_ms: int) -> Case:
    """A portfolio for these candles."""
    rng = random.Random(f"config {seed}")
    symbols = list(market)
    risk = {"max_position_pct": rng.choice((0.1, 0.4)), "risk_per_trade": rng.choice((0.005, 0.05))}
    strategies = [strategy(rng, name, symbols) for name in IDS[: rng.choice((1, 2, 2, 3, 4))]]
    for number, own in enumerate(strategies):
        own["params"]["seed"] = seed if rng.random() < 0.2 else 100 * seed + number
        if rng.random() < 0.4:
            own["allocation"] = math.floor(rng.uniform(100, 1000) / len(strategies)) / 1000
    live: dict[str, Any] = {"strategies": strategies, "startup_candles": rng.choice((0, 47))}
    if len(strategies) == 1 and rng.random() < 0.5:  # the short form
        del live["strategies"]
        live["strategy"] = {key: value for key, value in strategies[0].items() if key not in ("id", "allocation")}
    if rng.random() < 0.7:
        step, tick = rng.choice((1e-8, 0.001, 0.01, 0.25, 1.0)), rng.choice((0.01, 0.25, 0.5))
        minima = {"min_notional": rng.choice((0.0, 100.0)), "min_quantity": rng.choice((0.0, 0.5))}
        live |= coarse_instruments(symbols, step, tick, **minima)
    return Case(market, start_ms, end_ms, live, risk, trading_mode(rng))


def strategy(rng: random.Random, name: str, symbols: list[str]) -> dict[str, Any]:
    """An entry of `strategies:`, its seed aside; the other keys now and then absent."""
    own: dict[str, Any] = {"id": name, "name": SEEDED_PORTFOLIO, "params": {}}
    own["timeframe"] = rng.choice(("1m", "1m", "1m", "3m", "5m"))
    if rng.random() < 0.5:
        own["symbols"] = rng.sample(symbols, rng.randrange(1, len(symbols) + 1))  # in any order
    ratio = 2.0
    if rng.random() < 0.5:
        ratio = rng.choice((1.0, 1.5, 3.0))
        own["risk"] = {"reward_risk_ratio": ratio, "atr_stop_multiplier": rng.choice((0.5, 1.0, 1.5))}
        if rng.random() < 0.4:
            own["risk"] |= {"risk_per_trade": 0.02, "max_position_pct": rng.choice((0.05, 0.8))}
    if rng.random() < 0.6:
        drawn = exits(rng, atr=True, r=ratio - 0.1)
        if drawn:
            own["exits"] = drawn
        if "distance_atr" in drawn.get("trailing", {}):
            own["params"]["always_atr"] = True
    return own


def trading_mode(rng: random.Random) -> dict[str, Any]:
    """trading_mode.yaml."""
    mode: dict[str, Any] = {
        "fill": rng.choice(("next_open", "close")),
        "limit_fill": rng.choice(("through", "touch")),
        **(NO_COSTS if rng.random() < 0.25 else {}),
        **safety(
            max_drawdown=rng.choice((0.003, 0.01, 0.03, 0.1, None, None)),
            max_exposure=rng.choice((0.2, 1.5, 4.0)),
            max_open_positions=rng.choice((1, 2, 4, 10)),
        ),
    }
    maker = rng.choice((None, None, 0.0, 0.0002, -0.0001))
    if maker is not None:
        mode["maker_commission_rate"] = maker
    protections = [protection(rng) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    if protections:
        mode["protections"] = protections
    return mode


def protection(rng: random.Random) -> dict[str, Any]:
    """An entry of `protections:`; the scope now and then left to its default."""
    kind = rng.choice(("cooldown", "stop_guard", "losing_streak"))
    own: dict[str, Any] = {"kind": kind}
    if kind == "cooldown":
        own["candles"] = rng.choice((1, 3, 10))
    elif kind == "stop_guard":
        own |= {"lookback_candles": rng.choice((5, 30)), "stops": rng.choice((1, 2, 3))}
    else:
        own["trades"] = rng.choice((1, 2, 3))
    if kind != "cooldown":
        own["pause_candles"] = rng.choice((2, 15))
    if rng.random() < 0.8:
        own["scope"] = rng.choice(SCOPES)
    return own
