"""Strategies that cannot be imported, that answer nonsense, or that raise in the middle of a run."""

import json

import pytest

from tests.faults.conftest import Place
from tests.made_trades import read_trade_log

HEAD = "from app.strategies.base import FLAT, Signal, Strategy, long\nclass Mine(Strategy):\n    lookback = 0\n"
ANSWER = "    async def on_candle(self, candle, view):\n        return {answer}\n"
BUY_THEN = """
    async def on_candle(self, candle, view):
        if view.position is None:
            return long(stop=candle.close / 2, target=candle.close * 3)
        {then}
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "strategy file mine.py does not exist"),
        ("def f(:\n", "strategy file mine.py: cannot be imported: SyntaxError: invalid syntax (mine.py, line 1)"),
        ("import no_such_thing\n", "strategy file mine.py: cannot be imported: ModuleNotFoundError: No module named"),
        (
            "raise RuntimeError('not\\ntoday')",
            "strategy file mine.py: cannot be imported: RuntimeError: not today (mine.py, line 1, in <module>)",
        ),
        ("import sys; sys.exit(0)", "strategy file mine.py: cannot be imported: SystemExit: 0"),
        ("x = 1\n", "mine.py holds no class that derives from app.strategies.base.Strategy"),
        (HEAD, "strategy mine.py: it needs `async def on_candle(self, candle, view)`"),
        (HEAD + ANSWER.replace("async ", ""), "strategy mine.py: it needs `async def on_candle(self, candle, view)`"),
        (
            HEAD + "    def __init__(self, n): pass\n" + ANSWER,
            "strategy mine.py cannot be made: TypeError: Mine.__init__",
        ),
        (HEAD + "    timeframes = ('90s',)\n" + ANSWER, "strategy mine.py looks at 90s, which is no multiple of the"),
    ],
)
def test_what_cannot_start_leaves_no_folder(place: Place, source: str | None, said: str) -> None:
    if source is not None:
        place.write("mine.py", source.replace("{answer}", "FLAT"))
    assert place.refused("--strategy", "mine.py").startswith(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Nope", "unknown strategy 'Nope'; built in is ScalpingEMARSI; your own is module:Class or file.py:Class"),
        ("ScalpingEMARS", "unknown strategy 'ScalpingEMARS'; did you mean ScalpingEMARSI?"),
        ("nowhere:Nope", "strategy module nowhere: cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("app.strategies.scalping_ema_rsi:Nope", "app.strategies.scalping_ema_rsi has no class Nope; it holds"),
    ],
)
def test_a_name_that_leads_nowhere(place: Place, name: str, said: str) -> None:
    assert place.refused("--strategy", name).startswith(said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("None", "on_candle returned None; return FLAT, long(...), short(...) or exit_position()"),
        ("'LONG'", "on_candle returned 'LONG'; return FLAT"),
        ("Signal('LONG', 1.0)", "on_candle returned Signal("),
        ("long()", "LONG without a stop: give long(atr=...) or long(stop=...)"),
        ("long(stop=float('nan'))", "LONG with stop nan, which is no number"),
        ("long(atr=1.0, size_factor=3)", "LONG with size_factor 3; it must be above 0 and at most 1"),
        ("long(atr=1.0, tag=7)", "tag 7 is no text"),
    ],
)
def test_nonsense_is_named_with_its_candle_and_the_run_is_kept(place: Place, answer: str, said: str) -> None:
    place.write("mine.py", HEAD + ANSWER.format(answer=answer))
    status, out, err = place.backtest("--strategy", "mine.py")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("onetape: strategy Mine, BTC/USDT, candle closed at 2025-03-31T12:01:00.000Z: " + said)
    assert json.loads((place.folder / "run/results.json").read_text())["status"] == "failed"


def test_one_that_raises_keeps_its_traceback_and_everything_is_written(place: Place) -> None:
    place.write("mine.py", HEAD + BUY_THEN.format(then="raise ValueError('boom')"))
    command = ("--mode", "backtest", "--start", "2025-03-31T12:00", "--end", "2025-04-01T12:00", "--out", "run")
    done = place.process(*command, "--strategy", "mine.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Traceback (most recent call last):")
    first, second = done.stderr.splitlines()[1:3]
    assert first.endswith('mine.py", line 8, in on_candle'), "own frames first"
    assert second.strip() == "raise ValueError('boom')"
    assert done.stderr.splitlines()[-1] == "onetape: mine.py, line 8, in on_candle: ValueError: boom"
    results = json.loads((place.folder / "run/results.json").read_text())
    assert results["status"] == "failed"
    rows = list(read_trade_log(place.folder / "run" / results["files"]["trades"]))
    assert [(row["action"], row["reason"]) for row in rows] == [("OPEN", "signal")]
    assert (place.folder / "run" / results["files"]["equity"]).exists()


def test_one_that_ends_the_process_does_not_pass_for_a_finished_run(place: Place) -> None:
    place.write("mine.py", HEAD + BUY_THEN.format(then="import sys; sys.exit(0)"))
    command = ("--mode", "backtest", "--start", "2025-03-31T12:00", "--end", "2025-04-01T12:00", "--out", "run")
    done = place.process(*command, "--strategy", "mine.py")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == "onetape: mine.py, line 8, in on_candle: RuntimeError: the strategy called sys.exit()"
    assert json.loads((place.folder / "run/results.json").read_text())["status"] == "failed"


def test_new_does_not_overwrite_and_takes_python_names_only(place: Place) -> None:
    place.write("mine.py", "mine")
    for name, said in (
        ("mine.py", "mine.py exists; choose another name"),
        ("mine.txt", "mine.txt: a strategy file ends in .py"),
        ("1st.py", "1st.py: 1st is no name for a class; use letters, digits and _"),
        ("mine.py/x.py", "cannot write"),
    ):
        assert place.refused("new", name, backtest=False).startswith(said)
