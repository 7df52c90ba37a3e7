"""The testnet's own pages below /testnet: faults, clock, log, state.

They are no requests of the exchange: nothing here counts, weighs or meets a fault, so a test can look on unseen.
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.errors import ConfigError
from app.testnet.fault_desk import FaultDesk
from app.testnet.request_log import RequestLog
from app.testnet.sockets import Sockets
from app.testnet.virtual_clock import VirtualClock
from app.testnet.weights import WeightLimit

if TYPE_CHECKING:
    from aiohttp import web

_SHOWN_MAX = 10_000


class OwnPages:
    """Handlers of POST /testnet/faults and /testnet/clock, GET /testnet/log and /testnet/state."""

    def __init__(
        self, clock: VirtualClock, desk: FaultDesk, weights: WeightLimit, log: RequestLog, sockets: Sockets
    ) -> None:
        self._clock, self._desk, self._weights, self._log, self._sockets = clock, desk, weights, log, sockets

    async def faults(self, request: "web.Request") -> "web.StreamResponse":
        """Takes one fault or a list; all of them, or with 400 none."""
        try:
            self._desk.add(json.loads(await request.text()))
        except (ValueError, ConfigError) as error:
            return _json({"error": str(error)}, status=400)
        return _json({"waiting": self._desk.waiting()})

    async def clock(self, request: "web.Request") -> "web.StreamResponse":
        """`{"held": true}` holds the exchange's clock, false lets it run again; 400 for anything else."""
        try:
            asked = json.loads(await request.text())
        except ValueError:
            asked = None
        if not (isinstance(asked, dict) and list(asked) == ["held"] and isinstance(asked["held"], bool)):
            return _json({"error": 'clock: write {"held": true} or {"held": false}'}, status=400)
        if asked["held"]:
            self._clock.hold()
        else:
            self._clock.release()
        return _json({"held": self._clock.held, "now_ms": self._clock.now_ms()})

    async def log(self, request: "web.Request") -> "web.StreamResponse":
        """The last requests, oldest first."""
        shown = [asdict(one) for one in self._log.requests[-_SHOWN_MAX:]]
        return _json({"requests": shown, "handshakes": [asdict(one) for one in self._log.handshakes]})

    async def state(self, request: "web.Request") -> "web.StreamResponse":
        """Counts, used weight, clock."""
        content = {
            "now_ms": self._clock.now_ms(),
            "real_s": self._clock.real_s(),
            "speed": self._clock.speed,
            "held": self._clock.held,
            "weight_limit": self._weights.limit,
            "used_weight": self._weights.used,
            "connections": len(self._sockets.connections),
            "faults_waiting": self._desk.waiting(),
        }
        return _json(content | self._log.summary())


def _json(content: dict[str, Any], status: int = 200) -> "web.StreamResponse":
    from aiohttp import web

    return web.json_response(content, status=status)
