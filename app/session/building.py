"""From settings to the stages of a runtime: the one place where they are put together, whatever feeds them.

A runtime begins anew, or goes on from the state that another one had.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from app.models.orders import Fill
from app.runs.recorder import RunRecorder
from app.runtime.funnel import Funnel
from app.runtime.host import HostedStrategy, StrategyHost
from app.runtime.runtime import TradingRuntime
from app.settings.profile import OrderSettings, Settings, TradingModeSettings
from app.settings.strategies import StrategySpec
from app.strategies.loader import LoadedStrategies
from app.times import timeframe_ms
from app.trading.account import Account, lines_of
from app.trading.allocation import Allocator
from app.trading.execution import Broker, ExecutionEngine
from app.trading.exit_rules import FillRules
from app.trading.instruments import Instrument
from app.trading.ledger import Ledger
from app.trading.paper_trader import PaperTrader
from app.trading.protections import Protections
from app.trading.risk import RiskConfig, RiskEngine
from app.trading.safety import SafetyLimits, SafetyMonitor

if TYPE_CHECKING:
    from app.session.state import RuntimeState


class OrderNames(NamedTuple):
    """What the client ids of a session's real orders begin with."""

    tag: str
    epoch: int


def build_runtime(
    settings: Settings,
    strategies: LoadedStrategies,
    recorder: RunRecorder,
    state: "RuntimeState | None" = None,
    *,
    orders: OrderNames | None = None,
    paper_from_ms: int | None = None,
    target_first: bool = False,
    counted_in: str | None = None,
) -> TradingRuntime:
    """The stages and their account, from settings; the same for every feed. `target_first`: see FillRules.

    `state`: what it goes on from, if it does not begin anew. `orders`: they are real, and an exchange fills them; None:
    the simulator does, and this is the one place where that is chosen; `paper_from_ms`: it does from the slice on that
    closes then, in a what-if. `counted_in`: of which timeframe the candles are
    that limits, time exits and protections wait for; None: of the session's.
    """
    live, mode, counted = settings.live, settings.trading_mode, counted_in or settings.live.timeframe
    account = account_of(settings)
    protections = Protections([one.protection(counted) for one in mode.protections or ()], account)

    take_note = recorder.on_fill

    risks = {spec.id: RiskEngine(risk_config(settings, spec), instruments(settings)) for spec, _ in strategies.of}
    allocator: Allocator | None = None
    if live.allocation is not None:
        allocator = Allocator(live.allocation.allocation(), risks, account, timeframe_ms(live.timeframe))

    def on_fill(fill: Fill) -> None:
        take_note(fill)
        protections.note_fill(fill)
        if allocator is not None:
            allocator.note_fill(fill)

    heard = on_fill if mode.protections or allocator is not None else take_note
    ledger = Ledger(account, heard, timeframe_ms(counted), instruments(settings))
    paper = PaperTrader(ledger, fill_rules(mode, target_first))
    broker: Broker = paper if orders is None else _exchange_broker(paper, mode, orders, paper_from_ms)
    safety = SafetyMonitor(
        account,
        SafetyLimits(
            max_drawdown=mode.safety.max_drawdown,
            max_daily_loss=mode.safety.max_daily_loss,
            max_open_positions=mode.safety.max_open_positions,
        ),
        recorder.rows,
        protections,
    )
    runtime = TradingRuntime(
        account=account,
        broker=broker,
        safety=safety,
        host=host_of(settings, strategies, account),
        risks=risks,
        execution=ExecutionEngine(broker, account, timeframe_ms(counted)),
        funnel=Funnel(ledger.cancelled, ledger.dropped),
        rows=recorder.rows,
        decisions=recorder.decisions,
        flatten_on_stop=mode.on_stop == "flatten",
        allocator=allocator,
    )
    if state is not None:
        from app.session.state import restore_runtime  # a backtest does without

        restore_runtime(state, runtime)
    return runtime


def _exchange_broker(
    paper: PaperTrader, mode: TradingModeSettings, orders: OrderNames, paper_from_ms: int | None
) -> Broker:
    from app.trading.exchange_broker import ExchangeBroker  # a backtest does without
    from app.trading.exchange_lines import OrderLimits
    from app.trading.handed_over import HandedOver

    own = mode.orders or OrderSettings()
    limits = OrderLimits(own.max_order_notional, own.max_daily_orders, own.refusals_in_a_row)
    exchange = ExchangeBroker(paper.ledger, limits, tag=orders.tag, epoch=orders.epoch)
    return exchange if paper_from_ms is None else HandedOver(exchange, paper, paper_from_ms)


def account_of(settings: Settings) -> Account:
    """A new account, with the lines of the session."""
    lines = lines_of({spec.id: spec.symbols for spec in settings.strategies}, settings.live.symbols)
    return Account(settings.trading_mode.starting_balance, lines)


def host_of(settings: Settings, strategies: LoadedStrategies, account: Account) -> StrategyHost:
    """New instances of the strategies."""
    hosted = [
        HostedStrategy(spec.id, loaded, spec.timeframe, spec.symbols, spec.exits) for spec, loaded in strategies.of
    ]
    return StrategyHost(settings.live.symbols, settings.live.timeframe, hosted, account)


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


def risk_config(settings: Settings, spec: StrategySpec) -> RiskConfig:
    """A strategy's risk.json with the exposure limit of trading_mode.yaml."""
    max_exposure = settings.trading_mode.safety.max_exposure
    return RiskConfig(**spec.risk.model_dump(), max_exposure=max_exposure, allocation=spec.allocation)


def instruments(settings: Settings) -> Mapping[str, Instrument]:
    """The configured overrides; every other symbol has the defaults."""
    return {symbol: Instrument(**values.model_dump()) for symbol, values in settings.live.instruments.items()}
