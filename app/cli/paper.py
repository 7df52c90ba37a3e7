"""`python -m app --mode paper|live`: arguments to a runner, what happens to the console, the report at the end.

On a terminal a live view, in a pipe a plain line for each thing that happened; whoever reads slowly, or not
at all, holds no session up; the report is that of a backtest. It decides nothing.
"""

import argparse
import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.cli.arguments import note, print_results, profile_of
from app.errors import BlockedError, ConfigError, RateLimitError, UnavailableError
from app.exchange.retries import refusal_wait_s
from app.feeds.tape import has_tape
from app.log import make_log
from app.models.events import (
    Close,
    Event,
    Execution,
    GiveUp,
    Halt,
    Kill,
    LateCandle,
    MarkedSlice,
    Reallocate,
    Resume,
    RevisedCandle,
    Stop,
)
from app.models.orders import Decision, Fill, Line, OrderState
from app.report.formats import clock_text
from app.report.live_screen import fill_words
from app.report.output_thread import OutputThread
from app.report.progress import wanted
from app.report.session_log import SessionLog
from app.session.backtest import BacktestResults
from app.session.control import whose
from app.session.paper import PaperRunner
from app.session.view import SessionView
from app.settings.profile import load_settings
from app.settings.shipped import DEFAULT_CACHE
from app.times import iso_ms, parse_time_ms

if TYPE_CHECKING:
    from app.report.live_view import LiveView
    from app.web.beside import Beside

_INTERRUPTED, _GAVE_UP = 130, 1
# Of an order: what a person wants to hear at once. All of it is in the log and on the tape.
_TOLD = (OrderState.UNKNOWN, OrderState.CANCEL_UNKNOWN, OrderState.REFUSED)
_OWN_HOSTS, _PLAY_MONEY = ("127.0.0.1", "localhost", "::1"), ("binance_demo",)
_WAIT_FIRST_S, _WAIT_LONGEST_S = 5.0, 60.0


def run_paper(args: argparse.Namespace) -> int:
    """Trade, on paper or with real orders, and report; the exit status."""
    if args.start is not None:
        raise ConfigError(f"--mode {args.mode} starts now; --start belongs to a backtest")
    if args.offline:
        raise ConfigError(f"--mode {args.mode} needs the exchange; --offline belongs to a backtest")
    if args.mode == "live":
        _refuse_unknowing(args)
    runner = PaperRunner(
        mode=args.mode,
        **profile_of(args),
        end_ms=None if args.end is None else parse_time_ms(args.end),
        cache=args.cache or DEFAULT_CACHE,
        out=args.out,
        exchange_url=args.exchange_url,
        new_epoch=args.new_epoch,
    )
    output = OutputThread()
    shown = SessionOutput(output, lines=not args.json)
    shown.beside = _beside(args, shown.note)
    if args.log_json or args.log_file is not None:
        shown.log = SessionLog(make_log(as_json=args.log_json, file=args.log_file, on_terminal=False), output)
    runner.on_session, runner.tell = shown.begin, shown.note
    if wanted() and not args.json and not args.log_json:
        from app.report.live_view import LiveView

        shown.screen = LiveView()
    try:
        results = asyncio.run(_run_shown(runner, shown))
        shown.end(results["status"])
    except KeyboardInterrupt:
        note("stopped before the session ran; nothing was traded since it last did")
        return _INTERRUPTED
    finally:
        shown.beside.close()
        output.close()
    if output.lost:
        note(f"{output.lost} lines were lost ({output.fault or 'too many waited'})")
    print_results(args, results, runner.cache)
    if results["status"] == "gave_up":
        note("the session ended before all was closed: the same command goes on closing")
        return _GAVE_UP
    return 0


def _beside(args: argparse.Namespace, tell: Callable[[str], None]) -> "Beside":
    """What runs beside the session; ConfigError where its files or addresses are wrong, before anything begins."""
    from app.settings.alerts import read_alerts, read_urls
    from app.web.beside import Beside

    programs = []
    if args.serve is not None:
        programs.append(["serve", "--port", str(args.serve), *(["--allow-control"] if args.allow_control else [])])
    if args.alerts is not None:
        read_urls(read_alerts(args.alerts), os.environ)
        programs.append(["watch", "--alerts", str(args.alerts)])
    return Beside(tell, programs)


def _refuse_unknowing(args: argparse.Namespace) -> None:
    """ConfigError where orders would go to a real account and nobody has said that this is meant."""
    host = urlsplit(args.exchange_url or "").hostname
    if args.i_know_this_is_real_money or host in _OWN_HOSTS:
        return
    live = load_settings(**profile_of(args)).live
    if live.exchange not in _PLAY_MONEY:
        raise ConfigError(
            f"--mode live sends real orders for {', '.join(live.symbols)} to {live.exchange}, with real money: add "
            "--i-know-this-is-real-money, or try exchange: binance_demo first"
        )


async def _run_shown(runner: PaperRunner, shown: "SessionOutput") -> BacktestResults:
    async with contextlib.nullcontext() if shown.screen is None else shown.screen.shown():
        return await run_on(runner, shown.note)


async def run_on(
    runner: PaperRunner, show: Callable[[str], None], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> BacktestResults:
    """Until the session ends. One that has begun waits for an exchange that does not answer, however long."""
    tries = 0
    while True:
        try:
            return await runner.run_async()
        except (UnavailableError, RateLimitError, BlockedError) as error:
            if runner.out is None or not has_tape(Path(runner.out)):
                raise
            tries += 1
            wait_s = min(_WAIT_FIRST_S * 2.0 ** min(tries - 1, 32), _WAIT_LONGEST_S)
            if isinstance(error, RateLimitError):
                wait_s = max(wait_s, refusal_wait_s(error, tries))
            show(f"{error}; the session goes on when the exchange answers, next try in {wait_s:.0f} s")
        await sleep(wait_s)


class SessionOutput:
    """Where a session's events are shown: a screen, or lines on standard output, and a log where one is wanted."""

    def __init__(self, output: OutputThread, *, lines: bool) -> None:
        self.screen: LiveView | None = None
        self.log: SessionLog | None = None
        self.beside: Beside | None = None
        self._output, self._lines = output, lines
        self._view: SessionView | None = None

    def begin(self, view: SessionView, continued: bool) -> None:
        """Follow this session from its first new event on."""
        self._view = view
        if self.beside is not None:
            self.beside.start(view.folder.folder)
        view.on_event, view.on_slow, view.on_failed = self.happened, self.slow, self.failed
        if self.screen is not None:
            self.screen.begin(view)
        if self.log is not None:
            view.on_link = self.log.linked
            self.log.began(view, continued)
        if continued:
            self._line(f"continued after {view.recorded.last_seq:,} events of the tape")

    def happened(self, view: SessionView, event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> None:
        """After each event."""
        shown = () if self.screen is not None else fills  # a screen has a list of its own for these
        for line in event_lines(event, shown, decisions):
            self._line(line)
        if self.log is not None:
            self.log.happened(view, event, fills, decisions)

    def slow(self, event: Event, took_s: float) -> None:
        """An event took longer than a candle lasts."""
        self._line(f"slow: handling a {type(event).__name__} took {took_s:,.1f} s, longer than a candle lasts")
        if self.log is not None:
            self.log.slow(event, took_s)

    def note(self, text: str) -> None:
        """A note of the feed or of the commands: standard error, where there is no screen."""
        if self.log is not None:
            self.log.note(text)
        if self.screen is not None:
            self.screen.note(text)
        else:
            self._output.do(partial(note, text))

    def failed(self, view: SessionView, why: str) -> None:
        """The session broke off: what it holds stays, and the next start goes on with it."""
        account = view.recorded.runtime.account
        held = f"{len(account.positions)} open positions and {len(account.pending)} entry orders"
        self._line(f"failed: {why}; nothing more is traded, {held} stay as they are for the next start")
        if self.log is not None:
            self.log.failed(view, why)

    def end(self, status: str) -> None:
        """The session is over."""
        if self.log is not None:
            self.log.ended(status)

    def _line(self, line: str) -> None:
        time_ms = 0 if self._view is None else self._view.recorded.runtime.account.time_ms
        if self.screen is not None:
            self.screen.note(f"{clock_text(time_ms)} {line}" if time_ms else line)
        elif self._lines:
            self._output.do(partial(print, f"{iso_ms(time_ms)} {line}" if time_ms else line, flush=True))


def event_lines(event: Event, fills: Sequence[Fill], decisions: Sequence[Decision]) -> list[str]:
    """What an event brought, in words; nothing for a slice on which nothing was done."""
    lines = []
    if isinstance(event, MarkedSlice) and event.late:
        lines.append("late slice: no entry is accepted on it")
    if isinstance(event, LateCandle):
        lines.append(f"{event.candle.symbol} late candle of {iso_ms(event.candle.open_time_ms)}")
    if isinstance(event, RevisedCandle):
        lines.append(f"{event.candle.symbol} revised by the exchange: candle of {iso_ms(event.candle.open_time_ms)}")
    if isinstance(event, (Kill, Halt, Resume, Stop, GiveUp)):
        lines.append(f"{type(event).__name__.lower()}: {event.why}")
    if isinstance(event, Close):
        lines.append(f"close {whose(event.symbol, event.strategy)}: {event.why}")
    if isinstance(event, Execution) and event.state in _TOLD:
        code = f" ({event.code})" if event.code < 0 else ""
        lines.append(f"order {event.order_id}{event.leg} {event.state}{code}: {event.why}")
    if isinstance(event, Reallocate):
        shares = ", ".join(f"{strategy} {weight:.2%}" for strategy, weight in event.weights.items())
        lines.append(f"allocation: {shares} ({event.why})")
    lines += [fill_words(fill) for fill in fills]
    lines += [f"{Line(one.strategy, one.symbol)} {one.action} -> {one.outcome}" for one in decisions]
    return lines


def run_tape(args: argparse.Namespace) -> int:
    """Replay the tape of a run, with other settings where some are given, and report; the exit status."""
    from app.session.tape_replay import TapeRunner
    from app.session.what_if import WhatIfRunner

    for option in ("config", "start", "end", "interval", "symbols", "strategy", "exchange_url"):
        if getattr(args, option) is not None:
            others = "; --set changes its settings" if option in ("config", "strategy") else ""
            raise ConfigError(f"--{option.replace('_', '-')} does not go with --tape: the tape has its own{others}")
    tape, overrides = Path(args.tape), tuple(args.overrides)
    runner: TapeRunner | WhatIfRunner = TapeRunner(tape, args.out, tell=note)
    if overrides:
        runner = WhatIfRunner(tape, overrides, args.out, tell=note)
    results = asyncio.run(runner.run_async())
    print_results(args, results, args.cache or DEFAULT_CACHE)
    return 0
