"""Intents: ids that tell what they are of, in the exchange's alphabet, and messages that a tape gives back."""

import re

import msgspec
import pytest

from app.models.intents import (
    CLOSE,
    ENTRY,
    LIST,
    STOP,
    TARGET,
    Cancel,
    ClientId,
    Intent,
    PlaceOco,
    PlaceOrder,
    read_client_id,
)

EXCHANGE = re.compile(r"[a-zA-Z0-9-_]{1,36}")


@pytest.mark.parametrize("leg", [ENTRY, CLOSE, TARGET, STOP, LIST])
def test_an_id_says_what_it_is_of(leg: str) -> None:
    for own in (ClientId("test", 1, 1, leg), ClientId("a1b2c3d4e5f6", 999_999, 999_999_999, leg)):
        assert EXCHANGE.fullmatch(str(own)) and read_client_id(str(own)) == own


def test_no_two_legs_share_an_id() -> None:
    made = {str(ClientId("test", epoch, number, leg)) for epoch in (1, 11) for number in (1, 11) for leg in "ectsl"}
    assert len(made) == 20


@pytest.mark.parametrize(
    "text",
    ["", "web_abc", "test-1-2", "test-1-2-x", "test-1-2-e-", "TEST-1-2-e", "abc-1-2-e", "test-1-1000000000-e",
     "test--2-e", "a1b2c3d4e5f6g-1-2-e", "x-test-1-2-e", "test-1-2-e\n"],
)  # fmt: skip
def test_what_is_not_of_our_making_says_nothing(text: str) -> None:
    assert read_client_id(text) is None


@pytest.mark.parametrize(
    "intent",
    [
        PlaceOrder("test-1-1-e", 1, "A/X", True, 0.1, 60_000), PlaceOrder("test-1-2-e", 2, "A/X", True, 0.1, 1, 99.5),
        PlaceOco("test-1-3-l", "test-1-3-t", "test-1-3-s", 3, "A/X", 0.1, 120.0, 90.0, 1),
        Cancel("test-1-3-l", 3, "A/X", 2, is_list=True),
    ],
)  # fmt: skip
def test_a_tape_gives_back_what_was_written(intent: Intent) -> None:
    written = msgspec.json.encode(intent)
    assert msgspec.json.decode(written, type=PlaceOrder | PlaceOco | Cancel) == intent
    assert msgspec.json.encode(msgspec.json.decode(written, type=PlaceOrder | PlaceOco | Cancel)) == written
