"""What a search may vary: `--param ema_fast=5:20`, `risk.reward_risk_ratio=1:3:0.5`, `allow_short=true,false`,
`exits.trailing.distance_r=0.5:2:0.5`, and of a list `strategies.trend.params.fast=5:20`, `strategies.trend.allocation`.

A value is a text as `--set` takes it, so that a trial and its command line cannot differ. Steps are counted in decimals
(0.1 + 0.2 is 0.3). What is tried is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from inspect import Parameter as Argument
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from app.errors import ConfigError, ConflictError
from app.models.exits import EXIT_KEYS
from app.settings.config_problems import known_keys
from app.settings.config_text import parse_yaml, unknown_key
from app.settings.profile import Settings, TradingModeSettings, load_settings
from app.settings.strategies import AllocationSettings, ProtectionSettings, RiskSettings, StrategySpec
from app.strategies.loader import LoadedStrategies, LoadedStrategy

CONTINUOUS_STEPS = 20  # of a range without steps: what counts as one step to a neighbour
_FILES: dict[str, type[BaseModel]] = {"risk": RiskSettings, "trading_mode": TradingModeSettings}
_ALLOCATION = {f"allocation.{name}": field.annotation for name, field in AllocationSettings.model_fields.items()}
_ALLOCATION = {f"allocation.{name}": field.annotation for name, field in AllocationSettings.model_fields.items()}
_WHOLE_NUMBERS: dict[object, bool] = {int: True, "int": True}
_NO_RANGE: dict[object, str] = {bool: "true,false", "bool": "true,false", str: "one,other", "str": "one,other"}


@dataclass(frozen=True)
class Parameter:
    """One searched key. Either `texts` (choices), or numbers from `low` to `high`, by `step` or, where None, any."""

    name: str  # as it was written
    key: str  # as --set takes it
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal | None = None
    texts: tuple[str, ...] = ()

    @property
    def count(self) -> int | None:
        """How many values there are; None for a range without steps."""
        if self.texts:
            return len(self.texts)
        return None if self.step is None else int((self.high - self.low) // self.step) + 1

    def text(self, place: int) -> str:
        """The value at a place, counted from 0."""
        if self.texts:
            return self.texts[place]
        return _plain(self.low + place * (self.step or 0))

    def number(self, text: str) -> float | None:
        """The value for an axis; None for a choice that is no number."""
        try:
            return float(text)
        except ValueError:
            return None

    def neighbours(self, text: str) -> tuple[str, ...]:
        """The values one step below and above; of choices that are no numbers: none."""
        if self.texts:
            if not all(self.number(one) is not None for one in self.texts):
                return ()
            rising = sorted(self.texts, key=float)
            place = rising.index(text)
            return tuple(rising[beside] for beside in (place - 1, place + 1) if 0 <= beside < len(rising))
        step = self.step or (self.high - self.low) / CONTINUOUS_STEPS
        around = (Decimal(text) - step, Decimal(text) + step)
        return tuple(_plain(value) for value in around if self.low <= value <= self.high)

    @property
    def spec(self) -> str:
        """In the words of --param."""
        if self.texts:
            return f"{self.key}={','.join(self.texts)}"
        step = "" if self.step is None else f":{_plain(self.step)}"
        return f"{self.key}={_plain(self.low)}:{_plain(self.high)}{step}"


def parse_parameters(texts: Sequence[str], settings: Settings, strategies: LoadedStrategies) -> tuple[Parameter, ...]:
    """All of `--param`; ConfigError for an unknown name, a range that holds nothing, or a key that is given twice."""
    if not texts:
        raise ConfigError("nothing to search: give at least one --param, for example --param ema_fast=5:20")
    found: dict[str, Parameter] = {}
    for text in texts:
        parameter = _parse(text, settings, strategies)
        _check_values(parameter, f"--param {text}", settings, strategies)
        if parameter.key in found:
            raise ConfigError(f"--param {text}: {parameter.key} is searched already")
        found[parameter.key] = parameter
    return tuple(found.values())


def overrides_of(values: Mapping[str, str], parameters: Sequence[Parameter]) -> tuple[str, ...]:
    """KEY=VALUE for --set, in the order of the parameters."""
    return tuple(f"{parameter.key}={values[parameter.name]}" for parameter in parameters)


def _parse(text: str, settings: Settings, strategies: LoadedStrategies) -> Parameter:
    name, equals, values = (part.strip() for part in text.partition("="))
    if not equals or not name or not values:
        raise ConfigError(f"--param {text}: write NAME=VALUES, for example ema_fast=5:20 or allow_short=true,false")
    key, kind = _key_and_kind(name, f"--param {text}", settings, strategies)
    if "," in values:
        return Parameter(name, key, texts=_choices(values, text))
    if ":" not in values:
        raise ConfigError(f"--param {text}: one value is nothing to search; write --set {key}={values}")
    if kind in _NO_RANGE:
        raise ConfigError(f"--param {text}: {name} takes no range; write choices, like {name}={_NO_RANGE[kind]}")
    return _range(name, key, values, text, whole=kind in _WHOLE_NUMBERS)


def _check_values(parameter: Parameter, source: str, settings: Settings, strategies: LoadedStrategies) -> None:
    # What a key's own limits refuse, whatever the other parameters are: at once, not trial by trial.
    loaded = {".".join((*spec.path, "params")): one for spec, one in strategies.of}
    section, _, name = parameter.key.rpartition(".")
    for text in parameter.texts or (_plain(parameter.low), _plain(parameter.high)):
        override = f"{parameter.key}={text}"
        try:
            if section in loaded:
                loaded[section].check({name: parse_yaml(text)})
            else:
                load_settings(settings, [override])
        except ConflictError:
            continue  # with another value of another parameter it may be right
        except ConfigError as error:
            raise ConfigError(f"{source}: {str(error).removeprefix(f'--set {override}: ')}") from None


def _choices(values: str, text: str) -> tuple[str, ...]:
    choices = tuple(part.strip() for part in values.split(","))
    if not all(choices):
        raise ConfigError(f"--param {text}: a choice is empty")
    if len(set(choices)) < len(choices):
        raise ConfigError(f"--param {text}: a choice is given twice")
    for choice in choices:
        try:
            parse_yaml(choice)
        except ValueError as error:
            raise ConfigError(f"--param {text}: {choice!r} is no YAML: {error}") from None
    return choices


def _range(name: str, key: str, values: str, text: str, *, whole: bool) -> Parameter:
    parts = [_decimal(part, text) for part in values.split(":")]
    if len(parts) not in (2, 3):
        raise ConfigError(f"--param {text}: write LOW:HIGH or LOW:HIGH:STEP")
    low, high = parts[:2]
    if low > high:
        flipped = f"did you mean {name}={_plain(high)}:{_plain(low)}?"
        raise ConfigError(f"--param {text}: the range is inverted; {flipped}")
    if low == high:
        raise ConfigError(f"--param {text}: the range is empty; it holds one value: use --set")
    step = parts[2] if len(parts) == 3 else Decimal(1) if whole else None
    if step is not None and step <= 0:
        raise ConfigError(f"--param {text}: the step must be above 0")
    if whole and any(part != part.to_integral_value() for part in (*parts, step or low)):
        raise ConfigError(f"--param {text}: {name} is a whole number; write whole bounds and a whole step")
    if step is not None and step > high - low:
        raise ConfigError(f"--param {text}: the step is longer than the range: it holds one value")
    return Parameter(name, key, low, high, step)


def _decimal(part: str, text: str) -> Decimal:
    try:
        number = Decimal(part.strip())
    except InvalidOperation:
        raise ConfigError(f"--param {text}: {part!r} is no number; write LOW:HIGH or LOW:HIGH:STEP") from None
    if not number.is_finite():
        raise ConfigError(f"--param {text}: {part!r} is no finite number")
    return number


def _key_and_kind(name: str, source: str, settings: Settings, strategies: LoadedStrategies) -> tuple[str, object]:
    known = _known_keys(settings, strategies)
    bare = "allocation.method" if name == "allocation" else name.removeprefix("live.")
    first, _, rest = bare.partition(".")
    file = {"trading": "trading_mode"}.get(first, first)
    only = ".".join(strategies.of[0][0].path) if len(strategies.of) == 1 else ""
    as_set = rest if file in _FILES else bare  # without the file's name
    for key in (
        f"{only}.params.{bare}",
        bare,
        f"{only}.{bare}",
        as_set,
        *(f"{one}.{as_set}" for one in (file, *_FILES)),
    ):
        if key in known:
            return key, known[key]
    named = [key for key in known if key.startswith("strategies.") and key.endswith(f".{bare}")]
    if named:
        raise ConfigError(f"{source}: the config has a list of strategies; write {' or '.join(named)}")
    raise ConfigError(unknown_key(source, name, [key.removeprefix(f"{only}.params.") for key in known]))


def _known_keys(settings: Settings, strategies: LoadedStrategies) -> dict[str, object]:
    """Everything that may be searched, as --set takes it, and of what kind it is."""
    known: dict[str, object] = {}
    for spec, loaded in strategies.of:
        known |= _keys_of(".".join(spec.path), spec, loaded)
    for file, model in _FILES.items():
        # `safety.max_drawdown` is a key of its file's own, `reward_risk_ratio` is told with the file's name.
        # The limits of real orders change nothing of a backtest.
        names = [key for key in known_keys(model) if key.partition(".")[0] != "orders"]
        keys = {key: _field(model, key.split(".")) for key in names}
        known |= {key if "." in key else f"{file}.{key}": kind for key, kind in keys.items() if kind is not None}
    known |= _ALLOCATION if settings.live.strategies else {}
    for place, protection in enumerate(settings.trading_mode.protections or ()):
        keys = {key: _field(ProtectionSettings, [key]) for key in sorted({*protection.model_fields_set, "scope"})}
        known |= {f"protections.{place}.{key}": kind for key, kind in keys.items()}
    return known


def _keys_of(where: str, spec: StrategySpec, loaded: LoadedStrategy) -> dict[str, object]:
    known: dict[str, object] = {f"{where}.params.{name}": _kind(one) for name, one in loaded.parameters.items()}
    known |= {f"{where}.risk.{key}": _field(RiskSettings, [key]) for key in RiskSettings.model_fields}
    known[f"{where}.allocation"] = float
    for key, whole in EXIT_KEYS.items():
        legs = range(len(spec.exits.partial) if spec.exits else 0) if ".0." in key else (0,)
        known |= {f"{where}.{key.replace('.0.', f'.{leg}.')}": int if whole else float for leg in legs}
    return known


def _field(model: type[BaseModel], path: Sequence[str]) -> object:
    """The kind of a key that holds a value; None for one that holds keys, or a list of them."""
    current: Any = model
    for part in path:
        current = current.model_fields[part].annotation
    kinds = [kind for kind in get_args(current) if kind is not type(None)] or [current]  # `int | None` is an int
    kind = get_args(kinds[0])[0] if get_origin(kinds[0]) is Annotated else kinds[0]
    return None if hasattr(kind, "model_fields") or get_origin(kind) is tuple else kind


def _kind(argument: Argument) -> object:
    if argument.annotation is not Argument.empty:
        return argument.annotation
    return type(argument.default) if isinstance(argument.default, (int, str)) else float


def _plain(number: Decimal) -> str:
    # Without an exponent and without zeros at the end: 40, 0.05.
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
