"""A session with slow, bursty, failing and cancelled feeds: only the order of events counts, files are whole."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from arro3.io import read_parquet

from app.errors import DataError
from app.feeds.base import EventQueue
from app.models.market import Slice
from app.session.session import Session
from app.times import iso_ms
from tests.integration.sessions import Files, ListFeed, make_session, market_slices, run_to_end
from tests.made_trades import read_trade_log

HALF = 323  # slices; a moment with open positions


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Slice]:
    return market_slices(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("size", [1, 7, 512, 10_000])
async def test_the_size_of_bursts_changes_no_byte(slices: list[Slice], size: int, tmp_path: Path) -> None:
    one = await run_to_end(ListFeed(slices, 64), tmp_path / "64")
    other = await run_to_end(ListFeed(slices, size), tmp_path / "other")
    assert other.trades == one.trades
    assert other.equity == one.equity
    assert one.trades.count(b"\n") > 100


async def test_a_slow_feed_changes_no_byte(slices: list[Slice], tmp_path: Path) -> None:
    async def slowly(number: int) -> AsyncIterator[None]:
        await asyncio.sleep(0.002 * (number % 3))
        yield

    fast = await run_to_end(ListFeed(slices), tmp_path / "fast")
    slow = await run_to_end(ListFeed(slices, 13, slowly), tmp_path / "slow")
    assert (slow.trades, slow.equity) == (fast.trades, fast.equity)


async def test_the_feed_waits_for_the_consumer(slices: list[Slice], tmp_path: Path) -> None:
    """The queue is bounded: a fast feed is never more than a few bursts ahead."""
    put: list[int] = []

    class Counting(ListFeed):
        async def run(self, queue: EventQueue) -> None:
            for slice_ in self.slices:
                assert queue.qsize() <= 4
                await queue.put((slice_,))
                put.append(queue.qsize())

    await run_to_end(Counting(slices), tmp_path / "run")
    assert max(put) <= 4


class Failing(ListFeed):
    """Gives half of the slices, then raises."""

    def __init__(self, slices: Sequence[Slice], size: int, error: BaseException) -> None:
        super().__init__(slices[:HALF], size)
        self.error = error

    async def run(self, queue: EventQueue) -> None:
        await super().run(queue)
        while not queue.empty():
            await asyncio.sleep(0)
        raise self.error


@pytest.mark.parametrize("error", [DataError("the disk with the candles is gone"), KeyError("a bug")])
async def test_a_feed_that_fails_half_way(slices: list[Slice], error: Exception, tmp_path: Path) -> None:
    session = make_session(Failing(slices, 1, error), tmp_path / "run")
    with pytest.raises(type(error)) as raised:
        await session.run()
    assert raised.value is error
    assert_whole(Files(tmp_path / "run"), session, until_ms=slices[HALF - 1].close_time_ms)


async def test_a_session_that_is_cancelled_half_way(slices: list[Slice], tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def stall(number: int) -> AsyncIterator[None]:
        if number == HALF:
            reached.set()
            await asyncio.sleep(3_600)
        yield

    session = make_session(ListFeed(slices, 1, stall), tmp_path / "run")
    running = asyncio.create_task(session.run())
    await reached.wait()
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert_whole(Files(tmp_path / "run"), session, until_ms=slices[HALF - 1].close_time_ms)


async def test_what_was_decided_before_a_fault_is_what_a_whole_run_decided(slices: list[Slice], tmp_path: Path) -> None:
    whole = await run_to_end(ListFeed(slices), tmp_path / "whole")
    with pytest.raises(DataError):
        await make_session(Failing(slices, 8, DataError("gone")), tmp_path / "half").run()
    half = Files(tmp_path / "half")
    last_close = iso_ms(slices[HALF - 1].close_time_ms).encode()
    before = [[line for line in run.trades.splitlines()[1:] if line[:24] < last_close] for run in (half, whole)]
    assert before[0] == before[1]
    assert len(before[0]) > 50


def assert_whole(files: Files, session: Session, until_ms: int) -> None:
    """The files hold the positions that the session had: nothing was traded after the fault."""
    assert files.names() == {"trades.csv", "equity.parquet"}
    rows = list(read_trade_log(files.folder / "trades.csv"))
    opened = [row["trade_id"] for row in rows if row["action"] == "OPEN"]
    closed = [row["trade_id"] for row in rows if row["action"] == "CLOSE"]
    account = session.recorded.runtime.account
    held = [str(position.trade_id) for position in account.positions.values()]
    assert held
    assert sorted(opened) == sorted([*closed, *held])
    table = read_parquet(files.folder / "equity.parquet").read_all()
    assert table["timestamp_ms"].to_pylist()[-1] == until_ms
    assert table["balance"].to_pylist()[-1] == account.balance == float(rows[-1]["balance"])
    assert table["equity"].to_pylist()[-1] == account.equity()
