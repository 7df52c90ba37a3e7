"""Pictures of trades: every trade is in one bar, the widest do not press the others, nothing but numbers is in them."""

import re
from dataclasses import replace
from xml.etree import ElementTree

from app.report.figures import histogram, scatter
from app.runs.trade_read import Trade

TRADE = Trade(1, "<b>/X", 1, 0, 100.0, 1.0, 90.0, 120.0, "", 1, 105.0, 5.0, "stop_loss", 2.0, 8.0)


def counts(svg: str) -> list[int]:
    return [int(text.replace(",", "")) for text in re.findall(r"<title>([\d,]+) trades from", svg)]


def test_every_trade_is_in_a_bar_and_zero_is_an_edge() -> None:
    svg = histogram([-1.0] * 7 + [0.5] * 3 + [1000.0], "R")
    assert svg is not None and sum(counts(svg)) == 11
    kinds = [node.get("class") for node in ElementTree.fromstring(svg).iter() if node.tag == "rect"]
    assert kinds == ["bad"] * 15 + ["good"] * 15
    assert sum(counts(svg)[:15]) == 7


def test_one_trade_and_none() -> None:
    one = histogram([0.0], "R")
    assert one is not None and sum(counts(one)) == 1
    assert histogram([], "R") is None


def test_scatter_in_r_or_in_currency() -> None:
    svg, note = scatter([TRADE])
    assert svg is not None and "#1: MAE 0.20, MFE 0.80 R, PnL +5.00" in svg and note.startswith("In R")
    svg, note = scatter([replace(TRADE, stop=None)])
    assert svg is not None and "MAE 2.00, MFE 8.00 currency" in svg and note.startswith("In currency")
    _, note = scatter([TRADE, TRADE, replace(TRADE, stop=101.0)])
    assert "Without such a value: 1 (filled beyond their stop)" in note
    assert "&lt;b" not in svg and "<b" not in svg


def test_scatter_of_nothing_and_of_very_much() -> None:
    assert scatter([]) == (None, "")
    assert scatter([replace(TRADE, mae=None)]) == (None, "")
    svg, note = scatter([replace(TRADE, trade_id=number) for number in range(4_000)])
    assert svg is not None and svg.count("<circle") == 1334
    assert "1,334 of 4,000 trades are drawn" in note
