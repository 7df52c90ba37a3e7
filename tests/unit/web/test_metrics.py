"""What Prometheus reads: each figure of the status once, and nothing where there is none."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.cli.main import _mode_parser, command_parser
from app.web.metrics import metrics_text

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"

STATUS: dict[str, Any] = {
    "equity": 9_900.0, "balance": 9_950.0, "peak": 10_000.0, "halted": True, "epoch": 2, "pending": ["A"],
    "link": {"connected": True, "connections": 3, "lag_ms": 250, "rest_faults": 4},
    "positions": [{"symbol": "A/B", "strategy": "main", "side": "LONG", "unrealised": -50.0}],
    "funnel": {"signals": {"LONG": 5}, "ignored": {}, "refused_by_risk": {}, "refused_by_gate": {"halted": 2},
               "orders_submitted": 3},
    "rest": {"requests": 7, "weight": 90, "minute_weight": 44, "minute_limit": 1200},
    "handling": {"events": 6, "total_s": 0.5, "max_s": 0.1, "slow": 0, "within": [3, 0, 1, 0, 0, 0, 0, 1, 0, 1]},
    "real_orders": {"unresolved": 1, "differences": ["x", "y"], "longest_gap_s": 2.5,
                    "open": [{"unknown": True, "states": {"e": "unknown"}},
                             {"unknown": False, "states": {"t": "accepted", "s": "accepted"}}]},
}  # fmt: skip
CONTENT: dict[str, Any] = {
    "name": 'my "run"\n', "mode": "live", "running": True, "age_s": 0.5, "candle_age_s": 31.0, "drawdown": 0.01,
    "day": {"pnl": -12.0}, "status": STATUS, "alerts": {"sent": 5, "failed": 1, "waiting": 2},
}  # fmt: skip

BUCKETS: dict[tuple[str, ...], float] = {
    ("onetape_event_seconds_bucket", bound): float(count)
    for bound, count in (
        ("0.0005", 3), ("0.001", 3), ("0.0025", 4), ("0.005", 4), ("0.01", 4), ("0.025", 4), ("0.1", 4),
        ("1.0", 5), ("10.0", 5), ("+Inf", 6),
    )
}  # fmt: skip


def samples(*contents: dict[str, Any]) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics_text(contents).decode())
    return {
        (one.name, *(value for name, value in one.labels.items() if name not in ("session", "mode"))): one.value
        for family in families
        for one in family.samples
        if one.labels["session"] == contents[0]["name"]
    }


def test_each_figure_is_that_of_the_status() -> None:
    figures: dict[tuple[str, ...], float] = {
        ("onetape_running",): 1, ("onetape_heartbeat_age_seconds",): 0.5, ("onetape_candle_age_seconds",): 31,
        ("onetape_link_up",): 1, ("onetape_lag_seconds",): 0.25, ("onetape_equity",): 9_900,
        ("onetape_balance",): 9_950, ("onetape_peak_equity",): 10_000, ("onetape_drawdown_ratio",): 0.01,
        ("onetape_day_pnl",): -12, ("onetape_halted",): 1, ("onetape_positions",): 1,
        ("onetape_pending_entries",): 1, ("onetape_unresolved_orders",): 1, ("onetape_account_differences",): 2,
        ("onetape_longest_unprotected_seconds",): 2.5, ("onetape_epoch",): 2, ("onetape_connections_total",): 3,
        ("onetape_rest_faults_total",): 4, ("onetape_orders_submitted_total",): 3,
        ("onetape_position_unrealised", "LONG", "main", "A/B"): -50, ("onetape_signals", "LONG"): 5,
        ("onetape_refused_entries", "gate", "halted"): 2, ("onetape_real_orders", "unknown"): 1,
        ("onetape_real_orders", "accepted"): 2, ("onetape_rest_requests_total",): 7,
        ("onetape_rest_weight_total",): 90, ("onetape_minute_weight",): 44, ("onetape_minute_weight_limit",): 1200,
        ("onetape_alerts_sent_total",): 5, ("onetape_alerts_failed_total",): 1, ("onetape_alerts_waiting",): 2,
        ("onetape_event_seconds_max",): 0.1, ("onetape_event_seconds_sum",): 0.5, ("onetape_event_seconds_count",): 6,
    }  # fmt: skip
    assert samples(CONTENT) == figures | BUCKETS


def test_a_session_without_a_status_is_there_with_its_age() -> None:
    assert samples({"name": "a", "running": False, "age_s": None, "status": {}}) == {("onetape_running",): 0}
    assert metrics_text([]).count(b"onetape_running{") == 0
    assert samples({"name": "a", "state": [["alarm", "unreadable"]], "status": {}}) == {}


def test_each_figure_that_the_dashboard_asks_for_exists() -> None:
    link = {**STATUS["link"], "late_slices": 1}
    there = {name for name, *_ in samples({**CONTENT, "status": {**STATUS, "link": link}})}
    panels = json.loads((DEPLOY / "grafana/onetape.json").read_text())["panels"]
    asked = {name for panel in panels for one in panel["targets"] for name in re.findall(r"onetape_\w+", one["expr"])}
    assert len(asked) > 12
    assert asked <= there


def test_what_compose_starts_is_what_the_command_line_takes() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    words = {name: services[name]["command"] for name in ("session", "page", "watch")}
    assert _mode_parser().parse_args(words["session"]).mode == "paper"
    page = command_parser("serve").parse_args(words["page"][1:])
    assert (page.host, page.allow_host, page.allow_control) == ("0.0.0.0", ["page:8080"], False)
    assert command_parser("watch").parse_args(words["watch"][1:]).runs == page.runs
    for name in ("prometheus.yml", "grafana/datasource.yaml", "grafana/dashboards.yaml"):
        assert yaml.safe_load((DEPLOY / name).read_text())
