"""Finds a strategy by name, module or file, checks its parameters and makes its instances.

`ScalpingEMARSI`, `package.module:Class`, `path/to/file.py:Class` (or just the file, if it holds one strategy).
Parameters are the constructor's arguments; a misspelt or ill-typed one is a ConfigError that names it.
"""

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from app.errors import ConfigError, OnetapeError, StrategyError
from app.settings.profile import Settings, load_settings
from app.settings.strategies import StrategySpec
from app.strategies.base import Strategy
from app.strategies.constraints import Constraint, parse_constraints
from app.strategies.own_failure import own_frames, where
from app.times import TIMEFRAMES_MS

own_code: list[str] = []  # users' modules and files that this process imported; __main__ then ends in order
BUILT_IN = {"ScalpingEMARSI": "app.strategies.scalping_ema_rsi"}


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy class with checked parameters; calling it makes an instance for one symbol."""

    name: str
    cls: type[Strategy]
    params: Mapping[str, Any]
    source_sha256: str

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """What the constructor takes, by name; the defaults are those of a parameter that is not given."""
        return _accepted(self.cls)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """What the strategy declares about its parameters."""
        return parse_constraints(self.cls.constraints, list(self.parameters), self.name)

    def check(self, params: Mapping[str, Any]) -> None:
        """Names and kinds of other parameters, without making an instance; ConfigError names the first wrong one."""
        _checked(self.name, self.cls, dict(params))

    def __call__(self) -> Strategy:
        try:
            return self.cls(**self.params)
        except (OnetapeError, ValueError) as error:
            raise ConfigError(f"strategy {self.name}: {error}") from error
        except Exception as error:
            raise StrategyError(f"strategy {self.name} cannot be made: {_told(error)}") from error


def load_strategy(name: str, params: Mapping[str, Any] | None = None) -> LoadedStrategy:
    """The strategy that a config or `--strategy` names, ready to be made; StrategyError if there is none such."""
    cls = _find(name)
    if not _answers_candles(cls):
        raise StrategyError(f"strategy {name}: it needs `async def on_candle(self, candle, view)`")
    file = inspect.getsourcefile(cls)
    digest = hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
    loaded = LoadedStrategy(name, cls, _checked(name, cls, dict(params or {})), digest)
    _check_declared(name, loaded())
    parse_constraints(cls.constraints, list(loaded.parameters), name)
    return loaded


@dataclass(frozen=True)
class LoadedStrategies:
    """All strategies of a session, in config order, each with what the config says of it."""

    of: tuple[tuple[StrategySpec, LoadedStrategy], ...]

    @property
    def only(self) -> LoadedStrategy:
        """The only one; ConfigError where there are several."""
        if len(self.of) > 1:
            ids = ", ".join(spec.id for spec, _ in self.of)
            raise ConfigError(f"this looks at one strategy at a time, and the config has {len(self.of)}: {ids}")
        return self.of[0][1]

    @property
    def source_sha256(self) -> str:
        """Of the strategies' code."""
        digests = list(dict.fromkeys(loaded.source_sha256 for _, loaded in self.of))
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def check_settings(settings: Settings) -> LoadedStrategies:
    """Load the settings' strategies and hold their timeframes and warm-up against the session's."""
    return LoadedStrategies(tuple((spec, _checked_spec(settings, spec)) for spec in settings.strategies))


def _checked_spec(settings: Settings, spec: StrategySpec) -> LoadedStrategy:
    live = settings.live
    try:
        loaded = load_strategy(spec.name, spec.params)
    except ConfigError as error:  # a parameter; which file or --set it came from is known only here
        source, told = settings.sources.of("live", (*spec.path, "params")), str(error)
        if told.startswith("strategy."):
            told = f"{'.'.join(spec.path)}.{told.removeprefix('strategy.')}"
        elif len(spec.path) > 1:
            told = f"{'.'.join(spec.path)}: {told}"
        raise ConfigError(f"{source}: {told}") from error
    except StrategyError as error:
        if len(spec.path) == 1:
            raise
        source = settings.sources.of("live", (*spec.path, "name"))
        raise StrategyError(f"{source}: {'.'.join(spec.path)}.name: {error}") from error
    strategy = loaded()
    session_ms = TIMEFRAMES_MS[live.timeframe]
    for timeframe in strategy.timeframes:
        if timeframe not in TIMEFRAMES_MS or TIMEFRAMES_MS[timeframe] % session_ms:
            raise StrategyError(
                f"strategy {spec.label} looks at {timeframe}, which is no multiple of the session's {live.timeframe}"
            )
    needed = required_startup(settings, spec, strategy)
    if live.startup_candles != "auto" and live.startup_candles < needed:
        source = settings.sources.of("live", ("startup_candles",))
        raise ConfigError(
            f"{source}: startup_candles is {live.startup_candles}, but {spec.label} needs {needed} candles of "
            f"{live.timeframe} ({strategy.warmup_candles} of {spec.timeframe}) before it can answer; "
            f"set startup_candles: {needed}, or auto"
        )
    return loaded


def validate_all_configs(folder: str | Path = "config") -> Settings:
    """Read and check the three files of a folder; ConfigError names the file, the key and what would be right."""
    settings = load_settings(Path(folder) / "live.yaml")
    check_settings(settings)
    return settings


def required_startup(settings: Settings, spec: StrategySpec, strategy: Strategy) -> int:
    """What the strategy declares, in candles of the session."""
    return strategy.warmup_candles * _candles_per_strategy_candle(settings, spec)


def startup_candles(settings: Settings, strategies: LoadedStrategies) -> int:
    """The warm-up in candles of the session; `auto` takes what makes the indicators independent of the start."""
    configured = settings.live.startup_candles
    if configured == "auto":
        return settling_startup(settings, strategies)
    return configured


def settling_startup(settings: Settings, strategies: LoadedStrategies) -> int:
    """What makes all indicators independent of the start, in candles of the session."""
    return max(
        loaded().settling_candles * _candles_per_strategy_candle(settings, spec) for spec, loaded in strategies.of
    )


def _candles_per_strategy_candle(settings: Settings, spec: StrategySpec) -> int:
    return TIMEFRAMES_MS[spec.timeframe] // TIMEFRAMES_MS[settings.live.timeframe]


def _find(name: str) -> type[Strategy]:
    place, _, class_name = name.rpartition(":")
    if not place and name.endswith(".py"):
        place, class_name = name, ""
    if not place:
        if name not in BUILT_IN:
            near = difflib.get_close_matches(name, BUILT_IN, n=1)
            known = f"did you mean {near[0]}?" if near else f"built in is {', '.join(BUILT_IN)};"
            raise StrategyError(f"unknown strategy {name!r}; {known} your own is module:Class or file.py:Class")
        place, class_name = BUILT_IN[name], name
    else:
        own_code.append(place)
    module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    return _class_in(module, class_name, place)


def _class_in(module: ModuleType, class_name: str, place: str) -> type[Strategy]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    names = ", ".join(cls.__name__ for cls in own) or "no class that derives from app.strategies.base.Strategy"
    if not class_name:
        if not own:
            raise StrategyError(f"{place} holds {names}; `python -m app new FILE` writes one to start from")
        if len(own) > 1:
            raise StrategyError(f"{place} holds {names}; write {place}:{own[0].__name__} for the first")
        return own[0]
    cls = getattr(module, class_name, None)
    if cls is None:
        raise StrategyError(f"{place} has no class {class_name}; it holds {names}")
    if not isinstance(cls, type) or not issubclass(cls, Strategy):
        raise StrategyError(f"{place}:{class_name} does not derive from app.strategies.base.Strategy")
    return cls


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise StrategyError(f"strategy file {path} does not exist")
    name = f"onetape_strategy_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"strategy file {path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look a class's module up by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise StrategyError(f"strategy file {path}: cannot be imported: {_told(error)}") from error
    return module


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise StrategyError(f"strategy module {name}: cannot be imported: {_told(error)}") from error
    finally:
        sys.path.pop(0)


def _told(error: BaseException) -> str:
    frames = own_frames(error, own_code)
    place = f" ({where(frames[-1])})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _answers_candles(cls: type[Strategy]) -> bool:
    if not inspect.iscoroutinefunction(cls.on_candle) or cls.on_candle is Strategy.on_candle:
        return False
    try:
        inspect.signature(cls.on_candle).bind(None, None, None)  # self, candle, view
    except TypeError:
        return False
    return True


def _check_declared(name: str, strategy: Strategy) -> None:
    timeframes: object = strategy.timeframes
    if not isinstance(timeframes, (tuple, list)) or not all(isinstance(frame, str) for frame in timeframes):
        raise StrategyError(f'strategy {name}: timeframes is {timeframes!r}; write a tuple, like ("1h", "4h")')
    for what in ("lookback", "warmup_candles", "settling_candles"):
        number = getattr(strategy, what)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise StrategyError(f"strategy {name}: {what} is {number!r}; it must be a whole number of at least 0")


def _checked(name: str, cls: type[Strategy], params: dict[str, Any]) -> dict[str, Any]:
    accepted = _accepted(cls)
    for key, value in params.items():
        parameter = accepted.get(key)
        if parameter is None:
            near = difflib.get_close_matches(key, accepted, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(accepted) or 'none'}"
            raise ConfigError(f"strategy.params.{key}: {name} has no such parameter; {hint}")
        _check_type(key, value, parameter.annotation)
    return params


def _accepted(cls: type[Strategy]) -> dict[str, inspect.Parameter]:
    if cls.__init__ is object.__init__:
        return {}
    return {key: parameter for key, parameter in inspect.signature(cls.__init__).parameters.items() if key != "self"}


def _check_type(key: str, value: object, annotation: object) -> None:
    # Only the plain kinds are checked; any other annotation is the strategy's own affair.
    kinds: dict[object, tuple[type, ...]] = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}
    if isinstance(annotation, str):  # `from __future__ import annotations`
        annotation = {"int": int, "float": float, "bool": bool, "str": str}.get(annotation)
    allowed = kinds.get(annotation)
    if allowed is None:
        return
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        wanted: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
        raise ConfigError(f"strategy.params.{key}: {value!r} is not {wanted[annotation]}")
    if isinstance(value, float) and math.isnan(value):
        raise ConfigError(f"strategy.params.{key}: it is not a number (NaN)")
