"""The page's routes over a real socket: what each answers, and what it refuses."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from app.session.control import write_status
from app.web import server
from app.web.server import OperatorPage, allowed_hosts
from tests.live_sessions import Live, live, market
from tests.operator_pages import TOKEN, Served, served


@pytest.fixture
async def made(tmp_path: Path) -> Live:
    """A finished session."""
    made = live(tmp_path / "run")
    await made.run(*market())
    write_status(made.run_folder, made.view.status())
    return made


async def test_each_route_says_what_the_session_has(made: Live) -> None:
    async with served([made.run_folder]) as page:
        [one] = await page.json("/sessions")
        assert (one["name"], one["equity"]) == ("run", made.recorded.runtime.account.equity())
        content = await page.json("/s/run/content")
        assert content["status"]["funnel"] == made.recorded.runtime.funnel.as_dict()
        assert content["controls"] is False
        assert len((await page.json("/s/run/candles?symbol=AAA/X&count=5"))["candles"]) == 5
        assert len((await page.json("/s/run/trades?count=2"))["trades"]) == 2
        assert await page.json("/s/run/log?count=1") != []
        assert (await page.json("/s/run/settings"))["settings"]["live"]["symbols"] == ["AAA/X", "BBB/X"]
        assert len(await page.json("/s/run/equity")) > 10
        async with page.client.get(page.url + "/metrics") as answer:
            assert f'onetape_equity{{mode="paper",session="run"}} {one["equity"]}' in await answer.text()
        for path in ("/", "/s/run/", "/login"):
            async with page.client.get(page.url + path) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")


async def test_every_file_of_the_page_is_there_and_no_other(made: Live) -> None:
    async with served([made.run_folder]) as page:
        html = (Path(server.__file__).parent / "assets/operator.html").read_text()
        named = [part.split('"')[0] for part in html.split('"/assets/')[1:]]
        assert len(named) > 8
        for name in named:
            assert await page.status(f"/assets/{name}") == 200
        for path in ("/assets/nothing.js", "/s/nobody/", "/s/nobody/content", "/s/run/candles?count=x"):
            async with page.client.get(page.url + path) as answer:
                assert answer.status in (400, 404)


async def test_every_answer_carries_the_policy_faults_too(made: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: object) -> object:
        raise RuntimeError

    monkeypatch.setattr(OperatorPage, "_summaries", fail)
    statuses = []
    async with served([made.run_folder]) as page:
        asked = [("/", {}), ("/assets/x", {}), ("/s/run/content", {}), ("/sessions", {}), ("/log", {"Host": "evil"})]
        for client in (page.client, page.bare):
            for path, headers in asked:
                async with client.get(page.url + path, headers=headers, allow_redirects=False) as answer:
                    statuses.append(answer.status)
                    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
                    assert answer.headers["X-Content-Type-Options"] == "nosniff"
                    assert answer.headers["Cache-Control"] == "no-store"
        async with page.client.get(page.url + "/s/run/events") as answer:
            assert answer.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    assert statuses == [200, 404, 200, 500, 421, 303, 404, 401, 401, 421]


async def test_events_come_when_something_has_changed(made: Live) -> None:
    async with served([made.run_folder]) as page, page.client.get(f"{page.url}/s/run/events") as answer:
        assert answer.content_type == "text/event-stream"
        first = json.loads((await answer.content.readuntil(b"\n\n"))[6:])
        write_status(made.run_folder, {**made.view.status(), "equity": 123.0})
        second = json.loads((await answer.content.readuntil(b"\n\n"))[6:])
        while second["status"]["equity"] != 123.0:
            second = json.loads((await answer.content.readuntil(b"\n\n"))[6:])
        assert first["status"]["equity"] != 123.0


async def test_indicators_are_said_by_a_process_of_their_own(made: Live) -> None:
    async with served([made.run_folder]) as page:
        told = await page.json("/s/run/indicators?symbol=AAA/X&count=5")
        assert told == {"format": 1, "symbol": "AAA/X", "lines": [], "notes": told["notes"]}, "Seeded says none"
        async with page.client.get(page.url + "/s/run/indicators?symbol=--help") as answer:
            assert (answer.status, await answer.text()) == (400, '{"problem": "no symbol of this session"}')
        shutil.rmtree(made.run_folder / "tape")
        (made.run_folder / "results.json").unlink(missing_ok=True)
        told = await page.json("/s/run/indicators?symbol=AAA/X")
        assert told["lines"] == []
        assert "onetape: " in told["problem"]


async def test_streams_are_bounded(made: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_STREAMS_MAX", 1)
    async with served([made.run_folder]) as page, page.client.get(page.url + "/events") as answer:
        await answer.content.readuntil(b"\n\n")
        async with page.client.get(page.url + "/events") as other:
            assert other.status == 503


async def test_a_page_that_listens_does_not_hold_up_the_end(made: Live) -> None:
    async with asyncio.timeout(30), served([made.run_folder]) as page:
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        lines = ["GET /events HTTP/1.1", f"Host: 127.0.0.1:{page.port}", f"Authorization: Bearer {TOKEN}", "", ""]
        writer.write("\r\n".join(lines).encode())
        await reader.readuntil(b"data: ")
    writer.close()


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/x-www-form-urlencoded; charset=nonsense", 400), ("multipart/form-data; boundary=x", 415)],
)
async def test_a_login_that_cannot_be_read_is_refused(made: Live, kind: str, status: int) -> None:
    async with served([made.run_folder]) as page:
        sent = {"Origin": page.url, "Content-Type": kind}
        async with page.bare.post(page.url + "/login", data=b"token=x", headers=sent) as answer:
            assert answer.status == status
            assert "Content-Security-Policy" in answer.headers


async def test_a_body_that_does_not_come_is_not_waited_for(made: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_BODY_S", 0.2)
    async with served([made.run_folder], may_control=True) as page:
        reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
        lines = [
            "POST /s/run/control HTTP/1.1", f"Host: 127.0.0.1:{page.port}", f"Authorization: Bearer {TOKEN}",
            f"Origin: {page.url}", "X-Onetape: 1", "Content-Type: application/json", "Content-Length: 50", "", '{"c',
        ]  # fmt: skip
        writer.write("\r\n".join(lines).encode())
        assert (await reader.readuntil(b"\r\n")).split()[1] == b"408"
        writer.close()


async def given(page: Served, **changes: object) -> tuple[int, str]:
    status, told = await page.command("run", {"command": "halt", "why": "a look", "confirm": "run", **changes})
    return status, told.get("said") or told["problem"]


async def test_a_command_is_left_only_where_commands_are_allowed(made: Live) -> None:
    made.folder.results.unlink()
    async with served([made.run_folder]) as page:
        assert await given(page) == (403, "this page is read-only; `serve --allow-control` allows commands")
        assert (await given(page, command="close", symbol="AAA/X", strategy="main"))[0] == 403
    async with served([made.run_folder], may_control=True) as page:
        assert await given(page, confirm="other") == (400, "confirm: write the session's name, run")
        assert (await page.command("run", ["kill"]))[0] == 400
        assert (await page.command("run", {}, **{"X-Onetape": "2"}))[0] == 415
        assert not list(made.run_folder.glob("commands/*.json"))
        assert await given(page) == (200, "halt: takes effect with the next start")
    assert len(list(made.run_folder.glob("commands/*.json"))) == 1


def test_hosts_are_this_machine_and_those_that_were_named() -> None:
    assert allowed_hosts("::1", 80, ["a.example"]) == {
        "127.0.0.1:80", "localhost:80", "[::1]:80", "a.example", "a.example:80",
    }  # fmt: skip
    assert TOKEN not in str(allowed_hosts("10.0.0.1", 80, []))
