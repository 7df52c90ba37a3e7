"""Worlds that differ in all that must not matter, and the one thing that made a difference."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from app.models.orders import Action
from app.research.checks import determinism
from app.research.checks.answer_log import Answer, AnswerLog
from app.research.checks.determinism import WORLDS, World, _difference, _one_at_a_time, find_determinism
from app.research.checks.request import Subject
from tests.checked import COUNT, subject

ANSWERS = [Answer("A/X", 60_000 * number, Action.FLAT) for number in (1, 2, 3)]


def run(folder: Path, answers: list[Answer], **files: str) -> Path:
    (folder / "run").mkdir(parents=True)
    log = AnswerLog(folder / "answers")
    for answer in answers:
        log.add(answer)
    log.close()
    for name, content in {"run.csv": "t", "signals.csv": "s", "equity.parquet": "e", **files}.items():
        (folder / "run" / name).write_text(content)
    return folder


def test_every_other_world_differs_in_everything() -> None:
    usual, *others = WORLDS
    for name in (one.name for one in fields(World)):
        assert all(getattr(other, name) != getattr(usual, name) for other in others)
    assert len({other.hash_seed for other in others}) == len({other.seed for other in others}) == len(others)
    assert all(other.clock_shift_s % 86_400.0 for other in others), "another time of day, too"
    assert usual.environment()["PYTHONHASHSEED"] == "0"
    assert others[0].environment()["TZ"] == "Asia/Kathmandu"


def test_one_thing_at_a_time() -> None:
    usual, *others = WORLDS
    made = list(_one_at_a_time(WORLDS))
    assert len(made) == 1 + 5 * len(others)
    assert replace(made[0][1], name=usual.name) == usual
    for _, world in made[1:]:
        assert sum(getattr(world, one.name) != getattr(usual, one.name) for one in fields(World)[1:]) == 1


def test_answers_come_before_files(tmp_path: Path) -> None:
    usual = run(tmp_path / "usual", ANSWERS)
    assert _difference(usual, run(tmp_path / "same", ANSWERS), "w") is None
    other = Answer("A/X", 120_000, Action.EXIT)
    found = _difference(usual, run(tmp_path / "other", [ANSWERS[0], other, ANSWERS[2]], **{"run.csv": "x"}), "w")
    assert found is not None and (found.candle, found.usual, found.other) == (other.candle, "FLAT", "EXIT")
    assert found.differing == 1
    short = _difference(usual, run(tmp_path / "short", ANSWERS[:2]), "w")
    assert short is not None and short.other == "it is not asked"


@pytest.mark.parametrize("name", ["run.csv", "signals.csv", "equity.parquet"])
def test_another_file_alone_is_a_difference(name: str, tmp_path: Path) -> None:
    found = _difference(run(tmp_path / "a", ANSWERS), run(tmp_path / "b", ANSWERS, **{name: "x"}), "w")
    assert found is not None and found.usual == f"one {name}"


@pytest.mark.parametrize("cause", ["seed", "locale", "time_zone", None])
def test_the_one_thing_is_named(cause: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = WORLDS[0]

    def made(checked: object, world: World, folder: Path) -> Path:
        both = world.seed != usual.seed and world.locale != usual.locale
        differs = both if cause is None else getattr(world, cause) != getattr(usual, cause)
        return run(folder / "0", [replace_action(one) for one in ANSWERS] if differs else ANSWERS)

    monkeypatch.setattr(determinism, "_run", made)
    monkeypatch.setattr(Subject, "count_decisions", lambda self, folder: 3)
    found = find_determinism(subject("ScalpingEMARSI"))
    assert found.difference is not None and not found.is_clean
    assert found.difference.cause.startswith(f"the {cause.replace('_', ' ')}" if cause else "no one thing")


def replace_action(answer: Answer) -> Answer:
    return Answer(answer.symbol, answer.close_time_ms, Action.EXIT)


def test_what_is_deterministic_runs_in_every_world() -> None:
    told: list[str] = []
    found = find_determinism(subject("ScalpingEMARSI", told=told))
    assert (found.is_clean, found.decisions, len(told)) == (True, COUNT, len(WORLDS))
    assert found.as_dict()["difference"] is None
