"""What ccxt 4.5.90 gets wrong for Binance US, put right in one subclass of its Binance classes.

Request weights are Binance US's own, error codes count on any host, an answer that is no JSON is no answer, a ban
carries its Retry-After, candle rows come as they were sent, and no connection is used again over which an answer too
many came. Each has a contract test against the real class; ccxt is pinned because these are its inside.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from app import times
from app.errors import BlockedError, RateLimitError, UnavailableError
from app.exchange.quiet_connections import guarded
from app.exchange.retries import BAN_MOST_S

_BLOCKED = {403: "forbidden", 451: "not served in this country"}


@cache
def binance_class(base: Any) -> Any:
    """The corrected subclass of ccxt's `binanceus` or `binance`, async or pro."""

    class Binance(base):  # type: ignore[misc]  # ccxt's classes have no types
        on_used_weight: Any = None
        _guarded: Any = None

        def open(self, *arguments: Any) -> None:
            super().open(*arguments)
            if self.tcp_connector is not self._guarded:
                self._guarded = guarded(self.tcp_connector)

        def calculate_rate_limiter_cost(self, api: Any, method: Any, path: Any, params: Any, config: Any = None) -> Any:
            # The generated methods of binanceus carry Binance.com's weights; describe() has its own.
            own = self.api.get(api[0], {}).get(method.lower(), {}).get(path)
            return super().calculate_rate_limiter_cost(
                api, method, path, params, own if isinstance(own, dict) else config or {}
            )

        def get_exceptions_by_url(self, url: str, which: str) -> Any:
            # Off api.<hostname> ccxt finds no table: "server busy" would count as a refusal.
            return self.exceptions.get("spot", {}).get(which, {})

        def handle_errors(
            self, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, response: Any,
            request_headers: Any, request_body: Any,
        ) -> Any:  # fmt: skip
            names = {name.lower(): value for name, value in headers.items()}
            used = names.get("x-mbx-used-weight-1m", "")
            if used.isdecimal() and len(used) < 10 and self.on_used_weight is not None:
                self.on_used_weight(int(used))
            refusal = refusal_of(url, code, names.get("retry-after"))
            if refusal is not None:
                raise refusal
            if code < 400 and response is None:
                raise UnavailableError(f"{_host(url)} answered what is no JSON: {' '.join(str(body).split())[:40]!r}")
            return super().handle_errors(
                code, reason, url, method, headers, body, response, request_headers, request_body
            )

        def parse_ohlcvs(self, ohlcvs: Any, *_: Any, **__: Any) -> Any:
            # ccxt sorts, cuts and swallows; the rows as they came can be checked, at a third of the cost.
            return ohlcvs

    return Binance


def refusal_of(url: str, status: int, retry_after: str | None) -> RateLimitError | BlockedError | None:
    """What the status of an answer or a handshake says against whoever asks; None if it says nothing such."""
    host = _host(url)
    if status in (418, 429):
        what = "has banned this address" if status == 418 else "limits the rate of requests"
        return RateLimitError(f"{host} {what} ({status})", retry_after_s(retry_after), banned=status == 418)
    if status in _BLOCKED:
        return BlockedError(f"{host} refuses this address: {status}, {_BLOCKED[status]}")
    if status == 404:
        return BlockedError(f"{url.partition('?')[0]} does not exist (404): is that a Binance API?")
    return None


def retry_after_s(text: str | None) -> float | None:
    """Retry-After in seconds, also where it is a date; of several the longest.

    None where it is neither, or a wait that the exchange's documents do not know: negative, or longer than a ban lasts.
    """
    if text is None:
        return None
    waits_s = [_seconds(part) for part in (text, *text.split(","))]
    return max((wait_s for wait_s in waits_s if wait_s is not None and 0.0 <= wait_s <= BAN_MOST_S), default=None)


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # -0000, or no zone at all: this machine's is not meant
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - times.now_ms() / 1000.0)
    except (ValueError, OverflowError):
        return None


def _host(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])
