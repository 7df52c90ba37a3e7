"""The trade log reads back as the same doubles, texts and times, whatever a fill holds."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.orders import Bound, Fill, Reason, Side
from app.runs.fill_columns import COLUMNS
from app.runs.trade_log import TradeLog
from app.times import parse_time_ms
from tests.made_trades import read_trade_log

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
FILLS = st.builds(
    Fill,
    time_ms=st.integers(0, 253_402_300_799_999),
    symbol=st.sampled_from(("BTC/USDT", "BTC/USDT:USDT-251226", "1000,SHIB", '"Ä"')),
    opens=st.booleans(),
    side=st.sampled_from(Side),
    price=DOUBLES,
    quantity=DOUBLES,
    commission=DOUBLES,
    slippage=DOUBLES,
    balance=DOUBLES,
    equity=DOUBLES,
    realized_pnl=DOUBLES,
    reason=st.sampled_from(Reason),
    trade_id=st.integers(1, 10**9),
    stop=DOUBLES,
    target=DOUBLES,
    order_id=st.none() | st.integers(1, 10**9),
    sized_by=st.none() | st.sampled_from(Bound),
    both_levels=st.booleans(),
    tag=st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\r\t"), max_size=20),
)
NUMBERS = {"stop_loss": "stop", "take_profit": "target"} | {
    name: name for name in ("price", "quantity", "commission", "slippage", "balance", "equity", "realized_pnl")
}


@settings(max_examples=150, deadline=None)
@given(fills=st.lists(FILLS, max_size=5))
def test_a_trade_log_reads_back_as_the_same_doubles(fills: list[Fill]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trades.csv")
        log = TradeLog(path)
        for fill in fills:
            log.write(fill)
        log.close()
        rows = list(read_trade_log(path))
        assert path.read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)
    assert len(rows) == len(fills)
    for row, fill in zip(rows, fills, strict=True):
        assert list(row) == list(COLUMNS)
        for column, name in NUMBERS.items():
            assert float(row[column]).hex() == getattr(fill, name).hex(), column  # to the bit, the sign of zero too
        assert row["timestamp"].endswith("Z") and parse_time_ms(row["timestamp"]) == fill.time_ms
        assert row["symbol"] == fill.symbol
        assert row["action"] == ("OPEN" if fill.opens else "CLOSE")
        assert row["side"] == fill.side.name
        assert row["reason"] == fill.reason.value
        assert row["trade_id"] == str(fill.trade_id)
        assert row["tag"] == fill.tag
