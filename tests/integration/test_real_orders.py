"""Sessions with real orders over real sockets: begun, killed, continued, stopped, halted; what is refused at the start.

The testnet is calm here; what goes wrong with orders is the business of the storm.
"""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from app.feeds.tape import read_tape
from app.models.events import Execution
from app.testnet.api_keys import TEST_KEY, TEST_SECRET
from tests.fetching import run, running_testnet
from tests.integration.processes import PATIENCE_S, PROJECT
from tests.integration.real_sessions import SERVED, RealSession

HOLDS = "return long(stop=candle.close * 0.9, target=candle.close * 1.1) if self.count > 8 else FLAT"


def fills_of(session: RealSession) -> dict[str, float]:
    """Trade ids and quantities as the tape has them."""
    events = [record.event for record in read_tape(session.run).records]
    return {one.fill_id: one.quantity for one in events if isinstance(one, Execution) and one.quantity > 0.0}


def assert_same_as_the_exchange(session: RealSession) -> None:
    ledger = session.ledger()
    assert fills_of(session) == {str(one["id"]): float(one["qty"]) for one in ledger["trades"]}
    quote = sum(float(ledger["balances"]["USDT"][part]) for part in ("free", "locked"))
    paid = sum(
        float(one["quoteQty"]) * (-1.0 if one["isBuyer"] else 1.0)
        - (float(one["commission"]) if one["commissionAsset"] == "USDT" else 0.0)
        for one in ledger["trades"]
    )
    assert quote == pytest.approx(10_000.0 + paid)


def assert_no_key(session: RealSession) -> None:
    """In nothing that was written or said."""
    written = {path: path.read_bytes() for path in session.folder.rglob("*") if path.is_file()}
    assert any(path.suffix == ".jsonl" for path in written)
    for place, content in [
        *written.items(),
        *((str(number), text.encode()) for number, text in enumerate(session.said)),
    ]:
        for secret in (TEST_KEY.encode(), TEST_SECRET.encode(), b"signature"):
            assert secret not in content, place


def test_killed_continued_and_stopped_it_is_what_the_exchange_has(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        session = RealSession(tmp_path, url)
        session.start("--log-file", str(tmp_path / "log.jsonl"))
        session.wait_for(lambda: session.stops() == ["on the exchange"] * 2)
        assert len(session.open_orders()) == 4, "two OCOs"
        second = session.once(out=tmp_path / "other")
        assert second.returncode == 2
        assert f"process {session.process.pid} trades this account at this exchange already" in second.stderr  # type: ignore[union-attr]
        session.ended(signal.SIGKILL)
        assert len(session.open_orders()) == 4, "the stops outlive the process"

        session.start()
        count = len(session.rows())
        session.wait_for(lambda: len(session.rows()) > count + 2)
        session.ended(signal.SIGKILL)
        session.start()
        session.wait_for(lambda: session.stops() == ["on the exchange"] * 2)
        status, out, err = session.ended(signal.SIGINT)
        assert status == 0, err
        assert "Onetape live:" in out
        assert session.open_orders() == []
        assert_same_as_the_exchange(session)
        assert json.loads((session.run / "results.json").read_text())["mode"] == "live"
        replayed = session.replayed(tmp_path / "tape")
        assert replayed.returncode == 0, replayed.stderr
        for name in (next(session.run.glob("live_*.csv")).name, "equity.parquet", "signals.csv"):
            assert (tmp_path / "tape" / name).read_bytes() == (session.run / name).read_bytes()
        assert_no_key(session)


def reconciled(session: RealSession, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "app", "reconcile", str(session.run), "--exchange-url", session.url, *words],
        cwd=PROJECT, env=session.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    session.said += [done.stdout, done.stderr]
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def act(session: RealSession, what: str, value: object) -> None:
    """Somebody else does something at the exchange."""
    asked = urllib.request.Request(f"{session.url}/testnet/orders", json.dumps({what: value}).encode())
    with urllib.request.urlopen(asked) as answer:
        assert answer.status == 200


def test_reconcile_names_what_differs_and_changes_nothing(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        session = RealSession(tmp_path, url, body=HOLDS)
        session.start()
        session.wait_for(lambda: session.stops() == ["on the exchange"] * 2)
        session.ended(signal.SIGKILL)
        tape = (session.run / "tape/000001.jsonl").read_bytes()
        orders = session.open_orders()
        status, said = reconciled(session)
        assert (status, said.splitlines()[-1]) == (0, "no difference"), said
        assert "fills       2 on the tape, 2 in the exchange's history" in said
        assert "orders      4 open at the exchange" in said

        bought = next(one for one in session.ledger()["balances"].items() if one[0] == "BTC")
        act(session, "adjust", {"asset": "USDT", "amount": -9_500})
        act(session, "expire", next(one for one in orders if one.endswith("-t")))
        status, said = reconciled(session, "--json")
        content = json.loads(said)
        assert status == 1
        told = " ".join(content["differences"])
        assert "USDT: the exchange holds " in told
        assert "rests in the ledger and is not open at the exchange" in told
        assert content["balances"]["BTC"]["exchange"] == pytest.approx(sum(map(float, bought[1].values())))

        assert (session.run / "tape/000001.jsonl").read_bytes() == tape
        assert session.rows(), "its files are as they were"
        paper = run("reconcile", str(tmp_path))
        assert (paper.returncode, paper.stdout) == (2, "")


def test_positions_that_are_kept_stay_protected(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        session = RealSession(tmp_path, url, on_stop="keep")
        session.start()
        session.wait_for(lambda: session.status().get("positions"))
        status, _, err = session.ended(signal.SIGINT)
        assert status == 0, err
        assert not (session.run / "results.json").exists()
        left = session.status()
        assert left["ended"] == "kept"
        assert left["positions"]
        assert session.stops() == ["on the exchange"] * len(left["positions"]), "it waited for them"
        assert len(session.open_orders()) == 2 * len(left["positions"])
        session.start("--set", "on_stop=keep")
        count = len(session.rows())
        session.wait_for(lambda: len(session.rows()) > count)
        assert session.ended(signal.SIGINT)[0] == 0
        assert_same_as_the_exchange(session)


def test_halt_keeps_what_is_there_close_sells_one_and_kill_the_rest(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        session = RealSession(tmp_path, url, body=HOLDS)
        session.start()
        session.wait_for(lambda: session.stops() == ["on the exchange"] * 2)
        assert run("halt", str(session.run), "--why", "a look").stdout == "halt: given to the running session\n"
        session.wait_for(lambda: session.status()["halted"])
        status = session.status()
        assert (status["killed"], status["closing"], len(status["positions"])) == (False, False, 2)
        assert len(session.open_orders()) == 4
        told = run("status", str(session.run)).stdout
        assert "HALTED      a look" in told
        assert told.count("; stop on the exchange") == 2
        said = run("close", str(session.run), "BTC/USDT", "--why", "this one")
        assert said.stdout == "close BTC/USDT: given to the running session\n", said.stderr
        session.wait_for(lambda: [one["symbol"] for one in session.status()["positions"]] == ["ETH/USDT"])
        assert len(session.open_orders()) == 2, "the OCO of the other"
        assert [(row["symbol"], row["reason"]) for row in session.rows() if row["action"] == "CLOSE"] == [
            ("BTC/USDT", "operator")
        ]
        session.wait_for(lambda: session.status()["real_orders"]["dust"])
        dust = session.status()["real_orders"]["dust"]["BTC/USDT"]["quantity"]
        assert sum(map(float, session.ledger()["balances"]["BTC"].values())) == pytest.approx(dust)
        assert dust < 1e-5, "below a step: it was sold once, and all of it"
        again = run("close", str(session.run), "BTC/USDT", "--why", "this one")
        assert again.stderr == "onetape: nothing of BTC/USDT is open: open are ETH/USDT\n"
        assert run("kill", str(session.run), "--why", "enough").returncode == 0
        session.wait_for(lambda: session.status()["killed"] and not session.status()["positions"])
        session.wait_for(lambda: not session.status()["closing"])
        assert session.open_orders() == []
        assert [row["reason"] for row in session.rows()].count("kill_switch") == 1
        assert session.ended(signal.SIGINT)[0] == 0
        assert_same_as_the_exchange(session)


def test_what_is_refused_before_anything_is_traded(tmp_path: Path) -> None:
    accounts = [
        {"name": "rich", "balances": {"USDT": 10_000}, "keys": [
            {"key": "Withdraws", "secret": "s", "may_withdraw": True},
            {"key": "Reads", "secret": "s", "may_trade": False},
        ]},
        {"name": "poor", "balances": {"USDT": 12.5}, "keys": [{"key": "Poor", "secret": "s"}]},
    ]  # fmt: skip
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps(accounts))
    with running_testnet("--account", str(file), *SERVED) as url:
        session = RealSession(tmp_path, url)

        def refused(key: str, *more: str, secret: str = "s") -> str:
            session.keys = {"ONETAPE_API_KEY": key, "ONETAPE_API_SECRET": secret} if key else {}
            done = session.once(*more)
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert not session.run.exists()
            return done.stderr.splitlines()[-1]

        assert refused("").startswith("onetape: no API key: set ONETAPE_API_KEY and ONETAPE_API_SECRET")
        assert "this API key is refused: it may withdraw: switch enableWithdrawals off" in refused("Withdraws")
        assert "it may not trade spot" in refused("Reads")
        assert "the exchange does not take this API key" in refused("Nobodys")
        assert "the exchange does not take this API key" in refused("Poor", secret="other")
        assert "the account holds 12.5 USDT, and starting_balance is 1,000: set it to what this" in refused("Poor")
        small = refused("Poor", "--set", "starting_balance=12")
        assert "an entry in BTC/USDT may cost 1.2 USDT at most" in small
        assert "the smallest order of the exchange is " in small
        assert "fill: close is for simulations" in refused("Poor", "--set", "fill=close")


def test_a_disk_that_fills_up_while_orders_are_open_leaves_their_stops(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        session = RealSession(tmp_path, url, body=HOLDS)
        session.start()
        session.wait_for(lambda: session.stops() == ["on the exchange"] * 2)
        session.ended(signal.SIGKILL)
        size = (session.run / "tape/000001.jsonl").stat().st_size
        session.start(largest_file=size + 2_000)
        assert session.process is not None
        out, err = session.process.communicate(timeout=PATIENCE_S)
        session.said += [out, err]
        assert session.process.returncode == 2, err
        assert "nothing is traded without it" in err.splitlines()[-1]
        assert "Traceback" not in err
        assert len(session.open_orders()) == 4
        session.start()
        session.wait_for(lambda: session.stops() == ["on the exchange"] * 2)
        assert session.ended(signal.SIGINT)[0] == 0
        assert session.open_orders() == []
        assert_same_as_the_exchange(session)


def test_a_session_of_another_mode_is_not_continued(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        session = RealSession(tmp_path, url)
        session.start()
        session.wait_for(lambda: session.status().get("last_slice_ms"))
        session.ended(signal.SIGKILL)
        words = [word if word != "live" else "paper" for word in session.words()]
        done = run(*words)
        assert done.returncode == 2
        assert "was begun with --mode live; continue it so, or begin in another --out" in done.stderr


def test_an_order_of_somebody_else_is_shown_and_left_alone(tmp_path: Path) -> None:
    with running_testnet("--trade", *SERVED) as url:
        foreign = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
                   "price": "12000", "newClientOrderId": "mine"}  # fmt: skip
        asked = urllib.request.Request(f"{url}/testnet/orders", json.dumps({"place": foreign}).encode())
        urllib.request.urlopen(asked).close()
        session = RealSession(tmp_path, url)
        session.start()
        session.wait_for(lambda: session.status().get("real_orders", {}).get("foreign_orders"))
        assert "foreign     1 open orders of somebody else, not touched" in run("status", str(session.run)).stdout
        session.wait_for(session.rows)
        assert session.ended(signal.SIGINT)[0] == 0
        assert session.open_orders() == ["mine"]
