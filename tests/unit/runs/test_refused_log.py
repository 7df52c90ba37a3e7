"""refused.jsonl: what is kept of an entry that a limit refused, and how the file goes on after a restart."""

from pathlib import Path

import pytest

from app.errors import DataError
from app.models.exits import parse_exits
from app.models.market import Slice
from app.models.orders import Action, Decision, Refusal, Signal
from app.runs import refused_log
from app.runs.refused_log import LIMITS, RefusedEntry, RefusedLog, refused_entries
from app.trading.account import SliceRows

EXITS = parse_exits({"break_even": {"at_r": 1.0}})
SIGNAL = Signal(
    Action.LONG,
    atr=2.0,
    stop=95.5,
    target=110.0,
    size_factor=0.5,
    tag='a "tag"',
    limit=99.0,
    valid_candles=3,
    exits=EXITS,
)


def rows(*equities: float) -> SliceRows:
    """Of slices that close at 60 s, 120 s ..."""
    return SliceRows(
        [Slice(60_000 * number, (), False) for number, _ in enumerate(equities, 1)], list(equities), list(equities)
    )


def decision(time_ms: int, outcome: str, signal: Signal | None = SIGNAL) -> Decision:
    return Decision(time_ms, "BTC/USDT", Action.LONG, outcome, None, "", "dip", signal)


def read(path: Path) -> list[RefusedEntry]:
    return list(refused_entries(path.read_bytes().splitlines()))


def test_an_entry_comes_back_whole_with_the_equity_of_its_slice(tmp_path: Path) -> None:
    log = RefusedLog(tmp_path / "refused.jsonl")
    assert not log.path.exists()
    log.write(decision(120_000, "cooldown"), rows(1_000.0, 1_010.0, 1_020.0))
    log.write(decision(240_000, "late"), rows(1_000.0, 1_010.0, 1_020.0))  # a slice that has no row yet
    log.close()
    first, second = read(log.path)
    assert (first.time_ms, first.symbol, first.strategy, first.why, first.equity) == (
        120_000,
        "BTC/USDT",
        "dip",
        "cooldown",
        1_010.0,
    )
    assert first.signal == SIGNAL
    assert second.equity == 1_020.0


@pytest.mark.parametrize("outcome", [*Refusal, "order", "exit_ordered", "entry_cancelled"])
def test_only_what_a_limit_refused_is_kept(tmp_path: Path, outcome: str) -> None:
    log = RefusedLog(tmp_path / "refused.jsonl")
    log.write(decision(60_000, outcome), rows(1.0))
    log.close()
    assert log.path.exists() == (outcome in LIMITS)
    if outcome in LIMITS:
        own = read(log.path)[0].limit_name
        assert own == ("max_exposure" if outcome in ("no_quantity", "min_quantity", "min_notional") else outcome)


def test_it_goes_on_behind_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "refused.jsonl"
    log = RefusedLog(path)
    log.write(decision(60_000, "halted"), rows(1.0))
    log.flush()
    kept = log.written_bytes
    assert kept == path.stat().st_size
    log.write(decision(120_000, "halted"), rows(1.0))
    log.close()
    again = RefusedLog(path, kept)
    assert [one.time_ms for one in read(path)] == [60_000]
    again.write(decision(180_000, "halted"), rows(1.0))
    again.close()
    assert [one.time_ms for one in read(path)] == [60_000, 180_000]
    with pytest.raises(DataError, match="is shorter"):
        RefusedLog(path, 10_000)
    RefusedLog(path).close()
    assert not path.exists(), "a new run begins anew"


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_log, "BYTES_MAX", 500)
    log = RefusedLog(tmp_path / "refused.jsonl")
    for number in range(100):
        log.write(decision(number, "halted"), rows(1.0))
    log.close()
    assert 500 <= log.path.stat().st_size < 1_000


def test_a_torn_line_ends_them() -> None:
    assert list(refused_entries([b'{"time_ms":1,'])) == []
