"""Onetape: live trading and backtest on one runtime.

Importing the package is cheap; the names below load what they need when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.runs.run_results import RunResults, load_run
    from app.session.backtest import BacktestResults, ConfigBacktestRunner, run_config_backtest
    from app.settings.profile import validate_all_configs

__version__ = "0.1.0"
__all__ = [
    "BacktestResults", "ConfigBacktestRunner", "RunResults", "load_run", "run_config_backtest", "validate_all_configs",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("BacktestResults", "ConfigBacktestRunner", "run_config_backtest"):
        import app.session.backtest

        return getattr(app.session.backtest, name)
    if name in ("RunResults", "load_run"):
        import app.runs.run_results

        return getattr(app.runs.run_results, name)
    if name == "validate_all_configs":
        from app.settings.profile import validate_all_configs

        return validate_all_configs
    raise AttributeError(f"module 'app' has no attribute {name!r}")
