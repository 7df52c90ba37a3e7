"""The command line that makes a run again, as text to be copied into a shell.

The rule: whoever runs it where the first run was made gets the same trade log, byte for byte.
"""

import shlex

from app.session.backtest import ConfigBacktestRunner
from app.times import iso_ms


def backtest_command(runner: ConfigBacktestRunner) -> str:
    """`python -m app --mode backtest ...` of a runner whose config is a file and whose period is in ms."""
    words = ["python", "-m", "app", "--mode", "backtest", "--config", str(runner.config), "--cache", str(runner.cache)]
    for option, value in (("--start", runner.start), ("--end", runner.end)):
        if value is not None:
            words += [option, iso_ms(value) if isinstance(value, int) else value]
    if runner.symbols is not None:
        words += ["--symbols", ",".join(runner.symbols)]
    if runner.interval is not None:
        words += ["--interval", runner.interval]
    if runner.strategy is not None:
        words += ["--strategy", runner.strategy]
    for override in runner.overrides:
        words += ["--set", override]
    return shlex.join(words + (["--offline"] if runner.offline else []))
