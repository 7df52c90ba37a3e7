"""Any order of overlapping fetches, imports, wrong answers and interruptions ends in the files of one import."""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.candles.cache import CandleCache
from app.errors import RateLimitError, RefusedError, UnavailableError
from app.exchange.history import HistoricalDataProvider
from app.exchange.retries import RetryPolicy
from tests.candle_columns import MINUTE_MS, START_MS, make_candles
from tests.scripted_exchange import Asked, Row, ScriptedExchange, slot
from tests.virtual_loop import run_virtual

SYMBOL, TIMEFRAME = "BTC/USDT", "1m"
SLOTS = 120  # an hour before and after a month's end
NOW_MS = START_MS + 10 * SLOTS * MINUTE_MS
PATIENT = RetryPolicy(tries=6, base_s=0.0)
FAULTS = (
    "empty",
    "off_by_one",
    "duplicate",
    "disorder",
    "missing",
    "tail",
    "broken",
    "unavailable",
    "limited",
    "forming",
)
spans = st.tuples(st.integers(0, SLOTS - 1), st.integers(1, SLOTS)).map(lambda one: (one[0], min(SLOTS, sum(one))))


def market(holes: list[tuple[int, int]], ends: tuple[int, int]) -> set[int]:
    """Slots with a candle: a series that may begin late and end early, with holes in it."""
    return set(range(*ends)) - {slot for start, end in holes for slot in range(start, end)}


ends = st.tuples(st.sampled_from([-30, 0, 17]), st.sampled_from([SLOTS - 40, SLOTS, SLOTS + 30]))
holes = st.lists(st.tuples(st.integers(0, SLOTS), st.integers(1, 40)).map(lambda one: (one[0], sum(one))), max_size=4)
markets = st.one_of(st.builds(market, holes, ends), st.sets(st.integers(-30, SLOTS + 30))).filter(
    lambda there: any(0 <= one < SLOTS for one in there)
)


@dataclass
class Weather:
    """Seeded distortions: at most three in a row for one request, and no candle is hidden twice."""

    seed: int
    share: float
    faults: list[str]
    hidden: set[int] = field(default_factory=set)

    def __call__(self, asked: Asked, rows: list[Row]) -> object:
        random = Random(f"{self.seed} {asked.since_ms} {asked.end_ms} {asked.limit} {asked.times}")
        if asked.times % 4 == 3 or random.random() > self.share:
            return rows
        return getattr(self, random.choice(self.faults))(asked, rows, random)

    def empty(self, asked: Asked, rows: list[Row], random: Random) -> object:
        # Where an exchange denies every single candle, nothing can be seen through: so not when it is asked for one.
        return [] if asked.limit > 5 else rows

    def off_by_one(self, asked: Asked, rows: list[Row], random: Random) -> object:
        if not rows:
            return rows
        before = [rows[0][0] - MINUTE_MS, *rows[0][1:]]
        after = [rows[-1][0] + MINUTE_MS, *rows[-1][1:]]
        outside = [before] if asked.since_ms == rows[0][0] else []
        outside += [after] if asked.end_ms == after[0] else []
        return [*outside, *rows]

    def duplicate(self, asked: Asked, rows: list[Row], random: Random) -> object:
        return [row for row in rows for _ in range(random.choice((1, 1, 2)))][: asked.limit]

    def disorder(self, asked: Asked, rows: list[Row], random: Random) -> object:
        return random.sample(rows, len(rows))

    def missing(self, asked: Asked, rows: list[Row], random: Random) -> object:
        gone = {row[0] for row in rows if random.random() < 0.3} - self.hidden
        self.hidden |= gone
        return [row for row in rows if row[0] not in gone]

    def head(self, asked: Asked, rows: list[Row], random: Random) -> object:
        return rows[random.randint(0, len(rows)) :] if asked.limit > 5 else rows

    def tail(self, asked: Asked, rows: list[Row], random: Random) -> object:
        return rows[: random.randint(0, len(rows))] if asked.limit > 5 else rows

    def broken(self, asked: Asked, rows: list[Row], random: Random) -> object:
        return random.choice([None, [[None] * 6], "<html>", [[1, 2]], [*rows, [START_MS + 1, *"111"]]])

    def unavailable(self, asked: Asked, rows: list[Row], random: Random) -> object:
        raise UnavailableError("scripted")

    def limited(self, asked: Asked, rows: list[Row], random: Random) -> object:
        raise RateLimitError("scripted", 0.0)

    def forming(self, asked: Asked, rows: list[Row], random: Random) -> object:
        return [*rows, [NOW_MS, "1", "2", "1", "1", "3"]]


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


async def fetch(cache: CandleCache, exchange: ScriptedExchange, span: tuple[int, int], steps: int | None) -> None:
    """One fetch; after `steps` turns of the event loop it is cancelled."""
    provider = HistoricalDataProvider(
        cache, "scripted", rate=None, policy=PATIENT, connect=lambda *_: exchange, sleep=no_wait
    )
    async with provider:
        task = asyncio.create_task(
            provider.fetch([SYMBOL], TIMEFRAME, slot(span[0], START_MS), slot(span[1], START_MS))
        )
        if steps is not None:
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, RefusedError):  # refused: nothing at all in the span
            await task


def month_files(root: Path) -> dict[str, bytes]:
    """Every file of the series."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.glob("*/*/*")}


@settings(max_examples=200, deadline=None)
@given(
    there=st.sets(st.integers(-30, SLOTS + 30), min_size=1).filter(
        lambda there: any(0 <= one < SLOTS for one in there)
    ),
    actions=st.lists(
        st.tuples(st.sampled_from(["fetch", "import", "interrupted"]), spans, st.integers(1, 40)), max_size=4
    ),
    seed=st.integers(0, 10**6),
    page=st.integers(4, 50),
    share=st.sampled_from([0.0, 0.4, 0.9]),
    faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3),
)
def test_one_canonical_cache(
    there: set[int],
    actions: list[tuple[str, tuple[int, int], int]],
    seed: int,
    page: int,
    share: float,
    faults: list[str],
) -> None:
    times = [slot(number, START_MS) for number in there]
    inside = sorted(time for time in times if START_MS <= time < slot(SLOTS, START_MS))
    with tempfile.TemporaryDirectory() as folder:
        at_once = CandleCache(Path(folder, "at_once"))
        at_once.merge(SYMBOL, TIMEFRAME, make_candles(inside))
        calm = CandleCache(Path(folder, "calm"))
        run_virtual(fetch(calm, ScriptedExchange(times, NOW_MS), (0, SLOTS), None))
        cache = CandleCache(Path(folder, "cache"))
        exchange = ScriptedExchange(times, NOW_MS, page_candles=page, distort=Weather(seed, share, faults))
        for action, span, steps in [*actions, ("fetch", (0, SLOTS), 0)]:
            if action == "import":
                bounds = slot(span[0], START_MS), slot(span[1], START_MS)
                cache.merge(SYMBOL, TIMEFRAME, make_candles([one for one in inside if bounds[0] <= one < bounds[1]]))
            else:
                run_virtual(fetch(cache, exchange, span, steps if action == "interrupted" else None))
        # The same candles as an import, and the same knowledge of what is not there as an undisturbed fetch.
        parquet = {name: data for name, data in month_files(cache.root).items() if name.endswith(".parquet")}
        assert parquet == month_files(at_once.root)
        assert month_files(cache.root) == month_files(calm.root)
        asked = len(exchange.asked)
        run_virtual(fetch(cache, exchange, (0, SLOTS), None))
        assert len(exchange.asked) == asked, "a second fetch asks for nothing"
