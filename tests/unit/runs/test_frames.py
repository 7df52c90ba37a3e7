"""The files of a run as DataFrames: the doubles that the run wrote, one row a fill or a trade, damage in one line."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.errors import DataError
from app.models.orders import Side
from app.runs.equity import EquityLog
from app.runs.frames import closed_trades_frame, equity_frame, fills_frame
from app.runs.manifest import written_sha256
from tests.made import BTC, ETH
from tests.made_trades import HOUR_MS, Made, write_log

TAG = 'NA, "b"\nd'
TRADES = [
    Made(exit=100.1 + 0.2, entry=1 / 3, stop=0.1, commission=0.001, slippage=0.0005, tag=TAG, closed_ms=9 * HOUR_MS),
    Made(exit=77.7, side=Side.SHORT, stop=111.1, symbol=ETH, candle_volume=None, tag="NA", both_levels=True),
    Made(exit=90.0, opened_ms=2 * HOUR_MS, closed_ms=3 * HOUR_MS, stop=100.0),  # filled at its own stop: no risk
    Made(exit=None, opened_ms=3 * HOUR_MS),
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "t.csv", *TRADES)


def equity_file(path: Path, rows: int) -> str:
    log = EquityLog(path, 100.0)
    log.append([HOUR_MS * i for i in range(rows)], [100.0 + i / 3 for i in range(rows)], [100.0] * rows)
    log.finish()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_fills_are_the_rows_of_the_log_to_the_bit(log: Path) -> None:
    fills = fills_frame(log)
    assert len(fills) == 7
    first = fills[fills.trade_id == 1]
    assert first.price.tolist() == [TRADES[0].entry_price, TRADES[0].exit_price]
    assert first.realized_pnl.tolist() == [0.0, TRADES[0].pnl]
    assert first.tag.tolist() == [TAG] * 2
    assert fills[fills.trade_id == 2].tag.tolist() == ["NA", "NA"], "a tag that reads NA is no missing one"
    assert fills[fills.trade_id == 2].candle_volume.isna().all()
    assert str(fills.timestamp.dtype).endswith("UTC]")
    assert {str(fills[name].dtype) for name in ("price", "candle_volume", "mae", "mfe", "stop_loss")} == {"float64"}


def test_a_tag_of_digits_stays_what_it_says(tmp_path: Path) -> None:
    log = write_log(tmp_path / "t.csv", Made(tag="007"))
    assert fills_frame(log).tag.tolist() == ["007", "007"]
    assert closed_trades_frame(log).tag.tolist() == ["007"]


def test_a_closed_trade_is_its_entry_joined_with_its_exit(log: Path) -> None:
    trades = closed_trades_frame(log)
    assert trades.index.tolist() == [2, 3, 1], "in the order of closing; what is open has no row"
    made, row = TRADES[0], trades.loc[1]
    assert (row.symbol, row.side, row.tag) == (BTC, "LONG", TAG)
    assert (row.entry_price, row.exit_price, row.realized_pnl) == (made.entry_price, made.exit_price, made.pnl)
    assert row.entry_time == pd.Timestamp(0, tz="UTC")
    assert row.exit_time == pd.Timestamp("1970-01-01T09:00Z")
    assert row.holding == pd.Timedelta(hours=9)
    assert row.commission == pytest.approx(0.001 * (made.entry_price + made.exit_price), rel=1e-12)
    assert row.slippage == pytest.approx(0.0005 * (made.entry + (made.exit or 0.0)), rel=1e-12)
    risk = made.entry_price - made.stop
    assert [row.pnl_r, row.mae_r, row.mfe_r] == pytest.approx([made.pnl / risk, 5.0 / risk, 15.0 / risk], rel=1e-12)
    short = trades.loc[2]
    assert (short.side, bool(short.both_levels), bool(short.target_touched)) == ("SHORT", True, False)
    assert np.isnan(trades.loc[3].pnl_r), "a trade that filled at its own stop has no R"


def test_a_run_without_a_trade_has_empty_frames_of_the_same_types(tmp_path: Path, log: Path) -> None:
    empty = write_log(tmp_path / "empty.csv")
    for frame in (fills_frame, closed_trades_frame):
        none, some = frame(empty), frame(log)
        assert len(none) == 0
        assert list(none.columns) == list(some.columns)
    assert str(fills_frame(empty).timestamp.dtype).endswith("UTC]")
    assert closed_trades_frame(empty).realized_pnl.sum() == 0.0
    assert fills_frame(empty).price.dtype == "float64"


def test_a_log_of_the_first_version_has_no_excursions(log: Path) -> None:
    old = ["candle_volume", "mae", "mfe", "target_touched"]
    whole = pd.read_csv(log, keep_default_na=False, dtype=str)
    whole.drop(columns=old).to_csv(log, index=False)
    assert not set(old) & set(fills_frame(log).columns)
    trades = closed_trades_frame(log)
    assert trades.mae.isna().all()
    assert trades.realized_pnl.tolist()[-1] == TRADES[0].pnl


@pytest.mark.parametrize("frame", [fills_frame, closed_trades_frame])
def test_a_log_that_was_cut_is_no_shorter_table(frame: object, log: Path) -> None:
    assert callable(frame)
    log.write_bytes(log.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"t.csv was cut: its last line is not whole"):
        frame(log)
    log.write_text("nothing,of,this\n")
    with pytest.raises(DataError, match="is no trade log"):
        frame(log)
    log.unlink()
    with pytest.raises(DataError, match=r"cannot read .*t.csv: No such file"):
        frame(log)


def test_equity_by_close_time(tmp_path: Path) -> None:
    path = tmp_path / "equity.parquet"
    sha256 = equity_file(path, 5)
    for known in (sha256, None):
        equity = equity_frame(path, known)
        assert equity.equity.tolist() == [100.0 + i / 3 for i in range(5)]
        assert list(equity.columns) == ["equity", "balance"]
        assert equity.index[-1] == pd.Timestamp("1970-01-01T04:00Z")


@pytest.mark.parametrize("place", [1, 100, -20])
def test_equity_that_is_not_the_run_s_own_never_reaches_the_decoder(tmp_path: Path, place: int) -> None:
    path = tmp_path / "equity.parquet"
    sha256 = equity_file(path, 100)
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not the file that the run wrote"):
        equity_frame(path, sha256)
    path.write_bytes(content[: len(content) // 2])  # without a hash a cut file is still seen
    with pytest.raises(DataError, match="is not the file that the run wrote"):
        equity_frame(path, None)


def test_a_manifest_may_lack_the_hash() -> None:
    assert written_sha256({"outputs_sha256": {"equity": "ab"}}, "equity") == "ab"
    assert written_sha256({"outputs_sha256": {}}, "equity") is None
    assert written_sha256({}, "equity") is None
