"""One symbol's missing candles, asked for by REST until the exchange has said what it has, however long that takes.

A row is final if the exchange shows a later one, or the same again some time after its close. An open time has no
candle when two answers with other bounds, which hold the known candles around and a later one, have none there (four,
where no later one of that symbol is shown), and REST has shown a candle of some symbol that is as late. An answer that
leaves out what is known counts for nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from app.candles.ranges import Ranges, clip, intersect, union
from app.errors import ExchangeError, RateLimitError
from app.exchange.page import Page
from app.exchange.retries import jittered_s
from app.feeds.finality import SeriesTrack
from app.models.market import Candle

# (symbol, since_ms, end_ms, limit) -> one checked answer
AskPage = Callable[[str, int, int, int], Awaitable[Page]]
Sleep = Callable[[float], Awaitable[None]]

_AROUND = 100  # candles before what is missing: an answer that hides some shows it by these
_OTHER_BOUNDS = 50  # looks until the same bounds come again
_TAIL_LOOKS = 4  # answers that must agree where nothing after a gap, or no other symbol, shows that they are right
_BASE_S, _LONGEST_S = 0.5, 15.0
_POLL_GROWTH = 1.5


class Question(NamedTuple):
    """What is open, and what has closed for sure: by the candles of any symbol, and by the exchange's time."""

    wanted: Ranges
    closed_ms: int
    over_ms: int


class Looks:
    """Answers about one symbol, taken together; says what to ask for next."""

    def __init__(self, track: SeriesTrack, timeframe: str, page_candles: int) -> None:
        self._track, self._timeframe, self._page_candles = track, timeframe, page_candles
        self._count = 0
        self.is_cut = False  # the last answer was full, so that more may follow at once
        self._last: Candle | None = None
        self._times_same = 0  # so often in a row the newest row was this one, after its close
        self._denied: list[Ranges] = [()] * _TAIL_LOOKS  # by one answer, by two ...
        self._denied_inside: Ranges = ()  # by one that showed a later candle

    def bounds(self, question: Question) -> tuple[int, int, int]:
        """Since when, until when, and how many: the gap, known candles before it, and what may follow it."""
        step_ms, (first_ms, _) = self._track.step_ms, question.wanted[0]
        last_ms = max(question.wanted[-1][1], question.closed_ms)
        anchor_ms = self._track.newest_before_ms(first_ms)
        before_ms = first_ms if anchor_ms is None else anchor_ms
        self._count += 1
        since_ms = max(0, before_ms - (_AROUND + self._count % _OTHER_BOUNDS) * step_ms)
        end_ms = last_ms + 2 * step_ms
        return since_ms, end_ms, max(1, min(self._page_candles, (end_ms - since_ms) // step_ms))

    def read(self, page: Page, question: Question) -> list[Candle] | None:
        """The candles that are final by this answer, its absences noted; None if it cannot be believed."""
        track = self._track
        self.is_cut = page.told_until_ms < question.wanted[-1][1]
        silent = page.silent_about(track.step_ms)
        known = track.anchors(page.told_from_ms, page.told_until_ms)
        left_out = intersect(known, silent)
        track.trust(page.columns.open_time_ms.tolist())
        if left_out:
            track.doubt(left_out)
            return None
        candles = self._candles(page)
        last = candles[-1] if candles else None
        if last is not None:
            track.note_forming(last.open_time_ms)
        # What closed since it was asked proves nothing: the answer may be older than that.
        final = candles if last is not None and self._is_settled(last, question, page) else candles[:-1]
        track.note_absent(self._agreed(clip(silent, track.next_ms, question.closed_ms), last))
        self._last = last
        return final

    def forget(self) -> None:
        """The question is answered; a new one is not answered by old looks."""
        self._last, self._times_same = None, 0
        self._denied, self._denied_inside = [()] * _TAIL_LOOKS, ()

    def _candles(self, page: Page) -> list[Candle]:
        symbol, timeframe = self._track.symbol, self._timeframe
        # The last one always; of those before, what is still to come or was handed out here.
        first = min(int(page.columns.open_time_ms.searchsorted(self._track.oldest_ms())), len(page.columns[0]) - 1)
        rows = zip(*(column[max(0, first) :].tolist() for column in page.columns), strict=True)
        return [Candle(symbol, timeframe, *row) for row in rows]

    def _is_settled(self, last: Candle, question: Question, page: Page) -> bool:
        """The newest candle there is, over, and the same again; more often if REST has shown none that is later."""
        if last.open_time_ms >= max(question.closed_ms, question.over_ms):
            self._times_same = 0
            return False
        self._times_same = self._times_same + 1 if last == self._last else 1
        is_sure = last.open_time_ms < min(question.closed_ms, page.told_until_ms - self._track.step_ms)
        return self._times_same >= (2 if is_sure else _TAIL_LOOKS)

    def _agreed(self, silent: Ranges, last: Candle | None) -> Ranges:
        """What by now enough answers have no candle for. Bounds always differ: each look counts on."""
        inside = () if last is None else clip(silent, 0, last.open_time_ms)
        agreed = intersect(self._denied_inside, inside)
        self._denied_inside = union(self._denied_inside, inside)
        for times in reversed(range(1, _TAIL_LOOKS)):
            self._denied[times] = union(self._denied[times], intersect(self._denied[times - 1], silent))
        self._denied[0] = union(self._denied[0], silent)
        return union(agreed, self._denied[-1])


class Backfill:
    """Asks about one symbol for as long as something is open; `run` ends only by being cancelled."""

    def __init__(
        self,
        track: SeriesTrack,
        looks: Looks,
        ask: AskPage,
        *,
        settle_s: float,
        poll_s: float,
        sleep: Sleep,
        answered: Callable[[int], None],
    ) -> None:
        self._track, self._looks, self._ask = track, looks, ask
        self._settle_s, self._poll_s, self._sleep = settle_s, poll_s, sleep
        self._answered = answered  # told how many candles are new, after each answer that counts
        self._question: Question | None = None
        self._changed = asyncio.Event()
        self.failures = 0  # faults and answers that were not believed, in a row
        self.faults = 0

    def pose(self, question: Question, now_ms: int) -> None:
        """What is open now; `now_ms` by the exchange's candles."""
        if not question.wanted:
            if self._question is not None:
                self._settle()
            return
        if self._track.asked_ms is None or self._track.asked_ms > now_ms:  # later: time went back since
            self._track.asked_ms = now_ms
        if self._question is None or (self._question.wanted, self._question.closed_ms) != question[:2]:
            self._changed.set()
        self._question = question

    async def run(self) -> None:
        """Look, wait, look again, ever more rarely until more has closed."""
        wait_s, closed_ms = self._settle_s, 0
        while True:
            while self._question is None:
                wait_s = self._settle_s
                await self._changed.wait()
                self._changed.clear()
            question = self._question
            self._changed.clear()
            if question.closed_ms != closed_ms:  # looks before this close say nothing of it
                wait_s, closed_ms = self._settle_s, question.closed_ms
            try:
                news = await self._look(question)
            except ExchangeError as error:
                await self._sleep(self._failed(error))
                continue
            if news is None:
                await self._sleep(self._failed(None))
                continue
            self.failures = 0
            left = self._track.wanted(question.wanted[-1][1])
            if not left:
                self._settle()
            elif news:
                self._track.asked_ms, self._question = None, question._replace(wanted=left)
            self._answered(news)
            if news:
                wait_s = self._settle_s
            if not left or (news and self._looks.is_cut):
                continue
            await self._sleep(self._settle_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s - self._settle_s):
                    await self._changed.wait()
            wait_s = min(self._poll_s, wait_s * _POLL_GROWTH)

    def _settle(self) -> None:
        self._question, self._track.asked_ms = None, None
        self._looks.forget()

    async def _look(self, question: Question) -> int | None:
        """How much is new by one answer; None if it cannot be believed."""
        page = await self._ask(self._track.symbol, *self._looks.bounds(question))
        final = self._looks.read(page, question)
        if final is None:
            return None
        return sum(self._track.add_final(candle) for candle in final)

    def _failed(self, error: ExchangeError | None) -> float:
        self.failures += 1
        self.faults += 1
        least_s = error.retry_after_s or 0.0 if isinstance(error, RateLimitError) else 0.0
        return max(least_s, jittered_s(self.failures, min(_BASE_S, self._settle_s), _LONGEST_S))
