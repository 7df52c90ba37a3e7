"""`keys check` against the testnet: what is printed, the exit status, and that nothing of a key is."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import main
from app.testnet.server import Testnet
from tests.testnets import testnet

KEY, SECRET = "KeyOfTheTest" * 5, "SecretOfTheTest" * 4


def account(**rights: Any) -> list[dict[str, Any]]:
    return [{"name": "me", "balances": {"USDT": 100}, "keys": [{"key": KEY, "secret": SECRET, **rights}]}]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONETAPE_API_KEY", KEY)
    monkeypatch.setenv("ONETAPE_API_SECRET", SECRET)
    for name in ("ONETAPE_KEY_FILE", "CREDENTIALS_DIRECTORY", "ONETAPE_API_PRIVATE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def check(capsys: pytest.CaptureFixture[str], *words: str, exchange: str = "binanceus") -> tuple[int, str, str]:
    status = main(["keys", "check", "--set", f"live.exchange={exchange}", *words])
    out, err = capsys.readouterr()
    for hidden in (KEY, SECRET):
        assert hidden not in out + err
    return status, out, err


def served(net: Testnet, run: Any) -> Any:
    """The testnet in a thread of its own, while the command runs here."""
    ready, stop, loop = threading.Event(), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with net:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        return run()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def test_a_good_key(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = testnet(accounts=account(ips=["127.0.0.1"]))
    status, out, err = served(net, lambda: check(capsys, "--exchange-url", net.url))
    assert status == 0
    assert "warning" not in err
    assert out.splitlines()[0] == "binanceus says of the key:"
    assert "  may      trade spot" in out.splitlines()
    assert "  may not  withdraw" in out.splitlines()


def test_a_key_from_anywhere_is_warned_of_and_json_is_json(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = testnet(accounts=account())
    status, out, err = served(net, lambda: check(capsys, "--exchange-url", net.url, "--json", exchange="binance_demo"))
    assert status == 0
    assert "warning: it may be used from any address" in err
    content = json.loads(out)
    assert (content["exchange"], content["said_of"], content["problems"]) == ("binance_demo", "the key", [])
    assert content["may"]["trade spot"] is True


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        ({"may_withdraw": True}, "it may withdraw: switch enableWithdrawals off"),
        ({"may_trade": False}, "it may not trade spot"),
    ],
)
def test_a_key_that_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], rights: dict[str, bool], said: str
) -> None:
    net = testnet(accounts=account(**rights))
    status, _, err = served(net, lambda: check(capsys, "--exchange-url", net.url))
    assert status == 2
    assert said in err.splitlines()[-1]


def test_a_key_of_somebody_else_or_from_another_address(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for accounts in (account(ips=["10.0.0.1"]), [{**account()[0], "keys": [{"key": KEY, "secret": "x" * 60}]}]):
        net = testnet(accounts=accounts)
        status, out, err = served(net, lambda net=net: check(capsys, "--exchange-url", net.url))
        assert (status, out) == (2, "")
        assert "the exchange does not take this API key" in err


def test_bad_input_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = check(capsys, exchange="kraken")
    assert (status, out) == (2, "")
    assert "real orders go to binanceus, binance, binance_demo only" in err.splitlines()[-1]
    assert check(capsys, "--exchange-url", "http://127.0.0.1:9")[0] == 2
    monkeypatch.delenv("ONETAPE_API_KEY")
    monkeypatch.delenv("ONETAPE_API_SECRET")
    status, out, err = check(capsys)
    assert (status, out) == (2, "")
    assert "no API key: set ONETAPE_API_KEY" in err.splitlines()[-1]
