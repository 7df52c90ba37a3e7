"""The operator's page over a running session on the testnet, in Chromium: every panel says what the files say.

Commands given on it are on the tape; at the width of a desktop and of a phone; nothing is asked of anybody else.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, expect

from app.feeds.tape import read_tape
from app.models.events import Close, Halt, Resume, Stop
from app.session.control import read_status, write_status
from app.session.session import outside_of_a_loop
from app.web.expecting import name_expectation
from tests.expected_runs import backtest, broken_off, midnights, write_rows
from tests.fetching import run, running_testnet
from tests.integration.processes import PATIENCE_S, PROJECT, until
from tests.integration.test_paper import SERVED, Paper
from tests.operator_pages import token_in
from tests.proof_runs import START_MS
from tests.storm.live import hold_clock

_BAD = ("error", "warning")
PATIENCE_MS = 1_000.0 * PATIENCE_S
EVIL = "<img src=x onerror=\"document.title='broken'\">"


@dataclass
class Opened:
    """A page that has logged in; `problems` are its errors, and requests to anybody else."""

    page: Page
    problems: list[str]


@dataclass
class Served:
    """`serve` in a process of its own, over a running session at the testnet `net`, and one with a band."""

    paper: Paper
    promised: Path
    net: str
    url: str
    token: str
    open: Callable[[str, int, str], Opened]


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    token = token_in(folder)
    contexts: list[Any] = []
    with running_testnet(*SERVED) as net:
        paper = Paper(folder, net)
        paper.wait_for(lambda: sum(row["action"] == "CLOSE" for row in paper.rows()) > 0)
        promised = outside_of_a_loop(lambda: broken_off(folder, [1.01, 1.0], "promised"))
        name_expectation(promised, outside_of_a_loop(lambda: backtest(folder)), days=20)
        words = ["serve", str(paper.run), str(promised), "--port", "0", "--allow-control", "--token-file", str(token)]
        with subprocess.Popen(
            [sys.executable, "-m", "app", *words], cwd=PROJECT, stdout=subprocess.PIPE, text=True, env={**os.environ}
        ) as server:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]

            def opened(path: str, width: int, scheme: str) -> Opened:
                context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
                contexts.append(context)
                page, problems = context.new_page(), list[str]()
                page.set_default_timeout(PATIENCE_MS)
                page.on("pageerror", lambda error: problems.append(str(error)))
                page.on(
                    "console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None
                )
                page.on(
                    "request",
                    lambda asked: None if asked.url.startswith((url, "data:")) else problems.append(asked.url),
                )
                page.goto(f"{url}/login#{token.read_text().strip()}")
                page.wait_for_url(url + "/")
                page.goto(url + path)
                page.wait_for_selector("html[data-ready=yes]")
                return Opened(page, problems)

            yield Served(paper, promised, net, url, token.read_text().strip(), opened)
            for context in contexts:
                context.close()
            server.terminate()
        paper.process.kill()
        paper.process.communicate()


def shown(page: Page, place: str) -> list[list[str]]:
    """The cells of a panel's first table."""
    return page.eval_on_selector_all(  # type: ignore[no-any-return]
        f"#{place} tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )


def number(text: str) -> float:
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-").replace("+", ""))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_panel_says_what_the_files_say(served: Served, width: int, scheme: str) -> None:
    opened = served.open("/s/live/", width, scheme)
    page = opened.page
    page.wait_for_selector("#candles[data-shown]")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.text_content("#mode") == "PAPER"

    def agrees() -> bool:
        """The session goes on while it is read, so both are looked at until they are of one moment."""
        before = read_status(served.paper.run)
        tiles = dict(page.eval_on_selector_all(
            "#tiles .tile", "tiles => tiles.map(tile => [...tile.children].map(part => part.textContent).slice(0, 2))"
        ))  # fmt: skip
        positions, trades = shown(page, "positions"), shown(page, "closed")
        funnel = {row[0]: row[1] for row in shown(page, "funnel")}
        rows = served.paper.rows()
        if read_status(served.paper.run)["handling"]["events"] != before["handling"]["events"]:
            return False
        closed = [row for row in rows if row["action"] == "CLOSE"]
        held = before["positions"]
        return (
            abs(number(tiles["Equity"]) - before["equity"]) < 0.006
            and tiles["Open positions"] == str(len(held))
            and tiles["Link"] == "up"
            and [row[:2] for row in positions] == [[one["symbol"], one["side"]] for one in held]
            and all(abs(number(row[6]) - one["stop"]) < 1e-3 for row, one in zip(positions, held, strict=True))
            and funnel["orders submitted"] == str(before["funnel"]["orders_submitted"])
            and [row[0] for row in trades] == [row["trade_id"] for row in reversed(closed)][: len(trades)]
            and len(trades) == min(len(closed), 20)
            and [round(number(row[8]), 2) for row in trades]
            == [round(float(row["realized_pnl"]), 2) for row in reversed(closed)][: len(trades)]
        )

    hold_clock(served.net, held=True)  # nothing new comes, and the page catches up
    until(agrees)
    hold_clock(served.net, held=False)
    newest = shown(page, "log")[0]
    assert newest[1] == "fill"
    assert any(row["timestamp"][:19].replace("T", " ") == newest[0] for row in served.paper.rows())
    page.click("#settings summary")
    expect(page.locator("#settings pre")).to_contain_text('"timeframe": "1m"')
    told = json.loads(page.text_content("#settings pre") or "")["settings"]
    assert told == next(iter(read_tape(served.paper.run).epochs)).header["settings"]
    assert opened.problems == []


def test_indicators_are_drawn_when_asked_for(served: Served) -> None:
    status = {**read_status(served.paper.run), "symbols": ["AAA/X", "BBB/X"], "positions": []}
    write_status(served.promised, status)
    opened = served.open("/s/promised/", 1280, "light")
    page = opened.page
    page.wait_for_selector("#candles[data-shown='400']")
    page.click("#indicators")
    page.wait_for_selector("#candles[data-indicators='5']", timeout=PATIENCE_MS)
    told = json.loads(run("indicators", str(served.promised), "AAA/X", "--json").stdout)["lines"][0]["values"]
    said = dict(one.split() for one in (page.text_content("#indicator-note") or "").split(", "))
    assert {name: number(value) for name, value in said.items()} == {
        name: pytest.approx(values[-1], rel=1e-6) for name, values in told.items()
    }
    page.select_option("#symbol", "BBB/X")
    expect(page.locator("#indicator-note")).to_be_empty()
    assert opened.problems == []


def test_why_is_what_the_command_line_says(served: Served) -> None:
    opened = served.open("/s/live/", 1280, "light")
    page = opened.page
    number = page.get_attribute("#closed button >> nth=-1", "data-trade")
    page.click("#closed button >> nth=-1")
    expect(page.locator("#why-text")).to_contain_text("Sizing", timeout=PATIENCE_MS)
    first = next(row for row in served.paper.rows() if row["trade_id"] == number)
    with (served.paper.run / "signals.csv").open() as file:
        decided = next(row["timestamp"] for row in csv.DictReader(file) if row["order_id"] == first["order_id"])
    said = run("why", str(served.paper.run), first["symbol"], decided, "--strategy", first["strategy"])
    assert (page.text_content("#why-text") or "").splitlines() == said.stdout.splitlines()
    page.keyboard.press("Escape")
    expect(page.locator("#why")).to_be_hidden()
    assert opened.problems == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_band_of_its_backtest_is_drawn_and_leaving_it_is_an_alarm(served: Served, width: int, scheme: str) -> None:
    def lived(*growth: float) -> None:
        write_rows(served.promised, growth)
        last_ms = midnights(START_MS, len(growth))[-1]
        write_status(served.promised, {**read_status(served.paper.run), "last_slice_ms": last_ms + 60_000})

    lived(1.01, 1.0)
    opened = served.open("/s/promised/", width, scheme)
    page = opened.page
    page.wait_for_selector("#expected[data-shown='3']")
    expect(page.locator("#expected-note")).to_contain_text("day 2 of 20: +0.00 % since the start, expected were ")
    expect(page.locator("#expected-note")).to_contain_text("the best of 1 trial")
    expect(page.locator("#alarms")).not_to_contain_text("expected band")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lived(1.01, 1.0, 0.4)
    expect(page.locator("#alarms")).to_contain_text("equity has left its expected band on 2025-04-02")
    page.wait_for_selector("#expected[data-shown='4']")
    assert opened.problems == []
    other = served.open("/s/live/", width, scheme)
    other.page.wait_for_selector("#equity[data-shown]")
    expect(other.page.locator("#expected-section")).to_be_hidden()


def test_one_position_is_closed_by_the_keyboard(served: Served) -> None:
    held = served.paper.held(served.net)
    symbol = held["symbol"]
    opened = served.open("/s/live/", 1280, "dark")
    page = opened.page
    button = page.get_by_role("button", name=f"Close the position {symbol}")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=f"close {symbol} of live")).to_be_visible()
    expect(page.locator("#confirm-what")).to_contain_text(f"The position {symbol} is closed at the market")
    yes = page.locator("#confirm-yes")
    page.keyboard.type("this one")
    expect(yes).to_be_disabled()
    page.fill("#confirm-name", "live")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text(f"close {symbol}: given to the running session")
    expect(page.locator("#positions")).to_contain_text("being closed (operator)", timeout=PATIENCE_MS)
    expect(button).to_have_count(0)
    hold_clock(served.net, held=False)
    served.paper.wait_for(lambda: "operator" in {row["reason"] for row in served.paper.rows()})
    expect(page.locator("#closed")).to_contain_text("operator", timeout=PATIENCE_MS)
    expect(page.locator("#log")).to_contain_text(f"{symbol}: this one (by the page)")
    given = [one.event for one in read_tape(served.paper.run).records if isinstance(one.event, Close)]
    assert given == [Close("this one (by the page)", symbol, "main")]
    closed = [row for row in served.paper.rows() if row["reason"] == "operator"]
    assert [(row["symbol"], float(row["quantity"])) for row in closed] == [(symbol, held["quantity"])]
    assert opened.problems == []


def test_a_command_needs_the_name_and_a_reason_and_is_on_the_tape(served: Served) -> None:
    opened = served.open("/s/live/", 390, "light")
    page = opened.page

    def give(command: str, why: str) -> None:
        page.click(f"[data-command={command}]")
        yes = page.locator("#confirm-yes")
        expect(yes).to_be_disabled()
        page.fill("#confirm-why", why)
        expect(yes).to_be_disabled()
        page.fill("#confirm-name", "another")
        expect(yes).to_be_disabled()
        page.fill("#confirm-name", "live")
        yes.click()
        expect(page.locator("#said")).to_have_text(f"{command}: given to the running session")

    give("halt", EVIL)
    expect(page.locator("#alarms")).to_contain_text(f"HALTED: {EVIL} (by the page)", timeout=PATIENCE_MS)
    assert page.locator("#alarms img").count() == 0, "a text stays a text"
    give("resume", "looked")
    expect(page.locator("#alarms")).to_be_empty(timeout=PATIENCE_MS)
    page.click("[data-command=kill]")
    page.click("#confirm-no")
    give("stop", "enough")
    served.paper.process.wait(PATIENCE_S)
    expect(page.locator("#alarms")).to_contain_text("ended: stopped", timeout=PATIENCE_MS)
    given = [one.event for one in read_tape(served.paper.run).records if isinstance(one.event, (Halt, Resume, Stop))]
    assert given == [Halt(f"{EVIL} (by the page)"), Resume("looked (by the page)"), Stop("enough (by the page)")]
    assert "broken" not in page.title()
    assert opened.problems == []


def test_what_is_wrong_stands_on_top_and_live_is_unmistakable(served: Served) -> None:
    served.paper.process.kill()
    served.paper.process.wait()
    status = read_status(served.paper.run)
    real = {
        "open": [{"client_id": "t-1-2-e", "kind": "entry", "symbol": "BTC/USDT", "strategy": "main", "quantity": 1.0,
                  "filled": 0.0, "states": {"e": "unknown"}, "unknown": True, "cancelling": False}],
        "stops": {"BTC/USDT": {"place": "nowhere", "bare_s": 4.0}}, "stream": "up", "reconciled_s": 3.0,
        "differences": [EVIL], "longest_gap_s": 4.0,
    }  # fmt: skip
    write_status(served.paper.run, {**status, "real_orders": real})
    opened = served.open("/s/live/", 390, "dark")
    page = opened.page
    expect(page.locator("#alarms")).to_contain_text("UNKNOWN order", timeout=PATIENCE_MS)
    alarms = page.locator("#alarms p.alarm").all_text_contents()
    assert [words for words in alarms if not words.startswith("not running")] == [
        "UNKNOWN order t-1-2-e on BTC/USDT",
        "BTC/USDT: its stop is not on the exchange (nowhere, 4 s)",
        f"DIFFERS: {EVIL}",
    ]
    expect(page.locator("#orders")).to_contain_text("1 DIFFERENCES")
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(served.url + "/")
    page.wait_for_selector(".card")
    assert "live" in (page.text_content(".card") or "")
    assert opened.problems == []
