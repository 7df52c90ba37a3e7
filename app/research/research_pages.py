"""walk_forward.html and monte_carlo.html: the table of the console under a picture of equity.

The rule: equal answers give equal pages; no path and no time of day is in them. They show, and compute nothing.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from arro3.io import read_parquet

from app.research.curve_page import Picture, curve_page
from app.times import parse_time_ms, short_time

POINTS = 1_500
Content = Mapping[str, Any]


def walk_page(found: Content, folder: Path, lines: Iterable[str]) -> str:
    """The account of a walk-forward; a rule where a window begins. `folder` holds its equity."""
    table = read_parquet(folder / found["files"]["equity"]).read_all()
    times_ms, equity = table["timestamp_ms"].to_numpy(), table["equity"].to_numpy()
    shown = np.unique(np.linspace(0, len(times_ms) - 1, min(len(times_ms), POINTS)).round().astype(np.int64))
    starts_ms = [float(parse_time_ms(block["out_of_sample"]["start"])) for block in found["windows"]]
    start_ms, end_ms = starts_ms[0], float(times_ms[-1])
    picture = Picture(
        title="Equity out of sample, one account",
        x=[start_ms, *times_ms[shown].astype(float).tolist()],
        line=[found["performance"]["starting_balance"], *equity[shown].tolist()],
        rules=starts_ms[1:],
        x_labels=(short_time(int(start_ms)), short_time(int(end_ms))),
    )
    return curve_page("Walk-forward", [picture], "\n".join(lines))


def monte_carlo_page(found: Content, lines: Iterable[str]) -> str:
    """A fan for each method that has one: 5 to 95 % and 25 to 75 % of the paths, the line is the run itself."""
    pictures = []
    for name, answer in found["methods"].items():
        fan = answer.get("fan")
        if fan is not None:
            bands = [(fan["p5"], fan["p95"]), (fan["p25"], fan["p75"])]
            title = f"{name}: equity by {answer['unit']}, the run and 50 and 90 % of {answer['runs']:,} paths"
            labels = ("start", f"{fan['step'][-1]:,} {answer['unit']}s")
            pictures.append(Picture(title, fan["step"], fan["observed"], bands, x_labels=labels))
    return curve_page("Monte Carlo", pictures, "\n".join(lines))
