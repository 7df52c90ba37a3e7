"""Intents: what a broker wants an exchange to do. Each is on the tape, and synced, before anything of it is sent.

Every order has a client id of its own, made from the session's tag, the epoch, the order's number and a letter for its
leg, so whatever is heard of it tells by itself which order it is.
"""

import re
from typing import NamedTuple

import msgspec

ENTRY, CLOSE, TARGET, STOP, LIST = "e", "c", "t", "s", "l"  # the legs of client ids; a list holds a target and a stop
_CLIENT_ID = re.compile(r"([a-z0-9]{4,12})-(\d{1,6})-(\d{1,9})-([ectsl])")


class ClientId(NamedTuple):
    """What a client order id says. As text it fits the exchange's `[a-zA-Z0-9-_]{1,36}`."""

    tag: str  # of the session
    epoch: int
    order_id: int
    leg: str

    def __str__(self) -> str:
        return f"{self.tag}-{self.epoch}-{self.order_id}-{self.leg}"


def read_client_id(text: str) -> ClientId | None:
    """What a client order id says; None if it is not of our making."""
    found = _CLIENT_ID.fullmatch(text)
    if found is None:
        return None
    tag, epoch, order_id, leg = found.groups()
    return ClientId(tag, int(epoch), int(order_id), leg)


class PlaceOrder(msgspec.Struct, frozen=True, omit_defaults=True, tag="place"):
    """One order, at the market or at `limit` (good until cancelled); `buys` or sells `quantity` of the base asset."""

    client_id: str
    order_id: int
    symbol: str
    buys: bool
    quantity: float
    time_ms: int  # close time of the newest slice when it was decided
    limit: float | None = None


class PlaceOco(msgspec.Struct, frozen=True, omit_defaults=True, tag="place_oco"):
    """A position's protection: two orders to sell `quantity`, at the target or once the stop is reached; one cancels
    the other. The client ids are those of the list and of its two legs.
    """

    client_id: str
    target_id: str
    stop_id: str
    order_id: int
    symbol: str
    quantity: float
    target: float
    stop: float
    time_ms: int


class Cancel(msgspec.Struct, frozen=True, omit_defaults=True, tag="cancel"):
    """Cancel an order of ours, or with `is_list` an OCO with both its legs."""

    client_id: str
    order_id: int
    symbol: str
    time_ms: int
    is_list: bool = False


Intent = PlaceOrder | PlaceOco | Cancel
