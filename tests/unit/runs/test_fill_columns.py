"""The columns of a fill: those of RULES.md, and numbers that read back to the same double."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.orders import Bound, Fill, Reason, Side
from app.runs.fill_columns import COLUMNS, FILL, NUMBER, csv_row, fills_of_rows, joined
from tests.made import fill

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)


def parsed(line: str) -> dict[str, str]:
    assert line.endswith("\n")
    (row,) = csv.reader(io.StringIO(line, newline=""))
    return dict(zip(COLUMNS, row, strict=True))


def test_the_columns_are_those_of_the_rules_first() -> None:
    assert ",".join(COLUMNS).startswith(
        "timestamp,symbol,strategy,action,side,price,quantity,commission,slippage,balance,equity,realized_pnl,"
        "reason,trade_id,stop_loss,take_profit,"
    )


def test_an_open_and_a_close() -> None:
    opening = fill(
        time_ms=1_761_782_460_000, opens=True, side=Side.SHORT, price=0.1, realized_pnl=0.0, reason=Reason.SIGNAL,
        order_id=3, sized_by=Bound.RISK, tag="cross",
    )  # fmt: skip
    assert csv_row(opening) == (
        "2025-10-30T00:01:00.000Z,BTC/USDT,main,OPEN,SHORT,0.1,2.0,0.0,0.0,10020.0,10020.0,0.0,signal,1,90.0,110.0,3,"
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


def test_each_column_is_a_field_of_a_fill() -> None:
    assert {column.field for column in FILL} == set(Fill.__struct_fields__)


def test_what_a_log_does_not_have_is_nan_empty_or_false() -> None:
    row = parsed(csv_row(fill(stop=80.0, tag="a")))
    whole = fills_of_rows({name: (text,) for name, text in row.items()}, {})
    few = {name: (row[name],) for name in ("timestamp", "symbol", "action", "side", "trade_id", "price")}
    part = fills_of_rows(few, {})
    assert (part.price[0], part.trade_id[0]) == (whole.price[0], whole.trade_id[0])
    for column in FILL:
        if column.kind is NUMBER and column.array and column.name != "price":
            assert np.isnan(getattr(part, column.array)).all(), column.name
    assert not part.target_touched[0] and part.tag.names == [""]
    with pytest.raises(ValueError, match="could not convert"):
        fills_of_rows({**few, "price": ("",)}, {})


def test_blocks_share_their_names() -> None:
    rows = [parsed(csv_row(fill(symbol=symbol))) for symbol in ("A", "B", "A")]
    names: dict[str, dict[str, int]] = {}
    table = joined([fills_of_rows({name: (text,) for name, text in row.items()}, names) for row in rows])
    assert (table.symbol.codes.tolist(), table.symbol.names) == ([0, 1, 0], ["A", "B"])
