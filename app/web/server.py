"""The operator's page over HTTP: read-only routes, server-sent events, and commands where they were allowed.

The program only reads what sessions write, so a page that hangs, crashes or is attacked costs them nothing. Bodies,
connections, streams and the time for each are bounded.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from app.errors import OnetapeError
from app.report.rendering import CHARTS, package_file
from app.web.access import Access, strict
from app.web.connections import Known, Pace, limited, listening, raise_file_limit, take_connections
from app.web.controls import obey
from app.web.followed import FollowedSession, indicator_words, why_lines
from app.web.metrics import metrics_text
from app.web.sessions import ShownSession, ShownSessions

_HERE = Path(__file__).resolve().parent / "assets"
_OWN = ("operator.css", "operator.js", "panels.js", "live_chart.js", "login.js")
_SHARED = {
    "charts.js": CHARTS, "report.css": "assets/report.css", "theme.js": "assets/theme.js",
    "lines.js": "assets/lines.js", "trade_marks.js": "assets/trade_marks.js",
}  # fmt: skip
_BODY_MAX = 64 * 1024
_STREAMS_MAX = 40
_EVERY_S, _ALIVE_S, _SLOW_S, _BODY_S = 1.0, 15.0, 10.0, 10.0
_LEAVE_S = 0.5  # a page that listens never ends by itself
_COUNT_MAX = 1_500


class OperatorPage:
    """The web application; `run()` serves it until cancelled."""

    def __init__(self, sessions: ShownSessions, access: Access, *, may_control: bool = False) -> None:
        self._sessions, self._access, self._may_control = sessions, access, may_control
        self.streams = 0  # pages that listen now
        self._known, self._strangers = Known(), Pace()
        self._whys = asyncio.Semaphore(2)

    def application(self) -> web.Application:
        """Routes behind the guard."""
        app = web.Application(middlewares=[self._note_known(), self._access.guarded()], client_max_size=_BODY_MAX)
        app.on_response_prepare.append(strict)
        named = "/s/{name}"
        app.add_routes([
            web.get("/", self._shell), web.get(named + "/", self._shell),
            web.get("/login", self._login_page), web.post("/login", self._login),
            web.get("/assets/{file}", _asset), web.get("/sessions", self._list), web.get("/metrics", self._metrics),
            web.get("/events", self._events), web.get(named + "/events", self._events),
            web.get(named + "/content", self._content), web.get(named + "/why", self._why),
            web.get(named + "/indicators", self._indicators),
            web.get(named + "/candles", self._answer(_candles)), web.get(named + "/trades", self._answer(_trades)),
            web.get(named + "/log", self._answer(lambda one, query: one.log(_whole(query, "count", 100)))),
            web.get(named + "/equity", self._answer(lambda one, _: one.equity())),
            web.get(named + "/expectation", self._answer(lambda one, _: one.expectation())),
            web.get(named + "/settings", self._answer(lambda one, _: one.settings())),
            web.post(named + "/control", self._control),
        ])  # fmt: skip
        return app

    async def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Until cancelled; OSError where the port is taken. `ready` hears the port."""
        runner = web.AppRunner(
            self.application(), access_log=None, keepalive_timeout=30.0, max_line_size=8190, shutdown_timeout=_LEAVE_S
        )
        await runner.setup()
        assert runner.server is not None  # noqa: S101 - it is there after setup()
        raise_file_limit()
        try:
            with listening(host, port) as taken_from:
                ready(taken_from.getsockname()[1])
                await take_connections(taken_from, limited(runner.server, self._known))
        finally:
            await runner.cleanup()
            self._sessions.close()

    def _note_known(self) -> Middleware:
        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._access.knows(request):
                await self._strangers.turn()
            elif request.transport is not None:
                self._known.add(request.transport)
            return await handler(request)

        return note

    # Routes.

    async def _shell(self, request: web.Request) -> web.Response:
        if "name" in request.match_info:
            self._shown(request)
        return web.Response(text=_own_file("operator.html"), content_type="text/html")

    async def _login_page(self, request: web.Request) -> web.Response:
        return web.Response(text=_own_file("login.html"), content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        if request.content_type != "application/x-www-form-urlencoded":
            return _refused(415, "a login is a form that this page sends")
        form = await _body(request.post())
        return await self._access.let_in(str(form.get("token", "")))

    async def _list(self, request: web.Request) -> web.Response:
        return _json(await self._summaries())

    async def _content(self, request: web.Request) -> web.Response:
        return _json(await self._seen(self._shown(request)))

    async def _why(self, request: web.Request) -> web.Response:
        shown = self._shown(request)
        number = _whole(request.query, "trade", 0, most=10**9)
        words = await shown.ask(lambda session: session.why_words(number))
        if words is None:
            return _json([f"trade {number} is not among those that the page has"])
        async with self._whys:
            return _json(await asyncio.to_thread(why_lines, words))

    async def _indicators(self, request: web.Request) -> web.Response:
        """By a process of its own, like `why`: no strategy runs in the page."""
        shown, symbol = self._shown(request), request.query.get("symbol", "")
        count = _whole(request.query, "count", 300)
        words = await shown.ask(lambda session: indicator_words(session, symbol, count))
        if words is None:
            return _refused(400, "no symbol of this session")
        async with self._whys:
            lines = await asyncio.to_thread(why_lines, words)
        try:
            return _json(json.loads("\n".join(lines)))
        except ValueError:
            return _json({"lines": [], "problem": " ".join(lines)})

    def _answer(
        self, question: Callable[[FollowedSession, Mapping[str, str]], Any]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            return _json(await self._shown(request).ask(lambda session: question(session, request.query)))

        return handle

    async def _metrics(self, request: web.Request) -> web.Response:
        contents = await self._contents()
        return web.Response(body=metrics_text(contents), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _control(self, request: web.Request) -> web.Response:
        shown = self._shown(request)
        if not self._may_control:
            return _refused(403, "this page is read-only; `serve --allow-control` allows commands")
        if request.content_type != "application/json" or request.headers.get("X-Onetape") != "1":
            return _refused(415, "a command is JSON that this page sends")
        asked = await _body(request.json())
        if not isinstance(asked, dict):
            return _refused(400, "a command is a JSON object")
        try:
            return _json({"said": await shown.ask(partial(obey, asked=asked))})
        except OnetapeError as error:
            return _refused(400, str(error))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The content of one session, or the list of all, whenever it has changed; a comment where it has not."""
        shown = self._shown(request) if "name" in request.match_info else None
        if self.streams >= _STREAMS_MAX:
            return _refused(503, f"{_STREAMS_MAX} pages are open already")
        self.streams += 1
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            before, said_s = "", 0.0
            while True:
                now = json.dumps(await (self._summaries() if shown is None else self._seen(shown)), allow_nan=False)
                said_s += _EVERY_S
                if now != before or said_s >= _ALIVE_S:
                    # A reader who does not read is let go.
                    await asyncio.wait_for(response.write(f"data: {now}\n\n".encode()), _SLOW_S)
                    before, said_s = now, 0.0
                await asyncio.sleep(_EVERY_S)
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        finally:
            self.streams -= 1

    # What they answer with.

    def _shown(self, request: web.Request) -> ShownSession:
        found = self._sessions.all().get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text="no such session\n")
        return found

    async def _seen(self, shown: ShownSession) -> dict[str, Any]:
        return {**await shown.content(), "controls": self._may_control}

    async def _contents(self) -> list[dict[str, Any]]:
        return await asyncio.gather(*(shown.content() for shown in self._sessions.all().values()))

    async def _summaries(self) -> list[dict[str, Any]]:
        names = ("name", "mode", "exchange", "running", "age_s", "candle_age_s", "state", "day")
        found = []
        for content in await self._contents():
            status = content["status"]
            more = {"equity": status.get("equity"), "positions": len(status.get("positions", ()))}
            found.append({name: content.get(name) for name in names} | more)
        return found


def _candles(session: FollowedSession, query: Mapping[str, str]) -> Any:
    before_ms = _whole(query, "before_ms", 0, most=10**15) or None
    return session.candles(query.get("symbol", ""), before_ms, _whole(query, "count", 300))


def _trades(session: FollowedSession, query: Mapping[str, str]) -> Any:
    before = _whole(query, "before", 0, most=10**9) or None
    return session.trades(before, _whole(query, "count", 50))


def _whole(query: Mapping[str, str], name: str, default: int, most: int = _COUNT_MAX) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 16:
        raise web.HTTPBadRequest(text=f"{name}: a whole number from 0 to {most:,}\n")
    return min(int(text), most)


async def _body(reading: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(_BODY_S):
            return await reading
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not come\n") from None
    except (ValueError, LookupError):  # also a character set that nobody knows
        raise web.HTTPBadRequest(text="the body cannot be read\n") from None


def _json(content: Any) -> web.Response:
    return web.json_response(content, dumps=partial(json.dumps, allow_nan=False))


def _refused(status: int, why: str) -> web.Response:
    return web.json_response({"problem": why}, status=status)


async def _asset(request: web.Request) -> web.Response:
    """Of a fixed list: a name is looked up, never joined to a path."""
    name = request.match_info["file"]
    if name in _SHARED:
        text = package_file(_SHARED[name])
    elif name in _OWN:
        text = _own_file(name)
    else:
        raise web.HTTPNotFound(text="no such file\n")
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    return web.Response(text=text, content_type=kind)


def _own_file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def allowed_hosts(host: str, port: int, names: Iterable[str]) -> set[str]:
    """What a Host header may say: this machine's own names, the address that is listened on, and `--allow-host`."""
    own = {"127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host}
    return {f"{one}:{port}" for one in own} | {name for one in names for name in (one, f"{one}:{port}")}
