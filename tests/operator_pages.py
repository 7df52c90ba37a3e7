"""An operator's page for a test: the real server on a real socket, over sessions that the test made.

The rule: no test logic; `served()` gives an address and a client that has logged in.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.web import sessions
from app.web.access import Access, read_token
from app.web.server import OperatorPage, allowed_hosts
from app.web.sessions import ShownSessions

TOKEN = "a token of a test, long enough for one"


@dataclass
class Served:
    """`client` sends the token with each request; `bare` does not."""

    port: int
    client: aiohttp.ClientSession
    bare: aiohttp.ClientSession
    page: OperatorPage

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    async def json(self, path: str) -> Any:
        """A GET that succeeds."""
        async with self.client.get(self.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def status(self, path: str, **more: Any) -> int:
        """Of a GET without a token."""
        async with self.bare.get(self.url + path, allow_redirects=False, **more) as answer:
            return answer.status

    async def command(self, name: str, asked: Any, **headers: str) -> tuple[int, Any]:
        """A command as the page sends it; status and answer."""
        own = {"Origin": self.url, "X-Onetape": "1", **headers}
        async with self.client.post(f"{self.url}/s/{name}/control", json=asked, headers=own) as answer:
            text = await answer.text()
            return answer.status, (await answer.json()) if answer.content_type == "application/json" else text


@asynccontextmanager
async def served(runs: Sequence[Path], *, may_control: bool = False) -> AsyncIterator[Served]:
    """Until the block ends."""
    access, port = Access(TOKEN, ()), asyncio.get_running_loop().create_future()

    def ready(number: int) -> None:
        access.hosts = frozenset(allowed_hosts("127.0.0.1", number, ["page.example"]))
        port.set_result(number)

    page = OperatorPage(ShownSessions(runs), access, may_control=may_control)
    serving = asyncio.create_task(page.run("127.0.0.1", 0, ready))
    patience = pytest.MonkeyPatch()
    patience.setattr(sessions, "_PATIENCE_S", 300.0)  # a first look beside busy processes
    try:
        number = await asyncio.wait_for(port, 30)
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as client,
            aiohttp.ClientSession() as bare,
        ):
            yield Served(number, client, bare, page)
    finally:
        patience.undo()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def token_in(folder: Path) -> Path:
    """The file of a token."""
    path = folder / "page.token"
    read_token(path)
    return path
