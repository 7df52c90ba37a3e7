"""Signed requests: what exactly is signed, and which of them are refused with which code."""

import hashlib
import hmac
from typing import Any

import pytest

from app.testnet.api_keys import TEST_ACCOUNT, TEST_KEY, TEST_SECRET, Account, ApiKey
from app.testnet.signing import KeyRing, Query, refusal, rest_query, socket_query, time_refusal
from app.testnet.spot_exchange import Reply

NOW_MS = 1_767_225_600_000
KEY = TEST_ACCOUNT.keys[0]


def signed(payload: str, secret: str = TEST_SECRET) -> Query:
    signature = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return rest_query("", f"{payload}&signature={signature}")


def code_of(reply: Reply | None) -> int | None:
    return None if reply is None else int(reply.body["code"])


def test_the_query_and_the_body_are_signed_as_they_came() -> None:
    query = rest_query("symbol=BTC%55SDT&side=BUY&signature=ab", "side=SELL&quantity=0%2C5")
    assert query.payload == b"symbol=BTC%55SDT&side=BUYside=SELL&quantity=0%2C5"
    assert query.signature == "ab"
    assert query.params == {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0,5"}
    assert not query.is_doubled, "the same parameter in query and body is allowed"
    assert rest_query("a=1&a=2", "").is_doubled


def test_a_socket_signs_in_the_order_of_the_names() -> None:
    query = socket_query({"timestamp": "5", "apiKey": "k", "signature": "ab", "symbol": "A&B"})
    assert (query.payload, query.signature) == (b"apiKey=k&symbol=A&B&timestamp=5", "ab")
    assert query.says == {"timestamp": "5", "symbol": "A&B"}, "neither key nor signature"


@pytest.mark.parametrize(
    ("ahead_ms", "recv_window", "code"),
    [
        (0, None, None),
        (999, None, None),
        (1_000, None, -1021),
        (-5_000, None, None),
        (-5_001, None, -1021),
        (-3_000, "3000", None),
        (-3_001, "3000", -1021),
        (-3_001, "3001.5", None),
        (-60_000, "60000", None),
    ],
)
def test_the_time_of_a_request(ahead_ms: int, recv_window: str | None, code: int | None) -> None:
    params = {"timestamp": str(NOW_MS + ahead_ms), **({} if recv_window is None else {"recvWindow": recv_window})}
    assert code_of(time_refusal(params, NOW_MS)) == code
    micros = {**params, "timestamp": str((NOW_MS + ahead_ms) * 1_000)}
    assert code_of(time_refusal(micros, NOW_MS)) == code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (signed(f"timestamp={NOW_MS}"), None),
        (signed(f"timestamp={NOW_MS}", "another secret"), -1022),
        (rest_query(f"timestamp={NOW_MS}&signature=00", ""), -1022),
        (rest_query(f"timestamp={NOW_MS}", ""), -1102),
        (signed("symbol=BTCUSDT"), -1102),
        (signed("timestamp="), -1102),
        (signed("timestamp=now"), -1100),
        (signed(f"timestamp={NOW_MS}&recvWindow="), -1102),
        (signed(f"timestamp={NOW_MS}&recvWindow=5.1234"), -1100),
        (signed(f"timestamp={NOW_MS}&recvWindow=60000.5"), -1102),
        (signed(f"timestamp={NOW_MS}&timestamp={NOW_MS}"), -1101),
        (signed(f"timestamp={NOW_MS - 9_000}"), -1021),
    ],
)
def test_codes(query: Query, code: int | None) -> None:
    assert code_of(refusal(KEY, query, NOW_MS, "may_trade")) == code


def test_what_is_changed_after_signing_is_refused() -> None:
    text = f"symbol=BTCUSDT&quantity=1&timestamp={NOW_MS}"
    signature = hmac.new(TEST_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    assert refusal(KEY, rest_query(f"{text}&signature={signature}", ""), NOW_MS, None) is None
    other = text.replace("quantity=1", "quantity=10")
    assert code_of(refusal(KEY, rest_query(f"{other}&signature={signature}", ""), NOW_MS, None)) == -1022


def test_rights() -> None:
    query = signed(f"timestamp={NOW_MS}")
    reads = ApiKey("k", "one", TEST_SECRET, may_trade=False)
    assert refusal(reads, query, NOW_MS, "may_read") is None
    assert code_of(refusal(reads, query, NOW_MS, "may_trade")) == -2015


@pytest.mark.parametrize(
    ("key", "ip", "found"),
    [
        (TEST_KEY, "127.0.0.1", "test"),
        ("home", "10.0.0.1", "one"),
        ("home", "127.0.0.1", -2015),
        ("unknown", "127.0.0.1", -2015),
        ("with blanks", "127.0.0.1", -2014),
        ("k" * 65, "127.0.0.1", -2014),
        (None, "127.0.0.1", -2014),
    ],
)
def test_who_asks(key: str | None, ip: str, found: Any) -> None:
    ring = KeyRing([TEST_ACCOUNT, Account("one", {}, (ApiKey("home", "one", "s", ips=("10.0.0.1",)),))])
    answer = ring.find(key, ip)
    assert (code_of(answer) if isinstance(answer, Reply) else answer.account) == found
    assert not isinstance(answer, Reply) or answer.status == 401
