"""Which fault meets whom, and when: scripts, faults on demand and storms, together with the states they leave behind.

Each fault of a request, signed or not, counts the requests that match it, and the first one that is due meets the
request; a scripted fault goes before the storm. Faults of events are counted likewise.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import ConfigError
from app.testnet.faults import Fault, Where, parse_faults
from app.testnet.kline_pages import KlinePages
from app.testnet.order_faults import Event, fits_events, fits_request
from app.testnet.order_storm import OrderStorm
from app.testnet.rest_faults import Revision
from app.testnet.spot import SpotMarket, wire_name
from app.testnet.storm import SLOT_MS, Storm
from app.testnet.virtual_clock import VirtualClock

_REFUSED_IN_A_ROW_MAX = 3  # in a storm


@dataclass
class _Scripted:
    fault: Fault
    matched: int = 0
    met: int = 0

    def is_due(self, fits: Callable[[Fault], bool]) -> bool:
        """Counts the request if it fits."""
        if not fits(self.fault):
            return False
        self.matched += 1
        return self.matched > self.fault.after and self.met < self.fault.times


class FaultDesk:
    """The faults of one testnet."""

    def __init__(
        self,
        market: SpotMarket,
        pages: KlinePages,
        clock: VirtualClock,
        faults: Sequence[Fault],
        storm: Storm | None,
        orders_storm: OrderStorm | None = None,
    ) -> None:
        self._market, self._pages, self._clock = market, pages, clock
        self._storm, self._orders_storm = storm, orders_storm
        self._scripted: list[_Scripted] = []
        self._planned: list[Fault] = []  # for the websockets, by time
        self._asked: Counter[str] = Counter()
        self._batches = 0  # of events
        self._storm_slot = clock.start_ms // SLOT_MS + 1
        self._refuse_left = 0
        self._refused_in_a_row = 0
        self._until_s = dict.fromkeys(("silence", "stream_silent", "maintenance"), 0.0)  # real time
        self.revisions: list[Revision] = []
        self.skew_ms = 0
        self._take_all(faults)

    def add(self, specs: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """One fault from its keys, as in a script, or a list: all of them, or with ConfigError none."""
        self._take_all(parse_faults(specs))

    def for_request(self, path: str, symbol: str | None, query: Mapping[str, str]) -> Fault | None:
        """The fault that meets this request; every request asks once."""

        def fits(fault: Fault) -> bool:
            return fault.where is Where.REST and fault.path in (None, path) and fault.symbol in (None, symbol)

        if due := self._due(fits):
            return due
        if self._storm is None:
            return None
        identity = _identity(path, query)
        return self._storm.for_request(path, identity, self._asked_before(identity))

    def for_order(self, method: str, path: str, params: Mapping[str, str]) -> Fault | None:
        """The fault that meets this signed request; every one that is let in asks once."""
        symbol = self._market.symbol_of(params.get("symbol", ""))

        def fits(fault: Fault) -> bool:
            return fault.where is Where.ORDERS and fits_request(fault, method, path, params, symbol)

        if due := self._due(fits):
            return due
        if self._orders_storm is None:
            return None
        identity = _identity(f"{method} {path}", params)
        return self._orders_storm.for_request(method, path, identity, self._asked_before(identity))

    def for_events(self, events: Sequence[Event]) -> Fault | None:
        """The fault that meets what one matching gave; each asks once."""

        def fits(fault: Fault) -> bool:
            name = None if fault.symbol is None else wire_name(fault.symbol)
            return fault.where is Where.EVENTS and fits_events(fault, events, name)

        if due := self._due(fits):
            return due
        if self._orders_storm is None:
            return None
        self._batches += 1
        return self._orders_storm.for_events(self._batches, len(events))

    def for_sockets(self) -> list[Fault]:
        """What happens to the websockets now; each fault is given once."""
        now_ms = self._clock.now_ms()
        while self._storm_slot * SLOT_MS <= now_ms:
            for storm in (self._storm, self._orders_storm):
                if storm is not None:
                    self._planned += storm.for_sockets(self._storm_slot, self._clock.speed)
            self._storm_slot += 1
        due = [fault for fault in self._planned if (fault.at_ms or 0) <= now_ms]
        self._planned = [fault for fault in self._planned if (fault.at_ms or 0) > now_ms]
        for fault in due:
            self._begin(fault)
        return due

    def refuses_handshake(self) -> bool:
        """Whether the handshake that comes now is refused; every handshake asks once."""
        refused = self._refuse_left > 0
        if self._storm is not None and self._refused_in_a_row >= _REFUSED_IN_A_ROW_MAX:
            refused, self._refuse_left = False, 0
        self._refuse_left -= refused
        self._refused_in_a_row = self._refused_in_a_row + 1 if refused else 0
        return refused

    def is_silent(self) -> bool:
        """Whether the websockets send nothing."""
        return self._clock.real_s() < self._until_s["silence"]

    def is_stream_silent(self) -> bool:
        """Whether the user data stream says nothing, while the rest of its websocket goes on."""
        return self._clock.real_s() < self._until_s["stream_silent"]

    def begin_maintenance(self, seconds: float) -> None:
        """503 for everybody, for so many real seconds."""
        self._prolong("maintenance", seconds)

    def is_in_maintenance(self) -> bool:
        """Whether that lasts."""
        return self._clock.real_s() < self._until_s["maintenance"]

    def waiting(self) -> int:
        """Faults that have not met anybody yet, a storm's not counted."""
        return len(self._scripted) + len(self._planned)

    def _due(self, fits: Callable[[Fault], bool]) -> Fault | None:
        due = [scripted for scripted in self._scripted if scripted.is_due(fits)]
        if not due:
            return None
        due[0].met += 1
        self._scripted = [one for one in self._scripted if one.met < one.fault.times]
        return due[0].fault

    def _asked_before(self, identity: str) -> int:
        self._asked[identity] += 1
        return self._asked[identity] - 1

    def _take_all(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            symbol = fault.symbol or fault.values.get("symbol")
            if symbol is not None and symbol not in self._market.symbols:
                raise ConfigError(
                    f"faults: {fault.name}: {symbol} is not served; served are {', '.join(self._market.symbols)}"
                )
        for fault in faults:
            self._take(fault)

    def _begin(self, fault: Fault) -> None:
        if fault.name in ("silence", "stream_silent"):
            self._prolong(fault.name, fault.values["s"])
        elif fault.name == "refuse_handshakes":
            self._refuse_left = max(self._refuse_left, fault.values["n"])

    def _prolong(self, state: str, seconds: float) -> None:
        self._until_s[state] = max(self._until_s[state], self._clock.real_s() + seconds)

    def _take(self, fault: Fault) -> None:
        if fault.where in (Where.REST, Where.ORDERS, Where.EVENTS):
            self._scripted.append(_Scripted(fault))
        elif fault.at_ms is None and fault.name in ("silence", "stream_silent", "refuse_handshakes"):
            self._begin(fault)
        elif fault.where is Where.SOCKETS:
            self._planned.append(fault)
        elif fault.name == "skew":
            self.skew_ms += fault.values["ms"]
        elif fault.name == "hole":
            self._market.add_hole(fault.values["symbol"], fault.values["from"], fault.values["to"])
            self._pages.forget()
        else:
            self.revisions.append(Revision(fault))


def _identity(asked: str, params: Mapping[str, str]) -> str:
    """What is asked for, whenever and however often."""
    return f"{asked}?" + "&".join(f"{key}={value}" for key, value in sorted(params.items()) if key != "timestamp")
