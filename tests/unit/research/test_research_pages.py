"""The pages of a walk-forward and a Monte Carlo: the pictures have the numbers of the files, and no path."""

from pathlib import Path

import numpy as np
from arro3.io import read_parquet

from app.research.path_bands import fan
from app.research.research_pages import HEIGHT, LEFT, POINTS, WIDTH, monte_carlo_page, walk_page
from app.research.walk_forward import walk_windows
from app.research.walk_report import walk_content
from tests.unit.research.test_curve_page import points
from tests.walks import always, walk


def test_the_account_of_a_walk(tmp_path: Path) -> None:
    own = walk()
    blocks = walk_windows(own, always("strategy.params.ema_fast=8"), tmp_path)
    found = walk_content(own, blocks, tmp_path)
    page = walk_page(found, tmp_path, ["the <table>"])
    equity = read_parquet(tmp_path / "equity.parquet").read_all()["equity"].to_numpy()
    line = points(page, "line")
    assert len(line) == len(equity) + 1 < POINTS
    heights = np.concatenate(([10_000.0], equity))
    margin = 0.05 * (heights.max() - heights.min())
    expected = HEIGHT * (heights.max() + margin - heights) / (heights.max() - heights.min() + 2 * margin)
    np.testing.assert_allclose([y for _, y in line], expected, atol=0.051)
    third = LEFT + (WIDTH - LEFT) / 3
    assert f'x1="{third:.1f}" x2="{third:.1f}"' in page  # the second of three windows begins there
    assert "the &lt;table&gt;" in page
    assert str(tmp_path) not in page


def test_a_fan_for_each_method_that_has_one() -> None:
    equity = np.array([[100.0, 90.0], [100.0, 110.0], [100.0, 130.0]])
    bands = {**fan(np.array([0, 1]), equity), "observed": [100.0, 120.0]}
    answer = {"unit": "trade", "runs": 3}
    found = {"methods": {"trades": {**answer, "fan": bands}, "candles": answer, "days": {"not_possible": "one day"}}}
    page = monte_carlo_page(found, ["x"])
    assert page.count("<svg") == 1
    assert page.count('class="band"') == 2
    assert "trades: equity by trade, the run and 50 and 90 % of 3 paths" in page
    assert "1 trades" in page
