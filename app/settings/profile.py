"""Settings: live.yaml, risk.json and trading_mode.yaml, read into frozen, validated models.

One set of keys in every mode; an unknown key is an error that names the file, the key and the nearest right one.
The three files lie in one folder. Nothing here knows a strategy's parameters: strategies/loader.py checks those.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PrivateAttr, ValidationError, field_validator

from app.errors import ConfigError, ConflictError
from app.settings.config_problems import first_problem
from app.settings.config_text import Sources, read_mapping, unknown_key
from app.settings.overrides import apply_override, replace_by_arguments
from app.settings.strategies import (
    AllocationSettings,
    Count,
    Fraction,
    NamedStrategySettings,
    Positive,
    ProtectionSettings,
    RiskSettings,
    Section,
    StrategySettings,
    StrategySpec,
    Timeframe,
    distinct,
    problem_of,
)

NotNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, lt=1, strict=True, allow_inf_nan=False)]
AnySection = TypeVar("AnySection", bound=Section)


class FeedSettings(Section):
    """How long a live feed waits for stragglers, silence and late candles."""

    grace_s: Positive = 2
    silence_s: Positive = 10
    stale_candles: Count = 3
    late_candles: Count = 2


class InstrumentSettings(Section):
    """What the exchange accepts for a symbol."""

    quantity_step: Positive = 1e-8
    min_quantity: NotNegative = 0
    min_notional: NotNegative = 0
    price_tick: Positive | None = None


class LiveSettings(Section):
    """live.yaml: what is traded, on what, by which strategy."""

    exchange: str = Field(min_length=1)
    symbols: tuple[str, ...] = Field(min_length=1)
    timeframe: Timeframe
    startup_candles: Annotated[int, Field(ge=0, strict=True)] | Literal["auto"] = 240
    later = ("strategy", "strategies", "allocation")
    strategy: StrategySettings | None = None
    strategies: Annotated[tuple[NamedStrategySettings, ...], Field(min_length=1)] | None = None
    allocation: AllocationSettings | None = None
    feed: FeedSettings = FeedSettings()
    instruments: dict[str, InstrumentSettings] = Field(default_factory=dict)

    @field_validator("symbols")
    @classmethod
    def _no_symbol_twice(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        return distinct(symbols)


class SafetySettings(Section):
    """trading_mode.yaml, safety: the limits of the account as a whole; null switches a loss limit off."""

    max_drawdown: Fraction | None = 0.20
    max_daily_loss: Fraction | None = None
    max_open_positions: Count = 10
    max_exposure: Positive = 0.20
    kill_switch_file: str = "data/KILL_SWITCH"


class OrderSettings(Section):
    """trading_mode.yaml, orders: limits and times of real orders; null switches one of the first two limits off.

    `protection_gap_s`: a position without a stop on the exchange for longer than this is said aloud.
    """

    max_order_notional: Positive | None = 50.0
    max_daily_orders: Count | None = 20
    refusals_in_a_row: Count = 5
    recv_window_ms: Annotated[int, Field(ge=1, le=60_000, strict=True)] = 3000
    answer_s: Positive = 15.0
    reconcile_s: Positive = 300.0
    protection_gap_s: Positive = 30.0
    self_trade_prevention: Literal["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT"] = "EXPIRE_MAKER"


class TradingModeSettings(Section):
    """trading_mode.yaml: balance, fill rules and costs."""

    starting_balance: Positive = 10_000.0
    fill: Literal["next_open", "close"] = "next_open"
    limit_fill: Literal["through", "touch"] = "through"
    commission_rate: Rate = 0.001
    maker_commission_rate: Annotated[float, Field(gt=-1, lt=1, strict=True, allow_inf_nan=False)] | None = None
    slippage_rate: Rate = 0.0005
    on_stop: Literal["flatten", "keep"] = "flatten"
    later = ("protections", "orders")
    protections: tuple[ProtectionSettings, ...] | None = None
    orders: OrderSettings | None = None  # None: all defaults; a live session writes them out
    safety: SafetySettings = SafetySettings()


class Settings(Section):
    """The three files together."""

    live: LiveSettings
    risk: RiskSettings
    trading_mode: TradingModeSettings
    _sources: Sources = PrivateAttr(default_factory=lambda: Sources({name: name for name in FILES}))

    @property
    def sources(self) -> Sources:
        """Where the values came from, for messages."""
        return self._sources

    @property
    def strategies(self) -> tuple[StrategySpec, ...]:
        """Every strategy, with its defaults filled in."""
        live, written = self.live, _written(self.live)
        return tuple(StrategySpec.of(own, live.timeframe, live.symbols, self.risk, len(written)) for own in written)

    @property
    def strategy(self) -> StrategySpec:
        """The only strategy; ConfigError where there are several."""
        strategies = self.strategies
        if len(strategies) > 1:
            ids = ", ".join(one.id for one in strategies)
            raise ConfigError(f"this looks at one strategy at a time, and the config has {len(strategies)}: {ids}")
        return strategies[0]

    @property
    def strategy_timeframe(self) -> str:
        """The timeframe of the only strategy: its own, or the session's."""
        return self.strategy.timeframe


FILES: dict[str, tuple[str, type[Section]]] = {
    "live": ("live.yaml", LiveSettings),
    "risk": ("risk.json", RiskSettings),
    "trading_mode": ("trading_mode.yaml", TradingModeSettings),
}
Profile = str | Path | Mapping[str, Any] | Settings


def load_settings(
    config: Profile,
    overrides: Sequence[str] = (),
    *,
    symbols: Sequence[str] | None = None,
    strategy: str | None = None,
    interval: str | None = None,
) -> Settings:
    """The settings of a profile: the path of its live.yaml, beside which the other two files lie, or a mapping with
    the keys `live`, `risk` and `trading_mode` (the last two may be absent), or settings.

    `symbols`, `strategy` and `interval` replace those of the profile; `overrides` are KEY=VALUE as `--set` takes them,
    applied last; VALUE is YAML. ConfigError on anything that cannot be run.
    """
    raw, sources = _read_profile(config)
    replace_by_arguments(raw["live"], symbols, strategy, interval, sources)
    for override in overrides:
        apply_override(raw, override, {name: model for name, (_, model) in FILES.items()}, sources)
    return _validated(raw, sources)


def _read_profile(config: Profile) -> tuple[dict[str, dict[str, Any]], Sources]:
    if isinstance(config, (str, Path)):
        paths = {name: Path(config).with_name(file) for name, (file, _) in FILES.items()} | {"live": Path(config)}
        sources = Sources({name: str(path) for name, path in paths.items()})
        return {name: read_mapping(path) for name, path in paths.items()}, sources
    if isinstance(config, Settings):
        config = config.model_dump(mode="json", exclude_unset=True)  # a default stays one
    for key in config:
        if key not in FILES:
            raise ConfigError(unknown_key("config", str(key), list(FILES)))
    raw = {name: copy.deepcopy(dict(config.get(name) or {})) for name in FILES}
    return raw, Sources({name: f"config[{name!r}]" for name in FILES})


def load_risk(path: Path) -> RiskSettings:
    """A risk.json on its own."""
    return _section(RiskSettings, "risk", read_mapping(path), Sources({"risk": str(path)}))


def _validated(raw: Mapping[str, dict[str, Any]], sources: Sources) -> Settings:
    live, risk, trading_mode = (_section(FILES[name][1], name, raw[name], sources) for name in FILES)
    settings = Settings.model_construct(live=live, risk=risk, trading_mode=trading_mode)
    settings._sources = sources
    _check_strategies(settings)
    for place, protection in enumerate(settings.trading_mode.protections or ()):
        if problem := protection.problem():
            source = sources.of("trading_mode", ("protections", str(place)))
            raise ConflictError(f"{source}: protections.{place}: {problem}")
    for symbol in settings.live.instruments:
        if symbol not in settings.live.symbols:
            source, listed = sources.of("live", ("instruments", symbol)), ", ".join(settings.live.symbols)
            raise ConfigError(f"{source}: instruments.{symbol} is no symbol of this session ({listed})")
    return settings


def _written(live: LiveSettings) -> tuple[StrategySettings, ...]:
    return live.strategies or (() if live.strategy is None else (live.strategy,))


def _check_strategies(settings: Settings) -> None:
    live, sources = settings.live, settings.sources
    source = sources.of("live", ("strategies",))
    either = source if source != sources.files["live"] else sources.of("live", ("strategy",))
    if not _written(live):
        raise ConfigError(f"{either}: strategy is missing; give strategy with a name, or a list in strategies")
    if live.strategy is not None and live.strategies is not None:
        raise ConfigError(f"{either}: strategy and strategies are both given; strategy is short for a list of one")
    if live.allocation is not None and (why := live.allocation.problem(live.strategies)):
        raise ConfigError(f"{sources.of('live', ('allocation',))}: allocation: {why}")
    ids = [one.id for one in settings.strategies]
    for one in ids:
        if ids.count(one) > 1:
            raise ConfigError(f"{source}: strategies: two have the id {one}; each needs an id of its own")
    for own, spec in zip(_written(live), settings.strategies, strict=True):
        if problem := problem_of(own, spec, live.timeframe, live.symbols):
            key, what = problem
            name = ".".join((*spec.path, key))
            source = sources.of("live", (*spec.path, *key.split(".")))
            raise ConflictError(f"{source}: {name}: {what}", f"{name} fits the other keys")
    shares = {one.id: one.allocation for one in settings.strategies}
    if (total := sum(shares.values())) > 1.0 + 1e-9:
        told = ", ".join(f"{one} {share:g}" for one, share in shares.items())
        message = f"{source}: strategies: the allocations sum to {total:g} ({told}); at most 1 together"
        raise ConflictError(message, "allocations of at most 1 together")


def _section(model: type[AnySection], name: str, content: dict[str, Any], sources: Sources) -> AnySection:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError(first_problem(error, model, name, content, sources)) from None
