"""A trade log read back as arrays: the same doubles, each CLOSE with its OPEN, faults in one line."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import DataError
from app.models.orders import Side
from app.runs import trade_table
from app.runs.trade_table import among, read_fills, trades_of
from tests.made import BTC, ETH
from tests.made_trades import HOUR_MS, Made, earning, read, write_log


def test_the_same_doubles_come_back(tmp_path: Path) -> None:
    made = [
        Made(exit=100.1 + 0.2, entry=1 / 3, quantity=0.1, commission=0.001, slippage=0.0005, tag='a "b", c\nd'),
        Made(exit=77.7, side=Side.SHORT, stop=111.1, symbol=ETH, candle_volume=None, opened_ms=HOUR_MS // 2),
    ]
    fills, trades = read(tmp_path, *made)
    assert trades.pnl.tolist() == [made[0].pnl, made[1].pnl]
    assert trades.entry.price.tolist() == [made[0].entry_price, made[1].entry_price]
    assert trades.entry.sign.tolist() == [1.0, -1.0]
    assert [trades.entry.tag.names[code] for code in trades.entry.tag.codes] == ['a "b", c\nd', ""]
    assert trades.entry.symbol.equal(ETH).tolist() == [False, True]
    assert trades.entry.symbol.equal("SOL/USDT").tolist() == [False, False]
    assert np.isnan(trades.entry.candle_volume).tolist() == [False, True]
    assert fills.time_ms.tolist() == [0, HOUR_MS // 2, HOUR_MS, HOUR_MS]
    assert not fills.cut


def test_trades_come_in_the_order_of_closing_with_their_own_entry(tmp_path: Path) -> None:
    late = Made(exit=101.0, entry=50.0, closed_ms=9 * HOUR_MS)
    early = Made(exit=102.0, entry=60.0, opened_ms=HOUR_MS, closed_ms=2 * HOUR_MS, symbol=ETH)
    still_open = Made(exit=None, opened_ms=3 * HOUR_MS)
    fills, trades = read(tmp_path, late, early, still_open)
    assert trades.entry.price.tolist() == [60.0, 50.0]
    assert trades.exit.price.tolist() == [102.0, 101.0]
    assert trades.held_ms.tolist() == [HOUR_MS, 9 * HOUR_MS]
    assert (len(fills.price), len(trades)) == (5, 2)


def test_blocks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_log(tmp_path / "t.csv", *earning(1, 2, 3, 4, 5), Made(symbol=ETH, tag="last", opened_ms=9 * HOUR_MS))
    whole = read_fills(path)
    for rows in (1, 2, 5):
        monkeypatch.setattr(trade_table, "_BLOCK_ROWS", rows)
        parts = read_fills(path)
        assert parts.price.tolist() == whole.price.tolist()
        assert parts.symbol.names == whole.symbol.names == [BTC, ETH]
        assert parts.symbol.codes.tolist() == whole.symbol.codes.tolist()
        assert parts.tag.equal("last").tolist() == whole.tag.equal("last").tolist()


def test_initial_risk_is_from_the_fill_and_undefined_beyond_the_stop(tmp_path: Path) -> None:
    _, trades = read(
        tmp_path,
        Made(stop=95.0, quantity=3.0),
        Made(stop=104.0, side=Side.SHORT, opened_ms=1),
        Made(entry=89.0, stop=90.0, opened_ms=2),
        Made(entry=90.0, stop=90.0, opened_ms=3),
    )
    assert trades.initial_risk[:2].tolist() == [15.0, 4.0]
    assert np.isnan(trades.initial_risk[2:]).all()


def test_a_log_without_a_trade(tmp_path: Path) -> None:
    fills, trades = read(tmp_path)
    assert (len(fills.price), len(trades), len(trades.costs)) == (0, 0, 0)


def test_a_half_written_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    path = write_log(tmp_path / "t.csv", *earning(1, 2))
    whole = path.read_bytes()
    for length in range(len(whole) - 1, whole.rindex(b"\n", 0, -1), -7):
        path.write_bytes(whole[:length])
        fills = read_fills(path)
        assert fills.cut
        assert len(trades_of(fills, path)) == 1
    path.write_bytes(whole[: whole.index(b"\n") + 30])  # the first row itself
    assert len(read_fills(path).price) == 0


def test_a_log_of_before_excursions(tmp_path: Path) -> None:
    path = write_log(tmp_path / "t.csv", *earning(1))
    path.write_text("".join(line.rsplit(",", 4)[0] + "\n" for line in path.read_text().splitlines()))
    fills = read_fills(path)
    assert np.isnan(fills.mae).all()
    assert np.isnan(fills.candle_volume).all()
    assert not fills.target_touched.any()


def edited(path: Path, number: int, old: str, new: str) -> Path:
    rows = path.read_text().splitlines(keepends=True)
    assert old in rows[number]
    rows[number] = rows[number].replace(old, new)
    path.write_text("".join(rows))
    return path


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    def log() -> Path:
        return write_log(tmp_path / "t.csv", *earning(1, 2))

    with pytest.raises(DataError, match=r"t.csv is no trade log: it has no column realized_pnl"):
        read_fills(edited(log(), 0, "realized_pnl", "profit"))
    with pytest.raises(DataError, match=r"t.csv, line 3: 25 columns, the header has 24"):
        read_fills(edited(log(), 2, "BTC/USDT", "BTC,USDT"))
    with pytest.raises(DataError, match=r"t.csv, lines 2 to 5: could not convert string to float: 'dear'"):
        read_fills(edited(log(), 3, ",100.0,", ",dear,"))
    path = log()
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(rows[:1] + rows[2:]))
    with pytest.raises(DataError, match=r"the CLOSE of trade 1 has no OPEN before it"):
        trades_of(read_fills(path), path)
    path.write_text("")
    with pytest.raises(DataError, match="is no trade log"):
        read_fills(path)


def test_among_is_isin() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        values, some = (random.integers(0, 12, random.integers(0, 9)) for _ in range(2))
        assert among(values, some).tolist() == np.isin(values, some).tolist()
