"""The live view as lines: what matters first, at any width and height; what does not fit is left out, never wrapped."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.report.formats import clock_text
from app.report.live_screen import Shown, Text, fill_text, screen
from tests.live_sessions import link, live, market
from tests.made import fill


@pytest.fixture
async def shown(tmp_path: Path) -> Shown:
    """The golden market after a kill, while a position is open."""
    made = live(tmp_path, "strategy.params.seed=2")
    for event in market():
        await made.recorded.handle(event)
    made.view.note_link(link(late=("BBB/X",), missing=("AAA/X",), late_slices=2, connections=4, rest_faults=7))
    made.close()
    status = made.view.status()
    position = {
        "symbol": "AAA/X", "side": "LONG", "quantity": 1.5, "entry": 100.0, "mark": 101.0, "stop": 90.0,
        "target": 120.0, "unrealised": 1.25,
    }  # fmt: skip
    order = {"symbol": "BBB/X", "strategy": "main", "side": "LONG", "limit": None}
    status |= {"positions": [position], "pending": ["BBB/X"], "orders": [order], "equity": 9_900.0, "peak": 10_000.0}
    return Shown(
        folder="logs/paper/x",
        status=status,
        candles=made.view.last_candles,
        stale=("BBB/X",),
        fills=made.view.last_fills,
        notes=[f"note {number}" for number in range(50)],
        frame_age_s=3.0,
        max_drawdown=0.2,
    )


def texts(lines: Sequence[Text]) -> list[str]:
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def styles(lines: Sequence[Text], word: str) -> set[str]:
    return {style for line in lines for piece, style in line if word in piece}


def test_what_matters_is_there(shown: Shown) -> None:
    said = texts(screen(shown, 120, 40))
    assert said[0] == "Onetape paper  test 1m  2025-03-30 19:40 UTC  logs/paper/x"
    assert said[1] == "feed       up  last frame 3 s ago  lag 42 ms  reconnects 3  REST faults 7"
    assert said[2].startswith("           late BBB/X  asked for AAA/X  late slices 2, candles 0  revised 0")
    assert said[3].startswith("equity     9,900.00  balance ")
    assert said[3].endswith("drawdown 1.00 of 20 %")
    (own,) = [line for line in said if line.startswith("AAA/X")]
    for word in ("LONG 1.5", "100", "90", "120", "+1.25", "asked"):
        assert word in own
    (other,) = [line for line in said if line.startswith("BBB/X")]
    assert "late" in other
    assert "order pending" in other
    assert [line for line in said if line.startswith("funnel     signals ")]
    assert "fills" in said
    assert said[-1] == "Ctrl-C stops, every position is closed; a second one leaves at once"
    assert texts(screen(Shown(**{**vars(shown), "keeps": True}), 120, 40))[-1].startswith(
        "Ctrl-C stops, positions are kept"
    )


def test_a_closed_latch_and_a_dead_link_stand_out(shown: Shown) -> None:
    status = {**(shown.status or {})}
    halted = {**status, "halted": True, "link": {**status["link"], "connected": False}}
    lines = screen(Shown(**{**vars(shown), "status": halted}), 80, 24)
    assert "HALTED     golden since 2025-03-30 19:08" in texts(lines)
    assert "           `python -m app resume logs/paper/x --why ...` releases it" in texts(lines)
    assert styles(lines, "HALTED") == styles(lines, "DOWN") == {"bold red"}
    lines = screen(shown, 80, 24)
    assert styles(lines, "HALTED") == set()
    assert styles(lines, "AAA/X  ") == {"yellow"}, "its candle is asked for"


def test_no_table_row_is_wider_than_the_terminal(shown: Shown) -> None:
    for width in range(60, 200):
        said = texts(screen(shown, width, 40))
        table = said[said.index("") + 1 : said.index("", said.index("") + 1)]
        assert all(len(line) <= width for line in table), width
        assert "unrealised" in table[0]
        assert "position" in table[0]
        assert ("stop" in table[0] and "target" in table[0]) == (width >= 70) or 60 < width < 70, width
        assert len(table) == 3


@pytest.mark.parametrize("height", range(3, 60))
def test_it_fits_every_height_and_the_newest_notes_are_last(shown: Shown, height: int) -> None:
    said = texts(screen(shown, 100, height))
    assert len(said) <= height
    assert said[0].startswith("Onetape paper")
    assert said[-1].startswith("Ctrl-C stops")
    if height >= 24:
        assert said[-2] == "  note 49"
        assert texts(screen(shown, 100, height))[-2] == "  note 49"
        assert fill_text(shown.fills[-1]) in "\n".join(said)


def test_before_it_has_begun() -> None:
    said = texts(screen(Shown(notes=["waiting for the exchange"]), 80, 24))
    assert said == [
        "Onetape  starting: warm-up, or the tape of an earlier start", "notes", "  waiting for the exchange",
    ]  # fmt: skip
    assert len(texts(screen(Shown(notes=["a"] * 50), 80, 5))) == 5


async def test_before_the_first_slice_and_without_a_link(tmp_path: Path) -> None:
    made = live(tmp_path)
    status = made.view.status()
    made.close()
    said = texts(screen(Shown(status=status), 80, 24))
    assert said[0].startswith("Onetape paper  test 1m  no slice yet")
    assert said[1] == "feed       not connected yet"
    assert [line.split() for line in said if line.startswith("AAA/X")] == [["AAA/X", "none", "-"]]


def test_times_and_fills_in_words() -> None:
    assert (clock_text(0), clock_text(86_399_999), clock_text(61 * 60_000)) == ("00:00", "23:59", "01:01")
    assert fill_text(fill(opens=True)) == "00:01 BTC/USDT LONG opened: 2 at 110"
