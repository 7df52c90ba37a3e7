"""Pictures of trades: every trade is in one bar, the widest do not press the others, nothing but numbers is in them."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np

from app.models.orders import Reason
from app.report.figures import histogram, scatter
from app.runs.fill_columns import fills_of
from app.runs.trade_read import TradeTable, trade_table
from tests.made import fill


def table(*changes: dict[str, Any]) -> TradeTable:
    """Longs of 1 from 100 with stop 90, MAE 2, MFE 8 and a profit of 5, but for the changes."""
    fills = []
    for number, own in enumerate(changes, 1):
        both = {"trade_id": number, "quantity": 1.0, "stop": 90.0, "symbol": "<b>/X", **own}
        fills.append(fill(**{**both, "mae": None, "mfe": None}, opens=True, price=100.0, reason=Reason.SIGNAL))
        fills.append(fill(**{"realized_pnl": 5.0, "mae": 2.0, "mfe": 8.0, **both}))
    return trade_table(fills_of(fills))


def counts(svg: str) -> list[int]:
    return [int(text.replace(",", "")) for text in re.findall(r"<title>([\d,]+) trades from", svg)]


def test_every_trade_is_in_a_bar_and_zero_is_an_edge() -> None:
    svg = histogram(np.array([-1.0] * 7 + [0.5] * 3 + [1000.0]), "R")
    assert svg is not None and sum(counts(svg)) == 11
    kinds = [node.get("class") for node in ElementTree.fromstring(svg).iter() if node.tag == "rect"]
    assert kinds == ["bad"] * 15 + ["good"] * 15
    assert sum(counts(svg)[:15]) == 7


def test_one_trade_and_none() -> None:
    one = histogram(np.zeros(1), "R")
    assert one is not None and sum(counts(one)) == 1
    assert histogram(np.empty(0), "R") is None


def test_scatter_in_r_or_in_currency() -> None:
    svg, note = scatter(table({}))
    assert svg is not None and "#1: MAE 0.20, MFE 0.80 R, PnL +5.00" in svg and note.startswith("In R")
    svg, note = scatter(table({"stop": 101.0}))
    assert svg is not None and "MAE 2.00, MFE 8.00 currency" in svg and note.startswith("In currency")
    _, note = scatter(table({}, {}, {"stop": 101.0}))
    assert "Without such a value: 1 (filled beyond their stop)" in note
    assert "&lt;b" not in svg and "<b" not in svg


def test_scatter_of_nothing_and_of_very_much() -> None:
    assert scatter(table()) == (None, "")
    assert scatter(table({"mae": None})) == (None, "")
    svg, note = scatter(table(*[{}] * 4_000))
    assert svg is not None and svg.count("<circle") == 1334
    assert "1,334 of 4,000 trades are drawn" in note
