"""What if over a session that was stopped and went on: every event is heard, and symbols are the same throughout."""

from pathlib import Path

import pytest

from app.errors import ConfigError
from app.session.what_if import WhatIfRunner
from tests.scripted_paper import no_sockets, trade, trades_of
from tests.unit.session.test_epochs import KEEP, OTHER, cut

SAME = "trading_mode.on_stop=keep"


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    no_sockets(monkeypatch)


@pytest.mark.parametrize("more", [(), (OTHER,)])
async def test_what_came_after_a_kept_stop_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    await cut(tmp_path / "run", monkeypatch, 45)
    session = await trade(tmp_path / "run", KEEP, *more, new_epoch=bool(more))
    what = await WhatIfRunner(tmp_path / "run", [SAME], tmp_path / "what").run_async()
    assert trades_of(tmp_path / "what") == trades_of(tmp_path / "run")
    assert what["period"] == session["period"]


async def test_epochs_of_other_symbols_are_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(tmp_path / "run", monkeypatch, 20)
    await trade(tmp_path / "run", KEEP, "symbols=[AAA/X, BBB/X, CCC/X]", new_epoch=True)
    with pytest.raises(ConfigError, match=r"epoch 2 of .* had the symbols AAA/X, BBB/X, CCC/X, epoch 1 AAA/X, BBB/X"):
        await WhatIfRunner(tmp_path / "run", [SAME], tmp_path / "what").run_async()
    assert not (tmp_path / "what").exists()
