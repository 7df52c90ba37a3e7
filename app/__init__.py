"""Onetape: live trading and backtest on one runtime.

Importing the package is cheap; the names below load what they need when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.report.making import make_report
    from app.runs.run_results import RunResults, load_run
    from app.session.backtest import BacktestResults, ConfigBacktestRunner, run_config_backtest
    from app.strategies.loader import validate_all_configs

    __version__: str

__all__ = [
    "BacktestResults", "ConfigBacktestRunner", "RunResults", "__version__", "load_run", "make_report",
    "run_config_backtest", "validate_all_configs",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from app.runs.manifest import VERSION

        return VERSION
    if name == "validate_all_configs":
        from app.strategies.loader import validate_all_configs

        return validate_all_configs
    if name == "make_report":
        from app.report.making import make_report

        return make_report
    if name in ("RunResults", "load_run"):
        import app.runs.run_results

        return getattr(app.runs.run_results, name)
    if name in __all__:
        import app.session.backtest

        return getattr(app.session.backtest, name)
    raise AttributeError(f"module 'app' has no attribute {name!r}")
