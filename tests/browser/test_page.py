"""The report in Chromium, from the file: no request, no error, and every control does what it says.

The page of the shipped sample (1,054 trades), and one of a small run for what is odd.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from app.candles.cache import CandleCache
from app.report.making import make_report
from app.report.versus import make_versus
from app.session.backtest import ConfigBacktestRunner
from app.settings.shipped import SAMPLE_CACHE, SAMPLE_CONFIG
from tests.browser.conftest import Open, Opened
from tests.proof_runs import rows_of, trades_of
from tests.report_runs import made_run, rename_symbol

EVIL = "<img src=x onerror=\"document.title='owned'\">/X"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "run"
    ConfigBacktestRunner(
        config=SAMPLE_CONFIG, cache=SAMPLE_CACHE, start="2017-08-17T04:00", end="2024-01-02", out=folder,
        offline=True,
    ).run()  # fmt: skip
    make_report(folder, [SAMPLE_CACHE])
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = made_run(tmp_path_factory.mktemp("odd"))
    rename_symbol(run, "AAA/X", EVIL)
    make_report(run, [CandleCache(run.with_name("run_cache"))])
    return run


def assert_clean(opened: Opened, path: Path) -> None:
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [path.as_uri()]


def assert_no_sideways_scroll(opened: Opened, width: int) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def rows(opened: Opened) -> list[list[str]]:
    found: list[list[str]] = opened.evaluate(
        "[...document.querySelectorAll('#trades tr[data-row]')].map((row) => [...row.cells].map((c) => c.textContent))"
    )
    return found


def painted(opened: Opened, element: str) -> int:
    """How many colours the chart's canvases show: one or two where nothing was drawn."""
    script = """(id) => {
      const seen = new Set();
      for (const canvas of document.querySelectorAll(`#${id} canvas`)) {
        if (!canvas.width || !canvas.height) continue;
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        for (const colour of new Uint32Array(data.buffer)) seen.add(colour);
      }
      return seen.size;
    }"""
    return int(opened.evaluate(script, element))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_offline_without_an_error(sample: Path, opened: Open, width: int, scheme: str) -> None:
    path = sample / "report.html"
    page = opened(path, width=width, scheme=scheme)
    assert_clean(page, path)
    assert_no_sideways_scroll(page, width)
    for chart in ("equity", "candles", "sharpe"):
        assert painted(page, chart) > 10, chart
    assert page.evaluate("document.documentElement.dataset.theme") == scheme


def test_its_numbers_are_those_of_results_json(sample: Path, opened: Open) -> None:
    results = json.loads((sample / "results.json").read_text())
    page = opened(sample / "report.html")
    shown = page.evaluate(
        "[...document.querySelectorAll('.tile .value')]"
        ".map((one) => [one.dataset.key, JSON.parse(one.dataset.raw), one.textContent])"
    )
    assert len(shown) == 10
    for key, raw, _ in shown:
        block, name = key.split(".")
        assert raw == results[block][name], key
    assert ["performance.total_return_pct", f"{results['performance']['total_return_pct']:+,.2f} %"] in [
        [key, text] for key, _, text in shown
    ]
    assert page.evaluate("page.equity.equity.at(-1)") == round(results["performance"]["final_equity"], 4)
    depth = -page.evaluate("Math.min(...page.equity.drawdown_pct)")
    assert depth == round(results["performance"]["max_drawdown_pct"], 4)
    drawn = page.evaluate(
        "[...document.querySelectorAll('#h-c rect title')].map((t) => parseInt(t.textContent.replace(',', '')))"
    )
    assert sum(drawn) == results["performance"]["total_trades"]


def test_the_list_is_lazy_sorted_and_filtered(sample: Path, opened: Open) -> None:
    closes = [row for row in rows_of(trades_of(sample)) if row["action"] == "CLOSE"]
    page = opened(sample / "report.html")
    assert 10 < len(rows(page)) < 60
    page.page.click("button[data-sort=pnl]")
    worst = min(closes, key=lambda row: float(row["realized_pnl"]))
    assert rows(page)[0][0] == worst["trade_id"] and rows(page)[0][8] == f"{float(worst['realized_pnl']):,.2f}"
    assert page.evaluate("document.querySelector('button[data-sort=pnl]').parentElement.ariaSort") == "ascending"
    page.page.click("button[data-sort=pnl]")
    assert rows(page)[0][0] == max(closes, key=lambda row: float(row["realized_pnl"]))["trade_id"]
    page.evaluate("document.getElementById('trades').scrollTop = 1e9")
    page.page.wait_for_selector("#trades tr[data-row='1053']")
    assert rows(page)[-1][0] == worst["trade_id"] and len(rows(page)) < 60
    page.page.select_option("#f-reason", "take_profit")
    page.page.select_option("#f-side", "-1")
    short_winners = [row for row in closes if row["reason"] == "take_profit" and row["side"] == "SHORT"]
    assert page.page.text_content("#trade-count") == f"{len(short_winners)} of 1,054 trades"
    assert {(row[2], row[12]) for row in rows(page)} == {("short", "take_profit")}
    page.page.fill("#f-text", "2021-05")
    assert all("2021-05" in row[3] or "2021-05" in row[4] for row in rows(page)) and rows(page)
    page.page.fill("#f-text", "no such thing")
    assert rows(page) == []


def test_a_month_and_a_trade_in_full_detail(sample: Path, opened: Open) -> None:
    page = opened(sample / "report.html")
    candles = CandleCache(SAMPLE_CACHE).read("BTC/USDT", "1h", "2021-05")
    assert 1_000 < int(page.page.get_attribute("#candles", "data-shown") or 0) <= 2_000
    page.page.select_option("#month", "2021-05")
    page.page.wait_for_selector(f"#candles[data-shown='{len(candles.open_time_ms)}']")
    place = "page.symbols[0].months.find((one) => one.month === '2021-05')"
    read: list[dict[str, Any]] = page.evaluate(f"readCandles({place}, page.symbols[0].digits)")
    assert [one["time"] * 1000 for one in read] == candles.open_time_ms.tolist()
    for name in ("open", "high", "low", "close"):
        assert [one[name] for one in read] == getattr(candles, name).tolist()
    assert [one["volume"] for one in read] == pytest.approx(candles.volume.tolist(), rel=0.011)
    page.page.click("#earlier")
    expect(page.page.locator("#month")).to_have_value("2021-04")
    page.page.focus("#trades")
    for _ in range(8):
        page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#candle-note")).to_have_text(re.compile("^trade 8,"))
    assert page.page.input_value("#month") == "2017-09"
    page.page.click("#next-trade")
    expect(page.page.locator("#candle-note")).to_have_text(re.compile("^trade 9,"))
    assert page.errors == []


def test_light_and_dark(sample: Path, opened: Open) -> None:
    page = opened(sample / "report.html", scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    assert painted(page, "equity") > 10 and page.errors == []


def test_a_symbol_that_is_markup_is_text(odd: Path, opened: Open) -> None:
    page = opened(odd / "report.html", width=390)
    assert_clean(page, odd / "report.html")
    assert_no_sideways_scroll(page, 390)
    assert page.page.title() != "owned" and page.evaluate("document.images.length") == 0
    assert EVIL in {row[1] for row in rows(page)}
    assert EVIL in page.evaluate("[...document.getElementById('f-symbol').options].map((one) => one.value)")


def test_without_scripts_the_summary_can_be_read(sample: Path, opened: Open) -> None:
    page = opened(sample / "report.html", scripts=False)
    text = page.page.inner_text("main")
    assert "Total return" in text and "-26.48 %" in text and "need JavaScript" in text


def test_print_shows_the_rows(sample: Path, opened: Open) -> None:
    page = opened(sample / "report.html", scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(rows(page)) == 1_054 and page.evaluate("document.documentElement.dataset.theme") == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(rows(page)) < 60 and page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_two_runs_side_by_side(odd: Path, sample: Path, opened: Open, tmp_path: Path) -> None:
    path = make_versus(sample, odd, tmp_path / "two.html")
    page = opened(path, width=390)
    assert_clean(page, path)
    assert_no_sideways_scroll(page, 390)
    assert painted(page, "both") > 10
