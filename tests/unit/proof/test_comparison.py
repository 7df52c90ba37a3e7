"""The verdict: only what comes before a divergence explains it, and what was not compared is said."""

from pathlib import Path

import pytest

from app.candles.cache import CandleCache
from app.proof.comparison import Comparison, compare
from app.proof.differences import Cause
from app.runs.reader import Run
from tests.candle_columns import MINUTE_MS
from tests.proof_runs import (
    END_MS,
    changed,
    dearer,
    decided_minute,
    edit,
    edit_row,
    first_entry,
    market,
    replay,
    session,
    slices_of,
    trades_of,
)  # fmt: skip


def compared(a: Path, b: Path) -> Comparison:
    caches = [CandleCache(run.with_name(f"{run.name}_cache")) for run in (a, b)]
    return compare(Run.open(a), Run.open(b), caches)


def test_the_same(tmp_path: Path) -> None:
    found = compared(replay(tmp_path, "a", market()), replay(tmp_path, "b", market()))
    assert (found.is_same, found.is_explained, found.cause, found.differences) == (True, True, None, [])


def test_the_same_although_candles_differ_is_the_same_and_says_which(tmp_path: Path) -> None:
    a = replay(tmp_path, "a", market())
    quieter = changed(market(), "AAA/X", 395, lambda row: (*row[:5], row[5] + 0.001))
    found = compared(a, replay(tmp_path, "b", quieter))
    assert found.is_same
    assert [one.cause for one in found.differences] == [Cause.DATA]


def test_of_several_causes_the_nearest_of_the_symbol_is_named_and_the_others_counted(tmp_path: Path) -> None:
    a = replay(tmp_path, "a", market())
    symbol, at = first_entry(a)["symbol"], decided_minute(a)
    other = "BBB/X" if symbol == "AAA/X" else "AAA/X"
    candles = changed(changed(market(), symbol, at, dearer), other, at, lambda row: (*row[:5], row[5] + 9.0))
    candles = changed(candles, symbol, at - 9, lambda row: (*row[:5], row[5] + 0.01))
    found = compared(a, replay(tmp_path, "b", candles))
    assert (found.cause, found.is_explained) == (Cause.DATA, True)
    assert f"candle of {symbol}" in found.evidence
    assert "close " in found.evidence
    assert found.also_before == {Cause.DATA: 2}


def test_settings_are_named_before_candles(tmp_path: Path) -> None:
    a = replay(tmp_path, "a", market())
    candles = changed(market(), first_entry(a)["symbol"], decided_minute(a), dearer)
    found = compared(a, replay(tmp_path, "b", candles, "reward_risk_ratio=3"))
    assert found.cause is Cause.CONFIG
    assert found.also_before == {Cause.DATA: 1}


def test_months_of_one_hash_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())

    def read(*_: object) -> None:
        raise AssertionError("a candle was read")

    monkeypatch.setattr(CandleCache, "read", read)
    assert compared(a, b).is_same


def test_a_month_that_only_one_has_is_a_gap(tmp_path: Path) -> None:
    a = replay(tmp_path, "a", market())
    first_half = {
        symbol: [row for row in rows if row[0] < END_MS - 130 * MINUTE_MS] for symbol, rows in market().items()
    }
    found = compared(a, replay(tmp_path, "b", first_half))
    assert (found.cause, found.is_explained) == (Cause.GAP, True)
    assert found.evidence.startswith("B ends with the slice that closes ")


def test_runs_with_nothing_in_common(tmp_path: Path) -> None:
    a = replay(tmp_path, "a", market())
    for override in ("symbols=[CCC/X]", "timeframe=5m"):
        b = tmp_path / "b"
        candles = {**market(), "CCC/X": market()["AAA/X"]}
        if override.startswith("timeframe"):
            candles = {symbol: [row for row in rows if row[0] % 300_000 == 0] for symbol, rows in candles.items()}
            b = tmp_path / "c"
            replay_5m(tmp_path, candles)
        else:
            replay(tmp_path, "b", candles, override)
        found = compared(a, b)
        assert found.notes == ["the candles were not compared: the runs have no symbol and timeframe in common"]
        assert (found.cause, found.is_explained) == (Cause.CONFIG, True)


def replay_5m(folder: Path, candles: dict[str, list[tuple[int, float, float, float, float, float]]]) -> None:
    from app.session.backtest import ConfigBacktestRunner
    from tests.parity.market import fill_cache
    from tests.proof_runs import CONFIG, START_MS

    cache = fill_cache(folder / "c_cache", candles, "5m")
    runner = ConfigBacktestRunner(
        config=CONFIG, start=START_MS, end=END_MS, interval="5m", cache=cache.root, out=folder / "c",
        overrides=["startup_candles=22"],
    )  # fmt: skip
    runner.run()


def test_a_run_whose_inputs_are_not_known(tmp_path: Path) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    edit(b / "manifest.json", lambda content: content.update(data={}))
    found = compared(a, b)
    assert found.is_same
    assert found.notes == ["the inputs of B are not known: no tape, and no candles in its manifest"]
    edit_row(trades_of(b), 2, lambda row: row.update(price="1.0"))
    assert not compared(a, b).is_explained


def test_rows_in_another_order_are_unexplained(tmp_path: Path) -> None:
    a, b = replay(tmp_path, "a", market()), replay(tmp_path, "b", market())
    lines = trades_of(b).read_text().splitlines(keepends=True)
    trades_of(b).write_text("".join([*lines[:11], lines[12], lines[11], *lines[13:]]))
    found = compared(a, b)
    assert (found.cause, found.is_explained) == (Cause.UNEXPLAINED, False)


def test_a_fill_that_differs_twice_is_unexplained_once_explained_is_not_enough(tmp_path: Path) -> None:
    """A late candle explains what follows from it, not the price of a later trade of its own."""
    slices = slices_of(tmp_path / "c", market())
    a = replay(tmp_path, "a", market())
    live = session(tmp_path / "live", slices)
    assert compared(a, live).is_same
    log = next(live.glob("paper_*.csv"))
    edit_row(log, 1, lambda row: row.update(price="1.0"))
    edit_row(log, 6, lambda row: row.update(price="1.0"))
    found = compared(a, live)
    assert (found.cause, found.is_first_explained) == (Cause.FILL, False)
    assert found.later == {Cause.FILL: 1}
