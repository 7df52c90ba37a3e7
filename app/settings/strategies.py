"""The keys of a strategy, of its managed exits and of protections, and what they say once defaults are filled in.

`strategy:` is the short form of a list of one with the id `main`. Names of strategies and parameters are checked by
strategies/loader.py, which knows the classes.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_serializer, model_validator
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from app.models.allocation import Allocation, Method
from app.models.exits import CANDLES_MAX, Exits, exits_problem, read_exits
from app.models.orders import MAIN
from app.models.protections import Kind, Protection, Scope
from app.times import TIMEFRAMES_MS, timeframe_ms

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1, strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]
Candles = Annotated[int, Field(ge=1, le=CANDLES_MAX, strict=True)]
_ID = re.compile(r"[a-z0-9_-]{1,32}")
_NEEDED = {
    Kind.COOLDOWN: ("candles",),
    Kind.STOP_GUARD: ("lookback_candles", "stops", "pause_candles"),
    Kind.LOSING_STREAK: ("trades", "pause_candles"),
}


def known_timeframe(timeframe: str) -> str:
    """The timeframe; ValueError for one that there is not."""
    if timeframe not in TIMEFRAMES_MS:
        raise ValueError(f"unknown timeframe {timeframe!r}; known are {', '.join(TIMEFRAMES_MS)}")
    return timeframe


Timeframe = Annotated[str, AfterValidator(known_timeframe)]


class Section(BaseModel):
    """A part of the three files. Keys in `later` came with Part 2 of the rules: told only where they are given."""

    # defer_build: only the three whole files are ever validated, not each section on its own
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    later: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        return {key: value for key, value in content.items() if key not in self.later or value is not None}


class RiskSettings(Section):
    """risk.json: how large a position may be and where it is protected."""

    risk_per_trade: Fraction = 0.01
    atr_stop_multiplier: Positive = 1.5
    reward_risk_ratio: Positive = 2.0
    max_position_pct: Fraction = 0.10


class OwnRiskSettings(Section):
    """Keys of risk.json that a strategy has of its own."""

    later = ("risk_per_trade", "atr_stop_multiplier", "reward_risk_ratio", "max_position_pct")
    risk_per_trade: Fraction | None = None
    atr_stop_multiplier: Positive | None = None
    reward_risk_ratio: Positive | None = None
    max_position_pct: Fraction | None = None


class StrategySettings(Section):
    """Which strategy, on which timeframe (None: the session's), with which parameters, risk and managed exits."""

    later = ("symbols", "allocation", "risk", "exits")
    name: str = Field(min_length=1)
    timeframe: Timeframe | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    symbols: tuple[str, ...] | None = None
    allocation: Fraction | None = None
    risk: OwnRiskSettings | None = None
    exits: dict[str, Any] | None = None

    @field_validator("symbols")
    @classmethod
    def _no_symbol_twice(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if symbols is None else distinct(symbols)

    @field_validator("exits")
    @classmethod
    def _known_exits(cls, exits: dict[str, Any] | None) -> dict[str, Any] | None:
        if exits is not None:
            read_exits(exits)  # whether they go together hangs on other keys, too: problem_of
        return exits


class NamedStrategySettings(StrategySettings):
    """One of several."""

    id: str

    @field_validator("id")
    @classmethod
    def _plain_id(cls, text: str) -> str:
        if not _ID.fullmatch(text):
            near = re.sub("[^a-z0-9_-]", "_", text.lower())[:32]
            hint = f"; did you mean {near}?" if near else ""
            raise ValueError(f"{text!r} is no id; write 1 to 32 of a-z, 0-9, _ and -{hint}")
        return text


class AllocationSettings(Section):
    """How the equity is shared among the strategies, in the place of an `allocation` of each."""

    method: str
    every_days: Count = 7
    lookback_days: Annotated[int, Field(ge=2, strict=True)] = 30

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        if not isinstance(given, (str, dict)):
            raise ValueError(f"it must be one of {', '.join(Method)}, or hold method, every_days and lookback_days")
        return {"method": given} if isinstance(given, str) else given

    @field_validator("method")
    @classmethod
    def _known_method(cls, method: str) -> str:
        return _one_of(method, [one.value for one in Method], "allocation method")

    def problem(self, strategies: Sequence[NamedStrategySettings] | None) -> str | None:
        """Why these strategies cannot share by it."""
        if strategies is None:
            return "it shares the equity among a list of strategies, and the config has none"
        fixed = next((one.id for one in strategies if one.allocation is not None), None)
        return None if fixed is None else f"strategies.{fixed}.allocation is given, too; take one of them out"

    def allocation(self) -> Allocation:
        """For an Allocator."""
        return Allocation(Method(self.method), self.every_days, self.lookback_days)


class ProtectionSettings(Section):
    """One protection of trading_mode.yaml; each kind has keys of its own."""

    later = ("candles", "lookback_candles", "stops", "trades", "pause_candles")
    kind: str
    scope: str = Scope.LINE.value
    candles: Candles | None = None
    lookback_candles: Candles | None = None
    stops: Count | None = None
    trades: Count | None = None
    pause_candles: Candles | None = None

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        return _one_of(kind, [one.value for one in Kind], "protection")

    @field_validator("scope")
    @classmethod
    def _known_scope(cls, scope: str) -> str:
        return _one_of(scope, [one.value for one in Scope], "scope")

    def problem(self) -> str | None:
        """What is missing or too much for its kind."""
        needed = _NEEDED[Kind(self.kind)]
        for key in self.later:
            given = getattr(self, key) is not None
            if given != (key in needed):
                return f"{self.kind} {'has no' if given else 'needs'} {key}; its keys are {', '.join(needed)} and scope"
        return None

    def protection(self, timeframe: str) -> Protection:
        """In milliseconds of the session's candles."""
        candle_ms = timeframe_ms(timeframe)
        return Protection(
            kind=Kind(self.kind),
            scope=Scope(self.scope),
            pause_ms=(self.candles or self.pause_candles or 0) * candle_ms,
            count=self.stops or self.trades or 1,
            lookback_ms=(self.lookback_candles or 0) * candle_ms,
        )


@dataclass(frozen=True)
class StrategySpec:
    """A strategy of the config with every default filled in; `path` is where live.yaml has it."""

    id: str
    name: str
    timeframe: str
    params: Mapping[str, Any]
    symbols: tuple[str, ...]
    allocation: float
    risk: RiskSettings
    exits: Exits | None
    path: tuple[str, ...]

    @property
    def label(self) -> str:
        """For messages: its name, and in a list its id."""
        return self.name if len(self.path) == 1 else f"{self.id} ({self.name})"

    @classmethod
    def of(
        cls, own: StrategySettings, timeframe: str, symbols: Sequence[str], risk: RiskSettings, count: int
    ) -> "StrategySpec":
        """One of `count` strategies in a session of this timeframe and these symbols."""
        named = own if isinstance(own, NamedStrategySettings) else None
        changes = {} if own.risk is None else own.risk.model_dump(exclude_none=True)
        return cls(
            id=MAIN if named is None else named.id,
            name=own.name,
            timeframe=own.timeframe or timeframe,
            params=own.params,
            symbols=tuple(symbol for symbol in symbols if own.symbols is None or symbol in own.symbols),
            allocation=own.allocation or 1.0 / count,
            risk=risk.model_copy(update=changes) if changes else risk,
            exits=None if not own.exits else read_exits(own.exits),
            path=("strategy",) if named is None else ("strategies", named.id),
        )


def problem_of(
    own: StrategySettings, spec: StrategySpec, timeframe: str, symbols: Sequence[str]
) -> tuple[str, str] | None:
    """The key of a strategy that does not fit its session or another key, and what is wrong with it."""
    if TIMEFRAMES_MS[spec.timeframe] % TIMEFRAMES_MS[timeframe]:
        return "timeframe", f"{spec.timeframe} is no multiple of the session's timeframe {timeframe}"
    listed = ", ".join(symbols)
    for symbol in own.symbols or ():
        if symbol not in symbols:
            near = difflib.get_close_matches(symbol.upper(), symbols, n=1)
            hint = f"did you mean {near[0]}?" if near else f"listed are {listed}"
            return "symbols", f"{symbol} is no symbol of this session; {hint}"
    if not spec.symbols:
        return "symbols", f"the list is empty; leave it out for all of {listed}"
    if spec.exits is None:
        return None
    if problem := exits_problem(spec.exits):
        key, _, what = problem.partition(": ")
        return key, what
    ratio = spec.risk.reward_risk_ratio
    for place, leg in enumerate(spec.exits.partial):
        if leg.at_r >= ratio:
            what = f"{leg.at_r:g} R is at or past the target, which reward_risk_ratio puts at {ratio:g} R"
            return f"exits.partial.{place}.at_r", what
    return None


def distinct(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """The symbols; ValueError for one that is empty or there twice."""
    for symbol in symbols:
        if not symbol.strip():
            raise ValueError("a symbol is empty")
        if symbols.count(symbol) > 1:
            raise ValueError(f"{symbol} is listed twice")
    return symbols


def _one_of(given: str, known: Sequence[str], what: str) -> str:
    if given not in known:
        near = difflib.get_close_matches(given.lower(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise ValueError(f"unknown {what} {given!r}; {hint}")
    return given
