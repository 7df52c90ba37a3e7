"""One session as its page shows it, from the files that it writes: status, tape, trade log, signals, equity.

It only reads, each file from where the last look ended, and keeps no more than is shown, however long the session
lasts. No code of a strategy runs here; `why` is a process of its own, with a time limit.
"""

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from app import times
from app.errors import ConfigError, OnetapeError
from app.feeds.tape import candles_of, newest_header
from app.feeds.tape_tail import TapeTail
from app.models.events import (
    AccountSnapshot,
    Close,
    EndOfData,
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
from app.models.market import Candle
from app.runs.expectation_file import EXPECTATION, shown_expectation
from app.runs.run_folder import ALERTS, RESULTS, SIGNALS, is_owned
from app.session.control import STATUS, read_status, whose
from app.times import DAY_MS, iso_ms, parse_time_ms
from app.web.refusals import FollowedRefusals
from app.web.tails import EquityTail, RowTail, TradeRows

CANDLES, LOG = 1_500, 400
_WHY_S = 120.0
_OLD_S = 10.0  # a status older than that is of a session that hangs, or is suspended


class FollowedSession:
    """Everything is read by `refresh()`; the other methods give what was read. Not to be called by two threads."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.header: dict[str, Any] = {}
        self.status: dict[str, Any] = {}
        self.age_s: float | None = None
        self.is_running = False
        self._tape = TapeTail(folder)
        self._signals = RowTail(folder / SIGNALS)
        self._fills: RowTail | None = None
        self._trades = TradeRows()
        self._equity = EquityTail(folder)
        self._candles: dict[str, deque[Candle]] = {}
        self._log: deque[dict[str, str]] = deque(maxlen=LOG)
        self._refused: deque[dict[str, str]] = deque(maxlen=100)
        self._refusals = FollowedRefusals(folder)
        self._expected: dict[str, Any] | None = None
        self._expected_of: tuple[int, int] | None = None  # the file's time, and the day that was looked at

    def refresh(self) -> None:
        """Reads what is new, at most about a megabyte of tape a call."""
        try:
            self.status = read_status(self.folder)
            self.age_s = max(0.0, times.now_ms() / 1000.0 - (self.folder / STATUS).stat().st_mtime)
        except (OnetapeError, OSError):
            self.age_s = None
        self.is_running = is_owned(self.folder)
        if not self.header or self.status.get("epoch", 1) != self.header.get("epoch", 1):
            self.header = newest_header(self.folder)
        for _, event in self._tape.read():
            self._note(event)
        self._equity.read()
        self._read_logs()

    def content(self) -> dict[str, Any]:
        """All that the page shows at first sight, and keeps up to date."""
        status, settings = self.status, self.header.get("settings", {})
        mode = settings.get("trading_mode", {})
        return {
            "name": self.name,
            "folder": str(self.folder),
            "mode": self.header.get("mode", status.get("mode", "paper")),
            "exchange": status.get("exchange", ""),
            "running": self.is_running,
            "age_s": None if self.age_s is None else round(self.age_s, 1),
            "state": list(self._state()),
            "status": status,
            "candle_age_s": self._candle_age_s(),
            "day": self._day(),
            "drawdown": 1.0 - status["equity"] / status["peak"] if status.get("peak") else None,
            "limits": {name: mode.get("safety", {}).get(name) for name in ("max_drawdown", "max_daily_loss")},
            "last_equity": None if self._equity.last is None else list(self._equity.last),
            "closed": sum(1 for trade in self._trades.newest() if trade["exit_time"]),
            "refused": list(self._refused)[-20:],
            "limits_cost": self._refusals.totals(),
            "alerts": self._alerts(),
            "damaged": self._tape.damaged,
        }

    def settings(self) -> dict[str, Any]:
        """Those of the newest epoch, with versions and hashes. Keys are in no setting, so there is none in here."""
        return {key: value for key, value in self.header.items() if key not in ("segment", "tag")}

    def equity(self) -> list[list[float]]:
        """The whole time, thinned out: close time in ms, equity."""
        return [list(point) for point in self._equity.points] + ([list(self._equity.last)] if self._equity.last else [])

    def expectation(self) -> dict[str, Any] | None:
        """The band of its backtest with its own growth up to the newest UTC midnight; None where none was named."""
        try:
            seen = (self.folder / EXPECTATION).stat().st_mtime_ns, (self.status.get("last_slice_ms") or 0) // DAY_MS
        except OSError:
            return None
        if seen != self._expected_of:
            self._expected_of, self._expected = seen, None
            with suppress(OnetapeError):  # the watch says what is wrong with it
                self._expected = shown_expectation(self.folder)
        return self._expected

    def candles(self, symbol: str, before_ms: int | None, count: int) -> dict[str, Any]:
        """The last `count` candles of a symbol that opened before a time, with the trades and positions on it."""
        held = [one for one in self._candles.get(symbol, ()) if before_ms is None or one.open_time_ms < before_ms]
        held = held[-count:] if count > 0 else []
        rows = [[one.open_time_ms, one.open, one.high, one.low, one.close, one.volume] for one in held]
        first_ms = held[0].open_time_ms if held else 0
        trades = [
            trade for trade in self._trades.newest()
            if trade["symbol"] == symbol and (not trade["exit_time"] or parse_time_ms(trade["exit_time"]) >= first_ms)
        ]  # fmt: skip
        return {"symbol": symbol, "candles": rows, "trades": trades}

    def trades(self, before: int | None, count: int) -> dict[str, Any]:
        """Closed trades, the newest entry first, those with a smaller number than `before`."""
        closed = [one for one in self._trades.newest() if one["exit_time"]]
        found = [one for one in closed if before is None or one["trade_id"] < before]
        return {"trades": found[:count], "more": len(found) > count}

    def log(self, count: int) -> list[dict[str, str]]:
        """What happened, the newest last: time (UTC), kind, text."""
        return sorted(self._log, key=lambda one: one["time"])[-count:] if count > 0 else []

    def why_words(self, trade_id: int) -> list[str] | None:
        """The command line that says why a trade was entered; None of one that is not among those that are shown."""
        trade = next((one for one in self._trades.newest() if one["trade_id"] == trade_id), None)
        if trade is None:
            return None
        _, rows = RowTail(self.folder / SIGNALS, tail_bytes=8_000_000).read()
        decided = (row["timestamp"] for row in rows if row["order_id"] == trade["order_id"])
        time = next(decided, trade["entry_time"])
        return ["why", str(self.folder), trade["symbol"], time, "--strategy", trade["strategy"]]

    # What was read.

    def _read_logs(self) -> None:
        if self._fills is None and self.header:
            self._fills = RowTail(self.folder / f"{self.header['trades']}.csv")
        if self._fills is not None:
            is_anew, rows = self._fills.read()
            if is_anew:
                self._trades = TradeRows()
                self._log = deque((one for one in self._log if one["kind"] != "fill"), maxlen=LOG)
            for row in rows:
                self._trades.add(row)
                words = f"{row['symbol']} {row['side']} {row['action']} {row['quantity']} at {row['price']}"
                self._log.append({"time": row["timestamp"], "kind": "fill", "text": f"{words}: {row['reason']}"})
        if self.status.get("last_slice_ms"):
            self._trades.note_stops(self.status.get("positions", ()), self.status["last_slice_ms"])
        is_anew, rows = self._signals.read()
        if is_anew:
            self._refused.clear()
        self._refused.extend(row for row in rows if not row.get("order_id"))
        self._refusals.on_signals(rows)
        if self.header:
            with suppress(ConfigError):  # settings of another version
                self._refusals.read(self.header["settings"], self._candles)

    def _note(self, event: Event) -> None:
        for candle in candles_of(event):
            if self._keep(self._candles.setdefault(candle.symbol, deque()), candle):
                self._refusals.on_candle(candle)
        told = _told(event)
        if told is not None:
            time_ms = getattr(event, "time_ms", None) or self._last_ms()
            self._log.append({"time": iso_ms(time_ms) if time_ms else "", "kind": told[0], "text": told[1]})

    @staticmethod
    def _keep(held: deque[Candle], candle: Candle) -> bool:
        """In the order of time, each once: a late one comes behind newer ones, a new epoch has its warm-up again.
        Whether it is the newest.
        """
        newest = held[-1].open_time_ms if held else -1
        place = len(held)
        while place and held[place - 1].open_time_ms > candle.open_time_ms:
            place -= 1
        if not place or held[place - 1].open_time_ms < candle.open_time_ms:
            held.insert(place, candle)
        if len(held) > CANDLES:
            held.popleft()
        return candle.open_time_ms > newest

    def _alerts(self) -> dict[str, int] | None:
        """What became of those that a watch decided on, by address; None where none watches."""
        try:
            file = json.loads((self.folder / ALERTS).read_bytes())
            return {"sent": file["sent"], "failed": file["failed"], "waiting": len(file["waiting"])}
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _last_ms(self) -> int:
        return max((held[-1].open_time_ms for held in self._candles.values() if held), default=0)

    def _candle_age_s(self) -> float | None:
        """By the exchange's own clock, as far as the session knows it."""
        link, last_ms = self.status.get("link"), self.status.get("last_slice_ms")
        if not link or last_ms is None or self.age_s is None:
            return None
        ahead_ms = max(0, (link["last_frame_ms"] or last_ms) - last_ms)
        return float(round(ahead_ms / 1000.0 + self.age_s, 1))

    def _day(self) -> dict[str, Any] | None:
        last, began = self._equity.last, self._equity.day_began
        if last is None or began is None:
            return None
        equity = self.status.get("equity", last[1])
        return {"began": began, "pnl": equity - began, "pct": 100.0 * (equity / began - 1.0) if began else None}

    def _state(self) -> Iterator[tuple[str, str]]:  # noqa: PLR0912 - one line a matter, the worst first
        """What an operator must know: tone (`alarm`, `notice`, `good`) and words."""
        status, real = self.status, self.status.get("real_orders") or {}
        ended = status.get("ended")
        if self.is_running and (self.age_s is None or self.age_s > _OLD_S):
            yield "alarm", f"no sign of life for {self.age_s or 0.0:.0f} s: it hangs, is suspended, or the disk is full"
        if ended is not None:
            yield ("alarm" if ended == "failed" else "notice"), f"ended: {ended}{_because(status)}"
        elif not self.is_running:
            yield ("notice", "finished") if (self.folder / RESULTS).exists() else ("alarm", "not running: it broke off")
        for order in real.get("open", ()):
            if order["unknown"]:
                yield "alarm", f"UNKNOWN order {order['client_id']} on {order['symbol']}"
        for line, stop in real.get("stops", {}).items():
            if stop["place"] != "on the exchange":
                yield "alarm", f"{line}: its stop is not on the exchange ({stop['place']}, {stop['bare_s']:g} s)"
        for text in real.get("differences", ()):
            yield "alarm", f"DIFFERS: {text}"
        if status.get("halted"):
            yield "alarm", f"HALTED: {status['halts'][-1]['why'] if status['halts'] else ''}"
        if (expected := self.expectation()) is not None and expected["outside"]:
            yield "alarm", str(expected["why"])
        if status.get("closing"):
            yield "alarm", "CLOSING: not everything is closed yet"
        link = status.get("link")
        if self.is_running and link and not link["connected"]:
            yield "alarm", "feed DOWN: it is dialled again"
        if self.is_running and link and link["late"]:
            yield "notice", f"late: {', '.join(link['late'])}"


def indicator_words(session: FollowedSession, symbol: str, count: int) -> list[str] | None:
    """The command line that says a symbol's indicators; None for a symbol that is not the session's."""
    if symbol not in session.status.get("symbols", ()):
        return None
    return ["indicators", str(session.folder), symbol, "--candles", str(max(count, 1)), "--json"]


def why_lines(words: list[str]) -> list[str]:
    """What a command line says, by a process of its own; it may take a while."""
    try:
        done = subprocess.run(  # noqa: S603 - this Python, this project
            [sys.executable, "-m", "app", *words],
            capture_output=True, text=True, timeout=_WHY_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [f"no answer within {_WHY_S:.0f} s; on the command line: python -m app {' '.join(words)}"]
    return (done.stdout or done.stderr).splitlines()


def _told(event: Event) -> tuple[str, str] | None:
    """Kind and words of an event that is worth a line; a slice in time is not."""
    match event:
        case MarkedSlice(late=True):
            return "late", f"the slice that closed {iso_ms(event.close_time_ms)} was late: no entry on it"
        case LateCandle(candle=candle):
            return "late", f"{candle.symbol}: the candle of {iso_ms(candle.open_time_ms)} came late"
        case RevisedCandle(candle=candle):
            return "revised", f"{candle.symbol}: the exchange answers other values for {iso_ms(candle.open_time_ms)}"
        case Close():
            return "close", f"{whose(event.symbol, event.strategy)}: {event.why}"
        case Kill(why=why) | Halt(why=why) | Resume(why=why) | Stop(why=why) | GiveUp(why=why) | Reallocate(why=why):
            return type(event).__name__.lower(), why
        case Execution():
            filled = f" {event.quantity:g} at {event.price:g}" if event.fill_id else ""
            return "order", f"{event.order_id}{event.leg} {event.state}{filled} {event.why}".strip()
        case AccountSnapshot():
            return "account", f"{len(event.open_orders)} open orders, {len(event.trades)} trades seen"
        case EndOfData():
            return "end", "the feed has ended"
    return None


def _because(status: dict[str, Any]) -> str:
    return f": {status['why']}" if status.get("why") else ""
