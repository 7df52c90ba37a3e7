"""One series fetched: the pages that are missing, the holes asked about a second time, the youngest candle settled.

A candle is stored when it is closed by the exchange's clock and a checked answer held it. An open time counts as absent
when a second answer, with other bounds and with the known candles around it, has none there either. Whatever ends this
early, what came before is stored.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from app.candles.cache import CandleCache
from app.candles.candle_checks import joined
from app.candles.month_file import CandleColumns
from app.candles.ranges import Ranges, clip, contains, first_from, intersect, last_before, slots, subtract, union
from app.errors import DataError, UnavailableError
from app.exchange.page import Page
from app.times import iso_ms, timeframe_ms

_WORKERS = 4  # answers of one series that may be under way at once
_FLUSH_PAGES = 10  # what a kill may cost to ask for again
_ANCHORS = 250  # known candles on either side of a hole that a second answer must hold
_EMPTY_TRIES = 2
_LOOKS_MAX = 8  # at one hole
_YOUNG_MS = 60_000  # closed more recently than this, a candle is looked at twice
_SETTLE_S = 1.0
_SETTLE_LOOKS = 3  # at most; one where nothing went amiss

Row = tuple[int, float, float, float, float, float]
# (since_ms, end_ms, limit, known) -> one checked answer
AskPage = Callable[[int | None, int | None, int, Ranges], Awaitable[Page]]


@dataclass
class SeriesReport:
    """What a fetch of one series did."""

    symbol: str
    timeframe: str
    wanted: int = 0  # candles that the cache lacked
    new: int = 0
    absent: Ranges = ()  # the exchange has nothing there, asked twice
    unsettled: Ranges = ()  # too young to be sure of
    off_grid: int = 0
    listed_ms: int | None = None  # the exchange's first candle, where the range lies before it
    months: set[str] = field(default_factory=set)


class SeriesFetch:
    """Fetches `missing` open times of a series into the cache; `now_ms` is the exchange's clock at the start."""

    def __init__(
        self,
        cache: CandleCache,
        exchange: str,
        report: SeriesReport,
        missing: Ranges,
        present: Ranges,
        *,
        page_candles: int,
        now_ms: int,
        ask: AskPage,
        sleep: Callable[[float], Awaitable[None]],
        progress: Callable[[int], None],
    ) -> None:
        self.report = report
        self._cache, self._exchange = cache, exchange
        self._symbol, self._timeframe = report.symbol, report.timeframe
        self._step_ms = timeframe_ms(report.timeframe)
        self._missing, self._todo, self._present = missing, missing, present
        self._page_candles = page_candles
        self._now_ms = now_ms
        self._closed_ms = now_ms // self._step_ms * self._step_ms
        self._ask, self._sleep, self._progress = ask, sleep, progress
        self._anchors: Ranges = ()  # candles outside of what is wanted that the exchange showed
        self._has_none = False  # not one candle of the series was to be found
        self._told: list[tuple[Page, Ranges, bool]] = []  # answers, what they have no candle for, whether a second look
        self._absent: Ranges = ()  # what a second look and another answer have no candle for
        # An exchange's clock may be ahead of its candles: what closed a moment ago is looked at twice.
        old_ms = (now_ms - _YOUNG_MS - self._step_ms) // self._step_ms * self._step_ms
        self._young = clip(missing, old_ms + self._step_ms, self._closed_ms)
        self._first_look: set[Row] = set()
        self._pending: list[CandleColumns] = []
        self._jumping = asyncio.Lock()
        self._jumped_to_ms = 0
        self._storing = asyncio.Lock()

    async def run(self) -> None:
        """To the end; a fault is raised after what came before it was stored."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(_WORKERS, -(-slots(self._todo, self._step_ms) // self._page_candles))):
                    tasks.create_task(self._work())
            await self._look_at_holes(subtract(self._missing, union(self._present, self._young)))
            await self._settle()
        finally:
            await asyncio.shield(self._store())

    # Pages: as few as hold everything that is missing, several under way at once.

    async def _work(self) -> None:
        while (bounds := self._next_page()) is not None:
            since_ms, end_ms = bounds
            page = await self._page(since_ms, end_ms, clip(self._present, since_ms, end_ms))
            if len(page.columns.open_time_ms) == 0:
                await self._jump(since_ms)

    def _next_page(self) -> tuple[int, int] | None:
        if not self._todo:
            return None
        since_ms = self._todo[0][0]
        in_page = clip(self._todo, since_ms, since_ms + self._page_candles * self._step_ms)
        self._todo = subtract(self._todo, in_page)
        return self._with_neighbours(since_ms, in_page[-1][1])

    def _with_neighbours(self, since_ms: int, end_ms: int) -> tuple[int, int]:
        """One stored candle more on either side where it costs no request: it must be the one that is stored."""
        room_ms = self._page_candles * self._step_ms - (end_ms - since_ms)
        if room_ms >= self._step_ms and contains(self._present, since_ms - self._step_ms):
            since_ms, room_ms = since_ms - self._step_ms, room_ms - self._step_ms
        if room_ms >= self._step_ms and contains(self._present, end_ms):
            end_ms += self._step_ms
        return since_ms, end_ms

    async def _jump(self, empty_from_ms: int) -> None:
        """After an empty page: where does the exchange go on? What lies between is asked about later, as a hole."""
        async with self._jumping:
            if not self._todo or empty_from_ms < self._jumped_to_ms:
                return  # nothing further, or another worker has been here
            end_ms = self._todo[-1][1]
            page = await self._page(empty_from_ms, end_ms, ())
            times = page.columns.open_time_ms
            self._jumped_to_ms = resume_ms = int(times[0]) if len(times) else end_ms
            self._todo = subtract(self._todo, union([(empty_from_ms, resume_ms)], page.present(self._step_ms)))

    async def _page(self, since_ms: int, end_ms: int, known: Ranges, *, is_look: bool = False) -> Page:
        page = await self._ask(since_ms, end_ms, self._page_candles, known)
        self._note_absent(page, is_look)
        await self._take(page)
        return page

    def _note_absent(self, page: Page, is_look: bool) -> None:
        # An answer without one candle tells nothing, unless there is none: it may be a fault, and nothing in it shows.
        silent = page.silent_about(self._step_ms)
        if not silent or (len(page.columns.open_time_ms) == 0 and not self._has_none):
            return
        bounds = (page.told_from_ms, page.told_until_ms)
        for earlier, silent_then, was_look in self._told:
            if (is_look or was_look) and (earlier.told_from_ms, earlier.told_until_ms) != bounds:
                self._absent = union(self._absent, intersect(clip(silent_then, *bounds), silent))
        self._told.append((page, silent, is_look))

    async def _take(self, page: Page, settled: Ranges = ()) -> None:
        """What of an answer is wanted, and what is there already, to be compared; stored some pages at a time."""
        self.report.off_grid += page.off_grid
        shown = page.present(self._step_ms)
        missing, present, young = (clip(one, *_span(shown)) for one in (self._missing, self._present, self._young))
        self._first_look.update(_rows(page.columns, young))
        wanted = intersect(shown, subtract(union(missing, present), subtract(young, settled)))
        self._pending += [page.columns.take(where) for where in _positions(page.columns, wanted)]
        new = subtract(wanted, present)
        self._present = union(self._present, new)
        self._progress(slots(new, self._step_ms))
        if sum(len(part.open_time_ms) for part in self._pending) >= _FLUSH_PAGES * self._page_candles:
            await self._store()

    async def _store(self) -> None:
        async with self._storing:
            parts, self._pending = self._pending, []
            if not parts:
                return
            try:
                columns = joined(parts)
            except DataError as error:
                said = f"{self._symbol} {self._timeframe}: {error} in two answers of {self._exchange}"
                raise DataError(f"{said}; what they hold was not stored, the same command asks again") from error
            try:
                merged = await asyncio.to_thread(self._cache.merge, self._symbol, self._timeframe, columns)
            except DataError as error:
                raise DataError(
                    f"{error}; the stored ones are of another source or {self._exchange} has revised them: "
                    "fetch into another --cache"
                ) from error
            self.report.new += merged.new
            self.report.months.update(merged.months_written)

    # Holes: believed when a second look, with other bounds and the candles around them in it, has nothing there either.

    async def _look_at_holes(self, holes: Ranges) -> None:
        left, looks = holes, 0
        while left:
            since_ms, end_ms = await self._bounds_around(*left[0], looks)
            await self._page(since_ms, end_ms, union(self._present, self._anchors), is_look=True)
            before = left
            left = subtract(left, union(self._present, self._absent))
            looks = looks + 1 if left and left[0] == before[0] else 0
            if looks > _LOOKS_MAX:
                raise UnavailableError(f"{self._symbol}: no two answers agree on the hole at {iso_ms(left[0][0])}")
        self.report.absent = intersect(holes, self._absent)
        self._progress(slots(self.report.absent, self._step_ms))
        await asyncio.to_thread(
            self._cache.add_absent, self._symbol, self._timeframe, self._exchange, self.report.absent
        )

    async def _bounds_around(self, start_ms: int, end_ms: int, looks: int) -> tuple[int, int]:
        if looks == 0:
            await self._find_anchors(start_ms, end_ms)
        known = union(self._present, self._anchors)
        before, after = last_before(known, start_ms), first_from(known, start_ms)
        # Each look at the same hole has other bounds, so that it is another answer and not the same one again.
        margin_ms = (min(_ANCHORS, self._page_candles // 4) + looks) * self._step_ms
        since_ms = (start_ms if before is None else before) - margin_ms
        until_ms = (end_ms if after is None else max(after, end_ms)) + margin_ms
        return max(0, since_ms), min(until_ms, self._closed_ms)

    async def _find_anchors(self, start_ms: int, end_ms: int) -> None:
        """Where nothing is known around a hole: the newest candle before its end, the oldest from its start."""
        known = union(self._present, self._anchors)
        found: list[int | None] = []
        if last_before(known, start_ms) is None:
            found.append(await self._one_candle(None, end_ms))
        if first_from(known, start_ms) is None:
            first = await self._one_candle(start_ms, self._closed_ms)
            found.append(first)
            if first is not None and first >= end_ms and not self._present:
                self.report.listed_ms = first
        self._anchors = union(self._anchors, [(one, one + self._step_ms) for one in found if one is not None])
        self._has_none = not self._present and not self._anchors

    async def _one_candle(self, since_ms: int | None, end_ms: int) -> int | None:
        # Each time another limit: an empty answer to one question is not believed for another.
        for limit in range(1, _EMPTY_TRIES + 1):
            page = await self._ask(since_ms, end_ms, limit, ())
            times = page.columns.open_time_ms
            if len(times):
                return int(times[-1] if since_ms is None else times[0])
        return None

    async def _settle(self) -> None:
        """Another look at what closed a moment ago: final if it is the same, or if a later candle is there.

        An answer may lack a candle that was seen, so there is more than one look at such; not at what nobody saw.
        """
        for _ in range(_SETTLE_LOOKS if self._young else 0):
            await self._sleep(_SETTLE_S)
            seen = set(self._first_look)
            page = await self._ask(self._young[0][0], self._closed_ms + self._step_ms, self._page_candles, ())
            has_successor = contains(page.present(self._step_ms), self._closed_ms)
            same = [(row[0], row[0] + self._step_ms) for row in _rows(page.columns, self._young) if row in seen]
            await self._take(page, settled=self._young if has_successor else union(same))
            self.report.unsettled = subtract(self._young, self._present)
            if not any(contains(self.report.unsettled, row[0]) for row in self._first_look):
                return


def _rows(columns: CandleColumns, where: Ranges) -> list[Row]:
    """The candles whose open times lie in `where`, as tuples of numbers."""
    rows: list[Row] = []
    for part in _positions(columns, where):
        rows += zip(*(column.tolist() for column in columns.take(part)), strict=True)
    return rows


def _positions(columns: CandleColumns, where: Ranges) -> list[slice]:
    bounds = [columns.open_time_ms.searchsorted(one).tolist() for one in where]
    return [slice(begin, end) for begin, end in bounds if begin < end]


def _span(ranges: Ranges) -> tuple[int, int]:
    return (ranges[0][0], ranges[-1][1]) if ranges else (0, 0)
