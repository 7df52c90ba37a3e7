"""The windows of a walk-forward: by hand, by property, and what is refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigError
from app.research.windows import Span, WindowRule, parse_span_ms, span_text
from app.times import DAY_MS, parse_time_ms

JANUARY = Span(parse_time_ms("2025-01-01"), parse_time_ms("2025-02-01"))
HOUR_MS = 3_600_000


def days(window_span: Span) -> tuple[int, int]:
    """Of January 2025, from 1."""
    return tuple(1 + (time - JANUARY.start_ms) // DAY_MS for time in (window_span.start_ms, window_span.end_ms))  # type: ignore[return-value]


def test_rolling_windows_by_hand() -> None:
    windows = WindowRule(10 * DAY_MS, 5 * DAY_MS, embargo_ms=DAY_MS).windows(JANUARY)
    assert [(w.number, days(w.in_sample), days(w.out_of_sample)) for w in windows] == [
        (1, (1, 11), (12, 17)),
        (2, (6, 16), (17, 22)),
        (3, (11, 21), (22, 27)),
        (4, (16, 26), (27, 32)),
    ]
    assert windows[0].in_sample.days == 10.0


def test_anchored_windows_begin_where_the_first_one_does() -> None:
    windows = WindowRule(10 * DAY_MS, 5 * DAY_MS, anchored=True).windows(JANUARY)
    assert [(days(w.in_sample), days(w.out_of_sample)) for w in windows] == [
        ((1, 11), (11, 16)),
        ((1, 16), (16, 21)),
        ((1, 21), (21, 26)),
        ((1, 26), (26, 31)),  # the 31st is shorter than five days: not traded
    ]


@given(
    in_hours=st.integers(1, 200),
    out_hours=st.integers(1, 100),
    embargo_hours=st.integers(0, 50),
    anchored=st.booleans(),
)
def test_nothing_is_traded_that_was_seen_and_nothing_is_left_out(
    in_hours: int, out_hours: int, embargo_hours: int, anchored: bool
) -> None:
    rule = WindowRule(in_hours * HOUR_MS, out_hours * HOUR_MS, embargo_hours * HOUR_MS, anchored)
    windows = rule.windows(JANUARY)
    for window in windows:
        assert window.in_sample.end_ms + rule.embargo_ms == window.out_of_sample.start_ms
        assert window.out_of_sample.end_ms - window.out_of_sample.start_ms == rule.out_of_sample_ms
        if not anchored:
            assert window.in_sample.end_ms - window.in_sample.start_ms == rule.in_sample_ms
    assert windows[0].in_sample.start_ms == JANUARY.start_ms
    for one, following in itertools.pairwise(windows):
        assert one.out_of_sample.end_ms == following.out_of_sample.start_ms
    assert 0 <= JANUARY.end_ms - windows[-1].out_of_sample.end_ms < rule.out_of_sample_ms


def test_windows_longer_than_the_data_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no window fits: --in-sample 30d \+ --out-of-sample 5d is longer than the "
                       r"31d from 2025-01-01 to 2025-02-01"):  # fmt: skip
        WindowRule(30 * DAY_MS, 5 * DAY_MS).windows(JANUARY)
    with pytest.raises(ConfigError, match=r"\+ --embargo 36h is longer"):
        WindowRule(30 * DAY_MS, DAY_MS, 36 * HOUR_MS).windows(JANUARY)
    assert len(WindowRule(30 * DAY_MS, DAY_MS).windows(JANUARY)) == 1


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (WindowRule(0, DAY_MS), "--in-sample 0d: it must be at least 1h"),
        (WindowRule(DAY_MS, 60_000), "--out-of-sample 1m: it must be at least 1h"),
        (WindowRule(DAY_MS, DAY_MS, -DAY_MS), "--embargo -1d: it must be at least 0d"),
        (WindowRule(DAY_MS, DAY_MS, 90 * 60_000), "--embargo 90m: it is no whole number of candles of 1h"),
    ],
)
def test_a_length_is_whole_candles(rule: WindowRule, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rule.check(HOUR_MS)
    assert str(refused.value) == problem
    WindowRule(DAY_MS, HOUR_MS).check(HOUR_MS)


def test_lengths_as_text() -> None:
    assert [parse_span_ms("--embargo", text) for text in ("90d", "12h", "30m", "2w", "0d")] == [
        90 * DAY_MS, DAY_MS // 2, 30 * 60_000, 14 * DAY_MS, 0,
    ]  # fmt: skip
    assert [span_text(parse_span_ms("x", text)) for text in ("90d", "36h", "90m")] == ["90d", "36h", "90m"]
    assert span_text(1_500) == "1.5s"


@pytest.mark.parametrize("text", ["-1d", "90", "d", "1.5d", "90 days", "", "٣d"])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--embargo .*: write a length of time without a sign, like 90d"):
        parse_span_ms("--embargo", text)
