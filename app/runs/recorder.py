"""RunRecorder: the runtime's observer; what it sees goes to the trade log, the equity rows and the totals.

Per slice it only notes a row; counting and writing happen a block at a time. It changes nothing in the run.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from app.errors import OutputError
from app.models.market import Slice
from app.models.orders import MAIN, Decision, Fill
from app.runs.equity import EquityLog
from app.runs.refused_log import RefusedLog
from app.runs.run_folder import writing
from app.runs.tally import Tally
from app.runs.trade_log import SignalLog, TradeLog
from app.trading.account import SliceRows

_FLUSH_ROWS = 128  # while rows and candles are still in the processor's cache
Progress = Callable[[int, int], None]  # close time of the newest slice, candles so far


class LogLengths(NamedTuple):
    """How far a run's files go: bytes of the logs, rows of the equity."""

    trades_bytes: int
    signals_bytes: int
    equity_rows: int
    refused_bytes: int = 0


class RunRecorder:
    """Observer of one run; `finish()` completes its files, `close()` gives them up."""

    def __init__(
        self,
        symbols: Sequence[str],
        trade_log: TradeLog,
        equity_log: EquityLog,
        progress: Progress | None = None,
        signal_log: SignalLog | None = None,
        strategies: Sequence[str] = (MAIN,),
        refused_log: RefusedLog | None = None,
    ) -> None:
        self.tally = Tally(tuple(symbols), tuple(strategies))
        self.trade_log = trade_log
        self.equity_log = equity_log
        self.signal_log, self.refused_log = signal_log, refused_log
        self.candles: dict[str, int] = dict.fromkeys(symbols, 0)
        self.first_opens: dict[str, float] = {}  # of the run, in the order in which the symbols began
        self.first_open_ms: int | None = None
        self.last_close_ms: int | None = None
        self._progress = progress
        self._cut_short = False
        self.rows = SliceRows()
        self.decisions: list[Decision] = []
        self._fills: list[Fill] = []
        self.on_fill = self._fills.append  # called by the broker in the order of the fills: it only takes note

    def flush_if_full(self) -> None:
        """Between bursts: hand the rows on; the newest one stays, it may still change."""
        if len(self.rows.slices) > _FLUSH_ROWS:
            with self._writing():
                self._flush(keep=1)
            if self._progress is not None and self.last_close_ms is not None:
                self._progress(self.last_close_ms, sum(self.candles.values()))

    def flush(self) -> None:
        """Everything but the newest equity row to the kernel: after each event of a live session."""
        with self._writing():
            self._flush(keep=1)
            self.trade_log.flush()
            for log in (self.signal_log, self.refused_log):
                if log is not None:
                    log.flush()

    def lengths(self) -> LogLengths:
        """Of the files as the kernel has them: after a flush, all but the newest equity row."""
        signals_bytes = 0 if self.signal_log is None else self.signal_log.written_bytes()
        refused_bytes = 0 if self.refused_log is None else self.refused_log.written_bytes
        return LogLengths(self.trade_log.written_bytes(), signals_bytes, self.equity_log.rows, refused_bytes)

    @property
    def new_fills(self) -> Sequence[Fill]:
        """Fills that were not written yet: after a flush, those of the event at hand."""
        return self._fills

    def finish(self) -> None:
        """Complete the files; the totals are final. After a fault of the disk it leaves them as they are."""
        if self._cut_short:
            return
        with self._writing():
            self._flush(keep=0)
            self.trade_log.close()
            for log in (self.signal_log, self.refused_log):
                if log is not None:
                    log.close()
            self.equity_log.finish()

    def close(self) -> None:
        """Release the files of a run that did not finish; idempotent, and silent: the fault was told already."""
        for log in (self.trade_log, self.equity_log, self.signal_log, self.refused_log):
            with suppress(OSError):
                if log is not None:
                    log.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # What reached a full disk is the beginning of the log; a later row would leave a hole before it.
        try:
            with writing(self.trade_log.path.parent):
                yield
        except OutputError:
            self._cut_short = True
            raise

    def _flush(self, keep: int) -> None:
        for fill in self._fills:
            self.trade_log.write(fill)
            self.tally.add(fill)
        self._fills.clear()
        if self.signal_log is not None:
            for decision in self.decisions:
                self.signal_log.write(decision)
                if self.refused_log is not None and decision.order is None:
                    self.refused_log.write(decision, self.rows)
        self.decisions.clear()
        rows = self.rows
        count = len(rows.slices) - keep
        if count <= 0:
            return
        slices = rows.slices[:count]
        if self.first_open_ms is None:
            self.first_open_ms = slices[0].candles[0].open_time_ms
        self.last_close_ms = slices[-1].close_time_ms
        self.equity_log.append(
            [slice_.close_time_ms for slice_ in slices], rows.equities[:count], rows.balances[:count]
        )
        del rows.slices[:count], rows.equities[:count], rows.balances[:count]
        self._count(slices)

    def _note_first_opens(self, slices: Sequence[Slice]) -> None:
        for slice_ in slices:
            for candle in slice_.candles:
                self.first_opens.setdefault(candle.symbol, candle.open)

    def _count(self, slices: Sequence[Slice]) -> None:
        symbols = len(self.candles)
        if not self.candles.keys() <= self.first_opens.keys():  # in a new epoch it also holds what is listed no more
            self._note_first_opens(slices)
        complete = len(slices)
        if symbols > 1 or not slices[0].candles:  # with one symbol every slice is complete, but see put_totals()
            ragged = [slice_ for slice_ in slices if len(slice_.candles) < symbols]
            complete -= len(ragged)
            for slice_ in ragged:
                for candle in slice_.candles:
                    self.candles[candle.symbol] += 1
        for symbol in self.candles:
            self.candles[symbol] += complete
