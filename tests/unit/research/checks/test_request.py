"""A request says all that a run is: it goes through the pipe and comes out as the same run."""

from pathlib import Path

import msgspec

from app.models.orders import Action
from app.research.checks.answer_log import Answer
from app.research.checks.observed_run import plan_of
from app.research.checks.request import Access, Future, Reply, Request, Task
from tests.checked import subject


def test_a_request_comes_through_the_pipe_as_the_same_run(tmp_path: Path) -> None:
    checked = subject("ScalpingEMARSI")
    planned = checked.plan
    request = checked.request(Task.RUN, tmp_path, runs=2, future=Future.SCRAMBLED)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=Request)
    assert again == request
    made = plan_of(again)
    assert made.settings.model_dump() == planned.settings.model_dump()
    assert made.strategy.name == planned.strategy.name and made.strategy.params == planned.strategy.params
    assert (made.period.start_ms, made.period.end_ms) == (planned.period.start_ms, planned.period.end_ms)
    assert (
        (made.warmup, made.warmup_start_ms) == (planned.warmup, planned.warmup_start_ms) == (240, made.warmup_start_ms)
    )
    assert Path(again.cache).is_absolute(), "the strategy may change the folder that it is in"


def test_a_reply_comes_through_the_pipe() -> None:
    reply = Reply([Answer("A/X", 1, Action.FLAT)], "it raised", "here", [Access("a file", None)])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(reply), type=Reply) == reply
    assert Reply().answers == [] and Reply().answers is not Reply().answers
