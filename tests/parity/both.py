"""Runs one configuration through Onetape and through the reference, and holds every number of one against the other.

Times, texts and counts must be equal, other numbers agree to 1e-9 relative. Onetape runs whole: real cache, real
session, real files; what is compared is what it wrote.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arro3.io import read_parquet

from app.session.backtest import BacktestResults, ConfigBacktestRunner
from app.settings.profile import load_settings
from app.strategies.loader import check_settings, startup_candles
from app.times import iso_ms
from tests.made_trades import read_trade_log
from tests.parity import seeded_portfolio, seeded_strategy
from tests.parity.market import Market, fill_cache
from tests.reference.config import configure
from tests.reference.result import Result
from tests.reference.simulator import Strategy, simulate

TEXTS = ("symbol", "strategy", "action", "side", "reason")
NUMBERS = (
    "price",
    "quantity",
    "commission",
    "slippage",
    "balance",
    "equity",
    "realized_pnl",
    "stop_loss",
    "take_profit",
)
BOUNDS = {"risk_per_trade": "risk", "max_position_pct": "position", "max_exposure": "room"}
SEEDED = "tests.parity.seeded_strategy:Seeded"
SEEDED_PORTFOLIO = "tests.parity.seeded_portfolio:SeededPortfolio"
FUNCTIONS: dict[str, Callable[..., Strategy]] = {
    SEEDED: seeded_strategy.reference_strategy,
    SEEDED_PORTFOLIO: seeded_portfolio.reference_strategy,
}


@dataclass(frozen=True)
class Case:
    """A market, a period and the three config files; `live` needs no symbols and no exchange."""

    market: Market
    start_ms: int
    end_ms: int
    live: Mapping[str, Any]
    risk: Mapping[str, Any]
    trading_mode: Mapping[str, Any]

    def config(self) -> dict[str, Any]:
        """As ConfigBacktestRunner takes it."""
        defaults: dict[str, Any] = {"exchange": "test", "symbols": list(self.market), "timeframe": "1m"}
        if "strategies" not in self.live:
            defaults["strategy"] = {"name": "ScalpingEMARSI"}
        return {"live": {**defaults, **self.live}, "risk": dict(self.risk), "trading_mode": dict(self.trading_mode)}


def run_both(case: Case, folder: Path) -> tuple[BacktestResults, Result]:
    """Onetape's run (its files in `folder`) and the reference's, compared; AssertionError names the difference."""
    timeframe = case.config()["live"]["timeframe"]
    fill_cache(folder / "cache", case.market, timeframe)
    runner = ConfigBacktestRunner(
        config=case.config(), start=case.start_ms, end=case.end_ms, cache=folder / "cache", out=folder / "run"
    )
    results = runner.run()
    reference = run_reference(case)
    compare(results, reference)
    return results, reference


def run_reference(case: Case) -> Result:
    """The reference, configured from the same three files."""
    live = case.config()["live"]
    startup = None
    if live.get("startup_candles") == "auto":  # what Onetape's own strategy declares is not a rule of the page
        settings = load_settings(case.config())
        startup = startup_candles(settings, check_settings(settings))
    config = configure(live, case.risk, case.trading_mode, startup)
    functions = {own.id: FUNCTIONS[own.name](**own.params) for own in config.strategies if own.name in FUNCTIONS}
    return simulate(case.market, config, case.start_ms, case.end_ms, functions)


def compare(results: BacktestResults, reference: Result) -> None:
    """Fills, then equity rows, then counts."""
    _compare_fills(list(read_trade_log(results.folder / results["files"]["trades"])), reference)
    _compare_equity(results.folder / results["files"]["equity"], reference)
    _compare_counts(results, reference)
    performance = results["performance"]
    for name, theirs in (
        ("realized_pnl", sum(trade["pnl"] for trade in reference.closed)),
        ("final_balance", reference.final_balance),
        ("final_equity", reference.final_equity),
        ("peak_equity", reference.peak_equity),
        ("max_drawdown_pct", reference.max_drawdown_pct),
    ):
        assert _near(performance[name], theirs), (name, performance[name], theirs)
    if "per_strategy" in results:
        _compare_strategies(results["per_strategy"], reference)


def _compare_fills(ours: list[dict[str, str]], reference: Result) -> None:
    for number, (mine, theirs) in enumerate(zip(ours, reference.trades, strict=False), 1):
        where = f"fill {number}:\n  onetape   {mine}\n  reference {theirs}"
        assert mine["timestamp"] == iso_ms(theirs["timestamp"]), where
        assert int(mine["trade_id"]) == theirs["trade_id"], where
        for name in [name for name in TEXTS if name in mine]:
            assert mine[name] == theirs[name], f"{name} of {where}"
        for name in NUMBERS:
            assert _near(float(mine[name]), theirs[name]), f"{name} of {where}"
    assert len(ours) == len(reference.trades)


def _compare_equity(path: Path, reference: Result) -> None:
    table = read_parquet(path).read_all()
    columns = [table[name].to_pylist() for name in ("timestamp_ms", "equity", "balance")]
    ours = list(zip(*columns, strict=True))
    assert len(ours) == len(reference.equity)
    for mine, theirs in zip(ours, reference.equity, strict=True):
        assert mine[0] == theirs[0] and _near(mine[1], theirs[1]) and _near(mine[2], theirs[2]), (mine, theirs)


def _compare_counts(results: BacktestResults, reference: Result) -> None:
    funnel = results["funnel"]
    kill_switch = results["kill_switch"]
    ours = {
        "signals": funnel["signals"],
        "signals_generated": results["signals_generated"],
        "orders_submitted": results["orders_submitted"],
        "unfilled_at_end": funnel["unfilled_at_end"],
        "cancelled": _positive(funnel["cancelled"]),
        "legs_dropped": funnel.get("legs_dropped", 0),
        "ignored_entries": _sum(funnel["ignored"], "position_open", "order_pending"),
        "ignored_exits": _sum(funnel["ignored"], "nothing_to_exit", "exit_pending"),
        "refused_by_risk": funnel["refused_by_risk"],
        "refused_by_gate": funnel["refused_by_gate"],
        "sized_by": {BOUNDS[name]: count for name, count in funnel["sized_by"].items()},
        "ambiguous": results["stop_and_target_in_one_candle"],
        "candles_processed": results["candles_processed"]["per_symbol"],
        "candles_total": results["candles_processed"]["total"],
        "warmup_candles": results["warmup_candles"],
        "kill_switch_time": kill_switch and kill_switch["time"],
        "closed_trades": results["performance"]["total_trades"],
        "entries_filled": funnel["entries_filled"],
    }
    killed_ms = reference.kill_switch_time_ms
    theirs = {
        "signals": reference.signals,
        "signals_generated": sum(reference.signals.values()),
        "orders_submitted": reference.orders_submitted,
        "unfilled_at_end": reference.unfilled_at_end,
        "cancelled": _positive({**reference.cancelled, "session_end": reference.unfilled_at_end}),
        "legs_dropped": sum(reference.legs_dropped.values()),
        "ignored_entries": reference.ignored_entries,
        "ignored_exits": reference.ignored_exits,
        "refused_by_risk": _positive(reference.refused_by_risk),
        "refused_by_gate": _positive(reference.refused_by_gate),
        "sized_by": reference.sized_by,
        "ambiguous": sum(reference.ambiguous.values()),
        "candles_processed": reference.candles_processed,
        "candles_total": sum(reference.candles_processed.values()),
        "warmup_candles": reference.warmup_candles,
        "kill_switch_time": None if killed_ms is None else iso_ms(killed_ms),
        "closed_trades": len(reference.closed),
        "entries_filled": sum(row["action"] == "OPEN" for row in reference.trades),
    }
    different = {name: (mine, theirs[name]) for name, mine in ours.items() if mine != theirs[name]}
    assert not different, f"onetape, reference: {different}"


def _compare_strategies(ours: Mapping[str, Mapping[str, Any]], reference: Result) -> None:
    assert list(ours) == list(reference.per_strategy)
    for name, theirs in reference.per_strategy.items():
        assert ours[name]["total_trades"] == theirs["total_trades"], (name, ours[name], theirs)
        assert _near(ours[name]["realized_pnl"], theirs["realized_pnl"]), (name, ours[name], theirs)


def _sum(counts: Mapping[str, int], *names: str) -> int:
    assert set(counts) <= {"position_open", "order_pending", "nothing_to_exit", "exit_pending"}
    return sum(counts.get(name, 0) for name in names)


def _positive(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _near(ours: float, theirs: float) -> bool:
    # The absolute part serves money that cancels to nearly nothing: a billionth of a cent.
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-11)
