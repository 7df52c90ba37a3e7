"""What an answer means: each code and status of the documents, and bodies that nobody can read."""

import json
from typing import Any

import pytest

from app.exchange.answers import Answer, Verdict, read_answer
from app.exchange.keys import Keys

KEYS = Keys("THEKEY0123456789", "THESECRET0123456789")


def answer(status: int, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(status, named, body if isinstance(body, str) else json.dumps(body), KEYS)


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007])
@pytest.mark.parametrize("status", [200, 400, 408, 500, 503, 504])
def test_codes_of_which_the_execution_is_unknown_are_unknown_with_any_status(code: int, status: int) -> None:
    assert answer(status, {"code": code, "msg": "x"}).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("code", [-2010, -1013, -1021, -1003, -2015, 0])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_unknown_whatever_its_body_says(code: int, status: int) -> None:
    assert answer(status, {"code": code, "msg": "no"}).verdict is Verdict.UNKNOWN
    assert answer(status, "<html>Bad gateway</html>").verdict is Verdict.UNKNOWN
    assert answer(status, "").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("code", [-1008, -1016])
@pytest.mark.parametrize("status", [400, 503])
def test_maintenance_is_a_known_refusal(code: int, status: int) -> None:
    """-1008 and -1016 say that it was not taken, also where they come as 503."""
    assert answer(status, {"code": code, "msg": "Server is currently overloaded"})[:3] == (Verdict.PASSING, None, code)


@pytest.mark.parametrize(
    ("code", "message", "verdict"),
    [
        (-1013, "Market is closed.", Verdict.PASSING),
        (-2010, "Market is closed.", Verdict.PASSING),
        (-2010, "This order type is not possible in this trading phase.", Verdict.PASSING),
        (-1021, "Timestamp for this request is outside of the recvWindow.", Verdict.PASSING),
        (-1015, "Too many new orders; current limit is 100 orders per 10 SECOND.", Verdict.LIMITED),
        (-1003, "Too many requests queued.", Verdict.LIMITED),
        (-2010, "Account has insufficient balance for requested action.", Verdict.REFUSED),
        (-2010, "Order would trigger immediately.", Verdict.REFUSED),
        (-1013, "Filter failure: LOT_SIZE", Verdict.REFUSED),
        (-2011, "Unknown order sent.", Verdict.REFUSED),
        (-2013, "Order does not exist.", Verdict.REFUSED),
        (-2015, "Invalid API-key, IP, or permissions for action.", Verdict.REFUSED),
        (-1022, "Signature for this request is not valid.", Verdict.REFUSED),
        (-9999, "of tomorrow", Verdict.REFUSED),
    ],
)
def test_the_code_in_the_body_decides(code: int, message: str, verdict: Verdict) -> None:
    read = answer(400, {"code": code, "msg": message})
    assert (read.verdict, read.code, read.why) == (verdict, code, message)
    assert answer(200, {"code": code, "msg": message}).verdict is verdict, "also with status 200"


def test_too_many_requests_say_how_long() -> None:
    read = answer(429, {"code": -1003, "msg": "x"}, retry_after="7")
    assert (read.verdict, read.code, read.retry_after_s, read.is_banned) == (Verdict.LIMITED, -1003, 7.0, False)
    banned = answer(418, "", retry_after="120")
    assert (banned.verdict, banned.code, banned.retry_after_s, banned.is_banned) == (
        Verdict.LIMITED,
        -1003,
        120.0,
        True,
    )


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (403, Verdict.TURNED_AWAY),  # a firewall's
        (404, Verdict.REFUSED),
        (451, Verdict.REFUSED),
        (400, Verdict.UNKNOWN),  # it might have said -1007 before it was cut
        (408, Verdict.UNKNOWN),
        (409, Verdict.UNKNOWN),
        (302, Verdict.UNKNOWN),
        (200, Verdict.UNKNOWN),
    ],
)
@pytest.mark.parametrize("body", ['{"code":-10', "<html>", "", "5", "null", "[" * 200_000])
def test_without_a_code_the_status_decides(status: int, verdict: Verdict, body: str) -> None:
    assert answer(status, body).verdict is verdict


def test_an_answer_is_what_was_asked_for() -> None:
    assert answer(200, {"orderId": 1}) == Answer(Verdict.DONE, {"orderId": 1})
    assert answer(200, []).content == []
    assert answer(200, {"code": 200, "msg": "ok"}).verdict is Verdict.DONE


@pytest.mark.parametrize("code", ["-2010", -2010])
def test_a_code_may_be_text(code: object) -> None:
    assert answer(400, {"code": code, "msg": "x"}).code == -2010


@pytest.mark.parametrize("code", [True, None, [], {}, "x", "--1", -1.5, "-²", "-" + "9" * 5000])
def test_what_is_no_code_is_none(code: object) -> None:
    assert answer(400, {"code": code, "msg": "x"}).verdict is Verdict.UNKNOWN


def test_a_duplicate_id_is_told_apart() -> None:
    assert answer(400, {"code": -2010, "msg": "Duplicate order sent."}).is_duplicate
    assert not answer(400, {"code": -2010, "msg": "Account has insufficient balance"}).is_duplicate


def test_what_the_exchange_writes_is_scrubbed_and_cut() -> None:
    text = "key THEKEY0123456789 of uid=1234567 &signature=abcdef0123 and THESECRET0123456789 " + "x" * 500
    why = answer(400, {"code": -1100, "msg": text}).why
    assert len(why) == 203
    for secret in ("THEKEY", "THESECRET", "1234567", "abcdef0123"):
        assert secret not in why
    assert "\x1b" not in answer(400, {"code": -1100, "msg": "a\x1b[31m\nb"}).why
    split = "y" * 195 + "THEKEY0123456789"
    assert "THEKEY" not in answer(400, {"code": -1100, "msg": split}).why, "cut after it was scrubbed"
