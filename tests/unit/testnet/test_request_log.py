"""The log of requests: counts by path, status and fault, and a bound on what is kept."""

import pytest

from app.testnet import request_log
from app.testnet.request_log import Request, RequestLog


def request(path: str = "klines", status: int = 200, fault: str | None = None) -> Request:
    return Request(0.5, 1_000, path, {}, status, 1, fault)


def filled() -> RequestLog:
    log = RequestLog()
    log.add(request(), used_weight=1, was_banned=False)
    log.add(request("exchangeInfo"), used_weight=11, was_banned=False)
    log.add(request(status=429, fault="rate_limited"), used_weight=12, was_banned=False)
    log.add(request(status=418), used_weight=3, was_banned=True)
    return log


def test_counts() -> None:
    log = filled()
    assert [log.count(), log.count("klines"), log.count("time")] == [4, 3, 0]
    assert [log.count(status=429), log.count(status=418), log.count(fault="rate_limited")] == [1, 1, 1]
    assert [log.count("klines", status=200), log.count("klines", fault="hang")] == [1, 0]
    assert (log.used_weight_max, log.total_weight, log.during_ban) == (12, 4, 1)


def test_handshakes_are_no_requests() -> None:
    log = filled()
    log.add_handshake(request("ws/0", 503, "refuse_handshakes"))
    assert (log.count(), len(log.handshakes), log.count(fault="refuse_handshakes")) == (4, 1, 1)
    summary = log.summary()
    assert summary["by_path"] == {"exchangeInfo": 1, "klines": 3}
    assert summary["by_status"] == {"200": 2, "418": 1, "429": 1}


def test_the_oldest_are_let_go_and_counts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "_KEPT_MAX", 10)
    log = RequestLog()
    for _ in range(25):
        log.add(request(), used_weight=1, was_banned=False)
    assert len(log.requests) <= 10
    assert log.count("klines") == 25
