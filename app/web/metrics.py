"""What Prometheus reads of a page: one gauge or counter a figure of the status, labelled by session.

Figures come from the status that each session writes, so a session that hangs shows by its age, not by a gap.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from app.session.handling import BOUNDS_S

_LABELS = ("session", "mode")
Content = Mapping[str, Any]


def metrics_text(contents: Sequence[Content]) -> bytes:
    """All sessions in Prometheus' text format; a session without a status is there with its age alone."""
    registry = CollectorRegistry()
    registry.register(_Sessions(contents))
    return generate_latest(registry)


class _Sessions:
    def __init__(self, contents: Sequence[Content]) -> None:
        self._contents = contents

    def collect(self) -> Iterator[Metric]:
        for name, about, path in _GAUGES:
            yield self._filled(GaugeMetricFamily(f"onetape_{name}", about, labels=_LABELS), path)
        for name, about, path in _COUNTERS:
            yield self._filled(CounterMetricFamily(f"onetape_{name}", about, labels=_LABELS), path)
        yield self._handling()
        for name, about, label, rows in _BY_NAME:
            family = GaugeMetricFamily(f"onetape_{name}", about, labels=(*_LABELS, *label))
            for content in self._contents:
                for *names, value in rows(content.get("status") or {}):
                    family.add_metric([*_own(content), *map(str, names)], float(value))
            yield family

    describe = collect

    def _handling(self) -> Metric:
        """Prometheus' buckets count all events up to their bound."""
        family = HistogramMetricFamily(
            "onetape_event_seconds", "handling of an event, this process of the session", labels=_LABELS
        )
        for content in self._contents:
            handling = (content.get("status") or {}).get("handling") or {}
            if "within" in handling:
                counts = zip([*map(str, BOUNDS_S), "+Inf"], accumulate(handling["within"]), strict=False)
                family.add_metric(_own(content), list(counts), handling["total_s"])
        return family

    def _filled(self, family: Any, path: str) -> Metric:
        for content in self._contents:
            value = _figure(content, path)
            if value is not None:
                family.add_metric(_own(content), value)
        return family  # type: ignore[no-any-return]


def _own(content: Content) -> list[str]:
    return [content["name"], content.get("mode") or ""]


def _figure(content: Any, path: str) -> float | None:
    """What lies at a path of names: a number as it is, a list by its length, `_ms` in seconds."""
    for name in path.split("."):
        content = content.get(name) if isinstance(content, Mapping) else None
    if content is None:
        return None
    value = float(len(content) if isinstance(content, list) else content)
    return value / 1000.0 if path.endswith("_ms") else value


_GAUGES = (
    ("running", "1 while the session's process has its folder", "running"),
    ("heartbeat_age_seconds", "age of the status that the session writes each second", "age_s"),
    ("candle_age_seconds", "since the newest slice closed, by the exchange's clock", "candle_age_s"),
    ("link_up", "1 while the websocket is connected", "status.link.connected"),
    ("lag_seconds", "from the newest slice's close until it was handled on", "status.link.lag_ms"),
    ("equity", "balance and unrealised profit, quote currency", "status.equity"),
    ("balance", "quote currency", "status.balance"),
    ("peak_equity", "what drawdown is counted from", "status.peak"),
    ("drawdown_ratio", "1 - equity / peak", "drawdown"),
    ("day_pnl", "since the UTC day began, quote currency", "day.pnl"),
    ("halted", "1 while entries are refused by an operator or a limit", "status.halted"),
    ("positions", "open positions", "status.positions"),
    ("pending_entries", "entries that wait for their fill", "status.pending"),
    ("unresolved_orders", "orders of which nobody knows what became of them", "status.real_orders.unresolved"),
    ("account_differences", "between account and ledger", "status.real_orders.differences"),
    ("longest_unprotected_seconds", "without a stop at the exchange", "status.real_orders.longest_gap_s"),
    ("epoch", "of the tape", "status.epoch"),
    ("event_seconds_max", "longest handling of an event, this process", "status.handling.max_s"),
    ("minute_weight", "of REST requests in the exchange's minute, as it counts them", "status.rest.minute_weight"),
    ("minute_weight_limit", "what it allows", "status.rest.minute_limit"),
    ("alerts_waiting", "that not every address has yet", "alerts.waiting"),
)
_COUNTERS = (
    ("connections", "of the websocket, this process", "status.link.connections"),
    ("frames", "of the websocket", "status.link.frames"),
    ("rest_faults", "answers that REST did not give", "status.link.rest_faults"),
    ("slices", "handed on by the feed", "status.link.slices"),
    ("late_slices", "too late for entries", "status.link.late_slices"),
    ("late_candles", "that came after their slice", "status.link.late_candles"),
    ("backfilled_candles", "that REST brought", "status.link.backfilled"),
    ("orders_submitted", "entries that every gate let through", "status.funnel.orders_submitted"),
    ("rest_requests", "of this process", "status.rest.requests"),
    ("rest_weight", "of this process's requests", "status.rest.weight"),
    ("alerts_sent", "an alert at each address", "alerts.sent"),
    ("alerts_failed", "given up at an address", "alerts.failed"),
)


def _positions(status: Content) -> Iterable[tuple[Any, ...]]:
    return [(one["symbol"], one["strategy"], one["side"], one["unrealised"]) for one in status.get("positions", ())]


def _signals(status: Content) -> Iterable[tuple[Any, ...]]:
    return list((status.get("funnel") or {}).get("signals", {}).items())


def _refusals(status: Content) -> Iterable[tuple[Any, ...]]:
    funnel = status.get("funnel") or {}
    stages = {"ignored": "ignored", "risk": "refused_by_risk", "gate": "refused_by_gate"}
    return [(stage, why, count) for stage, key in stages.items() for why, count in funnel.get(key, {}).items()]


def _orders(status: Content) -> Iterable[tuple[Any, ...]]:
    states: dict[str, int] = {}
    for order in (status.get("real_orders") or {}).get("open", ()):
        for state in ["unknown"] if order["unknown"] else order["states"].values():
            states[state] = states.get(state, 0) + 1
    return list(states.items())


_BY_NAME = (
    ("position_unrealised", "quote currency", ("symbol", "strategy", "side"), _positions),
    ("signals", "of the strategies, since the session began", ("action",), _signals),
    ("refused_entries", "since the session began", ("stage", "why"), _refusals),
    ("real_orders", "open at the exchange, by state", ("state",), _orders),
)
