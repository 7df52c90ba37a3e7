"""What the strategy's process does with a request, step by step; whole runs are in test_strategy_process."""

from pathlib import Path

from app.research.checks.answer_log import Answer
from app.research.checks.lookahead import past_of
from app.research.checks.request import Future, Reply, Task
from app.research.checks.strategy_process import StrategyProcess
from tests.cheats import HOUR_MS, cheat
from tests.checked import COUNT, START_MS, subject

READING = """
    async def on_candle(self, candle, view):
        known = closes(["2020-02"]) if candle.open_time_ms >= 1580774400000 else {}
        same = known.get(candle.open_time_ms) == candle.close
        return long(stop=1.0, tag=f"{len(known)} {max(known, default=0)} {same}")
"""


def stepped(strategy: str, folder: Path, future: Future = Future.CUT) -> list[Reply]:
    checked = subject(strategy)
    request = checked.request(Task.STEP, folder, future=future)
    with StrategyProcess(request, past=past_of(checked, request)) as process:
        replies = [process.reply(60.0)]
        for slice_ in checked.slices():
            if replies[-1].failure is not None:
                break
            replies.append(process.step(slice_))
    return replies


def test_one_reply_a_slice_and_answers_in_the_run_only(tmp_path: Path) -> None:
    made, *replies = stepped("ScalpingEMARSI", tmp_path)
    assert made == Reply(is_confined=made.is_confined)
    assert [len(one.answers) for one in replies] == [0] * 240 + [1] * COUNT
    assert replies[-1].answers[0].close_time_ms == START_MS + COUNT * HOUR_MS


def test_the_cache_ends_at_the_candle_at_hand(tmp_path: Path) -> None:
    replies = stepped(cheat(tmp_path, READING), tmp_path / "run")
    answers: list[Answer] = [answer for one in replies for answer in one.answers]
    first = START_MS - 3 * 24 * HOUR_MS
    for number, answer in enumerate(answers):
        open_ms = START_MS + number * HOUR_MS
        assert answer.tag == f"{(open_ms - first) // HOUR_MS + 1} {open_ms} True"
    assert [one.what[-15:] for reply in replies for one in reply.accesses] == ["2020-02.parquet"]


def test_a_scrambled_future_is_as_long_as_the_real_one(tmp_path: Path) -> None:
    replies = stepped(cheat(tmp_path, READING), tmp_path / "run", Future.SCRAMBLED)
    tags = {answer.tag for one in replies for answer in one.answers}
    assert tags == {f"{29 * 24} {START_MS + (26 * 24 - 1) * HOUR_MS} True"}


def test_what_fails_is_the_last_reply(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    body = "\n    def __init__(self):\n        self.labels = pathlib.Path(LABELS).read_text()\n"
    body += "\n    async def on_candle(self, candle, view):\n        return FLAT\n"
    path.write_text("up")
    (failed,) = stepped(cheat(tmp_path, body, LABELS=repr(str(path))), tmp_path / "run")
    assert failed.failure is not None and "hidden by the check" in failed.failure
    assert failed.accesses[0].what == str(path) and failed.accesses[0].time_ms is None
