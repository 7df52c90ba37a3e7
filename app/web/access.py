"""Who may see the page: a token in a file, a cookie made from it, and checks against other sites' requests.

Every answer, refusals too, carries a policy that forbids scripts, styles and requests of anywhere else, and framing. A
request must name a host that was allowed (no DNS rebinding), and one that changes something must come from the page
itself (no cross-site request).
"""

import asyncio
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from app.errors import ConfigError, OutputError

COOKIE = "onetape"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}  # fmt: skip
_OPEN = ("/login", "/assets/")  # without a token
_WRONG_S = 0.5


def read_token(path: Path) -> str:
    """The token of a file, made with 32 random bytes where there is none; ConfigError where others may read it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        about = path.lstat()
        text = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no file of a token: {error}; remove it, and a new one is made") from error
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise ConfigError(f"{path} may be read by others: `chmod 600 {path}` as its owner, or remove it")
    if len(text) < 32:
        raise ConfigError(f"{path} holds {len(text)} characters, a token has at least 32; remove it, a new one is made")
    return text


class Access:
    """`hosts` as a browser's Host header names them, with the port."""

    def __init__(self, token: str, hosts: Collection[str]) -> None:
        self._token = token.encode()
        self._cookie = hmac.new(self._token, b"the cookie of the operator's page", hashlib.sha256).hexdigest()
        self.hosts = frozenset(host.lower() for host in hosts)
        self._wrong = asyncio.Lock()

    def guarded(self) -> Middleware:
        """The middleware in front of every route."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = self._refusal(request)
            if refusal is not None:
                status, why = refusal
                if (
                    status == web.HTTPUnauthorized.status_code
                    and request.path.endswith("/")
                    and request.method == "GET"
                ):
                    return web.Response(status=303, headers={**HEADERS, "Location": "/login"})
                return web.Response(status=status, text=why + "\n", headers=HEADERS)
            try:
                response = await handler(request)
            except web.HTTPException as error:
                error.headers.update(HEADERS)
                raise
            if not response.prepared:
                response.headers.update(HEADERS)
            return response

        return guard

    def _refusal(self, request: web.Request) -> tuple[int, str] | None:
        if request.headers.get("Host", "").lower() not in self.hosts:
            return 421, "this host name is not allowed here; --allow-host NAME allows one"
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return 403, "asked for by another site"
        if request.method == "POST" and not self._is_own(request.headers.get("Origin")):
            return 403, "not sent by this page"
        if request.path.startswith(_OPEN) or self.knows(request):
            return None
        return 401, "no token, or not this one; open /login"

    def _is_own(self, origin: str | None) -> bool:
        scheme, _, host = (origin or "").lower().partition("://")
        return scheme in ("http", "https") and host in self.hosts

    def knows(self, request: web.Request) -> bool:
        """Whether a request carries the cookie, or the token as `Authorization: Bearer`."""
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(given.strip()):
            return True
        cookie = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self._cookie.encode())

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    async def let_in(self, given: str) -> web.Response:
        """The answer to a login: the cookie and the way to the page, or, after a moment, a refusal."""
        if not self._is_token(given.strip()):
            async with self._wrong:  # two wrong ones a second, over however many connections
                await asyncio.sleep(_WRONG_S)
            return web.Response(status=401, text="this is not the token\n")
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(COOKIE, self._cookie, httponly=True, samesite="Strict", path="/", max_age=30 * 86_400)
        return response
