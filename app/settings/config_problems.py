"""What pydantic found wrong with a section, in one line for the person who wrote it.

Names the file or the argument, the key with its dots, what would be right and what is there. Only the first problem
is told; misspelt keys come before all others, since the right key is then often missing as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.settings.config_text import Sources, unknown_key

_MISSPELT = ("extra_forbidden", "invalid_key")
_UNION_TAGS = ("constrained-int", "literal['auto']")  # parts of a location that are no keys
_WANTED = {
    "bool_type": "it must be true or false",
    "dict_type": "it must hold keys with values",
    "finite_number": "it must be a finite number",
    "float_type": "it must be a number",
    "greater_than": "it must be above {gt:g}",
    "greater_than_equal": "it must be at least {ge:g}",
    "int_type": "it must be a whole number",
    "less_than": "it must be below {lt:g}",
    "less_than_equal": "it must be at most {le:g}",
    "literal_error": "it must be {expected}",
    "model_type": "it must hold keys with values",
    "string_too_short": "it is empty",
    "string_type": "it must be text",
    "too_short": "it is empty",
    "tuple_type": "it must be a list, like [BTC/USDT, ETH/USDT]",
}

_LISTS = {
    "strategies": "it must be a list of at least one, like [{{id: trend, name: ScalpingEMARSI}}]",
    "protections": "it must be a list, like [{{kind: cooldown, candles: 10}}]",
}


def first_problem(
    error: ValidationError, model: type[BaseModel], file: str, content: Mapping[str, Any], sources: Sources
) -> str:
    """The line for `error`, which `model` raised for the content of `file` (live, risk or trading_mode)."""
    problem = min(error.errors(), key=lambda found: found["type"] not in _MISSPELT)
    loc = [part for part in problem["loc"] if part not in _UNION_TAGS and part != "[key]"]
    path = _named(loc, content)
    if problem["type"] in _MISSPELT:
        prefix = ".".join(path[:-1])
        known = [f"{prefix}.{name}" if prefix else name for name in _keys(model, loc[:-1])]
        return unknown_key(sources.of(file, path), ".".join(path), known)
    if problem["type"] == "missing":
        return f"{sources.of(file, path)}: {'.'.join(path)} is missing"
    told = f"{'.'.join(path)}: {_wanted(problem, path)}{_given(problem)}"
    if path[-1] == "exits" and problem["type"] == "value_error":  # they tell their own keys
        inside = _wanted(problem, path)
        told = ".".join((*path[:-1], inside))
        path = [*path[:-1], *inside.split()[0].rstrip(":").split(".")]
    return f"{sources.of(file, path)}: {told}"


def _named(loc: Sequence[str | int], content: Mapping[str, Any]) -> list[str]:
    """A place in the list of strategies is told by the strategy's id, if it has one; any other is counted from 0."""
    path = [str(part) for part in loc]
    if len(loc) > 1 and loc[0] == "strategies" and isinstance(loc[1], int):
        own = content["strategies"][loc[1]]
        if isinstance(own, dict) and own.get("id") and isinstance(own["id"], str):
            path[1] = own["id"]
    return path


def known_keys(model: type[BaseModel]) -> list[str]:
    """All keys of a file with their dots; sections first, then what is in them."""
    keys = list(model.model_fields)
    for name, field in model.model_fields.items():
        kinds = field.annotation, *getattr(field.annotation, "__args__", ())  # a section that may be left out
        for kind in kinds if get_origin(field.annotation) is not dict else ():
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                keys += [f"{name}.{inner}" for inner in known_keys(kind)]
    return keys


def _wanted(problem: ErrorDetails, path: Sequence[str]) -> str:
    text = _WANTED.get(problem["type"])
    if problem["type"] in ("tuple_type", "too_short"):
        text = _LISTS.get(path[-1], text)
    or_auto = " or auto" if "constrained-int" in problem["loc"] else ""
    if text is None:
        return problem["msg"].removeprefix("Value error, ")
    return text.format(**problem.get("ctx", {})) + or_auto


def _given(problem: ErrorDetails) -> str:
    given = problem["input"]
    if isinstance(given, (dict, list, tuple)) or given == "":
        return ""
    is_told = isinstance(given, str) and repr(given) in problem["msg"]
    return "" if is_told else f" (it is {given!r})"


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, also where it may be left out, and also in a list or by a name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_of(one) for one in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)


def _keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    current = model
    for part in path:
        field = current.model_fields.get(part) if isinstance(part, str) else None
        if field is None:  # the place in a list, or the name of a symbol
            continue
        found = _model_of(field.annotation)
        if found is None:
            return []
        current = found
    return list(current.model_fields)
