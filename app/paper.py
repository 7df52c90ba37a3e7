"""A paper session: the live feed, the runtime that backtests, and the tape; begun, or continued where it stopped.

The rule: what was recorded is replayed through the same runtime and its digests checked before one new event is
handled; changed code or settings do not continue a tape. Which feed is behind is chosen here and nowhere else.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.backtest import DEFAULT_CACHE, DEFAULT_CONFIG, BacktestResults
from app.candle_supply import Supply
from app.errors import ConfigError, OutputError
from app.feeds.cache import CandleCache
from app.feeds.history import HistoricalDataProvider
from app.feeds.websocket import FeedTimes, LiveStart, WebsocketFeed
from app.models import Decision, Event, Fill, Slice
from app.reporting.manifest import code_sha256, sha256_json
from app.reporting.run_folder import RunFolder
from app.run_plan import RunPlan, versions
from app.runtime import clock
from app.runtime.control import CommandWatch, session_lock
from app.runtime.journal import Journal, Tape, has_tape, read_tape
from app.runtime.live_session import Books, LiveSession
from app.runtime.period import Period
from app.runtime.session import build_runtime
from app.session_view import SessionView
from app.settings import Profile, Settings, load_settings
from app.strategies.loader import check_settings, startup_candles
from app.times import DAY_MS, TIME_MAX_MS, file_time, timeframe_ms

_ROOT = Path("logs/paper")
_UNENDED_MS = TIME_MAX_MS - DAY_MS


@dataclass
class PaperRunner:
    """A paper session of a profile. `end_ms`: it ends after the slice that closes then; None: until it is stopped."""

    config: Profile = DEFAULT_CONFIG
    end_ms: int | None = None
    interval: str | None = None
    symbols: Sequence[str] | None = None
    strategy: str | None = None
    overrides: Sequence[str] = ()
    cache: str | Path = DEFAULT_CACHE
    out: str | Path | None = None
    exchange_url: str | None = None
    tell: Callable[[str], None] | None = None
    on_event: "Callable[[SessionView, Event, Sequence[Fill], Sequence[Decision]], None] | None" = None
    on_session: "Callable[[SessionView, bool], None] | None" = None  # before the first new event; True: continued

    async def run_async(self) -> BacktestResults:
        """Until the end, or an operator's stop."""
        settings = load_settings(
            self.config, self.overrides, symbols=self.symbols, strategy=self.strategy, interval=self.interval
        )
        cache = CandleCache(Path(self.cache))
        provider = HistoricalDataProvider(cache, settings.live.exchange, url=self.exchange_url, tell=self.tell)
        async with provider:
            if self.out is not None and has_tape(Path(self.out)) and _has_traded(Path(self.out)):
                return await self._continue(settings, cache, provider, Path(self.out))
            return await self._begin(settings, cache, provider)

    async def _begin(self, settings: Settings, cache: CandleCache, provider: HistoricalDataProvider) -> BacktestResults:
        strategy = check_settings(settings)
        live, length_ms = settings.live, timeframe_ms(settings.live.timeframe)
        now_ms = await provider.server_time_ms(live.symbols, live.timeframe)
        await provider.keep_market_data()
        settings = Supply(cache).complete(settings)
        start_ms = now_ms // length_ms * length_ms
        if self.end_ms is not None and self.end_ms <= start_ms:
            raise ConfigError(f"--end {file_time(self.end_ms)} has passed by the exchange's clock")
        warmup = startup_candles(settings, strategy())
        plan = RunPlan(settings, strategy, self._period(start_ms), warmup, start_ms - warmup * length_ms, mode="paper")
        folder = RunFolder.create(f"paper_{file_time(start_ms)}", None if self.out is None else Path(self.out), _ROOT)
        with session_lock(folder.folder):
            journal = Journal(folder.folder, _header(plan))
            start = LiveStart(plan.period.start_ms, plan.warmup_start_ms)
            books = Books(build_runtime(settings, strategy, recorder := plan.recorder(folder)), recorder)
            view = SessionView(plan, folder, books)
            return await self._trade(view, provider, journal, start)

    async def _continue(
        self, settings: Settings, cache: CandleCache, provider: HistoricalDataProvider, run: Path
    ) -> BacktestResults:
        with session_lock(_existing(run)):
            tape = read_tape(run)
            plan, folder = plan_of_tape(tape, run)
            _refuse_changes(tape, plan, Supply(cache).complete(settings))
            RunFolder.create(folder.trades.stem, run)  # refused if the run has finished
            await _verify(tape, plan, folder)
            books = Books(build_runtime(plan.settings, plan.strategy, recorder := plan.recorder(folder)), recorder)
            view = SessionView(plan, folder, books)
            try:
                await books.replay(tape)
            except BaseException:
                recorder.close()
                raise
            books.runtime.ended = False  # it was stopped with `on_stop: keep`, and goes on
            journal = Journal(run, tape.header, next_seq=books.last_seq + 1, resume=True)
            start = LiveStart(plan.period.start_ms, None, view.last_close_ms, view.seen)
            return await self._trade(view, provider, journal, start)

    async def _trade(
        self, view: "SessionView", provider: HistoricalDataProvider, journal: Journal, start: LiveStart
    ) -> BacktestResults:
        settings, books, folder = view.plan.settings, view.books, view.folder
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
        )
        view.on_event = self.on_event
        if self.on_session is not None:
            self.on_session(view, start.warmup_start_ms is None)
        session = LiveSession(
            feed,
            books,
            journal,
            (view.keep_status,),
            CommandWatch(folder.folder, Path(settings.trading_mode.safety.kill_switch_file), self.tell),
            slow_s=timeframe_ms(live.timeframe) / 1000.0,
            on_slow=view.note_slow,
        )
        began_s = clock.monotonic_s()
        status = "failed"
        try:
            status = await session.run()
        except BaseException as error:
            view.fail(error)
            raise
        finally:
            journal.close()
            kept = status == "stopped" and settings.trading_mode.on_stop == "keep"
            results = view.finish(kept=kept, status=status) if status != "failed" else None
            books.recorder.close()
        if results is None:
            raise RuntimeError("a session that failed has no results")
        return BacktestResults(results, folder.folder, clock.monotonic_s() - began_s)

    def _period(self, start_ms: int) -> Period:
        end_ms = self.end_ms if self.end_ms is not None else _UNENDED_MS
        return Period(start_ms, end_ms, "on the exchange's stream")


def _header(plan: RunPlan) -> dict[str, Any]:
    settings = plan.settings.model_dump(mode="json")
    return {
        "settings": settings,
        "settings_sha256": sha256_json(settings),
        "strategy_sha256": plan.strategy.source_sha256,
        "code_sha256": code_sha256(),
        "versions": dict(versions()),
        "start_ms": plan.period.start_ms,
        "warmup": plan.warmup,
        "warmup_start_ms": plan.warmup_start_ms,
        "trades": f"paper_{file_time(plan.period.start_ms)}",
    }


def plan_of_tape(tape: Tape, run: Path) -> tuple[RunPlan, RunFolder]:
    """What a tape's header says of its session, and the files of the run folder."""
    header = tape.header
    settings = load_settings(header["settings"])
    strategy = check_settings(settings)
    period = Period(header["start_ms"], _UNENDED_MS, "on the exchange's stream")
    plan = RunPlan(settings, strategy, period, header["warmup"], header["warmup_start_ms"], mode="paper")
    return plan, RunFolder(run, header["trades"])


def _has_traded(run: Path) -> bool:
    # A session that ended in its warm-up has decided nothing: it begins anew, and its tape is written over.
    return any(isinstance(record.event, Slice) and not record.event.warmup for record in read_tape(run).records)


async def _verify(tape: Tape, plan: RunPlan, folder: RunFolder) -> None:
    # Into files of its own first: a tape that is refused must leave the session's trade log as it was.
    with tempfile.TemporaryDirectory() as aside:
        recorder = plan.recorder(RunFolder(Path(aside), folder.trades.stem))
        try:
            await Books(build_runtime(plan.settings, plan.strategy, recorder), recorder).replay(tape)
        finally:
            recorder.close()


def _refuse_changes(tape: Tape, plan: RunPlan, settings: Settings) -> None:
    header, asked = tape.header, settings.model_dump(mode="json")
    changed = []
    if sha256_json(asked) != header["settings_sha256"]:
        changed.append(f"the settings ({', '.join(_differing(header['settings'], asked))})")
    if plan.strategy.source_sha256 != header["strategy_sha256"]:
        changed.append("the strategy's code")
    if code_sha256() != header["code_sha256"]:
        changed.append("Onetape's code")
    if changed:
        raise ConfigError(
            f"{tape.folder.parent} was begun with other code or settings; changed since: {' and '.join(changed)}. "
            "Continue with what it was begun with, or begin anew in another --out"
        )


def _differing(before: Any, now: Any, path: str = "") -> list[str]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if json.dumps(before) == json.dumps(now) else [path]
    keys = sorted({*before, *now})
    return [
        found for key in keys for found in _differing(before.get(key), now.get(key), f"{path}.{key}" if path else key)
    ]


def _existing(run: Path) -> Path:
    if not run.is_dir():
        raise OutputError(f"{run} is no folder")
    return run
