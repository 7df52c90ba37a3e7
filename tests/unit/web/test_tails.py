"""Files that are still being written: rows once each, equity thinned out, trades from their fills."""

import struct
from pathlib import Path

from app.times import DAY_MS, parse_time_ms
from app.web.tails import EquityTail, RowTail, TradeRows
from tests.live_sessions import live, market


def test_rows_come_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    tail = RowTail(path)
    assert tail.read() == (False, [])
    path.write_text("a,b")
    assert tail.read() == (False, [])
    path.write_text('a,b\n1,"x, y"\n2,')
    assert tail.read() == (True, [{"a": "1", "b": "x, y"}])
    path.write_text('a,b\n1,"x, y"\n2,z\n')
    assert tail.read() == (False, [{"a": "2", "b": "z"}])
    path.write_text("a,b\n3,w\n")
    assert tail.read() == (True, [{"a": "3", "b": "w"}]), "written anew by a restart"


def test_of_a_long_log_only_its_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a\n" + "".join(f"{number}\n" for number in range(10_000)))
    _, rows = RowTail(path, tail_bytes=100).read()
    assert rows[-1] == {"a": "9999"}
    assert rows == [{"a": str(number)} for number in range(10_000 - len(rows), 10_000)]
    assert len(rows) <= 20


def test_equity_is_thinned_out_and_the_day_has_its_beginning(tmp_path: Path) -> None:
    tail, path = EquityTail(tmp_path), tmp_path / "equity.rows"
    tail.read()
    assert (tail.last, tail.points) == (None, [])
    begin_ms = parse_time_ms("2026-03-01")
    rows = [(begin_ms + number * 60_000, 100.0 + number) for number in range(1, 5_001)]
    path.write_bytes(b"".join(struct.pack("<qdd", time_ms, equity, 0.0) for time_ms, equity in rows)[:-3])
    tail.read()
    assert tail.last == rows[-2], "the last row is not whole yet"
    assert len(tail.points) <= 2_000
    assert set(tail.points) <= set(rows)
    # The day began with the equity at midnight: minute 1,440, 2,880 and 4,320.
    assert tail.day_began == 100.0 + 4_320
    path.write_bytes(struct.pack("<qdd", begin_ms + 3 * DAY_MS, 7.0, 0.0))
    tail.read()
    assert (tail.points, tail.day_began) == ([(begin_ms + 3 * DAY_MS, 7.0)], 7.0), "written anew"


async def test_a_finished_session_has_its_equity_and_its_trades(tmp_path: Path) -> None:
    made = live(tmp_path / "run")
    await made.run(*market())
    tail = EquityTail(tmp_path / "run")
    tail.read()
    assert tail.last is not None
    assert tail.last[1] == made.recorded.runtime.account.equity()
    trades = TradeRows()
    _, rows = RowTail(made.folder.trades).read()
    for row in rows:
        trades.add(row)
    closed = [one for one in trades.newest() if one["exit_time"]]
    assert len(closed) == made.results["performance"]["total_trades"] > 0
    made_pnl = sum(float(row["realized_pnl"]) for row in rows)
    assert abs(sum(one["pnl"] for one in closed) - made_pnl) < 1e-9


def test_a_trade_is_closed_by_its_last_close_only() -> None:
    common = {"trade_id": "1", "symbol": "A", "strategy": "main", "side": "LONG", "quantity": "2", "order_id": "4"}
    trades = TradeRows(most=1)
    trades.add(
        {
            **common,
            "timestamp": "2025-01-01T00:01",
            "action": "OPEN",
            "price": "10",
            "realized_pnl": "0.0",
            "reason": "signal",
        }
    )
    trades.add(
        {
            **common,
            "timestamp": "2025-01-01T00:02",
            "action": "CLOSE",
            "price": "11",
            "realized_pnl": "1.5",
            "reason": "partial_target",
        }
    )
    [one] = trades.newest()
    assert (one["exit_time"], one["pnl"]) == (None, 1.5)
    trades.add(
        {
            **common,
            "timestamp": "2025-01-01T00:03",
            "action": "CLOSE",
            "price": "9",
            "realized_pnl": "-1.0",
            "reason": "stop_loss",
        }
    )
    assert (one["exit_time"], one["exit_price"], one["reason"], one["pnl"]) == (
        "2025-01-01T00:03",
        9.0,
        "stop_loss",
        0.5,
    )
    trades.add({**common, "trade_id": "2", "timestamp": "t4", "action": "OPEN", "price": "10", "reason": "signal"})
    assert [one["trade_id"] for one in trades.newest()] == [2], "no more than are shown"


def test_a_stop_that_moves_leaves_its_steps_and_legs_their_places() -> None:
    def row(minute: int, action: str, reason: str, price: float, stop: float, pnl: float = 0.0) -> dict[str, str]:
        return {
            "timestamp": f"2025-01-01T00:{minute:02}:00.000Z", "symbol": "A/B", "strategy": "main", "action": action,
            "side": "LONG", "price": str(price), "quantity": "1", "realized_pnl": str(pnl), "reason": reason,
            "trade_id": "1", "stop_loss": str(stop), "take_profit": "120",
        }  # fmt: skip

    def at(minute: int) -> int:
        return parse_time_ms("2025-01-01") + minute * 60_000

    trades, held = TradeRows(), [{"strategy": "main", "symbol": "A/B", "stop": 95.0}]
    trades.add(row(0, "OPEN", "signal", 100.0, 95.0))
    trades.note_stops(held, at(1))
    trades.note_stops([{**held[0], "symbol": "C/B", "stop": 1.0}], at(2))
    [trade] = trades.newest()
    assert trade["stops"] == [], "it has not moved, and another's stop is not its own"
    trades.note_stops([{**held[0], "stop": 98.0}], at(3))
    trades.note_stops([{**held[0], "stop": 98.0}], at(4))
    trades.add(row(5, "CLOSE", "partial_target", 110.0, 98.0, 5.0))
    trades.add(row(6, "CLOSE", "trailing_stop", 104.0, 104.0, 2.0))
    trades.note_stops([{**held[0], "stop": 50.0}], at(7))
    assert trade["stops"] == [[at(3), 98.0], [at(6), 104.0]]
    assert (trade["stop"], trade["legs"], trade["pnl"]) == (95.0, [[at(5), 110.0, 5.0]], 7.0)
