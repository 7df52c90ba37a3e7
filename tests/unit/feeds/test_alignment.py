"""The aligner: scripted candles in, the session's events out."""

import time
from typing import Any

from app.feeds.alignment import Aligner, FeedEvent, Patience
from app.feeds.finality import SeriesTrack
from app.models.events import LateCandle, MarkedSlice, RevisedCandle
from tests.made import BTC, ETH, MINUTE_MS, candle

GRACE_MS = 2_000


class Market:
    """Two symbols and an aligner over them; times in minutes."""

    def __init__(self, *, slot: int = 0, start: int = 0, end: int | None = None, stale: int = 3) -> None:
        self.btc, self.eth = (SeriesTrack(symbol, "1m", slot * MINUTE_MS) for symbol in (BTC, ETH))
        self.aligner = Aligner(
            [self.btc, self.eth],
            Patience(GRACE_MS, 2 * MINUTE_MS, stale),
            slot_ms=slot * MINUTE_MS,
            start_ms=start * MINUTE_MS,
            end_ms=None if end is None else end * MINUTE_MS,
        )

    def add(self, symbol: str, *minutes: int) -> None:
        for minute in minutes:
            self._track(symbol).add_final(candle(at=minute, symbol=symbol))

    def absent(self, symbol: str, *minutes: int) -> None:
        self._track(symbol).note_absent(tuple((one * MINUTE_MS, (one + 1) * MINUTE_MS) for one in minutes))

    def ask(self, symbol: str, minute: float) -> None:
        self._track(symbol).asked_ms = int(minute * MINUTE_MS)

    def events(self, minute: float) -> list[str]:
        """All that is due at a time, in short: `B0+E0` a slice, `late E0` a late candle."""
        found = []
        while (event := self.aligner.next_event(int(minute * MINUTE_MS))) is not None:
            found.append(short(event))
        return found

    def _track(self, symbol: str) -> SeriesTrack:
        return self.btc if symbol == BTC else self.eth


def short(event: FeedEvent) -> str:
    def name(one: Any) -> str:
        return f"{one.symbol[0]}{one.open_time_ms // MINUTE_MS}"

    if isinstance(event, LateCandle):
        return f"late {name(event.candle)}"
    if isinstance(event, RevisedCandle):
        return f"revised {name(event.candle)}"
    words = ["+".join(map(name, event.candles))]
    if event.warmup:
        words.append("warmup")
    if isinstance(event, MarkedSlice):
        words += ["late"] * event.late + [f"stale {symbol[0]}" for symbol in event.stale]
    return " ".join(words)


def test_a_slice_goes_when_all_symbols_have_their_candle_in_config_order() -> None:
    market = Market()
    market.add(ETH, 0)
    assert market.events(1.0) == []
    market.add(BTC, 0)
    assert market.events(1.0) == ["B0+E0"]
    assert market.events(9.0) == []


def test_it_does_not_go_without_a_symbol_because_a_grace_is_over() -> None:
    market = Market()
    market.add(BTC, 0)
    market.ask(ETH, 1.04)
    assert market.events(2.9) == []


def test_it_goes_without_a_symbol_of_which_the_exchange_has_no_candle() -> None:
    market = Market()
    market.add(BTC, 0, 1)
    market.absent(ETH, 0)
    assert market.events(1.1) == ["B0"]
    market.add(ETH, 1)
    assert market.events(2.0) == ["B1+E1"]


def test_no_slice_for_a_time_at_which_nobody_has_a_candle() -> None:
    market = Market()
    for symbol in (BTC, ETH):
        market.absent(symbol, 0, 1)
        market.add(symbol, 2)
    assert market.events(3.0) == ["B2+E2"]


def test_a_slice_waits_for_rest_that_fails_and_then_goes_without_the_symbol() -> None:
    market = Market()
    market.add(BTC, 0, 1, 2)
    market.ask(ETH, 1 + GRACE_MS / MINUTE_MS)
    assert market.events(3.0) == []
    assert market.events(3.001) == ["B0 late", "B1", "B2 stale E"]
    assert market.eth.late
    market.add(BTC, 3)
    market.add(ETH, 3)
    assert market.events(4.0) == ["B3 stale E"], "out of the slices until the exchange has answered"


def test_what_a_late_symbol_has_then_comes_late_in_order_before_its_next_slice() -> None:
    market = Market()
    market.add(BTC, 0, 1, 2)
    market.ask(ETH, 1.0)
    market.events(3.5)
    market.add(ETH, 2)
    assert market.events(3.6) == []
    market.absent(ETH, 1)
    market.add(ETH, 0)
    assert market.events(3.7) == ["late E0", "late E2"]
    assert not market.eth.late
    market.add(BTC, 3)
    assert market.events(4.0) == []
    market.add(ETH, 3)
    assert market.events(4.0) == ["B3+E3"]


def test_nobody_is_late_who_was_not_asked_in_vain_for_as_long() -> None:
    market = Market()
    market.add(BTC, *range(10))
    assert market.events(10.0) == [], "an outage is over, and the exchange has not been asked yet"
    market.ask(ETH, 10.0)
    assert market.events(11.9) == []
    market.add(ETH, *range(10))
    assert market.events(11.9)[:2] == ["B0+E0 late", "B1+E1 late"]


def test_after_an_outage_slices_are_late_but_whole() -> None:
    market = Market()
    for symbol in (BTC, ETH):
        market.add(symbol, 0, 1, 2)
    assert market.events(4.0) == ["B0+E0 late", "B1+E1", "B2+E2"]


def test_all_symbols_late_and_the_first_that_answers_goes_on() -> None:
    market = Market()
    for symbol in (BTC, ETH):
        market.add(symbol, 5)
        market.ask(symbol, 1.0)
    assert market.events(8.1) == [], "both lack what came before"
    assert market.btc.late and market.eth.late
    market.add(BTC, 0, 1, 2, 3, 4)
    assert market.events(8.2)[0] == "B0 late"
    market.add(ETH, 0, 1, 2, 3, 4)
    assert market.events(8.3) == ["late E0", "late E1", "late E2", "late E3", "late E4", "late E5"]


def test_a_symbol_is_stale_until_candles_are_back() -> None:
    market = Market()
    market.add(ETH, 0, 5)
    market.absent(ETH, 1, 2, 3, 4)
    seen = []
    for minute in range(6):
        market.add(BTC, minute)
        seen += market.events(minute + 1.0)
    assert seen == ["B0+E0", "B1", "B2", "B3 stale E", "B4 stale E", "B5+E5"]


def test_warm_up_slices_are_never_marked() -> None:
    market = Market(slot=0, start=2)
    for symbol in (BTC, ETH):
        market.add(symbol, 0, 1, 2)
    assert market.events(50.0) == ["B0+E0 warmup", "B1+E1 warmup", "B2+E2 late"]


def test_the_end_is_the_slice_that_closes_there() -> None:
    market = Market(end=2)
    for symbol in (BTC, ETH):
        market.add(symbol, 0, 1, 2)
    assert market.events(3.0) == ["B0+E0", "B1+E1"]
    assert market.aligner.done


def test_the_end_comes_although_nobody_has_a_candle_for_it() -> None:
    market = Market(end=1)
    assert market.events(3.5) == [] and not market.aligner.done, "nobody was asked"
    market.ask(BTC, 1.0)
    market.ask(ETH, 1.5)
    assert market.events(3.4) == [] and not market.aligner.done
    assert market.events(3.6) == [] and market.aligner.done


def test_a_resumed_session_hands_on_what_was_missed_before_its_next_slice() -> None:
    market = Market(slot=5)
    market.eth.next_ms, market.eth.last_ms = 3 * MINUTE_MS, 2 * MINUTE_MS
    market.add(BTC, 5)
    market.add(ETH, 3, 5)
    assert market.events(6.0) == ["late E3"]
    market.absent(ETH, 4)
    assert market.events(6.0) == ["B5+E5"]


def test_revisions_and_returned_absences_are_told() -> None:
    market = Market()
    market.add(BTC, 0)
    market.absent(ETH, 0)
    market.events(1.0)
    market.btc.add_final(candle(111.0, at=0))
    market.add(ETH, 0)
    assert market.events(1.1) == ["revised B0", "late E0"]


def test_what_is_wanted_has_closed_or_its_grace_is_over() -> None:
    market = Market(end=4)
    aligner, btc = market.aligner, market.btc
    assert aligner.wanted_until_ms(btc, MINUTE_MS + GRACE_MS - 1) == 0
    assert aligner.wanted_until_ms(btc, MINUTE_MS + GRACE_MS) == MINUTE_MS
    btc.note_forming(2 * MINUTE_MS)
    assert aligner.wanted_until_ms(btc, MINUTE_MS) == 2 * MINUTE_MS, "its own successor says so"
    assert aligner.wanted_until_ms(btc, 90 * MINUTE_MS) == 4 * MINUTE_MS, "no further than the end"


def test_what_comes_late_in_the_warm_up_is_warm_up() -> None:
    market = Market(slot=0, start=3)
    market.add(BTC, 0, 1, 2, 3)
    market.ask(ETH, 1.0)
    assert market.events(3.5)[:1] == ["B0 warmup"]
    market.add(ETH, 0)
    late = market.aligner.next_event(4 * MINUTE_MS)
    assert late == LateCandle(candle(at=0, symbol=ETH), warmup=True)
    market.add(ETH, 1, 2, 3, 4)
    marks = [market.aligner.next_event(5 * MINUTE_MS) for _ in range(3)]
    assert [one.warmup for one in marks if isinstance(one, LateCandle)] == [True, True, False]


def test_years_without_a_candle_are_passed_over_at_once() -> None:
    """Slot by slot it would be 26 million; whoever is late is carried along."""
    years = 50 * 365 * 1_440
    market = Market()
    for track in (market.btc, market.eth):
        track.note_absent(((0, years * MINUTE_MS),))
        track.closed_ms = years * MINUTE_MS
    market.add(BTC, years)
    market.ask(ETH, 1.0)
    began_s = time.process_time()
    assert market.events(years + 3.5) == [f"B{years} late stale E"] or market.eth.late
    market.absent(ETH, years)
    market.add(BTC, years + 1)
    market.add(ETH, years + 1)
    assert market.events(years + 3.6)[-1].startswith(f"B{years + 1}")
    assert time.process_time() - began_s < 1.0


def test_the_end_is_not_passed_over() -> None:
    market = Market(end=5)
    for symbol in (BTC, ETH):
        market.absent(symbol, *range(9))
    assert market.events(9.0) == [] and market.aligner.done
