"""Who may see the page: the file of the token, and what a request must say of itself."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from app.errors import ConfigError, OutputError
from app.web.access import COOKIE, HEADERS, Access, read_token
from tests.operator_pages import TOKEN

HOST = "127.0.0.1:8080"


def test_a_token_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "page.token"
    token = read_token(path)
    assert len(token) >= 43, "32 random bytes"
    assert read_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_token(tmp_path / "other") != token


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "page.token"
    read_token(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="may be read by others: `chmod 600"):
        read_token(path)


def test_what_is_no_token_is_refused(tmp_path: Path) -> None:
    short, link = tmp_path / "short", tmp_path / "link"
    short.write_text("abc\n")
    short.chmod(0o600)
    with pytest.raises(ConfigError, match="holds 3 characters, a token has at least 32"):
        read_token(short)
    read_token(tmp_path / "real")
    link.symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match="may be read by others"):
        read_token(link)
    with pytest.raises((ConfigError, OutputError)):
        read_token(short / "below a file")


async def answer(method: str = "GET", path: str = "/", **headers: str) -> Any:
    access = Access(TOKEN, [HOST])

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text="in")

    sent = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await access.guarded()(make_mocked_request(method, path, headers=sent), handler)


BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/sessions", {}, 401),
        ("/", {}, 303),
        ("/s/mine/", {}, 303),
        ("/s/mine/content", {}, 401),
        ("/login", {}, 200),
        ("/assets/operator.js", {}, 200),
        ("/assets/../sessions", {}, 200),  # the route decides what it is: a name that is looked up
        ("/sessions", {"Authorization": "Bearer wrong"}, 401),
        ("/sessions", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("/sessions", {"Cookie": f"{COOKIE}={TOKEN}"}, 401),  # the cookie is not the token
        ("/sessions", {"Cookie": f"{COOKIE}=\u00e9"}, 401),
        ("/sessions", BEARER, 200),
        ("/sessions", {**BEARER, "Host": "evil.example:8080"}, 421),
        ("/login", {"Host": "evil.example:8080"}, 421),
        ("/sessions", {**BEARER, "Host": "127.0.0.1:80"}, 421),
        ("/sessions", {**BEARER, "Sec_Fetch_Site": "cross-site"}, 403),
        ("/sessions", {**BEARER, "Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
async def test_what_a_request_must_say(path: str, headers: dict[str, str], status: int) -> None:
    made = await answer(path=path, **headers)
    assert made.status == status
    assert HEADERS.items() <= dict(made.headers).items(), "on refusals, too"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"http://{HOST}", 200), (f"https://{HOST}", 200), ("http://evil.example", 403), ("null", 403),
        ("http://127.0.0.1:8080.evil.example", 403), (f"file://{HOST}", 403),
    ],
)  # fmt: skip
async def test_what_changes_something_must_come_from_the_page(origin: str, status: int) -> None:
    assert (await answer("POST", "/s/a/control", Origin=origin, **BEARER)).status == status
    assert (await answer("POST", "/s/a/control", **BEARER)).status == 403


async def test_wrong_tokens_wait_in_a_row_and_the_right_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[asyncio.Future[None]] = []

    async def wait(_: float) -> None:
        waits.append(asyncio.get_running_loop().create_future())
        await waits[-1]

    guard, turns = Access(TOKEN, [HOST]), asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", wait)
    wrong = [asyncio.create_task(guard.let_in("wrong")) for _ in range(20)]
    assert (await guard.let_in(TOKEN)).status == 303
    for done in range(20):
        await turns(0)
        await turns(0)
        assert len(waits) == done + 1, "one at a time"
        waits[-1].set_result(None)
        await wrong[done]
    assert {task.result().status for task in wrong} == {401}


async def test_the_cookie_lets_in_and_is_for_this_site_alone() -> None:
    access = Access(TOKEN, [HOST])
    assert (await access.let_in("wrong")).status == 401
    made = await access.let_in(f" {TOKEN}\n")
    cookie = made.cookies[COOKIE]
    assert (made.status, cookie["httponly"], cookie["samesite"]) == (303, True, "Strict")
    assert TOKEN not in cookie.value
    assert (await answer(path="/sessions", Cookie=f"{COOKIE}={cookie.value}")).status == 200
