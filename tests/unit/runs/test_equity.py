"""Equity rows on disk: all of them, in bounded memory, with the peak and the drawdown of RULES.md."""

from pathlib import Path

import numpy as np
import pytest
from arro3.io import read_ipc_stream, read_parquet

from app.runs import equity as equity_module
from app.runs.equity import EquityLog


def columns(path: Path) -> dict[str, list[float]]:
    table = read_parquet(path).read_all()
    return {name: table[name].to_numpy().tolist() if table.num_rows else [] for name in table.column_names}


@pytest.mark.parametrize("count", [0, 1, 8_191, 8_192, 8_193, 20_000])
def test_every_row_in_its_order(tmp_path: Path, count: int) -> None:
    log = EquityLog(tmp_path / "equity.parquet", 1.0)
    for start in range(0, count, 999):
        block = range(start, min(start + 999, count))
        log.append([i * 60_000 for i in block], [1.0 + i / 7 for i in block], [float(i) for i in block])
    log.finish()
    assert columns(log.path) == {
        "timestamp_ms": [i * 60_000 for i in range(count)],
        "equity": [1.0 + i / 7 for i in range(count)],
        "balance": [float(i) for i in range(count)],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["equity.parquet"]


def test_the_same_rows_give_the_same_bytes_however_they_came(tmp_path: Path) -> None:
    for name, step in (("a", 10_000), ("b", 37)):
        log = EquityLog(tmp_path / f"{name}.parquet", 1.0)
        for start in range(0, 9_990, step):
            block = range(start, min(start + step, 9_990))
            log.append(list(block), [i % 13 / 3 for i in block], [0.0] * len(block))
        log.finish()
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize(
    ("start", "equities", "peak", "drawdown"),
    [
        (100.0, [], 100.0, 0.0),
        (100.0, [110.0, 120.0], 120.0, 0.0),
        (100.0, [75.0], 100.0, 0.25),  # the starting balance is a peak, too
        (100.0, [80.0, 160.0, 120.0, 200.0, 130.0], 200.0, 0.35),
        (100.0, [50.0, -10.0], 100.0, 1.1),
    ],
)
def test_peak_and_drawdown(tmp_path: Path, start: float, equities: list[float], peak: float, drawdown: float) -> None:
    log = EquityLog(tmp_path / "equity.parquet", start)
    log.append(list(range(len(equities))), equities, equities)
    log.finish()
    assert log.peak == peak
    assert log.max_drawdown == pytest.approx(drawdown)


def test_block_boundaries_do_not_show_in_the_drawdown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equity_module, "_BLOCK_ROWS", 7)
    equities = (100.0 + np.cumsum(np.random.default_rng(3).standard_normal(500))).tolist()
    log = EquityLog(tmp_path / "equity.parquet", 100.0)
    for i, value in enumerate(equities):
        log.append([i], [value], [value])
    log.finish()
    peaks = np.maximum.accumulate([100.0, *equities])
    assert log.max_drawdown == float(np.max(1.0 - np.array([100.0, *equities]) / peaks))
    assert columns(log.path)["equity"] == equities


def test_what_was_appended_survives_a_run_that_does_not_finish(tmp_path: Path) -> None:
    log = EquityLog(tmp_path / "equity.parquet", 1.0)
    log.append(list(range(9_000)), [1.0] * 9_000, [1.0] * 9_000)
    log.close()
    log.close()
    stream = tmp_path / "equity.arrows"
    assert not log.path.exists()
    stream.write_bytes(stream.read_bytes() + b"\xff\xff\xff\xff\0\0\0\0")
    assert read_ipc_stream(stream).read_all().num_rows == 9_000


def test_a_full_disk_while_finishing_is_an_os_error_and_leaves_the_rows(tmp_path: Path) -> None:
    log = EquityLog(tmp_path / "equity.parquet", 1.0)
    log.append([1], [1.0], [1.0])
    (tmp_path / "equity.parquet.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        log.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["equity.arrows"]
    assert read_ipc_stream(tmp_path / "equity.arrows").read_all().num_rows == 1
