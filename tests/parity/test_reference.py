"""Onetape computes what RULES.md says: the same fills, rows and counts as a simulator written from the rules alone.

The default run takes slices of the data; ONETAPE_FULL=1 takes all of it.
"""

import os
from pathlib import Path

import pytest

from app.times import parse_time_ms
from tests.candle_columns import MINUTE_MS
from tests.parity.both import SEEDED, Case, run_both, run_reference
from tests.parity.market import PERP, RAGGED, SPOT, Market, made_up, sample, shared
from tests.parity.variants import NO_COSTS, VARIANTS, coarse_instruments, safety, strategy

FULL = bool(os.environ.get("ONETAPE_FULL"))
DAY_MS = 1_440 * MINUTE_MS
SEEDS = range(300 if FULL else 30)
PERPS = [f"{name}USDT" for name in ("BTC", "ETH", "SOL", "XRP", "BNB", "ADA", "AVAX", "LINK")]
BEGIN_MS = parse_time_ms("2025-03-30T21:00")


def spot() -> Market:
    return shared(SPOT, ["BTCUSDT", "ETHUSDT"])


def case_of(market: Market, variant: str, start: str, end: str, **live: object) -> Case:
    own_live, risk, mode = VARIANTS[variant]
    return Case(market, parse_time_ms(start), parse_time_ms(end), {**own_live, **live}, risk, mode)


@pytest.mark.parametrize("variant", VARIANTS)
def test_spot(variant: str, tmp_path: Path) -> None:
    start = "2025-10-30T08:00" if "auto" in variant and "15m" not in variant else "2025-10-30"
    results, _ = run_both(case_of(spot(), variant, start, "2025-10-31T12:00"), tmp_path)
    assert results["performance"]["total_trades"] > 0
    assert (results["kill_switch"] is not None) == (variant in ("trips", "trips_close", "large_exposure"))


@pytest.mark.parametrize("variant", ["often", "close", "one_position", "full_exposure", "trips", "trips_close", "5m"])
def test_eight_perpetuals(variant: str, tmp_path: Path) -> None:
    market = shared(PERP, PERPS)
    end = "2025-06-03T16:00" if FULL else "2025-05-12T06:00"
    results, _ = run_both(case_of(market, variant, "2025-05-11", end), tmp_path)
    assert results["performance"]["total_trades"] > 4


@pytest.mark.parametrize("variant", ["often", "close", "5m", "15m", "trips", "tight_levels"])
def test_ragged_symbols(variant: str, tmp_path: Path) -> None:
    market = shared(RAGGED, ["BTCEUR", "BTCUSD", "ETHUSD", "LTCUSD"])
    results, _ = run_both(case_of(market, variant, "2018-04-04T10:07", "2018-04-07"), tmp_path)
    assert results["missing_candles"] > 0
    assert results["performance"]["total_trades"] > 4


@pytest.mark.parametrize(("step", "tick", "minima"), [
    (0.001, 0.01, {}),
    (0.003, 7.0, {}),
    (0.01, 0.5, {"min_quantity": 0.02}),
    (1e-5, 0.1, {"min_notional": 900.0}),
    (5.0, 0.01, {}),
])  # fmt: skip
def test_coarse_steps(step: float, tick: float, minima: dict[str, float], tmp_path: Path) -> None:
    live = coarse_instruments(["BTC/USDT", "ETH/USDT"], step, tick, **minima)
    case = case_of(spot(), "full_exposure", "2025-10-30", "2025-10-31", **live)
    results, _ = run_both(case, tmp_path)
    assert results["signals_generated"] > 10


@pytest.mark.parametrize("start", ["2025-10-30T00:02", "2025-10-30T00:03:30", "2025-10-29T05:22", "2025-10-29T04:00"])
@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m"])
def test_starts_inside_a_bucket_and_short_of_warm_up(start: str, timeframe: str, tmp_path: Path) -> None:
    live = {**strategy(timeframe=timeframe), "startup_candles": 331}
    case = Case(spot(), parse_time_ms(start), parse_time_ms("2025-10-31T03:07"), live, {}, {})
    results, reference = run_both(case, tmp_path)
    assert reference.warmup_candles == results["warmup_candles"] <= 2 * 331


@pytest.mark.parametrize("variant", ["defaults", "close", "maker"])
def test_shipped_sample(variant: str, tmp_path: Path) -> None:
    start, end = ("2017-08-17T04:00", "2024-01-02") if FULL else ("2019-11-28", "2021-02-03")
    case = case_of(sample(), variant, start, end, timeframe="1h", **coarse_instruments(["BTC/USDT"], 1e-5, 0.01))
    results, _ = run_both(case, tmp_path)
    assert results["performance"]["total_trades"] > 50


@pytest.mark.parametrize("period", ["ema_slow", "rsi_period", "atr_period", "volume_period"])
def test_no_signal_before_every_indicator_exists(period: str, tmp_path: Path) -> None:
    """A history that is shorter than the warm-up: the run goes on, and its first candles have no signal."""
    live = {**strategy(), "startup_candles": 400}
    live["strategy"] = {**live["strategy"], "params": {**live["strategy"]["params"], period: 300}}
    case = Case(spot(), parse_time_ms("2025-10-29T05:00"), parse_time_ms("2025-10-30T05:00"), live, {}, {})
    results, reference = run_both(case, tmp_path)
    assert results["warmup_candles"] == 2 * 38
    assert reference.trades[0]["timestamp"] >= parse_time_ms("2025-10-29T04:22") + 300 * MINUTE_MS


def test_a_cross_from_nothing(tmp_path: Path) -> None:
    """Prices that never moved: both EMAs are equal to the bit, RSI is 0; then the first move is a cross."""
    market: Market = {}
    for symbol, step, volume in (("UP/X", 1.0, 2.0), ("DOWN/X", -1.0, 2.0), ("QUIET/X", 1.0, 1.0)):
        market[symbol] = []
        for i in range(60):
            price = 100.0 + (step if i >= 40 else 0.0)
            traded = volume if i == 40 else 1.0  # a volume that equals its mean is not above it
            market[symbol].append((BEGIN_MS + i * MINUTE_MS, price, price + 0.5, price - 0.5, price, traded))
    live = {
        "strategy": {"name": "ScalpingEMARSI", "params": {"rsi_long_max": 100, "rsi_short_min": 0}},
        "startup_candles": 30,
    }
    results, _ = run_both(Case(market, BEGIN_MS + 30 * MINUTE_MS, BEGIN_MS + DAY_MS, live, {}, {}), tmp_path)
    assert results["funnel"]["signals"] == {"LONG": 1, "SHORT": 1, "EXIT": 0}


def random_case(seed: int) -> Case:
    """Everything drawn from the seed: candles, decisions and configuration."""
    market = made_up(seed, ["AAA/X", "BBB/X", "CCC/X"], BEGIN_MS - 50 * MINUTE_MS, 700)
    live: dict[str, object] = {
        "strategy": {"name": SEEDED, "params": {"seed": seed}, "timeframe": ("1m", "1m", "5m", "3m")[seed % 4]},
        "startup_candles": (0, 47)[seed % 2],
    }
    if seed % 3:
        live |= coarse_instruments(list(market), (1e-8, 0.5)[seed % 2], 0.5, min_notional=40.0 * (seed % 5))
    mode = {
        "fill": ("next_open", "close")[seed // 2 % 2],
        "limit_fill": ("through", "touch")[seed // 4 % 2],
        **({} if seed % 5 else NO_COSTS),
        **({"maker_commission_rate": 0.0001} if seed % 7 == 0 else {}),
        **safety(
            max_drawdown=(0.01, 0.05, None)[seed % 3], max_exposure=(0.2, 1.5)[seed // 3 % 2],
            max_open_positions=(1, 2, 10)[seed // 2 % 3],
        ),
    }  # fmt: skip
    risk = {"max_position_pct": (0.1, 0.6)[seed % 2], "risk_per_trade": (0.002, 0.05)[seed // 3 % 2]}
    start_ms = BEGIN_MS + (seed % 6) * MINUTE_MS
    end_ms = BEGIN_MS + (80 * MINUTE_MS if seed % 5 == 0 else DAY_MS)
    return Case(market, start_ms, end_ms, live, risk, mode)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_strategy_on_random_candles(seed: int, tmp_path: Path) -> None:
    """Every answer a strategy may give, on every kind of candle."""
    run_both(random_case(seed), tmp_path)


def test_the_random_cases_reach_every_branch() -> None:
    """The seeds above are worth something: together they meet every exit, refusal and cancellation."""
    met: set[str] = set()
    for seed in SEEDS:
        reference = run_reference(random_case(seed))
        counts = {"cancelled": sum(reference.cancelled.values()), "unfilled": reference.unfilled_at_end}
        counts |= {"ignored_entry": reference.ignored_entries, "ignored_exit": reference.ignored_exits}
        counts |= {"both_levels": sum(reference.ambiguous.values()), **reference.signals, **reference.sized_by}
        counts |= {**reference.refused_by_risk, **reference.refused_by_gate}
        met |= {row["reason"] for row in reference.trades} | {name for name, count in counts.items() if count}
    assert met >= {
        "LONG", "SHORT", "EXIT", "signal", "stop_loss", "take_profit", "signal_exit", "kill_switch", "end_of_data",
        "both_levels", "cancelled", "unfilled", "ignored_entry", "ignored_exit", "risk", "position", "room",
        "stop_distance", "no_quantity", "min_notional", "halted", "max_open_positions",
    }  # fmt: skip
