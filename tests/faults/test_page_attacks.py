"""Attacks on the operator's page over real sockets: each is refused or bounded, and the page answers afterwards."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from app.session.control import write_status
from app.web import connections, server
from tests.live_sessions import live, market
from tests.operator_pages import Served, served

EVIL = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Served]:
    """A page that takes commands, over a session with hostile texts in its status."""
    made = live(tmp_path / "run")
    await made.run(*market())
    made.folder.results.unlink()
    status = made.view.status()
    line = {"symbol": "AAA/X", "strategy": EVIL}
    evil = {"positions": [line], "halted": True, "halts": [{"time_ms": 0, "why": EVIL}], "ended": "failed", "why": EVIL}
    write_status(tmp_path / "run", {**status, **evil})
    async with served([tmp_path / "run"], may_control=True) as made_page:
        yield made_page
        assert (await made_page.json("/sessions"))[0]["name"] == "run", "it answers afterwards"
    assert not list((tmp_path / "run").glob("commands/*.json")), "no attack left a command"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../server.py", "/assets/..%2fserver.py", "/assets/%2e%2e/server.py",
        "/assets/%252e%252e%252fserver.py",
        "/assets//etc/passwd", "/assets/%00", "/s/../../etc/passwd", "/s/%2e%2e/status.json", "/s/run/../../x.json",
        "/s/run/status.json", "/s/run%00/content", "/s/RUN/content", "/s/run/control", "/.git/config",
    ],
)  # fmt: skip
async def test_nothing_but_the_page_is_served(page: Served, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port)
    writer.write(request_of(page, path))
    answer = await reader.read()
    writer.close()
    status = int(answer.split()[1])
    assert status in (400, 404, 405), answer[:200]
    assert b"root:" not in answer
    assert b"import" not in answer


async def test_no_token_and_wrong_tokens(page: Served) -> None:
    for path in ("/sessions", "/s/run/content", "/events", "/metrics", "/s/run/why?trade=1"):
        assert await page.status(path) == 401
        assert await page.status(path, headers={"Authorization": "Bearer " + "x" * 43}) == 401
        assert await page.status(path, cookies={"onetape": "x" * 64}) == 401
    form = aiohttp.FormData({"token": "wrong"})
    async with page.bare.post(page.url + "/login", data=form, headers={"Origin": page.url}) as answer:
        assert answer.status == 401
        assert "Set-Cookie" not in answer.headers


KILL = {"command": "kill", "why": "an attack", "confirm": "run"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"X-Onetape": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_command_of_another_site_is_refused(page: Served, headers: dict[str, str], status: int) -> None:
    sent = {"Origin": page.url, "X-Onetape": "1", "Content-Type": "application/json", **headers}
    async with page.client.post(f"{page.url}/s/run/control", data=json.dumps(KILL), headers=sent) as answer:
        assert answer.status == status


async def test_a_form_of_another_site_and_a_get_change_nothing(page: Served) -> None:
    async with page.client.post(f"{page.url}/s/run/control", data=KILL) as answer:
        assert answer.status == 403, "a form sends no Origin of this page"
    async with page.client.get(f"{page.url}/s/run/control?command=kill&why=x&confirm=run") as answer:
        assert answer.status == 405


@pytest.mark.parametrize("body", ["{", "[]", "null", '{"command": {}}', '{"command": "kill", "why": "x"}', "\ufffd"])
async def test_a_body_that_is_no_command_is_refused(page: Served, body: str) -> None:
    sent = {"Origin": page.url, "X-Onetape": "1", "Content-Type": "application/json"}
    async with page.client.post(f"{page.url}/s/run/control", data=body, headers=sent) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    "line",
    [
        {}, {"symbol": "AAA/X"}, {"symbol": "AAA/X", "strategy": "main"}, {"symbol": EVIL, "strategy": EVIL},
        {"symbol": "AAA/X", "strategy": EVIL}, {"symbol": ["AAA/X"], "strategy": {}}, {"symbol": "x" * 9_999},
    ],
)  # fmt: skip
async def test_a_close_of_what_the_session_does_not_have_is_refused(page: Served, line: dict[str, object]) -> None:
    status, told = await page.command("run", {**KILL, "command": "close", **line})
    assert status == 400
    assert len(told["problem"]) < 500, "what was sent is not sent back at length"


async def test_a_page_that_only_shows_closes_nothing(tmp_path: Path, page: Served) -> None:
    async with served([tmp_path / "run"]) as shown:
        asked = {**KILL, "command": "close", "symbol": "AAA/X", "strategy": "main"}
        assert (await shown.command("run", asked))[0] == 403


async def test_a_huge_request_is_refused(page: Served) -> None:
    sent = {"Origin": page.url, "X-Onetape": "1", "Content-Type": "application/json"}
    with contextlib.suppress(aiohttp.ClientError):  # it may be cut off while it is being sent
        async with page.client.post(
            f"{page.url}/s/run/control", data=io.BytesIO(b"x" * 5_000_000), headers=sent
        ) as answer:
            assert answer.status == 413
    for path, headers in (("/" + "x" * 100_000, {}), ("/sessions", {"X-A": "x" * 100_000})):
        with contextlib.suppress(aiohttp.ClientError):
            assert await page.status(path, headers=headers) in (400, 413, 414, 431)


async def test_hostile_texts_are_json_that_no_browser_takes_for_a_page(page: Served) -> None:
    async with page.client.get(f"{page.url}/s/run/content") as answer:
        assert answer.content_type == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await answer.json())["status"]["why"] == EVIL
    async with page.client.get(f"{page.url}/s/{EVIL.replace('/', '')}/content") as answer:
        assert answer.status == 404
        assert "<img" not in await answer.text()


async def test_a_thousand_connections(page: Served) -> None:
    opened = await asyncio.gather(
        *(asyncio.open_connection("127.0.0.1", page.port) for _ in range(1_000)), return_exceptions=True
    )
    held = [one for one in opened if not isinstance(one, BaseException)]
    assert len(held) > connections.CONNECTIONS_MAX
    async with (
        aiohttp.ClientSession(headers=page.client.headers) as operator,  # over a connection of its own
        operator.get(page.url + "/sessions") as answer,
    ):
        assert answer.status == 200, "while they are all held"
    for _, writer in held:
        writer.close()


async def test_a_reader_of_events_who_does_not_read_is_let_go(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SLOW_S", 0.3)
    monkeypatch.setattr(server, "_EVERY_S", 0.0)
    monkeypatch.setattr(server, "_ALIVE_S", 0.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", page.port, limit=1)
    writer.write(request_of(page, "/s/run/events"))
    assert await reader.read(1) == b"H"  # and no more
    while page.page.streams:
        await asyncio.sleep(0.01)
    writer.close()


def request_of(page: Served, path: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{page.port}",
        f"Authorization: {page.client.headers['Authorization']}",
    ]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()
