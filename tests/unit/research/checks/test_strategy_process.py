"""A process for a run: its replies, its own world, and what is told when it ends or says nothing."""

from pathlib import Path

import pytest

from app.errors import StrategyError
from app.research.checks import strategy_process
from app.research.checks.answer_log import read_answers
from app.research.checks.request import Task
from app.research.checks.strategy_process import StrategyProcess, ask
from tests.cheats import cheat
from tests.checked import COUNT, subject


def own(folder: Path, body: str) -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return cheat(folder, f"\n    async def on_candle(self, candle, view):\n{lines}        return FLAT\n")


def test_a_run_in_a_process_leaves_its_answers(tmp_path: Path) -> None:
    ask(subject("ScalpingEMARSI").request(Task.RUN, tmp_path, runs=2))
    first, second = (list(read_answers(tmp_path / number / "answers")) for number in ("0", "1"))
    assert len(first) == COUNT and first == second


def test_it_has_the_world_that_it_was_given_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = "print('loud')\nPATH.write_text(' '.join([os.environ['TZ'], time.strftime('%Z'), str(hash('a'))]))"
    strategy = cheat(tmp_path, f"\n    async def on_candle(self, candle, view):\n        {body.splitlines()[0]}\n"
                     f"        {body.splitlines()[1]}\n        return FLAT\n",
                     PATH=f"pathlib.Path({str(tmp_path / 'told')!r})")  # fmt: skip
    request = subject(strategy).request(Task.RUN, tmp_path / "run")
    told = []
    for seed, zone in (("0", "UTC"), ("0", "Asia/Tokyo"), ("1", "UTC")):
        ask(request, {"PYTHONHASHSEED": seed, "TZ": zone})
        told.append((tmp_path / "told").read_text().split())
        request = subject(strategy).request(Task.RUN, tmp_path / f"run{len(told)}")
    assert [one[:2] for one in told] == [["UTC", "UTC"], ["Asia/Tokyo", "JST"], ["UTC", "UTC"]]
    assert told[0][2] == told[1][2] != told[2][2]
    assert capfd.readouterr() == ("", "")


def test_what_ends_it_is_told_in_one_line(tmp_path: Path) -> None:
    strategy = own(tmp_path, "print('the last word', file=sys.stderr, flush=True)\nos._exit(7)")
    with pytest.raises(StrategyError, match="process ended with status 7: the last word"):
        ask(subject(strategy).request(Task.RUN, tmp_path / "run"))


def test_a_failure_names_the_strategy_and_the_candle(tmp_path: Path) -> None:
    strategy = own(tmp_path, "raise KeyError('missing')")
    with pytest.raises(StrategyError) as raised:
        ask(subject(strategy).request(Task.RUN, tmp_path / "run"))
    assert str(raised.value) == (
        f"strategy {strategy} fails at BTC/USDT, candle closed at 2020-01-25T01:00:00.000Z: KeyError: 'missing'"
    )


def test_one_that_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_process, "ANSWER_TIMEOUT_S", 0.2)
    checked = subject(own(tmp_path, "time.sleep(100)"))
    with StrategyProcess(checked.request(Task.STEP, tmp_path / "run")) as process:
        assert process.reply(60.0).failure is None
        with pytest.raises(TimeoutError):
            process.step(next(checked.slices()))
    assert process._process.returncode is not None, "it is gone with the block"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(2):
        ask(subject("ScalpingEMARSI").request(Task.RUN, tmp_path / str(number)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
