"""Twenty lines that backtest the shipped sample from a program and look at the result.

python scripts/demo.py
"""

import tempfile
from pathlib import Path

from app import run_config_backtest

PROJECT = Path(__file__).resolve().parents[1]

with tempfile.TemporaryDirectory() as folder:
    results = run_config_backtest(
        start="2023-01-01",
        end="2024-01-01",
        config=PROJECT / "config/sample/live.yaml",
        cache=PROJECT / "data/sample",
        out=Path(folder) / "run",
    )
    performance = results["performance"]
    trades, won = performance["total_trades"], performance["win_rate"]
    print(f"{performance['total_return_pct']:+.2f} % in {trades} trades, {won:.1f} % of them won")
    closed = results.trades.query("action == 'CLOSE'")
    print(closed.groupby("reason").realized_pnl.agg(["count", "sum"]).round(2))
    print(results.equity.equity.resample("QE").last().round(2))
