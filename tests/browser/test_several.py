"""The page of three strategies with legs and moved stops in Chromium: it draws what the files say, at every width."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.candles.cache import CandleCache
from app.report.making import make_report
from app.report.stop_paths import managed_marks
from app.report.versus import make_versus
from app.runs.candle_source import candles_of
from app.runs.run_on_disk import read_run
from tests.browser.conftest import Open
from tests.browser.test_page import assert_clean, assert_no_sideways_scroll, painted, rows
from tests.candle_columns import MINUTE_MS
from tests.report_runs import made_run, managed_run

# From now on every line and diamond of the candle chart is noted; both are functions of the page's own scripts.
_WATCH = """() => {
  window.drawn = { lines: [], diamonds: [] };
  const [stroked, marked] = [window.stroke, window.diamond];
  window.stroke = (context, style, width, dashes, ...ends) => {
    drawn.lines.push([style, width, ...ends]);
    stroked(context, style, width, dashes, ...ends);
  };
  window.diamond = (context, ...rest) => {
    drawn.diamonds.push(rest);
    marked(context, ...rest);
  };
}"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = managed_run(tmp_path_factory.mktemp("several"))
    make_report(run, [CandleCache(run.with_name("managed_cache"))])
    return run


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn_without_an_error(several: Path, opened: Open, width: int, scheme: str) -> None:
    path = several / "report.html"
    page = opened(path, width=width, scheme=scheme)
    assert_clean(page, path)
    assert_no_sideways_scroll(page, width)
    assert painted(page, "strategies") > 10
    keys = page.evaluate(
        "[...document.querySelectorAll('#strategy-keys .key')].map((key) => getComputedStyle(key).color)"
    )
    assert len(set(keys)) == 3, "a colour for each strategy"
    heat = "[...document.querySelectorAll('.heat')].find((table) => table.rows[0].cells[1].textContent === 'trail')"
    cells = page.evaluate(f"[...{heat}.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent))")
    matrix = json.loads((several / "results.json").read_text())["strategy_correlation"]
    assert cells == [[name, *(f"{one:+.2f}" for one in own.values())] for name, own in matrix.items()]


def test_figures_of_a_strategy_are_those_of_results_json(several: Path, opened: Open) -> None:
    page = opened(several / "report.html")
    results = json.loads((several / "results.json").read_text())
    for name, own in results["per_strategy"].items():
        shown = page.evaluate(f"document.querySelector('[data-key=\"per_strategy.{name}.realized_pnl\"]').textContent")
        assert shown == f"{own['realized_pnl']:+,.2f}"


def test_legs_and_a_stop_that_moved_are_drawn_over_the_candles(several: Path, opened: Open) -> None:
    run = read_run(several)
    candles = candles_of(run, [CandleCache(several.with_name("managed_cache"))]).by_symbol
    marks = managed_marks(run.trades, candles, run.settings, MINUTE_MS)
    assert marks is not None
    place = next(at for at, steps in enumerate(marks.stops) if steps and len(steps) > 2 and marks.legs[at])
    steps, legs = marks.stops[place] or [], marks.legs[place] or []
    page = opened(several / "report.html")
    page.evaluate(_WATCH)
    page.page.locator("#f-text").fill(str(int(run.trades.entry.trade_id[place])))
    first = next(at for at, row in enumerate(rows(page)) if row[0] == str(int(run.trades.entry.trade_id[place])))
    page.page.locator("#trades tr[data-row]").nth(first).click()
    page.page.wait_for_function("drawn.diamonds.length > 0")
    page.page.wait_for_timeout(300)
    page.evaluate("{ drawn.lines = []; drawn.diamonds = []; dispatchEvent(new Event('resize')); }")
    page.page.locator("#theme").click()  # draws everything once more
    page.page.wait_for_function("drawn.diamonds.length > 0")
    drawn: dict[str, Any] = page.evaluate("drawn")
    stop = page.evaluate("colour('stop')")
    chosen = [line for line in drawn["lines"] if line[0] == stop and line[1] == 2]
    levels = [line for line in chosen if line[3] == line[5]]
    risers = [line for line in chosen if line[2] == line[4] and line[3] != line[5]]
    assert len({line[3] for line in levels}) == len(steps) + 1  # the first stop and where it went
    assert len({(line[2], line[3], line[5]) for line in risers}) == len(steps)
    assert len({tuple(one) for one in drawn["diamonds"]}) >= len(legs)


def test_the_list_names_and_filters_the_strategy(several: Path, opened: Open) -> None:
    page = opened(several / "report.html")
    assert {row[2] for row in rows(page)} <= {"trail", "even", "atr"}
    page.page.locator("#f-strategy").select_option("even")
    shown = rows(page)
    assert shown and {row[2] for row in shown} == {"even"}
    total = json.loads((several / "results.json").read_text())["per_strategy"]["even"]["total_trades"]
    assert page.evaluate("document.getElementById('trade-count').textContent").startswith(f"{total} of ")


def test_beside_a_run_of_one_strategy(several: Path, opened: Open, tmp_path: Path) -> None:
    path = make_versus(several, made_run(tmp_path), tmp_path / "versus.html")
    page = opened(path, width=390, scheme="dark")
    assert_clean(page, path)
    assert_no_sideways_scroll(page, 390)
    assert "trail: Realized PnL" in page.evaluate("document.body.textContent")
