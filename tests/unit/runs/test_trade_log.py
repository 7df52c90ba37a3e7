"""The trade log: the columns of RULES.md, and numbers that read back to the same double."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.orders import Bound, Reason, Side
from app.runs.trade_log import COLUMNS, TradeLog, csv_row, read_trade_log
from tests.made import fill

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


def parsed(line: str) -> dict[str, str]:
    assert line.endswith("\n")
    (row,) = csv.reader(io.StringIO(line, newline=""))
    return dict(zip(COLUMNS, row, strict=True))


def test_the_columns_are_those_of_the_rules_first() -> None:
    assert ",".join(COLUMNS).startswith(
        "timestamp,symbol,action,side,price,quantity,commission,slippage,balance,equity,realized_pnl,"
        "reason,trade_id,stop_loss,take_profit,"
    )


def test_an_open_and_a_close() -> None:
    opening = fill(
        time_ms=1_761_782_460_000, opens=True, side=Side.SHORT, price=0.1, realized_pnl=0.0, reason=Reason.SIGNAL,
        order_id=3, sized_by=Bound.RISK, tag="cross",
    )  # fmt: skip
    assert csv_row(opening) == (
        "2025-10-30T00:01:00.000Z,BTC/USDT,OPEN,SHORT,0.1,2.0,0.0,0.0,10020.0,10020.0,0.0,signal,1,90.0,110.0,3,"
        "risk_per_trade,0,cross,,,,0\n"
    )
    seen = {"candle_volume": 3.5, "mae": 0.0, "mfe": 22.0, "target_touched": True}
    closing = parsed(csv_row(fill(both_levels=True, **seen)))
    assert [closing[name] for name in seen] == ["3.5", "0.0", "22.0", "1"]
    assert (closing["action"], closing["side"], closing["reason"]) == ("CLOSE", "LONG", "take_profit")
    assert (closing["order_id"], closing["sized_by"], closing["both_levels"], closing["tag"]) == ("", "", "1", "")


@given(DOUBLES, DOUBLES, DOUBLES, DOUBLES)
def test_numbers_read_back_to_the_same_double(price: float, quantity: float, balance: float, stop: float) -> None:
    row = parsed(csv_row(fill(price=price, quantity=quantity, balance=balance, stop=stop)))
    read = [float(row[name]).hex() for name in ("price", "quantity", "balance", "stop_loss")]
    assert read == [value.hex() for value in (price, quantity, balance, stop)]


@pytest.mark.parametrize("tag", ["", "plain", "a,b", 'say "no"', "two\nlines", "a\rb", "=1+1", "ünï", " x "])
def test_a_tag_is_the_users_own_text(tag: str) -> None:
    assert parsed(csv_row(fill(tag=tag)))["tag"] == tag


def test_a_file_of_fills_reads_back_in_their_order(tmp_path: Path) -> None:
    log = TradeLog(tmp_path / "log.csv")
    for number in range(3):
        log.write(fill(trade_id=number, tag='x,"y"\nz'))
    log.close()
    log.close()
    rows = list(read_trade_log(log.path))
    assert [row["trade_id"] for row in rows] == ["0", "1", "2"]
    assert {row["tag"] for row in rows} == {'x,"y"\nz'}
    assert b"\r" not in log.path.read_bytes()


def test_a_log_without_fills_has_its_header(tmp_path: Path) -> None:
    TradeLog(tmp_path / "log.csv").close()
    assert (tmp_path / "log.csv").read_text() == ",".join(COLUMNS) + "\n"
