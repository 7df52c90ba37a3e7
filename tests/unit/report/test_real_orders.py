"""Real orders on the console and on the page: LIVE at the top, and the same rows in both."""

import json
from pathlib import Path

import pytest

from app.models.intents import PlaceOrder
from app.report.console import render_report
from app.report.making import make_report
from app.report.real_orders import real_order_rows
from tests.live_twins import Venue, live, paper


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fees = Venue(
        parts=2,
        fee_asset=lambda symbol, buys: symbol.partition("/")[0] if buys else "USDT",
        refuses=lambda one: "no balance" if isinstance(one, PlaceOrder) and one.order_id == 1 else "",
    )
    return live(tmp_path_factory.mktemp("report"), "live", fees)


def test_the_console_says_live_first_and_tells_of_the_orders(run: Path, tmp_path: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    text = render_report(results, run)
    assert text.splitlines()[1] == "LIVE: the orders of this session were real, at binanceus"
    told = text[text.index("Real orders\n") :].split("\n\n")[0]
    assert "  refused                            1   -2010 no balance: 1" in told
    assert "  decision to sent               20 ms   p99 20 ms" in told
    for label in ("entries", "protections", "sales", "without its stop", "entry above mark", "fees", "dust"):
        assert f"\n  {label} " in told
    other = json.loads((paper(tmp_path, "paper") / "results.json").read_text())
    assert "LIVE" not in render_report(other, tmp_path)
    assert "Real orders" not in render_report(other, tmp_path)


def test_the_page_has_the_same_rows(run: Path) -> None:
    page = make_report(run).read_text()
    assert '<p class="notice alarm" role="alert">LIVE: the orders of this session were real, at binanceus.</p>' in page
    real = json.loads((run / "results.json").read_text())["real_orders"]
    section = page[page.index("<h2>Real orders</h2>") :].split("</section>")[0]
    for label, value, _ in real_order_rows(real):
        assert label in section
        assert value in section


def test_each_open_position_says_where_its_stop_is(run: Path) -> None:
    real = json.loads((run / "results.json").read_text())["real_orders"]
    real["stops"] = {"BTC/USDT": "on the exchange", "ETH/USDT": "in this process only"}
    rows = list(real_order_rows(real))
    assert rows[:2] == [("stop of BTC/USDT", "on the exchange", ""), ("stop of ETH/USDT", "in this process only", "")]
