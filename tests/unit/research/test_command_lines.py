"""The command line of a run: every argument of the runner, quoted for a shell."""

import shlex

from app.research.search import backtest_command
from app.session.backtest import ConfigBacktestRunner


def test_every_argument_is_there() -> None:
    runner = ConfigBacktestRunner(
        config="my configs/live.yaml", start=0, end="2025-01-02", interval="1h", symbols=["A/B", "C/D"],
        strategy="mine.py:Own", overrides=["strategy.params.name='two words'", "risk.risk_per_trade=0.1"],
        cache="data/x", offline=True,
    )  # fmt: skip
    assert shlex.split(backtest_command(runner)) == [
        "python", "-m", "app", "--mode", "backtest", "--config", "my configs/live.yaml", "--cache", "data/x",
        "--offline", "--start", "1970-01-01T00:00:00.000Z", "--end", "2025-01-02", "--symbols", "A/B,C/D",
        "--interval", "1h", "--strategy", "mine.py:Own", "--set", "strategy.params.name='two words'",
        "--set", "risk.risk_per_trade=0.1",
    ]  # fmt: skip


def test_what_is_not_set_is_left_out() -> None:
    assert backtest_command(ConfigBacktestRunner()) == (
        "python -m app --mode backtest --config config/live.yaml --cache data/backtest_cache"
    )
