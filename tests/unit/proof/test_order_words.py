"""The life of an order in words and as JSON, by the command."""

import json
from pathlib import Path

import pytest

from app.cli.main import main
from app.models.events import Close, Kill
from app.models.intents import PlaceOco
from app.proof.order_words import _event_words
from tests.live_twins import Venue, live
from tests.proof_runs import said

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fees = Venue(
        fee_asset=lambda symbol, buys: symbol.partition("/")[0] if buys else "USDT",
        refuses=lambda one: "Stop price would trigger immediately." if isinstance(one, PlaceOco) else "",
    )
    return live(tmp_path_factory.mktemp("words"), "live", fees)


def test_each_step_is_a_line_with_its_evidence(run: Path, capsys: Capture) -> None:
    status, text = said(capsys, "why", run, "1")
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == f"{run}: order 1"
    for heading in ("Order", "Signal", "Sizing", "Gate", "Life (event of the tape, exchange's time)", "Outcome"):
        assert heading in lines
    life = text[text.index("Life (") :]
    order = [
        "intent on the tape, synced before it is sent: buy", "entry SENT", "entry ACCEPTED: by the answer",
        "entry PARTLY_FILLED: ", "AAA, taker, trade 1 of the exchange; by the stream",
        "-> ledger: OPEN signal of trade 1",
        "entry FILLED", "then: OCO twin11-1-3-l, sell ", "state                         entry filled",
    ]  # fmt: skip
    places = [life.index(one) for one in order]
    assert places == sorted(places)


def test_a_refusal_and_what_followed_it(run: Path, capsys: Capture) -> None:
    _, text = said(capsys, "why", run, "twin11-1-3-l")
    assert "what                          protection: OCO twin11-1-3-l" in text
    assert "list REFUSED -2010: Stop price would trigger immediately." in text
    assert "then: sell " in text
    sale = text[text.index("then: sell ") :].split("(")[1].split(")")[0]
    _, text = said(capsys, "why", run, sale)
    assert "because of                    stop_loss, after order 3 (list) was refused -2010: Stop price would" in text
    assert "-> ledger: CLOSE stop_loss of trade 1, commission " in text
    assert "; no position is left; dust 0.00" in text


def test_json_has_the_events_of_the_tape(run: Path, capsys: Capture) -> None:
    _, text = said(capsys, "why", run, "1", "--json")
    content = json.loads(text)
    assert (content["order"], content["kind"], content["over"]) == (1, "entry", True)
    assert content["intent"]["client_id"] == "twin11-1-1-e"
    assert content["decision"]["outcome"] == "order"
    executions = [one["execution"] for one in content["life"] if one["execution"]]
    assert [one["state"] for one in executions] == ["sent", "accepted", "partly_filled", "filled"]
    assert executions[2]["fee_asset"] == "AAA"
    assert content["sections"]["Outcome"][0] == ["state", "entry filled"]
    assert {"strategy", "trade", "never_arrived", "unknown_s", "notes", "states"} <= set(content)


def test_what_an_operators_command_led_to_is_said_with_its_reason() -> None:
    assert _event_words(Close("lunch", "AAA/USDT"), 3) == "an operator's close (lunch)"
    assert _event_words(Kill("enough"), 3) == "an operator's kill (enough)"


def test_neither_a_symbol_without_a_time_nor_an_order(run: Path, capsys: Capture) -> None:
    assert main(["why", str(run), "AAA/USDT"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "onetape: AAA/USDT: give a symbol with a TIME, or the number or a client id of a real order\n"
