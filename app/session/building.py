"""From settings to the stages of a runtime: the one place where they are put together, whatever feeds them.

A runtime begins anew, or goes on from the state that another one had.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.runs.recorder import RunRecorder
from app.runtime.funnel import Funnel
from app.runtime.host import StrategyHost
from app.runtime.runtime import TradingRuntime
from app.settings.profile import Settings, TradingModeSettings
from app.strategies.loader import LoadedStrategy
from app.trading.account import Account
from app.trading.execution import ExecutionEngine
from app.trading.instruments import Instrument
from app.trading.paper_trader import FillRules, PaperTrader
from app.trading.risk import RiskConfig, RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor

if TYPE_CHECKING:
    from app.session.state import RuntimeState


def build_runtime(
    settings: Settings,
    strategy: LoadedStrategy,
    recorder: RunRecorder,
    state: "RuntimeState | None" = None,
    *,
    target_first: bool = False,
) -> TradingRuntime:
    """The stages and their account, from settings; the same for every feed. `target_first`: see FillRules.

    `state`: what it goes on from, if it does not begin anew.
    """
    live, mode = settings.live, settings.trading_mode
    account = Account(mode.starting_balance)
    broker = PaperTrader(account, fill_rules(mode, target_first), recorder.on_fill)
    safety = SafetyMonitor(
        account,
        SafetyLimits(
            max_drawdown=mode.safety.max_drawdown,
            max_daily_loss=mode.safety.max_daily_loss,
            max_open_positions=mode.safety.max_open_positions,
        ),
        recorder.rows,
    )
    runtime = TradingRuntime(
        account=account,
        broker=broker,
        safety=safety,
        host=StrategyHost(live.symbols, live.timeframe, settings.strategy_timeframe, strategy, account),
        risk=RiskEngine(risk_config(settings), instruments(settings)),
        execution=ExecutionEngine(broker, live.symbols),
        funnel=Funnel(),
        rows=recorder.rows,
        decisions=recorder.decisions,
        flatten_on_stop=mode.on_stop == "flatten",
    )
    if state is not None:
        from app.session.state import restore_runtime  # a backtest does without

        restore_runtime(state, runtime)
    return runtime


def fill_rules(mode: TradingModeSettings, target_first: bool = False) -> FillRules:
    """The broker's rules and costs."""
    return FillRules(
        commission_rate=mode.commission_rate,
        maker_commission_rate=mode.maker_commission_rate,
        slippage_rate=mode.slippage_rate,
        fill_at_close=mode.fill == "close",
        target_on_touch=mode.limit_fill == "touch",
        target_first=target_first,
    )


def risk_config(settings: Settings) -> RiskConfig:
    """risk.json with the exposure limit of trading_mode.yaml."""
    return RiskConfig(**settings.risk.model_dump(), max_exposure=settings.trading_mode.safety.max_exposure)


def instruments(settings: Settings) -> Mapping[str, Instrument]:
    """The configured overrides; every other symbol has the defaults."""
    return {symbol: Instrument(**values.model_dump()) for symbol, values in settings.live.instruments.items()}
