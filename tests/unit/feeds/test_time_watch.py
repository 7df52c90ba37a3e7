"""What frames and the exchange's clock may claim of the time, and what a live feed makes of it, on a virtual clock.

The rule: whatever is claimed for some minutes, the slices are those of history, and on time; a claim that everything
bears out is believed.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app import times
from app.candles.cache import CandleCache
from app.errors import BlockedError, RateLimitError, UnavailableError
from app.exchange.history import HistoricalDataProvider
from app.feeds.link import Frame
from app.feeds.websocket import FeedTimes, LinkState, LiveStart, WebsocketFeed
from app.models.events import MarkedSlice
from app.models.market import Slice
from tests.candle_columns import MINUTE_MS, START_MS
from tests.live_weather import SYMBOLS, check_promises, history, run_feed
from tests.loopback import Loopback, Reply
from tests.made import BTC, ETH
from tests.scripted_liar import DAY_MS, FROM_S, HOUR_MS, UNTIL_S, YEARS_MS, Liar, Lie, TimeLie, moved
from tests.scripted_live import LiveExchange, Weather
from tests.virtual_loop import run_virtual


def _closing(frame: Frame) -> list[Frame]:
    close_ms = frame.candle.close_time_ms
    return [Frame(frame.candle, True, close_ms + 5)] if close_ms - frame.event_time_ms > 1_000 else []


LIES: dict[str, Lie] = {
    "forming, a day ahead": lambda f, _: [moved(f, DAY_MS, closed=False), f],
    "closed, a day ahead": lambda f, _: [moved(f, DAY_MS, closed=True), f],
    "closed, 50 years ahead": lambda f, _: [moved(f, YEARS_MS, closed=True), f],
    "forming, 50 years ahead, afterwards": lambda f, _: [f, moved(f, YEARS_MS, closed=False)],
    "an event time 50 years ahead": lambda f, _: [moved(f, 0, YEARS_MS)],
    "an event time a day ahead beside the true one": lambda f, _: [moved(f, 0, DAY_MS), f],
    "an event time a day behind": lambda f, _: [moved(f, 0, -DAY_MS)],
    "an event time of the year 1900": lambda f, _: [moved(f, 0, -f.event_time_ms - 10**12)],
    "a symbol of nobody, a day ahead": lambda f, _: [moved(f, DAY_MS, closed=True, symbol="XRP/USDT"), f],
    "the next candle early": lambda f, _: [moved(f, MINUTE_MS, closed=False), f],
    "the next candle early and closed": lambda f, _: [moved(f, MINUTE_MS, closed=True), f],
    "the next candle, its event time true": lambda f, _: [moved(f, MINUTE_MS, 0, closed=False), f],
    "two candles ahead": lambda f, _: [moved(f, 2 * MINUTE_MS, closed=False), f],
    "forming, called closed": lambda f, _: [moved(f, 0, closed=True)],
    "forming, called closed beside the true one": lambda f, _: [moved(f, 0, closed=True), f],
    "closed before it closes, its event time of the close": lambda f, _: [*_closing(f), f],
    "closed, called forming": lambda f, _: [moved(f, 0, closed=False)],
    "an old candle, with the time of now": lambda f, _: [moved(f, -5 * MINUTE_MS, 0, closed=False), f],
    "an old candle a day behind": lambda f, _: [moved(f, -DAY_MS, closed=False), f],
    "everything a day ahead": lambda f, _: [moved(f, DAY_MS)],
    "everything a day behind": lambda f, _: [moved(f, -DAY_MS)],
    "everything a minute ahead": lambda f, _: [moved(f, MINUTE_MS)],
    "a time that runs away": lambda f, now_s: [moved(f, int(now_s - FROM_S) * MINUTE_MS, closed=False), f],
    "all at once": lambda f, now_s: [one for lie in list(LIES.values())[:19] for one in lie(f, now_s)],
}  # fmt: skip


@pytest.mark.parametrize("symbols", [SYMBOLS, (BTC,)], ids=["two", "one"])
@pytest.mark.parametrize("kind", LIES)
def test_what_frames_claim_of_the_time_changes_no_slice(kind: str, symbols: Sequence[str]) -> None:
    liar = Liar(LIES[kind], symbols=symbols)
    assert run_feed(liar) == history(liar)


TIME_LIES: dict[str, TimeLie] = {
    "a day ahead": lambda t, _: t + DAY_MS,
    "an hour ahead": lambda t, _: t + HOUR_MS,
    "a day behind": lambda t, _: t - DAY_MS,
    "50 years ahead": lambda t, _: t + YEARS_MS,
    "a day ahead, now and then": lambda t, n: t + DAY_MS * (n % 2),
    "another one each time": lambda t, n: t + n * n * 7_000_000,
    "it stands still": lambda _, __: START_MS + 150_000,
    "five minutes ahead": lambda t, _: t + 300_000,
}


@pytest.mark.parametrize("kind", TIME_LIES)
@pytest.mark.parametrize("silent", [False, True], ids=["frames come", "frames are silent"])
def test_what_the_exchanges_clock_claims_alone_changes_no_slice(kind: str, silent: bool) -> None:
    """While frames are silent too there is nothing to hold it to: then the slices are whole, and on time soon after."""
    liar = Liar(None, TIME_LIES[kind], silences=[(FROM_S, UNTIL_S - 1)] if silent else [])
    events = run_feed(liar, candles=16)
    slices = [event for event in events if isinstance(event, Slice)]
    assert [one.candles for one in slices] == [one.candles for one in history(liar, 16)]
    healed_ms = START_MS + int(UNTIL_S * 1000) + 3 * MINUTE_MS
    late = [one for one in slices if isinstance(one, MarkedSlice)]
    assert late == [] if not silent else all(one.close_time_ms <= healed_ms for one in late)


@pytest.mark.parametrize("symbols", [SYMBOLS, (BTC,)], ids=["two", "one"])
@pytest.mark.parametrize("ms", [HOUR_MS, -HOUR_MS, DAY_MS, 5 * MINUTE_MS], ids=["hour", "hour behind", "day", "5 min"])
def test_frames_and_clock_that_lie_alike_lose_no_slice(ms: int, symbols: Sequence[str]) -> None:
    """Nothing tells them from the truth, but no slot is passed over that no candle of REST has come after."""
    liar = Liar(lambda f, _: [moved(f, ms)], lambda t, _: t + ms, symbols)
    slices = [event for event in run_feed(liar, candles=16) if isinstance(event, Slice)]
    candles = sorted((one for slice_ in slices for one in slice_.candles), key=lambda one: one.open_time_ms)
    told = {one.open_time_ms for one in candles}
    true = {one.candles[0].open_time_ms for one in history(liar, 16)}
    assert true - told == set() and max(told) == max(true)
    healed_ms = START_MS + int(UNTIL_S * 1000) + 3 * MINUTE_MS
    after = [one for one in slices if one.close_time_ms > healed_ms]
    assert after == [one for one in history(liar, 16) if one.close_time_ms > healed_ms], "whole and on time"


Rows = list[list[Any]]
_MADE_UP = ["100", "900", "1", "500", "77"]
ROW_LIES: dict[str, Callable[[Rows, int], object]] = {
    "the next candle, made up": lambda rows, now_ms: [*rows, [now_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS, *_MADE_UP]],
    "a candle of tomorrow": lambda rows, now_ms: [*rows, [now_ms // MINUTE_MS * MINUTE_MS + DAY_MS, *_MADE_UP]],
    "every time a day ahead": lambda rows, _: [[row[0] + DAY_MS, *row[1:]] for row in rows],
    "every time a day behind": lambda rows, _: [[row[0] - DAY_MS, *row[1:]] for row in rows],
    "off the grid": lambda rows, _: [[row[0] + 1, *row[1:]] for row in rows],
    "in seconds": lambda rows, _: [[row[0] // 1000, *row[1:]] for row in rows],
    "in microseconds": lambda rows, _: [[row[0] * 1000, *row[1:]] for row in rows],
    "a time of infinity": lambda rows, _: [*rows, [float("inf"), *_MADE_UP]],
    "times that are text": lambda rows, _: [["soon", *row[1:]] for row in rows],
    "of five minutes": lambda rows, _: [row for row in rows if row[0] % (5 * MINUTE_MS) == 0],
    "not a number": lambda rows, _: [[row[0], "nan", *row[2:]] for row in rows],
    "a low of zero": lambda rows, _: [[*row[:3], "0", *row[4:]] for row in rows],
    "rows cut short": lambda rows, _: [row[:3] for row in rows],
    "no rows": lambda _, __: [],
    "no list": lambda _, __: {"code": 0},
    "each twice, with other values": lambda rows, _: [*rows, *([row[0], *_MADE_UP] for row in rows)],
    "without the last five": lambda rows, _: rows[:-5],
}  # fmt: skip


@pytest.mark.parametrize("kind", ROW_LIES)
def test_candles_of_another_time_by_rest_change_no_slice(kind: str) -> None:
    class Wrong(Liar):
        async def candles(self, *asked: Any) -> object:
            rows: Any = await super().candles(*asked)
            return ROW_LIES[kind](rows, self.now_ms) if self.lies else rows

    wrong = Wrong(frame_loss=0.4)
    wrong.until_s = FROM_S + 100.0  # a wait for REST is no lateness yet
    assert run_feed(wrong) == history(wrong)
    assert wrong.requests > 0


@pytest.mark.parametrize("error", [RateLimitError("banned", 3_600.0, banned=True), BlockedError("403")])
def test_while_rest_refuses_everything_the_stream_alone_is_history(error: Exception) -> None:
    class Refusing(Liar):
        async def server_time_ms(self) -> int | None:
            if self.now_s > 150.0:
                raise error
            return await super().server_time_ms()

    refusing = Refusing()
    assert run_feed(refusing, candles=50) == history(refusing, 50)


def test_candles_ahead_are_counted_and_told_once_in_a_while() -> None:
    states: list[LinkState] = []
    liar = Liar(LIES["closed, a day ahead"])
    run_feed(liar, states=states)
    assert states[0].ahead > 10
    assert states[0].dropped >= states[0].ahead


def test_a_calm_market_is_seldom_asked_for_its_time() -> None:
    calm = Liar()
    run_feed(calm)
    assert len(calm.asked) < 5 * 12
    assert calm.requests == 0


@pytest.mark.parametrize(
    ("error", "most"),
    [
        (RateLimitError("banned", 3_600.0, banned=True), 3),
        (RateLimitError("banned", None, banned=True), 8),
        (RateLimitError("slow down", None), 70),
        (BlockedError("forbidden: 403"), 200),
        (UnavailableError("no"), 600),
    ],
    ids=["ban of an hour", "ban of unknown length", "429", "403", "503"],
)
def test_while_frames_are_silent_a_refusal_of_the_time_is_not_hammered(error: Exception, most: int) -> None:
    """Twenty minutes of it."""

    class Refusing(Liar):
        answers = 0

        async def server_time_ms(self) -> int | None:
            if 150.0 <= self.now_s < 1_350.0:
                Refusing.answers += 1
                raise error
            return await super().server_time_ms()

        async def candles(self, *asked: Any) -> object:
            if 150.0 <= self.now_s < 1_350.0:
                Refusing.answers += 1
                raise error
            return await super().candles(*asked)

    Refusing.answers = 0
    refusing = Refusing(silences=[(150.0, 1_350.0)])
    events = run_feed(refusing, candles=40)
    refusing.weather.outages = [(150.0, 9_999.0)]
    check_promises(events, refusing, 40)
    assert 0 < Refusing.answers <= most


@pytest.mark.parametrize("error", [UnavailableError("cut"), RateLimitError("slow down", 3.0)])
def test_faults_of_the_first_questions_end_no_session(error: Exception) -> None:
    class Stumbling(Liar):
        failures = 4

        async def server_time_ms(self) -> int | None:
            if self.failures:
                self.failures -= 1
                raise error
            return await super().server_time_ms()

    stumbling = Stumbling()
    check_promises(run_feed(stumbling, candles=4), stumbling, 4)


def test_a_first_question_that_is_never_answered_ends_it() -> None:
    class Silent(Liar):
        async def server_time_ms(self) -> int | None:
            raise UnavailableError("cut")

    with pytest.raises(UnavailableError, match="cut"):
        run_feed(Silent())


def test_a_stop_is_obeyed_at_once_whatever_is_claimed(tmp_path: Path) -> None:
    """Cancelled in the middle of lies it ends within five seconds; its loop is never held up by slots in between."""
    liar = Liar(LIES["all at once"], TIME_LIES["50 years ahead"])

    async def stop_in_the_middle() -> float:
        cache = CandleCache(tmp_path)
        async with HistoricalDataProvider(cache, "scripted", rate=None, connect=lambda *_: liar) as provider:
            start = LiveStart(START_MS, None)
            feed = WebsocketFeed(provider, SYMBOLS, "1m", times=FeedTimes(), start=start, link=lambda: liar)
            running = asyncio.create_task(feed.run(asyncio.Queue(1_000)))
            await asyncio.sleep(250.0)
            assert not running.done()
            running.cancel()
            began_s = asyncio.get_running_loop().time()
            await asyncio.gather(running, return_exceptions=True)
            return asyncio.get_running_loop().time() - began_s

    assert run_virtual(stop_in_the_middle()) < 5.0


def test_a_closed_lid_is_noticed_before_a_slice_goes() -> None:
    """The machine sleeps half an hour, its timers with it, a final frame in its socket; all that is late says so."""
    slept_s = 0.0

    class World(Liar):
        @property
        def now_s(self) -> float:
            return asyncio.get_running_loop().time() + 1.0 + slept_s

    def close_lid(frame: Frame, _: float) -> list[Frame]:
        nonlocal slept_s
        if frame.closed and frame.candle.symbol == ETH and not slept_s:
            slept_s = 1_800.0
            times.monotonic_s = lambda: asyncio.get_running_loop().time() + slept_s
        return [frame]

    world = World(close_lid)
    slices = [event for event in run_feed(world, candles=45) if isinstance(event, Slice)]
    assert [one.candles for one in slices] == [one.candles for one in history(world, 45)]
    late = [(one.close_time_ms - START_MS) // MINUTE_MS for one in slices if isinstance(one, MarkedSlice) and one.late]
    assert late == list(range(3, 32)), "closed at minute 3, opened at minute 33"


async def test_a_ban_is_asked_about_once_over_a_real_socket(tmp_path: Path) -> None:
    told: list[str] = []
    async with Loopback() as server:
        cache = CandleCache(tmp_path)
        async with HistoricalDataProvider(cache, url=server.url, rate=None, tell=told.append) as provider:
            server.replies["time"] = Reply(body={"serverTime": START_MS})
            await provider.server_time([BTC], "1m")
            server.replies["time"] = Reply(418, {"code": -1003, "msg": "banned"}, {"Retry-After": "inf"})
            before = len(server.asked)
            with pytest.raises(RateLimitError):
                await provider.server_time([BTC], "1m")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await provider.server_time([BTC], "1m")
            assert len(server.asked) == before + 1
            assert len(told) == 1 and "has banned this address (418); asking again in 12" in told[0]


async def test_a_session_begins_with_a_time_that_two_answers_agree_on(tmp_path: Path) -> None:
    answers = [START_MS + DAY_MS, START_MS, START_MS + YEARS_MS, START_MS, START_MS + 40]

    class Telling(LiveExchange):
        async def server_time_ms(self) -> int | None:
            return answers.pop(0)

    telling = Telling(SYMBOLS, Weather(), 1)
    cache = CandleCache(tmp_path)
    async with HistoricalDataProvider(cache, "scripted", rate=None, connect=lambda *_: telling) as provider:
        assert await provider.server_time_ms([BTC], "1m") == START_MS + 40
        answers += [START_MS + number * DAY_MS for number in range(20)]
        with pytest.raises(UnavailableError, match="another time whenever it is asked"):
            await provider.server_time_ms([BTC], "1m")
