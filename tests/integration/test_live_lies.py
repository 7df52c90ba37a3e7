"""Paper sessions against an exchange whose frames lie of the time or are damaged, over real sockets: still history."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.testnet.generator import GeneratorSource
from app.testnet.server import Testnet
from app.testnet.sockets import Connection
from tests.candle_columns import START_MS
from tests.live_faults import SYMBOLS, paper, proof

DAY_MS, YEARS_MS = 86_400_000, 50 * 365 * 86_400_000
SPEED = 60.0
Kline = dict[str, Any]


def moved(frame: Kline, ms: int, **changes: Any) -> str:
    """The frame at another time."""
    kline = {**frame["k"], "t": frame["k"]["t"] + ms, "T": frame["k"]["T"] + ms, **changes}
    return json.dumps({**frame, "E": frame["E"] + ms, "s": kline["s"], "k": kline})


LIES: dict[str, Callable[[Kline], list[str]]] = {
    "a day ahead": lambda f: [moved(f, DAY_MS), moved(f, DAY_MS, x=True), json.dumps(f)],
    "50 years ahead": lambda f: [moved(f, YEARS_MS, x=True), json.dumps(f)],
    "a symbol of nobody, a day ahead": lambda f: [moved(f, DAY_MS, x=True, s="XRPUSDT"), json.dumps(f)],
    "called closed": lambda f: [moved(f, 0, x=True), json.dumps(f)],
    "damaged": lambda f: [json.dumps(f)[:50], moved(f, 0, o=1e999), "{", "[" * 5_000, json.dumps(f)],
}


class Lying:
    """While `on`, what goes to every client is what a lie makes of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        self.on = False
        push = Connection.push

        def lied(connection: Connection, stream: str, frame: str) -> None:
            for one in LIES[kind](json.loads(frame)) if self.on else (frame,):
                push(connection, stream, one)

        monkeypatch.setattr(Connection, "push", lied)

    def begin(self) -> None:
        self.on = True

    def end(self) -> None:
        self.on = False


def testnet() -> Testnet:
    source = GeneratorSource(7, list(SYMBOLS))
    return Testnet(source, start_ms=START_MS + 20_000, speed=SPEED, weight_limit=None)


testnet.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", LIES)
async def test_a_session_among_lies_is_history(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lying, told = Lying(monkeypatch, kind), list[str]()
    async with testnet() as net:
        runner = paper(net, tmp_path, 16, {3: lying.begin, 9: lying.end})
        runner.tell = told.append
        await runner.run_async()
        proven = await proof(net, runner, tmp_path)
        proven.check_same()
    assert len(told) <= 2, "a line a kind"
    assert capfd.readouterr().err == ""


async def test_a_stop_among_lies_is_obeyed_within_five_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = Lying(monkeypatch, "50 years ahead")
    async with testnet() as net:
        stopped_s: list[float] = []

        def stop() -> None:
            stopped_s.append(asyncio.get_running_loop().time())
            os.kill(os.getpid(), signal.SIGTERM)

        runner = paper(net, tmp_path, 10_000, {3: lying.begin, 7: stop})
        async with asyncio.timeout(60.0):
            results = await runner.run_async()
        assert results["status"] == "stopped"
        assert asyncio.get_running_loop().time() - stopped_s[0] < 5.0
