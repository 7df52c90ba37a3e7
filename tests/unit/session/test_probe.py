"""The probe: what signals bring over some candles, counted by strategy; nothing is opened."""

from pathlib import Path
from typing import Any

from app.models.exits import parse_exits
from app.models.market import Candle
from app.models.orders import Action, Bound, Side, Signal
from app.session.probe import ExitCounts, LimitCounts, Probe, probe_async
from app.settings.profile import load_settings
from app.strategies.loader import check_settings
from app.trading.exit_rules import FillRules
from app.trading.instruments import Instrument
from app.trading.risk import RiskOutput
from tests.candle_columns import MINUTE_MS
from tests.parity.market import fill_cache
from tests.portfolio import STRATEGIES, portfolio
from tests.proof_runs import WARMUP, market


async def test_the_counts_are_those_of_each_strategys_own_signals(tmp_path: Path) -> None:
    """A neighbour changes no count."""
    cache = fill_cache(tmp_path / "cache", market())
    alone: dict[str, Probe] = {}
    for strategy in STRATEGIES:
        settings = load_settings(portfolio(WARMUP, strategies=[strategy]))
        alone |= await probe_async(settings, check_settings(settings), cache)
    settings = load_settings(portfolio(WARMUP))
    together = await probe_async(settings, check_settings(settings), cache)
    assert together == alone
    assert together["dip"].limits.entries == together["dip"].signals > 0
    assert 0 < together["dip"].limits.reached < together["dip"].limits.entries


def output(**changes: Any) -> RiskOutput:
    fields: dict[str, Any] = {
        "symbol": "A", "side": Side.LONG, "quantity": 1.0, "reference": 100.0, "stop": 90.0, "target": 120.0,
        "sized_by": Bound.RISK,
    }  # fmt: skip
    return RiskOutput(**{**fields, **changes})


def test_which_limits_candles_would_reach() -> None:
    """A limit at 99 for two candles: touched is not through, too late is not in time, a silent candle fills nothing."""

    def candle(minute: int, low: float, volume: float = 1.0) -> Candle:
        return Candle("A", "1m", minute * MINUTE_MS, 100.0, 101.0, low, 100.0, volume)

    signal = Signal(Action.LONG, stop=90.0, limit=99.0, valid_candles=2)
    for candles, rules, reached in (
        ([candle(1, 98.9)], FillRules(), 1),
        ([candle(1, 99.0), candle(2, 99.0)], FillRules(), 0),
        ([candle(1, 99.0)], FillRules(target_on_touch=True), 1),
        ([candle(1, 99.5), candle(2, 99.5), candle(3, 98.0)], FillRules(), 0),
        ([candle(1, 98.0, 0.0), candle(2, 98.0)], FillRules(), 1),
    ):
        counts = LimitCounts()
        counts.note(signal, output(reference=99.0), 100.0, MINUTE_MS, MINUTE_MS)
        for one_candle in candles:
            counts.meet([one_candle], rules)
        assert (counts.entries, counts.reached, counts.through) == (1, reached, 0)
        assert counts.away_pct == [1.0]
    counts = LimitCounts()
    counts.note(signal, output(reference=99.0), 98.0, MINUTE_MS, MINUTE_MS)
    assert counts.through == 1


def test_what_becomes_of_legs() -> None:
    exits = parse_exits({"partial": [{"at_r": 0.5, "fraction": 0.04}, {"at_r": 1, "fraction": 0.3},
                                     {"at_r": 2, "fraction": 0.3}]})  # fmt: skip
    counts = ExitCounts()
    counts.note(exits, output(), Instrument(quantity_step=0.1), MINUTE_MS, MINUTE_MS)
    assert (counts.legs, counts.legs_zero, counts.legs_past) == (3, 1, 1)
