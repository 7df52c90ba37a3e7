"""An operator's close of one position: which lines a session has, and whether anything of them is open.

What is wrong with it is said before anything is left in the run folder; a status that is not fresh refuses nothing, for
the session may know better.
"""

from collections.abc import Iterable
from pathlib import Path

from app import times
from app.errors import ConfigError, DataError
from app.feeds.tape import newest_header
from app.models.orders import MAIN, Line
from app.runs.run_folder import is_owned
from app.session.control import STATUS, read_status, refuse_command, send_command, whose

_FRESH_S = 10.0  # a running session writes its status every second


def send_close(run: Path, symbol: str, strategy: str | None, why: str) -> str:
    """Leaves a close for the session of a run folder, and says who hears it; ConfigError for what it does not have.

    Without a strategy it is of all that trade the symbol.
    """
    refuse_command(run, "close", why)
    lines = _lines(run)
    _refuse_unknown("symbol", symbol, [one.symbol for one in lines])
    if strategy is not None:
        _refuse_unknown("strategy", strategy, [one.strategy for one in lines if one.symbol == symbol])
    open_ = _open_lines(run)
    if open_ is not None and not any(one.symbol == symbol and strategy in (None, one.strategy) for one in open_):
        there = f"open are {', '.join(map(str, open_))}" if open_ else "nothing is"
        raise ConfigError(f"nothing of {whose(symbol, strategy)} is open: {there}")
    return send_command(run, "close", why, symbol=symbol, **({} if strategy is None else {"strategy": strategy}))


def _lines(run: Path) -> list[Line]:
    """Of the newest epoch; its header is read as it stands, so that a close needs no setting to be understood."""
    live = newest_header(run).get("settings", {}).get("live")
    if live is None:
        raise DataError(f"{run}: its tape has no whole header yet, so its symbols are not known; try again")
    strategies = live.get("strategies") or [{"id": MAIN}]
    return [Line(own["id"], symbol) for own in strategies for symbol in own.get("symbols") or live["symbols"]]


def _refuse_unknown(what: str, asked: str, known: Iterable[str]) -> None:
    names = list(dict.fromkeys(known))
    if asked not in names:
        raise ConfigError(f"{asked!r} is no {what} of this session; there is {', '.join(names)}")


def _open_lines(run: Path) -> list[Line] | None:
    """Those with a position or a pending entry; None where no fresh status of a running session tells it."""
    try:
        status, age_s = read_status(run), times.now_ms() / 1000.0 - (run / STATUS).stat().st_mtime
    except (DataError, OSError):
        return None
    if not is_owned(run) or age_s > _FRESH_S or "ended" in status:
        return None
    held = [*status["positions"], *status.get("orders", ())]
    return list(dict.fromkeys(Line(one.get("strategy", MAIN), one["symbol"]) for one in held))
