"""The account as the exchange has it, asked for again and again: what the user stream may have missed, and snapshots.

A stream can be silent although it is up, so orders and trades are asked for after each of its breaks and every
`poll_s` besides. A snapshot holds what was said before it: it is taken only when nothing came in between.
"""

import asyncio
from collections.abc import Sequence

from app import times
from app.exchange.executions import FROM_HISTORY, Executions
from app.exchange.order_reports import OrderReport, SpotApi, TradeReport
from app.exchange.order_times import OrderTimes
from app.exchange.questions import Questions
from app.exchange.repeated_lines import RepeatedLines
from app.models.events import AccountSnapshot, SeenTrade


class AccountWatch:
    """`since_ms`: no trade of the session is older."""

    def __init__(
        self, api: SpotApi, executions: Executions, questions: Questions, waits: OrderTimes, lines: RepeatedLines,
        symbols: Sequence[str], since_ms: int,
    ) -> None:  # fmt: skip
        self.snapshot_ms: int | None = None  # of the last one
        self._api, self._executions, self._questions = api, executions, questions
        self._waits, self._lines, self._symbols, self._since_ms = waits, lines, symbols, since_ms
        self._newest: dict[str, int] = {}  # trade ids of the history, by symbol
        self._seen: list[tuple[int, SeenTrade]] = []  # ours of the history since the last snapshot, with their times
        self._paging = asyncio.Lock()
        self._wake = asyncio.Event()
        self._wants_snapshot = True
        self._is_shut = False  # a symbol is not trading: looked at with each poll, for a refusal then says little
        self._snapshot_s = float("-inf")

    def ask(self, *, snapshot: bool = False) -> None:
        """Not at the next poll but now."""
        self._wants_snapshot |= snapshot
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._wake.clear()
            is_old = times.monotonic_s() - self._snapshot_s >= self._waits.reconcile_s
            if self._wants_snapshot or self._is_shut or is_old:
                await self._snapshot()
            else:
                await self.resync()
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _wait_s(self) -> float:
        until_snapshot_s = self._snapshot_s + self._waits.reconcile_s - times.monotonic_s()
        return min(self._waits.poll_s, max(self._waits.ask_s, until_snapshot_s))

    async def fill_gaps(self) -> None:
        """For ever: where reports tell more than the trades that came, the trades are asked for."""
        executions = self._executions
        while True:
            await executions.until(lambda: bool(executions.orders.lacking()), None)
            wait_s = self._waits.gap_s
            while not await executions.until(lambda: not executions.orders.lacking(), wait_s):
                is_first = wait_s == self._waits.gap_s
                for symbol in sorted({order.symbol for order in executions.orders.lacking()}):
                    # A trade that the history showed too late has a lower id than one that it had shown.
                    await (self.trades(symbol) if is_first else self.trades_since(symbol, self._since_ms))
                wait_s = min(2.0 * wait_s, self._waits.poll_s)

    async def resync(self) -> Sequence[OrderReport]:
        """All that a stream would have told: open orders, which are given back, those that are so no longer, trades."""
        believed = self._executions.orders.doubtful()
        reports = await self._questions.ask("open orders", self._api.open_orders)
        await self._executions.hear(reports, "among the open orders")
        among = {report.client_id for report in reports}
        for order in believed:
            if order.client_id in among or order.is_over:
                continue
            report = await self._executions.find(order)
            if report is not None:
                await self._executions.hear([report], "found by its id")
            elif order.is_open:
                self._lines.say("lost", f"orders: {order.client_id} was open, and the exchange knows it no longer")
        for symbol in sorted({*self._symbols, *(order.symbol for order in believed)}):
            await self.trades(symbol)
        return reports

    async def trades(self, symbol: str) -> None:
        """From the newest of the history on, page for page."""
        async with self._paging:
            while True:
                newest = self._newest.get(symbol)
                page = await self._page(symbol, None if newest is None else newest + 1, self._since_ms)
                page = [trade for trade in page if newest is None or trade.trade_id > newest]
                if not page:
                    return
                await self._executions.hear(page, FROM_HISTORY)
                self._newest[symbol] = max(trade.trade_id for trade in page)
                self._keep(page)

    async def trades_since(self, symbol: str, since_ms: int) -> list[TradeReport]:
        """All since a time, whatever was asked for before; they are said, too."""
        found: list[TradeReport] = []
        while True:
            page = await self._page(symbol, found[-1].trade_id + 1 if found else None, since_ms)
            if not page or (found and page[-1].trade_id <= found[-1].trade_id):
                return found
            await self._executions.hear(page, FROM_HISTORY)
            found += page

    async def _page(self, symbol: str, from_id: int | None, since_ms: int) -> Sequence[TradeReport]:
        since = since_ms if from_id is None else None
        return await self._questions.ask(f"trades of {symbol}", lambda: self._api.trades(symbol, from_id, since))

    def _keep(self, page: Sequence[TradeReport]) -> None:
        orders = self._executions.orders
        for trade in page:
            client_id = orders.client_id_of(trade.symbol, trade.exchange_id)
            own_id = None if client_id is None else orders.own_id(client_id)
            if own_id is not None:
                seen = SeenTrade(str(trade.trade_id), own_id.order_id, own_id.leg, trade.quantity, trade.price)
                self._seen.append((trade.time_ms, seen))

    async def _snapshot(self) -> None:
        """Says one that nothing disturbed; otherwise it is wanted still."""
        self._wants_snapshot = False  # whoever asks while it is taken wants another
        for tries in range(1, self._waits.snapshot_tries + 1):
            await self.resync()
            snapshot = await self._undisturbed(is_last=tries == self._waits.snapshot_tries)
            if snapshot is not None:
                self._executions.say_account(snapshot)
                self.snapshot_ms, self._snapshot_s = snapshot.time_ms, times.monotonic_s()
                self._is_shut = bool(snapshot.not_trading)
                self._seen = [(time_ms, seen) for time_ms, seen in self._seen if time_ms >= snapshot.time_ms]
                return
            await asyncio.sleep(self._waits.gap_s * 2.0 ** (tries - 1))
        self._wants_snapshot = True
        self._lines.say("snapshot", "orders: the account did not stand still long enough for a snapshot; later again")

    async def _undisturbed(self, *, is_last: bool) -> AccountSnapshot | None:
        """The account, if nothing happened while it was asked for, no order is unresolved, and all answers agree."""
        ask, executions = self._questions.ask, self._executions
        news = executions.news
        time_ms = await executions.server_ms()
        balances = await ask("balances", self._api.balances)
        not_trading = await ask("symbols that are not trading", self._api.not_trading)
        reports = await self.resync()
        ours, foreign = self._sorted_by_owner(reports)
        orders = executions.orders
        is_resolved = all(order.state is not None for order in orders.doubtful())
        is_still = executions.news == news and not executions.is_history_behind(time_ms, self._waits.late_ms)
        is_agreed = ours == sorted(order.client_id for order in orders.open())
        if not is_still or not is_resolved or not (is_agreed or is_last):
            return None
        since_ms = self._since_ms if self.snapshot_ms is None else self.snapshot_ms
        return AccountSnapshot(
            time_ms, since_ms, {asset: balances.get(asset, 0.0) for asset in self._assets()}, tuple(ours),
            tuple(seen for at_ms, seen in self._seen if since_ms <= at_ms < time_ms), foreign,
            tuple(symbol for symbol in self._symbols if symbol in not_trading),
        )  # fmt: skip

    def _sorted_by_owner(self, reports: Sequence[OrderReport]) -> tuple[list[str], int]:
        ours = sorted(one.client_id for one in reports if self._executions.orders.own_id(one.client_id) is not None)
        return ours, len(reports) - len(ours)

    def _assets(self) -> list[str]:
        return sorted({asset for symbol in self._symbols for asset in symbol.split("/")})
