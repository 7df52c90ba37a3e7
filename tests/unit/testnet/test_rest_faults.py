"""What each fault makes of a good answer."""

import json
from typing import Any

import pytest

from app.testnet.faults import parse_fault
from app.testnet.kline_pages import Row
from app.testnet.responses import Answer
from app.testnet.rest_faults import faulty_answer, html_answer, maintenance_answer, refused_answer

ROWS: tuple[Row, ...] = tuple((60_000 * place, f"[{60_000 * place}]") for place in range(10))
GOOD = Answer(200, b"").with_rows(ROWS)
FORMING = (600_000, "[600000]")


def spoilt(name: str, good: Answer = GOOD, end_ms: int | None = 599_999, **values: Any) -> Answer:
    return faulty_answer(parse_fault({"fault": name, **values}), good, FORMING, end_ms)


def times(answer: Answer) -> list[int]:
    return [row[0] // 60_000 for row in json.loads(answer.body)]


def test_a_pause_and_a_cut() -> None:
    slow, hang, reset = spoilt("slow", s=0.5), spoilt("hang", s=2), spoilt("reset")
    assert (slow.pause_s, slow.is_cut, slow.body) == (0.5, False, GOOD.body)
    assert (hang.pause_s, hang.is_cut) == (2.0, True)
    assert (reset.pause_s, reset.is_cut) == (0.0, True)


def test_refusals_say_how_long_to_stay_away() -> None:
    limited = spoilt("rate_limited", retry_after_s=7)
    assert (limited.status, limited.headers["Retry-After"], json.loads(limited.body)["code"]) == (429, "7", -1003)
    banned = refused_answer(418, 120)
    assert (banned.status, banned.headers["Retry-After"], json.loads(banned.body)["code"]) == (418, "120", -1003)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_in_two_bodies(status: int) -> None:
    as_json, as_html = spoilt("server_error", status=status), spoilt("server_error", status=status, body="html")
    assert (as_json.status, as_html.status) == (status, status)
    assert json.loads(as_json.body)["code"] < 0
    assert as_html.content_type == "text/html" and as_html.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("name", ["broken_json", "cut_json", "html"])
@pytest.mark.parametrize("good", [GOOD, Answer(200, b'{"serverTime":5}'), Answer(200, b"{}"), Answer(200, b"[]")])
def test_what_is_no_json_with_200(name: str, good: Answer) -> None:
    answer = spoilt(name, good)
    assert answer.status == 200
    with pytest.raises(ValueError, match=r".*"):
        json.loads(answer.body)


def test_cut_json_is_a_beginning_of_the_answer() -> None:
    assert GOOD.body.startswith(spoilt("cut_json").body)


@pytest.mark.parametrize("status", [403, 451])
def test_blocked(status: int) -> None:
    assert spoilt("blocked", status=status).status == status
    assert spoilt("blocked", status=status).body


def test_other_rows() -> None:
    assert times(spoilt("empty")) == []
    for count in (1, 3):
        missing, duplicate = spoilt("missing", rows=count), spoilt("duplicate", rows=count)
        assert len(times(missing)) == 10 - count and times(missing) == sorted(set(times(missing)))
        assert len(times(duplicate)) == 10 + count and sorted(set(times(duplicate))) == list(range(10))
        disorder = times(spoilt("disorder", rows=count))
        assert disorder != sorted(disorder) and sorted(disorder) == list(range(10))


def test_the_forming_candle_where_the_end_excludes_it() -> None:
    assert times(spoilt("forming")) == [*range(11)]
    assert times(spoilt("forming", end_ms=600_000)) == [*range(10)]
    assert times(spoilt("forming", end_ms=None)) == [*range(10)]


def test_no_rows_have_none_to_hit() -> None:
    for name in ("missing", "duplicate", "disorder"):
        assert times(spoilt(name, Answer(200, b"").with_rows(()))) == []
    refused = Answer(400, b'{"code":-1121,"msg":"Invalid symbol."}')
    assert spoilt("missing", refused) == refused


def test_pages_of_others() -> None:
    assert html_answer(502).status == 502
    assert maintenance_answer().status == 503
