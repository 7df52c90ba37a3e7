"""Requests to a Binance's REST API, signed by ccxt and sent once each over a connection of ours.

ccxt signs and no more: its own sending logs the key where debug logs are on, follows redirects with a POST, and hides
the code of an answer behind a class (docs/decisions/015). A request that changes something is never repeated, neither
here nor by aiohttp. No error that leaves here has the address of a request, which holds its signature.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.exchange.binance_fixes import binance_class
from app.exchange.hosts import ccxt_name, exchange_urls
from app.exchange.keys import Keys
from app.exchange.quiet_connections import guarded


class RawAnswer(NamedTuple):
    """As it came; `headers` by lower-case names."""

    status: int
    headers: Mapping[str, str]
    text: str


class NotSentError(Exception):
    """No connection: not a byte of the request left."""


class CutError(Exception):
    """The request may have arrived; there is no answer."""


class SignedRest:
    """One account at one exchange. It connects with the first request, inside a running event loop."""

    def __init__(self, exchange: str, url: str | None, keys: Keys | None, answer_s: float) -> None:
        self.host = url or exchange
        self._keys, self._answer_s = keys, answer_s
        self._signer = _signer(exchange, exchange_urls(exchange, url), keys)
        self._session: Any = None

    async def send(
        self, method: str, path: str, params: Mapping[str, str], *, section: str = "private", timeout_s: float = 0.0
    ) -> RawAnswer:
        """One signed request; `params` have its time stamp. Raises NotSentError or CutError."""
        signed = self._signer.sign(path, [section], method, dict(params))
        return await self._once(method, signed["url"], signed["headers"], signed["body"], timeout_s)

    async def public(self, path: str, params: Mapping[str, str], timeout_s: float = 0.0) -> RawAnswer:
        """One question that needs no key."""
        signed = self._signer.sign(path, ["public"], "GET", dict(params))
        return await self._once("GET", signed["url"], None, None, timeout_s)

    def socket_params(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """Parameters of a websocket API's request with key and signature."""
        import hashlib

        signer = self._signer
        signed: dict[str, str | int] = {**params, "apiKey": signer.apiKey}
        payload = signer.encode(signer.urlencode(signer.keysort(signed)))
        if self._keys is not None and self._keys.is_ed25519:
            signature = signer.eddsa(payload, signer.secret, "ed25519")
        else:
            signature = signer.hmac(payload, signer.encode(signer.secret), hashlib.sha256)
        return {**signed, "signature": signature}

    async def socket(self, url: str, heartbeat_s: float, dial_s: float) -> Any:
        """A websocket over the same session; what aiohttp raises is the caller's."""
        import aiohttp

        async with asyncio.timeout(dial_s):
            return await self._opened().ws_connect(
                url,
                heartbeat=heartbeat_s,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.5),  # type: ignore[attr-defined, unused-ignore]
                max_msg_size=10 << 20,
            )

    async def close(self) -> None:
        """Closes its connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> Any:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=guarded(aiohttp.TCPConnector()),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_once_only,),
            )
        return self._session

    async def _once(self, method: str, url: str, headers: Any, body: str | None, timeout_s: float) -> RawAnswer:
        import aiohttp
        import yarl

        answer_s = timeout_s or self._answer_s
        fault: Exception
        try:
            async with self._opened().request(
                method,
                yarl.URL(url, encoded=True),  # as it was signed
                headers=headers,
                data=None if body is None else body.encode(),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=answer_s),
            ) as answer:
                content = await answer.read()
                names = {name.lower(): value for name, value in answer.headers.items()}
                return RawAnswer(answer.status, names, content.decode(errors="replace"))
        except aiohttp.ConnectionTimeoutError:
            fault = NotSentError(f"{self.host} cannot be reached: no connection within {answer_s:g} s")
        except aiohttp.ClientConnectorError as error:
            fault = NotSentError(f"{self.host} cannot be reached: {_reason(getattr(error, 'os_error', error))}")
        except TimeoutError:
            fault = CutError(f"{self.host} did not answer within {answer_s:g} s")
        except (aiohttp.ClientError, _BrokenOffError, OSError) as error:
            # Texts of aiohttp may quote the whole address: the name of the class says as much.
            fault = CutError(f"{self.host}: the connection broke off ({_reason(error)})")
        raise fault  # outside of the handler, so that no context of it goes along


class _BrokenOffError(Exception):
    """A connection that ended under a request."""


async def _once_only(request: Any, handler: Any) -> Any:
    """aiohttp would send a GET, PUT or DELETE again over a new connection; nothing is sent twice here."""
    import aiohttp

    name = ""
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        name = _reason(error)
    raise _BrokenOffError(name)


def _signer(exchange: str, urls: dict[str, Any], keys: Keys | None) -> Any:
    import ccxt.async_support as ccxt

    class Signer(binance_class(getattr(ccxt, ccxt_name(exchange)))):  # type: ignore[misc]  # ccxt's have no types
        def nonce(self) -> int:
            return 0  # ours replaces it; this machine's clock is never asked

    return Signer({"urls": urls, "enableRateLimit": False, **({} if keys is None else keys.credentials())})


def _reason(error: BaseException) -> str:
    if isinstance(error, _BrokenOffError):
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__
