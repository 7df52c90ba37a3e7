"""What stands on top of the three files: `--symbols`, `--strategy`, `--interval`, and `--set KEY=VALUE`.

They change what was read before it is validated. A strategy of a list is named by its id, an item of any other list by
its place, counted from 0: `strategies.trend.exits.partial.0.at_r`, `protections.0.candles`.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from app.errors import ConfigError
from app.models.orders import MAIN
from app.settings.config_problems import known_keys
from app.settings.config_text import Sources, split_override, unknown_key


def replace_by_arguments(
    live: dict[str, Any], symbols: Sequence[str] | None, name: str | None, interval: str | None, sources: Sources
) -> None:
    """What `--symbols`, `--strategy` and `--interval` say instead of the file; `--strategy` instead of a list, too."""
    written = live.get("strategy")
    strategy = dict(written) if isinstance(written, dict) else {}
    if name is not None and ("strategies" in live or strategy.get("name") != name):
        sources.replaced("live", ("strategy", "name"), f"--strategy {name}")
        # The file's parameters are those of the file's strategy; another one starts with its own defaults.
        strategy = {key: value for key, value in strategy.items() if key != "params"} | {"name": name}
        live.pop("strategies", None)
        live.pop("allocation", None)
    if strategy:
        live["strategy"] = strategy
    listed = live.get("strategies")
    every = [strategy, *(one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict))]
    if symbols is not None:
        argument = f"--symbols {','.join(symbols)}"
        sources.replaced("live", ("symbols",), argument)
        live["symbols"] = list(symbols)
        if isinstance(instruments := live.get("instruments"), dict):  # those of other symbols are no mistake here
            live["instruments"] = {symbol: values for symbol, values in instruments.items() if symbol in symbols}
        for own in every:
            if isinstance(asked := own.get("symbols"), list) and asked:
                own["symbols"] = [symbol for symbol in asked if symbol in symbols]
                if not own["symbols"]:
                    told = ", ".join(str(symbol) for symbol in asked)
                    raise ConfigError(f"{argument}: strategy {own.get('id', MAIN)} trades {told} and would have none")
    if interval is not None:
        sources.replaced("live", ("timeframe",), f"--interval {interval}")
        for own in every:
            if own.get("timeframe") is not None and own["timeframe"] == live.get("timeframe"):
                own["timeframe"] = interval  # a strategy on the session's timeframe stays on it
        live["timeframe"] = interval


def apply_override(
    raw: Mapping[str, dict[str, Any]], override: str, models: Mapping[str, type[BaseModel]], sources: Sources
) -> None:
    """KEY=VALUE of `--set` laid over the content of the files, of which `models` are the keys."""
    key, value = split_override(override)
    name, path = _file_of(key, override, models)
    if name == "live":
        _refuse_other_form(raw["live"], path, override)
    target: Any = raw[name]
    for place, part in enumerate(path[:-1]):
        found = _item(target, path, place, override) if isinstance(target, list) else target.get(part)
        if part == "allocation" and place == 0 and isinstance(found, str):
            found = target[part] = {"method": found}  # the short form
        if found is None and isinstance(target, dict):  # not there yet, or there without a value
            found = target[part] = [] if path[place + 1].isdecimal() else {}
        if not isinstance(found, (dict, list)):
            raise ConfigError(f"--set {override}: {part} is a value, it has no keys")
        target = found
    if isinstance(target, list):
        _item(target, path, len(path) - 1, override)
        raise ConfigError(f"--set {override}: name a key of it, like {'.'.join(path)}.{_example(path)}")
    target[path[-1]] = value
    sources.replaced(name, path, f"--set {override}")


def _refuse_other_form(live: Mapping[str, Any], path: Sequence[str], override: str) -> None:
    """`strategy.x` where the config has a list, and `strategies.main.x` where it has the short form."""
    listed = live.get("strategies")
    if path[0] == "strategy" and len(path) > 1 and listed and "strategy" not in live:
        ids = [str(one.get("id")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        right = " or ".join(".".join(("strategies", one, *path[1:])) for one in ids)
        raise ConfigError(f"--set {override}: the config has a list of strategies; write {right}")
    if path[0] == "strategies" and len(path) > 2 and listed is None:
        right = ".".join(("strategy", *path[2:]))
        raise ConfigError(f"--set {override}: the config has one strategy and no list; write {right}")


def _item(items: list[Any], path: Sequence[str], place: int, override: str) -> Any:
    """An item of a list: a strategy by its id, anything else by its place, counted from 0."""
    part, where = path[place], ".".join(path[:place])
    if where == "strategies":
        known = {str(one.get("id")): one for one in items if isinstance(one, dict)}
    else:
        known = {str(number): one for number, one in enumerate(items)}
    if part not in known:
        near = difflib.get_close_matches(part, known, n=1)
        told = ", ".join(f"{where}.{one}" for one in known) or f"none: give {where} as a whole list"
        hint = f"did you mean {where}.{near[0]}?" if near else f"known are {told}"
        raise ConfigError(f"--set {override}: unknown key {where}.{part}; {hint}")
    return known[part]


def _example(path: Sequence[str]) -> str:
    return {"strategies": "allocation", "protections": "scope", "partial": "at_r"}.get(path[-2], "0")


def _file_of(key: str, override: str, models: Mapping[str, type[BaseModel]]) -> tuple[str, list[str]]:
    # `risk.` and `trading_mode.` name a file; otherwise the first word is a key of one of the files.
    first, *rest = parts = key.split(".")
    if first in models and rest:
        return first, rest
    if first == "exits":
        return "live", ["strategy", *parts]
    for name, model in models.items():
        if first in model.model_fields:
            return name, parts
    known = [known for model in models.values() for known in known_keys(model)]
    raise ConfigError(unknown_key(f"--set {override}", key, known))
