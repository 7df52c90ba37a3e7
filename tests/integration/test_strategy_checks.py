"""The checks of a strategy from the command line, over three days of the shipped sample.

Every cheat of tests/cheats.py is caught and its candle named; what only looks like one passes.
"""

import json
import socket
import threading
from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.cli.main import main
from tests import cheats
from tests.cheats import CACHE, FRAME_LABELS, FROM_THE_START, HONEST, HOUR_MS, LOOKING_AHEAD, NOT_TWICE, cheat
from tests.integration.processes import PROJECT

SAMPLE = ("--config", str(PROJECT / "config/sample/live.yaml"), "--cache", str(CACHE), "--offline")
DAYS = ("--start", "2020-02-04", "--end", "2020-02-07")
DECISIONS = 72
DAILY = ("--set", "strategy.timeframe=1d", "--set", "startup_candles=auto")
FIRST = "BTC/USDT, candle closed at 2020-02-04T01:00:00.000Z"
ON_ITS_OWN = "BTC/USDT, candle closed at 2020-02-05T01:00:00.000Z"

Told = tuple[int, str, str]


@pytest.fixture
def check(capfd: pytest.CaptureFixture[str]) -> "Check":
    return Check(capfd)


class Check:
    """Runs a command; its status, output and errors."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, name: str, strategy: str, *more: str) -> Told:
        self._captured.readouterr()
        status = main([name, strategy, *SAMPLE, *DAYS, *more])
        out, err = self._captured.readouterr()
        return status, out, err


# Look-ahead.


@pytest.mark.parametrize("how", LOOKING_AHEAD)
def test_a_look_ahead_is_caught(how: str, check: Check, tmp_path: Path) -> None:
    status, out, _ = check("lookahead", cheat(tmp_path, LOOKING_AHEAD[how]))
    if "compiled" in how and "no Landlock" in out:
        pytest.skip("this kernel has none")
    assert status == 1
    assert "LOOK-AHEAD" in out
    may_agree = "an honest rule" in how  # which says by chance what the next candle says
    assert (ON_ITS_OWN if how == "one candle alone" else "BTC/USDT, candle" if may_agree else FIRST) in out
    assert "with the future:" in out and "without the future:" in out
    if how == "one candle alone":
        assert f"1 of {DECISIONS} decisions differ" in out


def labels(folder: Path) -> Path:
    """The sample's future, hour by hour, as somebody might have written it down."""
    columns = CandleCache(CACHE).read("BTC/USDT", "1h", "2020-02")
    rises = zip(columns.open_time_ms[:-1], columns.close[1:] > columns.close[:-1], strict=True)
    path = folder / "labels.csv"
    path.write_text("".join(f"{time_ms},{'up' if up else 'down'}\n" for time_ms, up in rises))
    return path


def test_a_file_of_labels_is_caught_and_named(check: Check, tmp_path: Path) -> None:
    path = labels(tmp_path)
    strategy = cheat(tmp_path, cheats.OF_A_FILE, LABELS=f"pathlib.Path({str(path)!r})")
    status, out, _ = check("lookahead", strategy)
    assert status == 1
    assert f"it looks for {path}, first while it was made" in out
    assert f"hidden by the check, it may know the future; if not: --allow {path}" in out
    assert "LOOK-AHEAD, unless its files below know nothing of the future" in out
    assert check("lookahead", strategy, "--allow", str(path))[0] == 0, "the user says what it knows"
    assert check("lookahead", strategy, "--trust", str(path))[0] == 0, "the old name of the option"
    assert check("lookahead", strategy, "--allow", str(tmp_path / "gone"))[0] == 2


def test_its_own_parameter_file_is_no_look_ahead_and_is_named(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "params.json"
    path.write_text('{"threshold": 0.001, "note": "fitted in 2019"}')
    status, out, _ = check("lookahead", cheat(tmp_path, cheats.OF_ITS_PARAMETERS))
    title, note = out.splitlines()
    assert (status, "no look-ahead" in title) == (0, True), out
    assert note.startswith(f"note: it reads {path}, first while it was made: taken for its parameters")


def test_a_parameter_file_with_times_of_the_run_is_caught(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('{"1580774400000": "up", "1580778000000": "down"}')
    body = cheats.OF_A_FILE.replace('dict(line.split(",") for line in LABELS.read_text().splitlines())', "LABELS")
    strategy = cheat(tmp_path, body, LABELS=f"__import__('json').loads(pathlib.Path({str(path)!r}).read_text())")
    status, out, _ = check("lookahead", strategy)
    assert (status, f"it looks for {path}" in out) == (1, True)


def test_what_a_first_run_left_in_the_class_is_caught(check: Check, tmp_path: Path) -> None:
    status, out, _ = check("lookahead", cheat(tmp_path, cheats.OF_A_FIRST_RUN))
    assert status == 1
    assert "a second run in the same process" in out
    assert FIRST in out


def test_the_network_is_caught(check: Check, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    with server.accept()[0] as connection:
                        connection.sendall(b"u")
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        address = server.getsockname()
        status, out, _ = check("lookahead", cheat(tmp_path, cheats.OF_THE_NETWORK, ADDRESS=address))
        server.shutdown(socket.SHUT_RDWR)
    assert status == 1
    assert FIRST in out
    assert "it looks for the network" in out


def test_another_program_is_caught(check: Check, tmp_path: Path) -> None:
    status, out, _ = check(
        "lookahead", cheat(tmp_path, cheats.OF_A_PROGRAM), "--end", "2020-02-05", "--set", "startup_candles=0"
    )
    assert status == 1
    assert FIRST in out
    assert "it looks for another program" in out


@pytest.mark.parametrize("how", FRAME_LABELS)
def test_a_dataframe_that_looks_ahead_is_caught(how: str, check: Check, tmp_path: Path) -> None:
    body = cheats.OF_ITS_FRAMES.replace("{label}", FRAME_LABELS[how])
    status, out, _ = check("lookahead", cheat(tmp_path, body))
    assert status == 1
    assert "column label" in out
    assert (ON_ITS_OWN if how == "the next close, at one row" else "candle closed at 2020-02-04T0") in out


def test_the_first_row_is_found_from_a_sample_of_rows(check: Check, tmp_path: Path) -> None:
    body = cheats.OF_ITS_FRAMES.replace("{label}", FRAME_LABELS["the next close"])
    status, out, _ = check("lookahead", cheat(tmp_path, body), "--rows", "5")
    assert (status, FIRST in out) == (1, True)


def test_a_signal_of_a_dataframe_that_looks_ahead_is_caught(check: Check, tmp_path: Path) -> None:
    # No column tells: the frame is kept, and only the signal looks behind its own last row.
    status, out, _ = check("lookahead", cheat(tmp_path, cheats.OF_ITS_SIGNAL))
    assert (status, "generate_signal" in out) == (1, True)
    assert FIRST in out


@pytest.mark.parametrize("how", HONEST)
def test_what_is_honest_passes(how: str, check: Check, tmp_path: Path) -> None:
    status, out, _ = check("lookahead", cheat(tmp_path, HONEST[how]))
    assert status == 0, out
    assert f"no look-ahead: {DECISIONS} decisions" in out.splitlines()[0]
    assert ("note: it looks for the candle cache" in out) == ("cache" in how)


def test_a_strategy_of_several_modules_finds_its_code(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "honest_rules"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "limits.py").write_text("LEAST = 0.0\n")
    (package / "strategy.py").write_text(
        "from app.strategies.base import FLAT, Strategy, long\n\n\n"
        "class Own(Strategy):\n"
        "    async def on_candle(self, candle, view):\n"
        "        from honest_rules.limits import LEAST\n"
        "        return long(stop=candle.low * 0.99) if candle.close - candle.open > LEAST else FLAT\n"
    )
    monkeypatch.chdir(tmp_path)
    status, out, _ = check("lookahead", "honest_rules.strategy:Own")
    assert (status, out.count("\n")) == (0, 1), out


def test_the_shipped_strategy_passes_all_three_on_a_coarser_timeframe(check: Check) -> None:
    # On the session's own it does so in tests/integration/test_checks_doc.py.
    more = ("--set", "strategy.timeframe=4h", "--set", "startup_candles=auto")
    count = DECISIONS // 4
    status, out, _ = check("lookahead", "ScalpingEMARSI", *more)
    assert (status, out.count("\n")) == (0, 1)
    assert f"no look-ahead: {count} decisions" in out and f"all {count} rows cut behind themselves" in out
    status, out, _ = check("warmup", "ScalpingEMARSI", *more, "--longest", "2048")
    assert status == 0
    assert "on every decision is the same" in out
    status, out, _ = check("determinism", "ScalpingEMARSI", *more)
    assert (status, out.count("\n")) == (0, 1)
    assert f"deterministic: {count} decisions" in out


def test_a_look_ahead_on_a_coarser_timeframe_is_caught(check: Check, tmp_path: Path) -> None:
    body = LOOKING_AHEAD["the cache, the next candle when it is asked"].replace("+ HOUR_MS", "+ 4 * HOUR_MS")
    status, out, _ = check("lookahead", cheat(tmp_path, body), "--set", "strategy.timeframe=4h")
    assert status == 1
    assert "candle closed at 2020-02-04T04:00:00.000Z" in out


# Warm-up.


@pytest.mark.parametrize("how", FROM_THE_START)
def test_a_strategy_that_depends_on_its_start_is_caught(how: str, check: Check, tmp_path: Path) -> None:
    status, out, _ = check("warmup", cheat(tmp_path, FROM_THE_START[how]), "--longest", "256")
    assert status == 1
    assert "START-DEPENDENT" in out
    assert "BTC/USDT, candle closed at 2020-02-" in out
    if how == "counts its candles":
        assert "after 255 candles of warm-up" in out, "249 agree by chance, their count ends alike"


def test_a_warm_up_that_is_too_short_is_told(check: Check) -> None:
    status, out, _ = check(
        "warmup", "ScalpingEMARSI", "--start", "2020-02-01", "--end", "2020-03-01", "--set", "startup_candles=22",
        "--longest", "300",
    )  # fmt: skip
    assert status == 1
    assert "TOO SHORT: set startup_candles: 34, or more" in out
    assert "after 33 candles of warm-up:" in out


def test_a_warm_up_needs_something_to_be_held_against(check: Check) -> None:
    status, _, err = check("warmup", "ScalpingEMARSI", "--start", "2017-08-17T08:00", "--end", "2017-08-18")
    assert status == 2
    assert "only 4 candles before 2017-08-17 08:00: too few" in err


# Determinism.


@pytest.mark.parametrize("cause", NOT_TWICE)
def test_a_strategy_that_does_not_answer_twice_is_caught(cause: str, check: Check, tmp_path: Path) -> None:
    status, out, _ = check("determinism", cheat(tmp_path, NOT_TWICE[cause]))
    assert status == 1
    assert "NOT DETERMINISTIC" in out
    assert "BTC/USDT, candle closed at 2020-02-04T" in out
    named = "the seed of random or numpy.random" if "numpy" in cause else cause
    assert f"what alone makes a difference: {named}" in out


def test_lookahead_says_that_a_strategy_is_not_deterministic(check: Check, tmp_path: Path) -> None:
    status, out, _ = check("lookahead", cheat(tmp_path, NOT_TWICE["nothing"]))
    assert status == 1
    assert "it answers differently when nothing was changed" in out
    assert "LOOK-AHEAD" not in out


# Bad input, and JSON.


def test_bad_input_is_one_line(check: Check, tmp_path: Path) -> None:
    for name, strategy, more, said in (
        ("lookahead", "ScalpingEMARS", (), "did you mean ScalpingEMARSI"),
        ("lookahead", str(tmp_path / "none.py"), (), "does not exist"),
        ("determinism", "ScalpingEMARSI", ("--strategy", "Other"), "name one strategy to check"),
        ("warmup", "ScalpingEMARSI", ("--set", "startup_candles=3"), "startup_candles is 3, but"),
        ("lookahead", "ScalpingEMARSI", (*DAILY, "--end", "2020-02-04T05:00"), "no candle"),
    ):
        status, _, err = check(name, strategy, *more)
        last = err.splitlines()[-1]
        assert (status, said in last, last.startswith("onetape: ")) == (2, True, True), err


def test_a_strategy_that_raises_is_told_with_its_candle(check: Check, tmp_path: Path) -> None:
    body = "\n    async def on_candle(self, candle, view):\n        return 1 / (candle.open_time_ms - 1580860800000)\n"
    status, _, err = check("lookahead", cheat(tmp_path, body.replace("return 1 /", "1 /") + "        return FLAT\n"))
    assert status == 2
    assert f"fails at {ON_ITS_OWN}: ZeroDivisionError" in err


def test_the_answers_as_json(check: Check, tmp_path: Path) -> None:
    strategy = cheat(tmp_path, LOOKING_AHEAD["the stack of its caller"])
    status, out, _ = check("lookahead", strategy, "--json")
    found = json.loads(out)
    assert (status, found["clean"], found["decisions"], found["findings"][0]["candle"]) == (1, False, DECISIONS, FIRST)
    status, out, _ = check("warmup", "ScalpingEMARSI", "--longest", "300", "--json")
    found = json.loads(out)
    assert (status, found["clean"], found["longest"], found["lengths"][0]["candles"]) == (0, True, 300, 0)
    status, out, _ = check("determinism", "ScalpingEMARSI", "--json")
    found = json.loads(out)
    assert (status, found["clean"], len(found["worlds"])) == (0, True, 5)


def test_one_hour_of_the_sample_is_what_the_cheats_take_it_for() -> None:
    times_ms = CandleCache(CACHE).read("BTC/USDT", "1h", "2020-02").open_time_ms
    assert times_ms[1] - times_ms[0] == HOUR_MS
