"""What each fault makes of a good response; a candle that is told differently later."""

import json
from typing import Any

import pytest

from app.testnet.faults import parse_fault
from app.testnet.kline_pages import KlinePages, Row
from app.testnet.market import FileSource
from app.testnet.responses import Response
from app.testnet.rest_faults import Revision, faulty_response, html_response, maintenance_response, refused_response
from app.testnet.spot import SpotMarket
from tests.candle_columns import MINUTE_MS, START_MS
from tests.testnets import BTC, END_MS, ETH, SERIES

ROWS: tuple[Row, ...] = tuple((60_000 * place, f"[{60_000 * place}]") for place in range(10))
GOOD = Response(200, b"").with_rows(ROWS)
FORMING = (600_000, "[600000]")


def spoilt(name: str, good: Response = GOOD, end_ms: int | None = 599_999, **values: Any) -> Response:
    return faulty_response(parse_fault({"fault": name, **values}), good, FORMING, end_ms)


def times(response: Response) -> list[int]:
    return [row[0] // 60_000 for row in json.loads(response.body)]


def test_a_pause_and_a_cut() -> None:
    slow, hang, reset = spoilt("slow", s=0.5), spoilt("hang", s=2), spoilt("reset")
    assert (slow.pause_s, slow.is_cut, slow.body) == (0.5, False, GOOD.body)
    assert (hang.pause_s, hang.is_cut) == (2.0, True)
    assert (reset.pause_s, reset.is_cut) == (0.0, True)


def test_refusals_say_how_long_to_stay_away() -> None:
    limited = spoilt("rate_limited", retry_after_s=7)
    assert (limited.status, limited.headers["Retry-After"], json.loads(limited.body)["code"]) == (429, "7", -1003)
    banned = refused_response(418, 120)
    assert (banned.status, banned.headers["Retry-After"], json.loads(banned.body)["code"]) == (418, "120", -1003)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_in_two_bodies(status: int) -> None:
    as_json, as_html = spoilt("server_error", status=status), spoilt("server_error", status=status, body="html")
    assert (as_json.status, as_html.status) == (status, status)
    assert json.loads(as_json.body)["code"] < 0
    assert as_html.content_type == "text/html" and as_html.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("name", ["broken_json", "cut_json", "html"])
@pytest.mark.parametrize("good", [GOOD, Response(200, b'{"serverTime":5}'), Response(200, b"{}"), Response(200, b"[]")])
def test_what_is_no_json_with_200(name: str, good: Response) -> None:
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
        assert times(spoilt(name, Response(200, b"").with_rows(()))) == []
    refused = Response(400, b'{"code":-1121,"msg":"Invalid symbol."}')
    assert spoilt("missing", refused) == refused


def test_pages_of_others() -> None:
    assert html_response(502).status == 502
    assert maintenance_response().status == 503


MARKET = SpotMarket(FileSource(SERIES))
AT_MS = START_MS + 5 * MINUTE_MS
PAGE = tuple(KlinePages(MARKET).page(BTC, "1m", END_MS, start_ms=START_MS, end_ms=None, limit=10))


def revision(**values: Any) -> Revision:
    return Revision(parse_fault({"fault": "revised", "symbol": BTC, "at": AT_MS, **values}))


def applied(one: Revision, now_ms: int = END_MS, rows: tuple[Row, ...] = PAGE) -> tuple[Row, ...]:
    return one.applied(MARKET, BTC, "1m", rows, now_ms)


def test_a_revision_changes_only_its_row_and_it_stays_a_candle() -> None:
    changed = applied(revision(close=1.0))
    assert [place for place in range(10) if changed[place] != PAGE[place]] == [5]
    before, after = json.loads(PAGE[5][1]), json.loads(changed[5][1])
    assert (after[0], after[1], after[2], after[5]) == (before[0], before[1], before[2], before[5])
    assert (float(after[4]), float(after[3])) == (1.0, 1.0)


def test_a_revision_without_values_the_volume_is_another() -> None:
    before, after = json.loads(PAGE[5][1]), json.loads(applied(revision())[5][1])
    assert after[1:5] == before[1:5]
    assert float(after[5]) > float(before[5])


def test_a_revision_from_the_nth_response_that_holds_it() -> None:
    one = revision(from_answer=3)
    assert applied(one, rows=PAGE[:5]) == PAGE[:5]
    assert [applied(one) == PAGE for _ in range(4)] == [True, True, False, False]


def test_a_revision_so_many_virtual_seconds_after_its_close() -> None:
    one = revision(after_s=10)
    close_ms = AT_MS + MINUTE_MS
    assert applied(one, close_ms + 9_999) == PAGE
    assert applied(one, close_ms + 10_000) != PAGE


def test_no_revision_of_another_symbol_timeframe_or_a_forming_candle_stays() -> None:
    one = revision()
    assert one.applied(MARKET, ETH, "1m", PAGE, END_MS) == PAGE
    assert one.applied(MARKET, BTC, "5m", PAGE, END_MS) == PAGE
    assert applied(one, AT_MS + MINUTE_MS - 1) == PAGE
    assert one.responses == 0
