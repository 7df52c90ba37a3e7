"""A session on paper or with real orders: the live feed, the runtime that backtests, and the tape; begun, or continued
where it stopped.

Before the first new event is handled, what was recorded is replayed through the same runtime and each digest checked.
Changed code or settings begin a new epoch, if asked to (`--new-epoch`).
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from app import times
from app.candles.cache import CandleCache
from app.errors import ConfigError, DataError
from app.exchange.history import HistoricalDataProvider
from app.exchange.limiter import WEIGHT_A_SECOND
from app.feeds.tape import Tape, has_tape, read_tape
from app.feeds.websocket import FeedTimes, LiveStart, WebsocketFeed
from app.models.events import Event
from app.models.orders import Decision, Fill
from app.runs.run_folder import RunFolder, owned, refuse_finished
from app.session.backtest import BacktestResults
from app.session.building import OrderNames
from app.session.candle_supply import Supply
from app.session.control import CommandWatch
from app.session.epochs import (
    UNENDED_MS,
    EpochStart,
    changed_versions,
    changes,
    epoch_header,
    epoch_note,
    epoch_notes,
    epoch_start,
    has_traded,
    header_of,
    late_sifter,
    mode_of,
    plan_of_epoch,
    refuse_other_logs,
    refuse_what_cannot_go_on,
    state_of,
)
from app.session.journal import Journal
from app.session.live_account import LiveAccount
from app.session.order_watch import is_covered
from app.session.period import Period
from app.session.plan import RunPlan
from app.session.real_orders import live_settings
from app.session.recorded_runtime import RecordedRuntime, ReplayError
from app.session.session import Session
from app.session.view import SessionView
from app.settings.profile import Profile, Settings, load_settings
from app.settings.shipped import DEFAULT_CACHE, default_config
from app.strategies.loader import check_settings, startup_candles
from app.times import file_time, iso_ms, timeframe_ms

_ROOTS = {"paper": Path("logs/paper"), "live": Path("logs/live")}
_LIVE_RATE = 5 * WEIGHT_A_SECOND  # an account is asked much at once, then little
_CLOSING_S = {"paper": 60.0, "live": 120.0}  # until all is flat at the end


@dataclass
class PaperRunner:
    """A session of a profile; with `mode` live its orders are real. `end_ms`: it ends after the slice that closes then;
    None: until it is stopped.
    """

    config: Profile = field(default_factory=default_config)
    end_ms: int | None = None
    interval: str | None = None
    symbols: Sequence[str] | None = None
    strategy: str | None = None
    overrides: Sequence[str] = ()
    cache: str | Path = DEFAULT_CACHE
    out: str | Path | None = None
    exchange_url: str | None = None
    mode: Literal["paper", "live"] = "paper"
    new_epoch: bool = False  # changed code or settings go on from the state that the last ones left
    tell: Callable[[str], None] | None = None
    on_event: "Callable[[SessionView, Event, Sequence[Fill], Sequence[Decision]], None] | None" = None
    on_session: "Callable[[SessionView, bool], None] | None" = None  # before the first new event; True: continued
    _account: LiveAccount | None = field(default=None, init=False, repr=False)  # while it is open

    async def run_async(self) -> BacktestResults:
        """Until the end, or an operator's stop."""
        settings = load_settings(
            self.config, self.overrides, symbols=self.symbols, strategy=self.strategy, interval=self.interval
        )
        if self.mode == "live":
            settings = live_settings(settings, check_settings(settings))
        cache = CandleCache(Path(self.cache))
        made = partial(HistoricalDataProvider, rate=_LIVE_RATE) if self.mode == "live" else HistoricalDataProvider
        provider = made(cache, settings.live.exchange, url=self.exchange_url, tell=self.tell)
        async with provider, AsyncExitStack() as opened:
            if self.mode == "live":
                account = LiveAccount.opened(settings, provider, self.exchange_url, self._say)
                self._account = await opened.enter_async_context(account)
            if self.out is not None and has_tape(Path(self.out)):
                last = read_tape(Path(self.out)).epochs[-1]
                # A session that ended in its warm-up has decided nothing: it begins anew, its tape is written over.
                if last.number > 1 or has_traded(last):
                    return await self._continue(settings, cache, provider, Path(self.out))
            elif self.new_epoch:
                raise ConfigError(f"--new-epoch goes on with a session: --out {self.out or 'DIR'} holds no tape of one")
            return await self._begin(settings, cache, provider)

    async def _begin(self, settings: Settings, cache: CandleCache, provider: HistoricalDataProvider) -> BacktestResults:
        strategies = check_settings(settings)
        live, length_ms = settings.live, timeframe_ms(settings.live.timeframe)
        now_ms = await provider.server_time_ms(live.symbols, live.timeframe)
        await provider.keep_market_data()
        settings = Supply(cache).complete(settings)
        orders = None
        if self._account is not None:
            await self._account.begin(settings)
            orders = OrderNames(self._account.new_tag(), 1)
            now_ms = await provider.server_time_ms(live.symbols, live.timeframe)
        start_ms = now_ms // length_ms * length_ms
        if self.end_ms is not None and self.end_ms <= start_ms:
            raise ConfigError(f"--end {file_time(self.end_ms)} has passed by the exchange's clock")
        warmup = startup_candles(settings, strategies)
        plan = RunPlan(
            settings, strategies, self._period(start_ms), warmup, start_ms - warmup * length_ms, mode=self.mode,
            orders=orders,
        )  # fmt: skip
        name, out = f"{self.mode}_{file_time(start_ms)}", None if self.out is None else Path(self.out)
        with RunFolder.claim(name, out, _ROOTS[self.mode]) as folder:
            header = header_of(plan, folder.trades.stem)
            plan = replace(plan, epochs=[epoch_note(1, header)])
            journal = Journal(folder.folder, header)
            start = LiveStart(plan.period.start_ms, plan.warmup_start_ms)
            view = SessionView(plan, folder, RecordedRuntime.build(plan, folder))
            return await self._trade(view, provider, journal, start)

    async def _continue(
        self, settings: Settings, cache: CandleCache, provider: HistoricalDataProvider, run: Path
    ) -> BacktestResults:
        with owned(run):
            refuse_finished(run)
            tape = read_tape(run)
            epoch = tape.epochs[-1]
            if (begun := mode_of(epoch.header)) != self.mode:
                raise ConfigError(f"{run} was begun with --mode {begun}; continue it so, or begin in another --out")
            changed = changes(epoch.header, Supply(cache).complete(settings), check_settings(settings))
            if self.new_epoch:
                changed += changed_versions(epoch.header)
            elif changed:
                raise ConfigError(
                    f"{run} was begun with other code or settings; changed since: {' and '.join(changed)}. Continue "
                    "with what it was begun with, or with --new-epoch, or begin anew in another --out"
                )
            if not changed:
                try:
                    return await self._go_on(provider, run, tape)
                except ReplayError as error:
                    if not self.new_epoch:
                        raise
                    changed = [f"what the code uses ({error})"]
            return await self._begin_epoch(settings, cache, provider, run, tape, changed)

    async def _go_on(self, provider: HistoricalDataProvider, run: Path, tape: Tape) -> BacktestResults:
        """The last epoch, where it stopped; ReplayError before anything is written."""
        epoch = tape.epochs[-1]
        plan, folder = plan_of_epoch(tape, epoch, run)
        state = state_of(epoch)
        if state is not None:
            refuse_other_logs(folder, epoch, state.logs)
            if not has_traded(epoch):  # half a warm-up is none
                return await self._trade_epoch(plan, folder, epoch_start(tape), epoch.header["changed"], provider)
        await RecordedRuntime.verify(plan, folder, epoch, state)
        if self.new_epoch:
            self._say(f"{run}: nothing has changed since its epoch {epoch.number} began, so it goes on without another")
        view = SessionView(plan, folder, RecordedRuntime.continued(plan, folder, state))
        view.recall(state)
        recorded = view.recorded
        try:
            await recorded.replay(epoch)
        except BaseException:
            recorded.recorder.close()
            raise
        if recorded.undecided is not None:
            self._say(
                f"event {recorded.undecided} of the tape had not been decided on when the session broke off; it is now"
            )
        recorded.go_on()
        journal = Journal(run, epoch.header, next_seq=recorded.last_seq + 1, resume=True)
        start = LiveStart(plan.period.start_ms, None, view.last_close_ms, view.seen)
        return await self._trade(view, provider, journal, start)

    async def _begin_epoch(
        self,
        settings: Settings,
        cache: CandleCache,
        provider: HistoricalDataProvider,
        run: Path,
        tape: Tape,
        changed: Sequence[str],
    ) -> BacktestResults:
        """Other code or settings go on from the state that the last ones left."""
        start = epoch_start(tape)
        before = tape.epochs[start.number - 2]
        refuse_what_cannot_go_on(run, before.header, settings, start.state)
        live, length_ms = settings.live, timeframe_ms(settings.live.timeframe)
        await provider.server_time_ms(live.symbols, live.timeframe)
        await provider.keep_market_data()
        settings = Supply(cache).complete(settings)
        strategies = check_settings(settings)
        warmup = startup_candles(settings, strategies)
        warmup_start_ms = start.state.last_close_ms - warmup * length_ms
        period = self._period(tape.header["start_ms"])
        orders = OrderNames(before.header["tag"], start.number) if self.mode == "live" else None
        plan = RunPlan(
            settings, strategies, period, warmup, warmup_start_ms, mode=self.mode, epochs=epoch_notes(tape),
            orders=orders,
        )  # fmt: skip
        if before is not tape.epochs[-1]:
            plan = replace(plan, epochs=plan.epochs[:-1])  # the one that did not come past its warm-up
        return await self._trade_epoch(plan, RunFolder(run, tape.header["trades"]), start, changed, provider)

    async def _trade_epoch(
        self,
        plan: RunPlan,
        folder: RunFolder,
        start: EpochStart,
        changed: Sequence[str],
        provider: HistoricalDataProvider,
    ) -> BacktestResults:
        state = start.state
        try:
            header = epoch_header(plan, folder, start, changed)
            known = [one for one in plan.epochs if one["number"] < start.number]
            plan = replace(plan, epochs=[*known, epoch_note(start.number, header)])
            recorded = RecordedRuntime.continued(plan, folder, state)
        except (DataError, OSError) as error:
            raise DataError(
                f"{error}; start it once with the code and settings it was begun with, which writes its logs anew"
            ) from error
        recorded.last_seq = start.next_seq - 1
        view = SessionView(plan, folder, recorded)
        view.recall(state)
        journal = Journal(folder.folder, header, next_seq=start.next_seq, segment=start.segment)
        self._say(
            f"epoch {start.number} begins after {iso_ms(state.last_close_ms)}; changed: {' and '.join(changed)}; "
            f"{len(state.runtime.positions)} open positions go on as they are"
        )
        live_start = LiveStart(state.last_close_ms, plan.warmup_start_ms)
        return await self._trade(view, provider, journal, live_start, start)

    async def _trade(
        self,
        view: SessionView,
        provider: HistoricalDataProvider,
        journal: Journal,
        start: LiveStart,
        epoch: EpochStart | None = None,
    ) -> BacktestResults:
        settings, recorded, folder = view.plan.settings, view.recorded, view.folder
        live = settings.live
        feed = WebsocketFeed(
            provider,
            live.symbols,
            live.timeframe,
            times=FeedTimes(**live.feed.model_dump()),
            start=start,
            end_ms=self.end_ms,
            url=self.exchange_url,
            on_state=view.note_link,
            tell=self.tell,
        )
        view.on_event, view.limiter = self.on_event, lambda: provider.limiter
        desk = None if self._account is None else self._account.desk(view)
        if self.on_session is not None:
            self.on_session(view, start.warmup_start_ms is None or epoch is not None)
        session = Session(
            feed,
            recorded,
            journal,
            watchers=(view.keep_status,),
            commands=CommandWatch(folder.folder, Path(settings.trading_mode.safety.kill_switch_file), self.tell),
            slow_s=timeframe_ms(live.timeframe) / 1000.0,
            on_slow=view.note_slow,
            on_handled=view.handling.note,
            first=() if epoch is None else epoch.carried,
            sift=None if epoch is None else late_sifter(epoch.state, view.plan.period.start_ms),
            state=view.state,
            desk=desk,
            closing_s=_CLOSING_S[self.mode],
            may_stop=partial(is_covered, recorded.runtime) if settings.trading_mode.on_stop == "keep" else None,
        )
        began_s = times.monotonic_s()
        status = "failed"
        try:
            status = await session.run()
        except BaseException as error:
            view.fail(error)
            raise
        finally:
            journal.close()
            if status == "stopped" and settings.trading_mode.on_stop == "keep":
                status = "kept"
            results = view.finish(status) if status != "failed" else None
            recorded.recorder.close()
        if results is None:
            raise RuntimeError("a session that failed has no results")
        return BacktestResults(results, folder.folder, times.monotonic_s() - began_s)

    def _period(self, start_ms: int) -> Period:
        end_ms = self.end_ms if self.end_ms is not None else UNENDED_MS
        return Period(start_ms, end_ms, "on the exchange's stream")

    def _say(self, text: str) -> None:
        if self.tell is not None:
            self.tell(text)
