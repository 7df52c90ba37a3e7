"""RUN/expectation.json: the band of growth that a session was expected to stay in, and where its equity stands in it.

The band is drawn once, when a backtest is named, so no later one moves what was promised; only the standing is renewed.
Growth is counted at UTC midnights, the first of them ends day 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import DataError
from app.feeds.tape import first_header
from app.runs.daily import EquityScan, equity_blocks
from app.runs.equity import ROW_TYPE, kept_path
from app.runs.quotients import Floats, Ints
from app.runs.reader import Run, read_json
from app.runs.run_folder import EQUITY
from app.times import DAY_MS, iso_ms, parse_time_ms

EXPECTATION, FORMAT = "expectation.json", 1
_SHOWN = (
    "start", "days", "low", "mid", "high", "floor", "ceiling", "live", "outside", "left", "why", "trials", "backtest",
)  # fmt: skip
Content = Mapping[str, Any]


def read_expectation(run: Path) -> dict[str, Any] | None:
    """What is written there; None without the file, DataError for one that cannot be read."""
    path = run / EXPECTATION
    return read_json(path, FORMAT, exactly=True) if path.exists() else None


def renewed(run: Path, content: Content) -> dict[str, Any]:
    """The same band with the session's standing by the equity that is written by now; DataError without a session."""
    start_ms, settings = beginning(run)
    balance = float(settings["trading_mode"]["starting_balance"])
    return {**content, **standing(content, start_ms, growth_of_session(run, balance, start_ms))}


def beginning(run: Path) -> tuple[int, Content]:
    """Start and settings of a session, by the first header of its tape; DataError where there is none."""
    about = first_header(run)
    if not about:
        raise DataError(f"{run} is no folder of a session: it holds no tape")
    return int(about["start_ms"]), about["settings"]


def shown_expectation(run: Path) -> dict[str, Any] | None:
    """For a page, and nothing is written: growth by UTC day as `low`, `mid`, `high`, `floor`, `ceiling`, `live`."""
    content = read_expectation(run)
    return None if content is None else {name: value for name, value in renewed(run, content).items() if name in _SHOWN}


def growth_of_session(run: Path, starting_balance: float, start_ms: int) -> list[float]:
    """Of a session that runs, broke off or has finished: 1.0 at its start, then at each whole UTC midnight."""
    finished = run / EQUITY
    try:
        data = kept_path(finished).read_bytes()
    except FileNotFoundError:
        blocks: Iterable[tuple[Ints, Floats]] = equity_blocks(finished) if finished.exists() else ()
        return _growth(starting_balance, start_ms, blocks)
    rows = np.frombuffer(data[: len(data) // ROW_TYPE.itemsize * ROW_TYPE.itemsize], ROW_TYPE)
    return _growth(starting_balance, start_ms, [(rows["time_ms"], rows["equity"])])


def growth_of_run(run: Run) -> list[float]:
    """Of a finished run; DataError if its equity is not the file that it wrote."""
    if not run.is_untouched("equity"):
        raise DataError(f"{run.file('equity')} is damaged: it is not the file that its run wrote")
    start_ms = parse_time_ms(run.results["period"]["start"])
    balance = float(run.results["performance"]["starting_balance"])
    return _growth(balance, start_ms, equity_blocks(run.file("equity")))


def standing(band: Content, start_ms: int, growth: Sequence[float]) -> dict[str, Any]:
    """Where growth lies by now: `outside` on the newest midnight, `left` the first midnight on which it was so.

    `side` is -1 below the floor, 1 above the ceiling, 0 inside. What comes after the band's last day is not judged.
    """
    days = min(len(growth), len(band["floor"])) - 1
    sides = [(one > band["ceiling"][day]) - (one < band["floor"][day]) for day, one in enumerate(growth[: days + 1])]
    first = next((day for day, side in enumerate(sides) if side), None)
    left = None if first is None else iso_ms((start_ms // DAY_MS + first) * DAY_MS)[:10]
    now = growth[days]
    return {
        "days": days,
        "live": list(growth[: days + 1]),
        "side": sides[-1],
        "outside": bool(sides[-1]),
        "left": left,
        "left_day": first,
        "why": _why(band, days, now, sides[-1], left),
    }


def _growth(starting_balance: float, start_ms: int, blocks: Iterable[tuple[Ints, Floats]]) -> list[float]:
    scan = EquityScan(starting_balance, start_ms)
    for times_ms, equity in blocks:
        scan.add(times_ms, equity)
    path = scan.path()
    whole = (path.times_ms % DAY_MS == 0) | (np.arange(path.times_ms.size) == 0)  # today has not ended
    return [float(one) for one in path.marks[whole] / starting_balance]


def _why(band: Content, days: int, now: float, side: int, left: str | None) -> str:
    """One line; numbers are growth since the start in percent."""
    of = f"day {days} of {len(band['floor']) - 1}"
    told = f"{of}: {100.0 * (now - 1.0):+.2f} % since the start"
    if side:
        bound, name = (band["floor"], "below") if side < 0 else (band["ceiling"], "above")
        return f"equity has left its expected band on {left}; {told} is {name} {100.0 * (bound[days] - 1.0):+.2f} %"
    low, high = (100.0 * (band[name][days] - 1.0) for name in ("low", "high"))
    return f"{told}, expected were {low:+.2f} to {high:+.2f} % (90 %)"
