"""What clients asked, in the order in which it was answered, each request with the fault that it met.

Tests of a client read it. Counts stay right when the oldest requests of a long run are dropped.
"""

from collections import Counter
from dataclasses import dataclass

_KEPT_MAX = 200_000


@dataclass(frozen=True)
class Request:
    """One request; `path` without `/api/v3/`, `status` 0 if it was cut off, times since the start and of the market.

    A signed one has its account, never its key or signature, and the code of its refusal.
    """

    real_s: float
    virtual_ms: int
    path: str
    query: dict[str, str]
    status: int
    weight: int
    fault: str | None
    method: str = "GET"
    account: str | None = None
    code: int | None = None


class RequestLog:
    """REST requests in `requests`, websocket handshakes in `handshakes`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.handshakes: list[Request] = []
        self.used_weight_max = 0
        self.total_weight = 0
        self.during_ban = 0
        self._by_path: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._by_fault: Counter[str] = Counter()

    def add(self, request: Request, *, used_weight: int, was_banned: bool) -> None:
        """One REST request; `used_weight` of its window, itself included; `was_banned` before it came."""
        self.used_weight_max = max(self.used_weight_max, used_weight)
        self.total_weight += request.weight
        self.during_ban += was_banned
        self._by_path[request.path] += 1
        self._by_status[request.status] += 1
        self._keep(self.requests, request)

    def add_handshake(self, request: Request) -> None:
        """One websocket handshake."""
        self._keep(self.handshakes, request)

    def count(self, path: str | None = None, *, status: int | None = None, fault: str | None = None) -> int:
        """How many requests: of a path, or of a status, or that met a fault, or all."""
        if path is not None and (status is not None or fault is not None):
            return sum(
                request.path == path and status in (None, request.status) and fault in (None, request.fault)
                for request in self.requests
            )
        if status is not None:
            return self._by_status[status]
        if fault is not None:
            return self._by_fault[fault]
        return self._by_path.total() if path is None else self._by_path[path]

    def summary(self) -> dict[str, object]:
        """Counts for a client that asks."""
        return {
            "requests": self._by_path.total(),
            "by_path": dict(sorted(self._by_path.items())),
            "by_status": {str(status): count for status, count in sorted(self._by_status.items())},
            "faults": dict(sorted(self._by_fault.items())),
            "used_weight_max": self.used_weight_max,
            "total_weight": self.total_weight,
            "during_ban": self.during_ban,
            "handshakes": len(self.handshakes),
        }

    def _keep(self, kept: list[Request], request: Request) -> None:
        kept.append(request)
        if request.fault is not None:
            self._by_fault[request.fault] += 1
        if len(kept) > _KEPT_MAX:
            del kept[: _KEPT_MAX // 2]
