"""What `--mode live` needs to be so before anything is asked of the exchange.

Spot has no shorts and no fill at a close that is past, so what would need them is refused by name.
"""

from app.errors import ConfigError
from app.exchange.hosts import BINANCE
from app.settings.profile import OrderSettings, Settings
from app.strategies.loader import LoadedStrategies, LoadedStrategy


def live_settings(settings: Settings, strategies: LoadedStrategies) -> Settings:
    """The settings with the limits of real orders written out; ConfigError for what real orders cannot do."""
    live, mode, sources = settings.live, settings.trading_mode, settings.sources
    if live.exchange not in BINANCE:
        source = sources.of("live", ("exchange",))
        known = ", ".join(BINANCE)
        raise ConfigError(f"{source}: exchange: real orders go to {known}, not to {live.exchange}")
    if mode.fill == "close":
        source = sources.of("trading_mode", ("fill",))
        raise ConfigError(f"{source}: fill: close is for simulations; an exchange fills later: set fill: next_open")
    quotes = sorted({symbol.rpartition("/")[2] for symbol in live.symbols})
    if len(quotes) > 1:
        source, told = sources.of("live", ("symbols",)), ", ".join(quotes)
        raise ConfigError(f"{source}: symbols: a session has one balance, and these are paid for in {told}")
    with_bnb = [symbol for symbol in live.symbols if "BNB" in symbol.split("/")]
    if with_bnb:
        source, told = sources.of("live", ("symbols",)), ", ".join(with_bnb)
        raise ConfigError(f"{source}: symbols: fees may be taken from BNB, so real orders do not trade it: {told}")
    for spec, loaded in strategies.of:
        if may_short(loaded):
            name = ".".join((*spec.path, "params.allow_short"))
            source = sources.of("live", (*spec.path, "params"))
            raise ConfigError(f"{source}: {spec.label} may go short, which spot cannot: set {name}: false")
    return settings.model_copy(
        update={"trading_mode": mode.model_copy(update={"orders": mode.orders or OrderSettings()})}
    )


def may_short(strategy: LoadedStrategy) -> bool:
    """Whether its parameters say so; one that has no such parameter is asked, and its shorts are refused one by one."""
    parameter = strategy.parameters.get("allow_short")
    return parameter is not None and bool(strategy.params.get("allow_short", parameter.default))
