"""How answers with and without the future are held together; the cheats are in tests/integration."""

from pathlib import Path

import pytest

from app.models.orders import Action
from app.research.checks.answer_log import Answer
from app.research.checks.lookahead import Finding, Lookahead, _in_words, _Pass, find_lookahead
from app.research.checks.request import Access, FrameCheck, Reply
from tests.checked import COUNT, subject

FLAT, LONG, EXIT = (Answer("A/X", 60_000 * i, a) for i, a in enumerate((Action.FLAT, Action.LONG, Action.EXIT), 1))
HOW = "the future cut"


def held(*replies: Reply) -> _Pass:
    one = _Pass(iter([FLAT, LONG, EXIT]))
    for reply in replies:
        if not one.hold(reply):
            break
    return one


def test_the_same_answers_are_no_finding() -> None:
    assert held(Reply(), Reply([FLAT]), Reply([LONG, EXIT])).finding(HOW) is None


def test_the_first_that_differs_is_named_and_all_are_counted() -> None:
    other = Answer("A/X", LONG.close_time_ms, Action.LONG, atr=1.0)
    late = Answer("A/X", EXIT.close_time_ms, Action.FLAT)
    found = held(Reply([FLAT]), Reply([other], accesses=[Access("labels.csv", None)]), Reply([late])).finding(HOW)
    assert found == Finding(LONG.candle, "LONG", "LONG atr=1.0", HOW, 2, ("labels.csv, first while it was made",))


def test_a_failure_is_the_answer_to_the_next_candle() -> None:
    found = held(Reply([FLAT]), Reply(failure="KeyError: 1"), Reply([LONG])).finding(HOW)
    assert found == Finding(LONG.candle, "LONG", "fails: KeyError: 1", HOW, 2)


def test_an_answer_too_many_is_a_finding() -> None:
    more = Answer("A/X", 240_000, Action.LONG)
    found = held(Reply([FLAT, LONG, EXIT, more])).finding(HOW)
    assert found == Finding(more.candle, "it is not asked", "LONG", HOW, 1)


def test_what_was_opened_and_what_was_hidden_in_words() -> None:
    accesses = [Access("x", 60_000), Access("y", None, is_hidden=False), Access("x", 60_000)]
    assert _in_words(accesses, is_hidden=True) == ("x, first at 1970-01-01T00:01:00.000Z",)
    assert _in_words(accesses, is_hidden=False) == ("y, first while it was made",)


@pytest.mark.parametrize(
    ("reached_for", "hidden", "may_be"),
    [(("x",), ("x", "y"), True), (("x", "cache"), ("x",), False), ((), ("x",), False)],
)
def test_hidden_files_alone_may_be_parameters(
    reached_for: tuple[str, ...], hidden: tuple[str, ...], may_be: bool
) -> None:
    finding = Finding("c", "a", "b", HOW, 1, reached_for)
    assert Lookahead("S", "o", 3, True, (finding,), (), None, hidden_files=hidden).may_be_parameters == may_be


@pytest.mark.parametrize(("deterministic", "found", "clean"), [(True, 0, True), (True, 1, False), (False, 0, False)])
def test_clean_is_nothing_found_in_one_that_answers_twice(deterministic: bool, found: int, clean: bool) -> None:
    findings = (Finding("c", "a", "b", HOW, 1),) * found
    result = Lookahead("S", "over", 3, deterministic, findings, (), FrameCheck(5, 4, 16, True))
    assert result.is_clean == clean == result.as_dict()["clean"]
    assert result.as_dict()["frames"] == {"rows": 5, "checked": 4}


def test_an_honest_strategy_is_told_what_is_run(tmp_path: Path) -> None:
    told: list[str] = []
    found = find_lookahead(subject("ScalpingEMARSI", told=told), rows_max=5, allowed=[tmp_path])
    assert found.is_clean and found.decisions == COUNT
    assert found.frames == FrameCheck(COUNT, 5, 16, True)
    assert [one.split(":")[0] for one in told] == [
        "with the future, twice in one process", "the future cut",
        f"the future scrambled in the cache, everything else as with the future cut ({COUNT} decisions)",
        "whole DataFrames",
    ]  # fmt: skip
