"""compare, why and reproduce on what is no run, or one that is damaged: one line that says what would be right."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Place
from tests.proof_runs import market, session, slices_of

BOTH = [("compare", "run", "run"), ("reproduce", "run")]
SIGNALS, EQUITY = "signals.csv", "equity.parquet"
CSV = "config_backtest_2025-03-31T1200_2025-04-01T1200.csv"


@pytest.fixture
def ran(place: Place) -> Place:
    status, _, err = place.backtest()
    assert (status, err) == (0, "")
    return place


def said(place: Place, *words: str) -> str:
    return place.refused(*words, backtest=False)


def edit(place: Place, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    path = place.folder / "run" / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_run_can_be_asked(ran: Place) -> None:
    for words, answer in (
        (("compare", "run", "run"), "the same: "),
        (("why", "run", "BTC/USDT", "2025-03-31T18:00"), "Conditions"),
        (("reproduce", "run"), "reproduced, every byte"),
    ):
        status, out, err = ran.command(*words)
        assert (status, err) == (0, ""), words
        assert answer in out


@pytest.mark.parametrize("words", [("compare", "run", "{}"), ("compare", "{}", "run"), ("reproduce", "{}"),
                                   ("why", "{}", "BTC/USDT", "2025-03-31T18:00")])  # fmt: skip
def test_what_is_no_run(ran: Place, words: tuple[str, ...]) -> None:
    for folder in ("nowhere", "config", f"run/{CSV}", "data/backtest_cache"):
        line = said(ran, *(word.format(folder) for word in words))
        assert line == f"{folder}: it is no run folder: it holds no results.json"


@pytest.mark.parametrize("words", BOTH)
def test_a_run_that_has_not_finished(ran: Place, words: tuple[str, ...]) -> None:
    (ran.folder / "run/results.json").unlink()
    assert said(ran, *words) == "run: its run has not finished: it has no results.json"


@pytest.mark.parametrize("words", BOTH)
def test_a_run_that_failed(ran: Place, words: tuple[str, ...]) -> None:
    edit(ran, "results.json", lambda content: content.update(status="failed"))
    assert said(ran, *words) == "run: its run failed half-way, there is nothing to hold it against"


@pytest.mark.parametrize("words", [*BOTH, ("why", "run", "BTC/USDT", "2025-03-31T18:00")])
def test_other_formats(ran: Place, words: tuple[str, ...]) -> None:
    edit(ran, "manifest.json", lambda content: content.update(format=9))
    assert said(ran, *words) == "run/manifest.json has format 9, this Onetape reads 1; run it again"
    edit(ran, "manifest.json", lambda content: content.pop("format"))
    assert said(ran, *words) == "run/manifest.json has format None, this Onetape reads 1; run it again"
    (ran.folder / "run/manifest.json").write_text("{")
    assert said(ran, *words).startswith("run/manifest.json cannot be read: ")
    (ran.folder / "run/manifest.json").unlink()
    assert said(ran, *words).startswith("run/manifest.json cannot be read: ")


@pytest.mark.parametrize("words", BOTH)
def test_a_run_of_a_version_without_signals(ran: Place, words: tuple[str, ...]) -> None:
    edit(ran, "results.json", lambda content: content["files"].pop("signals"))
    assert said(ran, *words) == "run: it was made by an older Onetape, which wrote no signals; run it again"


@pytest.mark.parametrize("name", [CSV, SIGNALS])
def test_a_damaged_log(ran: Place, name: str) -> None:
    path = ran.folder / "run" / name
    content = path.read_text()
    for damaged, line in (
        (
            content.replace("symbol", "market", 1),
            f"run/{name}: its columns are not those of this version; run it again",
        ),
        (content + "half of a r", f"run/{name}, line "),
        (content.replace("2025-03-31T", "yesterday ", 1), f"run/{name}, line 2: 'yesterday "),
    ):
        path.write_text(damaged)
        assert said(ran, "compare", "run", "run").startswith(line)
    path.write_bytes(b"\xff\xfe\x00")
    assert said(ran, "compare", "run", "run").startswith(f"run/{name} cannot be read: ")
    path.unlink()
    assert said(ran, "compare", "run", "run") == f"run/{name} is not there"


def test_damaged_equity_rows_never_reach_the_decoder(ran: Place) -> None:
    path = ran.folder / "run" / EQUITY
    path.write_bytes(path.read_bytes()[:-7])
    line = said(ran, "compare", "run", "run")
    assert line == "run/equity.parquet is damaged: it is not the file that its run wrote"


@pytest.mark.parametrize(
    ("symbol", "time", "line"),
    [
        ("ETH/USDT", "2025-03-31T18:00", "run: ETH/USDT is no symbol of this run (BTC/USDT)"),
        ("BTC/USDT", "yesterday", "'yesterday' is not a date or time; write 2025-12-01 or 2025-12-01T06:30 (UTC)"),
        ("BTC/USDT", "2025-05-01", "run: no slice closes at 2025-05-01T00:00:00.000Z or contains it; the one before "
                                   "closes 2025-04-01T12:00:00.000Z"),
        ("BTC/USDT", "2025-03-01", "run: no slice closes at 2025-03-01T00:00:00.000Z or contains it; the one after "
                                   "closes 2025-03-31T08:01:00.000Z"),
    ],
)  # fmt: skip
def test_questions_without_an_answer(ran: Place, symbol: str, time: str, line: str) -> None:
    assert said(ran, "why", "run", symbol, time) == line


def test_candles_that_are_gone(ran: Place) -> None:
    (ran.folder / "empty").mkdir()
    lost = "BTC/USDT 1m 2025-03, BTC/USDT 1m 2025-04"
    assert said(ran, "why", "run", "BTC/USDT", "2025-03-31T18:00", "--cache", "empty") == (
        f"run: candles of it are in no cache under the hash of its manifest: {lost}; --cache names another"
    )
    assert said(ran, "reproduce", "run", "--cache", "empty") == (
        "run cannot be run again: the cache empty has no BTC/USDT 1m of 2025-03, 2025-04; --cache names another"
    )


def test_settings_that_this_code_refuses(ran: Place) -> None:
    edit(ran, "manifest.json", lambda content: content["settings"]["risk"].update(kelly=0.5))
    edit(ran, "manifest.json", lambda content: content.update(code_sha256="0"))
    line = said(ran, "reproduce", "run")
    assert line.startswith("run cannot be run again: config['risk']: unknown key kelly")
    assert "(it was made by other code, Onetape 0." in line
    assert said(ran, "why", "run", "BTC/USDT", "2025-03-31T18:00").startswith("config['risk']: unknown key kelly")


def test_words_that_are_wrong(place: Place) -> None:
    assert said(place, "compare", "run").startswith("the following arguments are required: RUN_B")
    assert said(place, "why", "run", "BTC/USDT").startswith(
        "BTC/USDT: give a symbol with a TIME, or the number or a client id of a real order"
    )
    assert said(place, "reproduce").startswith("the following arguments are required: RUN")


def test_a_damaged_tape(ran: Place) -> None:
    slices = slices_of(ran.folder / "candles", market())[:100]
    tape = session(ran.folder / "live", slices) / "tape/000001.jsonl"
    content = tape.read_bytes()
    tape.write_bytes(content[:5000] + b"?" + content[5001:])
    for words in (("compare", "live", "live"), ("why", "live", "AAA/X", "2025-03-30T19:05"), ("reproduce", "live")):
        line = said(ran, *words)
        assert "live/tape/000001.jsonl is damaged: a line in it does not match its checksum" in line
